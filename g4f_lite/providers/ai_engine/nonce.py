"""The nonce of a WordPress site, as its pages and its answers hold it.

Source: the plugin AI Engine's versions 2.4.3 to 3.6.2 on WordPress 6.9 and 7.0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...errors import ResponseFormatError, ServiceError
from ...http.parsing import parse_json
from ...http.urls import is_plain, parse_origin
from . import errors

if TYPE_CHECKING:
    from ...http.body import Body

SESSION = '{"success"'  # how the answer of start_session begins

_NONCE = r"[!-~]{1,256}"
_NONCE_OF_WORDPRESS = r"[0-9a-f]{10}"
_NONCE_IN_PAGE = r'restNonce(?:&quot;|"):(?:&quot;|")([\w-]+)'
_REST_IN_PAGE = r'restUrl(?:&quot;|"):(?:&quot;|")([^"&]{1,500})'


def nonce_in_page(page: str) -> str | None:
    """Find the nonce that the chatbot's page holds for its own script."""
    found = re.search(_NONCE_IN_PAGE, page, re.ASCII)
    return found[1] if found else None


def read_page(page: str, home: str) -> str:
    """Return the nonce in a site's page.

    :param home: the site's address
    :raises ServiceError: if there is none
    """
    if nonce := nonce_in_page(page):
        return nonce
    raise ServiceError(
        f"{home} has neither AI Engine's start_session nor, in its page, a nonce;"
        " is this the site's address, and is AI Engine switched on there?"
    )


def rest_in_page(page: str, home: str) -> str | None:
    """Find the address of the REST API that the chatbot's page holds; only one of the site's own host counts.

    :param home: the site's address
    """
    found = re.search(_REST_IN_PAGE, page)
    rest = found[1].replace("\\/", "/").rstrip("/") if found else ""
    return rest if is_plain(rest) and parse_origin(rest) == parse_origin(home) else None


def read_wordpress(text: str) -> str | None:
    """Read the nonce in WordPress's own answer; None where it is another text."""
    return text if re.fullmatch(_NONCE_OF_WORDPRESS, text) else None


def read_session(status: int, text: str) -> str:
    """Read the nonce in the answer of ``start_session``; a ``new_token`` is newer than the ``restNonce``.

    :raises G4FLiteError: if there is none; the answer is not shown, as it may hold a nonce
    """
    start = max(text.find(SESSION), 0)  # a PHP warning may stand before it
    try:
        session = parse_json(text[start:].strip())
    except ResponseFormatError:
        session = None
    if not isinstance(session, dict):
        raise ResponseFormatError("the answer of start_session is not JSON with a session in it")
    if session.get("success") is not False:
        for nonce in (session.get("new_token"), session.get("restNonce")):
            if _is_nonce(nonce):
                return str(nonce)
    raise errors.service_error(status, session) or ResponseFormatError("the session has no restNonce")


def keep(body: Body, source: Any) -> None:
    """Note a newer nonce that came with a response.

    :param source: the header ``X-WP-Nonce``, or an object that may have a ``new_token``
    """
    nonce = source.get("new_token") if isinstance(source, dict) else source
    if _is_nonce(nonce):
        body.new_token = nonce


def _is_nonce(value: Any) -> bool:
    """Return whether this can be sent as a nonce."""
    return isinstance(value, str) and bool(re.fullmatch(_NONCE, value))
