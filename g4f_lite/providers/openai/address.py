"""The address of a server, as people write it: with an endpoint at its end, with a query, without ``/v1``."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ...errors import G4FLiteError, ProviderError, ResponseFormatError
from ..settings import check_url

# What people copy from a page on an API, and what is appended here.
_ENDPOINT = r"/(?:chat/completions|completions|responses|models|embeddings|images/generations)/*$"
_CUT_ENDPOINT = r"(/v\d\w*)/chat/*$"
_OF_OLLAMA = r"/api/(?:chat|generate|tags)/*$"  # of its own API, beside which it speaks OpenAI's
_BARE_OF_OLLAMA = r"/api/*$"  # only at its port: elsewhere, as at OpenRouter, /v1 follows
_OLLAMAS_PORT = ":11434"
_HAS_VERSION = r"/v\d|/deployments/"
_VERSION_TWICE = r"(/v\d+)\1(?=/|$)"
_DEPLOYMENT = r"/deployments/([^/]+)"
_NO_SUCH_ENDPOINT = r"(?i)(?:unexpected|unknown|no such|invalid) (?:endpoint|url|path|route)"
NO_SUCH_PAGE = (404, 405, 501)  # statuses
_IPV6 = r"(?=.*:.*:)[0-9a-fA-F:.]+"
#: How the advice about an address begins.
USUAL_END = "the address of such a server usually ends in /v1"
#: How the advice about a list of models begins, in which the address follows.
NO_LIST = "there is no list of models at"
_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")

Query = list[tuple[str, str]]


class Address(NamedTuple):
    """An address without its query, and the query, which goes with every request."""

    base: str
    query: Query

    @property
    def model(self) -> str:
        """The model that the address names, as Azure's do; "" where it names none."""
        found = re.search(_DEPLOYMENT, urlsplit(self.base).path)
        return found[1] if found else ""


def read_address(url: str) -> Address:
    """Read the address of a server; what is not one is given as it is, to be refused with all others."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except (AttributeError, TypeError, ValueError):
        return Address(url, [])
    if not parts.netloc or "@" in url:  # credentials: what looks like a query may be a part of the password
        return Address(url, [])
    path = re.sub(_CUT_ENDPOINT, r"\1", re.sub(_ENDPOINT, "", parts.path))
    path = re.sub(_OF_OLLAMA, "/v1", path)
    if parts.netloc.endswith(_OLLAMAS_PORT):
        path = re.sub(_BARE_OF_OLLAMA, "/v1", path)
    return Address(urlunsplit(parts._replace(path=path, query="")), query)


def address_of_environment() -> str:
    """Return the address of the server that ``G4F_LITE_BASE_URL`` names; "" if it is not set.

    :raises ValueError: if it is not a URL
    """
    named = os.environ.get("G4F_LITE_BASE_URL")
    return check_url(named, "G4F_LITE_BASE_URL") if named else ""


def address_of_ollama(named: str) -> str:
    """Return the address of the server that ``OLLAMA_HOST`` names, as Ollama's own programs read it.

    :param named: a host, a port behind a colon, both, or a URL, also in quotes; an address to listen on means this
        machine
    :raises ValueError: if it is none of these
    """
    named = named.strip().strip("\"'")
    # The colons of a plain IPv6 address would be read as that of a port; one at the end names none.
    named = f"[{named}]" if re.fullmatch(_IPV6, named) else named.removesuffix(":") or "127.0.0.1"
    url = named if "://" in named else f"http://{'127.0.0.1' if named.startswith(':') else ''}{named}"
    parts = urlsplit(check_url(url, "OLLAMA_HOST"))
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    host = everywhere.get(parts.hostname or "") or parts.netloc.removesuffix(f":{parts.port}")
    port = f":{parts.port}" if parts.port else "" if url == named else _OLLAMAS_PORT
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}/v1"


def with_query(url: str, query: Query) -> str:
    """Add a query to an address; a name in it replaces the same name in the address."""
    if not query:
        return url
    parts = urlsplit(url)
    names = {name for name, _ in query}
    own = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in names]
    return urlunsplit(parts._replace(query=urlencode([*own, *query])))


def is_azure(url: str) -> bool:
    """Return whether an address is of Azure OpenAI, whose keys go in a header of its own."""
    return (urlsplit(url).hostname or "").endswith(_AZURE)


def version_hint(base_url: str) -> str | None:
    """Say what an address without a version probably lacks, or that it has one twice; None where it has one."""
    if re.search(_HAS_VERSION, urlsplit(base_url).path):
        once = re.sub(_VERSION_TWICE, r"\1", base_url)
        return None if once == base_url else f"{base_url} has its version twice: try {_setting(base_url, once)}"
    better = f"{base_url}/openai/v1" if is_azure(base_url) else f"{base_url}/v1"
    return f"{USUAL_END}, and {base_url} does not: try {_setting(base_url, better)}"


def _model_hint(base_url: str) -> str | None:
    """Say where a model belongs that stands behind an address, as it does behind a name; None where there is none."""
    found = re.fullmatch(r"(.*/v\d\w*):(.+)", base_url)
    if found is None:
        return None
    return f"the model {found[2]!r} is a setting of its own: try {_setting(base_url, found[1])} and that model"


def _setting(base_url: str, better: str) -> str:
    """Return how a better address is given: in the environment's variable where the address is from there."""
    is_environments = read_address(os.environ.get("G4F_LITE_BASE_URL") or "").base.rstrip("/") == base_url
    return f"G4F_LITE_BASE_URL={better}" if is_environments else f"base_url={better!r}"


def explain_address(error: G4FLiteError, base_url: str) -> None:
    """Add to an error what the address may lack, where that explains it."""
    if advised := re.search(r"give base_url='([^']+)'", error.message):  # a redirect of one endpoint
        error.message = error.message.replace(advised[0], f"give base_url={read_address(advised[1]).base!r}")
        error.args = (error.message,)
    if "base_url=" in error.message.lower() or not isinstance(error, ProviderError):
        return
    hint = version_hint(base_url) or _model_hint(base_url)
    is_page = isinstance(error, ResponseFormatError) and "web page" in error.message
    if hint is None:
        advice = ""
        if error.step == "bootstrap" and error.status in NO_SUCH_PAGE:
            advice = f"{NO_LIST} {base_url}/models"
        elif error.status == 404:
            advice = f"status 404 often means a wrong address, which is {base_url} here"
            if error.step == "image":
                advice = "this server probably generates no images; name a provider that does, for example openai"
        elif is_page:
            advice = f"the address may be wrong, which is {base_url} here"
        if advice:
            error.message = f"{error.message}; {advice}"
            error.args = (error.message,)
        return
    if error.status in NO_SUCH_PAGE or is_page or re.search(_NO_SUCH_ENDPOINT, error.message):
        error.message = f"{error.message}; {hint}"
        error.args = (error.message,)
