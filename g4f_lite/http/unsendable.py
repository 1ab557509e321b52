"""Requests that nothing could send, to any server: a mistake of whoever made them, and not of the network."""

from __future__ import annotations

import traceback

import requests

from ..errors import HookError

# What requests raises for a URL that is not one, and for a header that is not text.
_INVALID_URL = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)
_LIBRARIES = frozenset({"requests", "urllib3", "http", "urllib", "json", "simplejson"})


def not_a_method(method: object, step: str) -> HookError:
    """Make the error for what a request has in place of a method."""
    what = "None" if method is None else f"{type(method).__name__} ({method!r:.80})"
    return _mistake(f'the method {what}; write Request("POST", …)', step)


def unsendable(error: BaseException, request: requests.Request, step: str) -> HookError | None:
    """Make the error for a request that could not be sent to any server; None if something else went wrong.

    A header's value may be a secret, and is not shown.

    :param error: what was raised while the request was prepared or sent
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    codes = {frame.f_code for frame in frames}
    preparing = requests.Session.prepare_request.__code__ in codes
    if preparing and isinstance(error, requests.exceptions.InvalidHeader):  # which a response may have as well
        reason = f"{_invalid_header(request)} that is not a string, or has a line break or a space around it"
        error.args = (reason,)
        return _mistake(reason, step)
    if isinstance(error, _INVALID_URL):
        at_proxy = isinstance(error, requests.exceptions.InvalidProxyURL) or "SOCKS" in str(error)  # without PySocks
        return None if at_proxy else _mistake(f"an invalid URL: {error}", step)
    if isinstance(error, (TypeError, AttributeError)):
        caused = frames[-1].f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES
    else:
        caused = isinstance(error, UnicodeEncodeError) or (
            preparing and isinstance(error, (ValueError, requests.exceptions.InvalidJSONError))
        )
    if not caused or (preparing and requests.PreparedRequest.prepare_auth.__code__ in codes):
        return None
    return HookError(f"made a request that cannot be sent: {type(error).__name__}: {error}", step=_hook(step))


def _invalid_header(request: requests.Request) -> str:
    """Name the header that requests refuses; it may be one of the session instead."""
    for name, value in request.headers.items():
        try:
            requests.utils.check_header_validity((name, value))
        except requests.exceptions.InvalidHeader:
            return f"a header {name!r:.80}"
    return "a header"


def _mistake(reason: str, step: str) -> HookError:
    return HookError(f"made a request with {reason}", step=_hook(step))


def _hook(step: str) -> str:
    return "request" if step == "prompt" else step
