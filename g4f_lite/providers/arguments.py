"""What a caller may give, checked at the call: a wrong argument is named there and then."""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from ..errors import MissingDependencyError
from ..http.failures import NEEDS_PYSOCKS
from ..messages import Image, Message, Messages, to_messages

_ON_THE_PROVIDER = "give headers= where the provider is made, such as OpenAICompatible(base_url, headers={…})"
_ON_ITS_SESSION = "give session= where the provider is made: a requests.Session, which has params and much more"
_RESULTS_HAVE_NONE = "the results have no place for log probabilities"
# What OpenAI's client takes, and what to do about it here.
_INSTEAD = {
    "n": "one answer is given; ask again for another",
    "logprobs": _RESULTS_HAVE_NONE,
    "top_logprobs": _RESULTS_HAVE_NONE,
    "extra_headers": _ON_THE_PROVIDER,
    "default_headers": _ON_THE_PROVIDER,
    "organization": _ON_THE_PROVIDER,
    "project": _ON_THE_PROVIDER,
    "extra_query": _ON_ITS_SESSION,
    "default_query": _ON_ITS_SESSION,
    "http_client": _ON_ITS_SESSION,
    "max_retries": "give retry=RetryPolicy(attempts=…), which counts the first attempt too",
}
_ASKS_FOR_NOTHING = {"n": 1, "logprobs": False, "top_logprobs": 0}


def what_is_said(
    model: str | None,
    messages: str | Sequence[Message] | None,
    system: str | None,
    images: Image | Iterable[Image] | None,
) -> Messages:
    """Check the arguments that say what is asked, and give them as one list of messages.

    :raises TypeError: a wrong type, or no messages: ``create("hello")`` puts the text in ``model``
    :raises ValueError: nothing is said
    """
    if messages is None:
        taken = f"; {model!r} was taken as the model: write messages={model!r}" if model else ""
        raise TypeError(f"messages is missing{taken}")
    return to_messages(messages, system=system, images=images)


def check_options(options: Mapping[str, Any], known: Collection[str], owner: str) -> None:
    """Check the options of a call.

    :raises TypeError: one that is unknown, has the wrong type, or cannot be sent as JSON
    """
    for name, value in options.items():
        if name not in known:
            raise TypeError(unknown_name("option", name, sorted(known), owner))
        if name in ("response_format", "extra_body") and not isinstance(value, (dict, type(None))):
            raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f"the option {name} cannot be sent as JSON: {error}") from error
    for name, value in (options.get("extra_body") or {}).items():
        if name in _ASKS_FOR_NOTHING and not asks_for_nothing(name, value):
            raise TypeError(unknown_name("option", name, (), owner))


def asks_for_nothing(name: str, value: Any) -> bool:
    """Tell whether an option asks for what everybody does without it, such as ``n=1``."""
    return value is None or (name in _ASKS_FOR_NOTHING and value == _ASKS_FOR_NOTHING[name])


def check_text_only(messages: Messages, owner: str) -> None:
    """Raise where a message holds a picture or anything else that is no text.

    :raises ValueError: one does
    """
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if (kind := part.get("type", "text")) != "text":
                raise ValueError(f"{owner} takes text alone, and a message holds {kind!r}; leave out images=")


def check_url(url: Any, name: str, owner: str = "") -> str:
    """Check a service's address and give it without a slash at its end.

    :param name: what it was given as;  :param owner: whose it is
    :raises ValueError: it is empty, none, or holds credentials
    """
    if not isinstance(url, str):
        raise TypeError(f"{name} must be a string, not {type(url).__name__}")
    if not url and owner:
        raise ValueError(f"{owner} needs {name}=, the address of a server such as http://localhost:8080/v1")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in url):
        raise ValueError(f"{name} must be an address such as http://localhost:8080/v1, not {_hidden_url(url)!r}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            f"{name} must have no user, password or query in it; keys go in api_key= or headers=: {_hidden_url(url)!r}"
        )
    return url.rstrip("/")


def check_model_name(name: Any) -> None:
    """Raise unless this could be a model's name.

    :raises TypeError: it is no string;  :raises ValueError: it is blank
    """
    if not isinstance(name, str):
        raise TypeError(f"model must be a name, not {type(name).__name__}")
    if not name.strip():
        raise ValueError("model is blank; leave it out to ask the default model")


def check_proxy(proxy: Any, name: str = "proxy") -> str:
    """Check the URL of a proxy.

    :raises ValueError: it is none
    """
    if not isinstance(proxy, str):
        raise TypeError(f"{name} must be a URL, not {type(proxy).__name__}")
    try:
        parts = urlsplit(proxy)
        valid = parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        good = "http://127.0.0.1:3128 or socks5h://127.0.0.1:1080"
        raise ValueError(f"{name} must be a URL such as {good}, not {_hidden_url(proxy)!r}")
    return proxy


def require_socks(proxy: str | None) -> None:
    """Raise where a proxy speaks SOCKS and what speaks it is not installed.

    :raises MissingDependencyError: so it is
    """
    if proxy and urlsplit(proxy).scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
        raise MissingDependencyError(NEEDS_PYSOCKS)


def check_fields(fields: Any, kind: str) -> dict[str, str]:
    """Check headers or cookies that were given as an argument; their values are not shown.

    :raises TypeError: they are no dict of strings
    :raises ValueError: one could not be sent as it is
    """
    if not isinstance(fields, Mapping):
        raise TypeError(f"{kind} must be a dict, not {type(fields).__name__}")
    for name, value in fields.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{kind} must be strings by their names; {name!r} is {type(value).__name__}")
        if not name or value != value.strip() or not (name + value).replace("\t", "").isprintable():
            raise ValueError(f"{kind}: the value of {name!r} has a newline, a blank at an end or the like in it")
        try:
            (name + value).encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"{kind}: {name!r} has letters that HTTP cannot send") from None
    return dict(fields)


def check_session(session: Any) -> requests.Session | None:
    """Check a caller's own session.

    :raises TypeError: it is none
    """
    if session is not None and not isinstance(session, requests.Session):
        raise TypeError(f"session must be a requests.Session, not {type(session).__name__}")
    return session


def check_pool_size(size: Any) -> int:
    """Check how many idle sessions are to be kept.

    :raises TypeError: it is no whole number;  :raises ValueError: less than one
    """
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"pool_size must be a whole number, not {type(size).__name__}")
    if size < 1:
        raise ValueError(f"pool_size must be at least 1, not {size}")
    return size


def check_callback(function: Any, name: str) -> Any:
    """Check something that is to be called.

    :raises TypeError: it cannot be
    """
    if function is not None and not callable(function):
        raise TypeError(f"{name} must be a function, not {type(function).__name__}")
    return function


def check_verify(verify: Any) -> bool | str | None:
    """Check ``verify=``.

    :raises TypeError: it is no boolean and no path;  :raises ValueError: the path is empty
    """
    if isinstance(verify, os.PathLike):
        verify = os.fspath(verify)
    if verify is not None and not isinstance(verify, (bool, str)):
        raise TypeError(f"verify must be True, False or the path of a CA bundle, not {type(verify).__name__}")
    if verify == "":
        raise ValueError("verify is an empty path; False turns the check of certificates off")
    return verify


def check_cert(cert: Any) -> str | tuple[str, str] | None:
    """Check ``cert=``.

    :raises TypeError: it is no path and no pair of them
    """
    parts = cert if isinstance(cert, tuple) else (cert,)
    if cert is not None and (len(parts) > 2 or not parts or not all(isinstance(part, str) and part for part in parts)):
        raise TypeError("cert must be the path of a client certificate, or a pair of paths: certificate and key")
    return cert  # type: ignore[no-any-return]


def unknown_name(kind: str, name: str, known: Sequence[str], owner: str) -> str:
    """Write the sentence that an unknown name deserves: what to do instead, or near ones; else some."""
    if kind == "option" and name in _INSTEAD:
        return f"{owner} has no option {name!r}: {_INSTEAD[name]}"
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6 if kind == "option" else 0.5)
    near = near or ([] if kind == "option" else list(known)[:8])
    hint = f"; try {', '.join(near)}" if near else ""
    return f"{owner} has no {kind} {name!r}{hint}"


def _hidden_url(url: str) -> str:
    return re.sub(r"//[^/]*@", "//***@", url.partition("?")[0])[:200]
