"""What a caller may give, wherever it is given: proxies, names of models, whole numbers, unknown names."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

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
        raise ValueError(f"{name} must be a URL such as {good}, not {shown_url(proxy)!r}")
    return proxy


def check_whole_number(value: Any, name: str, *, least: int = 1) -> int:
    """Check a number that counts something.

    :param name: the argument, for the error
    :raises TypeError: it is not a whole number
    :raises ValueError: it is less than ``least``
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def unknown_name(kind: str, name: str, known: Sequence[str], owner: str) -> str:
    """Write the sentence that an unknown name deserves: what to do instead, or near ones; else some."""
    if kind == "option" and name in _INSTEAD:
        return f"{owner} has no option {name!r}: {_INSTEAD[name]}"
    import difflib

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6 if kind == "option" else 0.5)
    near = near or ([] if kind == "option" else list(known)[:8])
    hint = f"; try {', '.join(near)}" if near else ""
    return f"{owner} has no {kind} {name!r}{hint}"


def warn(message: str) -> None:
    """Warn of something in a call, at the caller's line: the first one outside this package."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def shown_url(url: str) -> str:
    """Give a URL for a message: without credentials and query."""
    return re.sub(r"//[^/]*@", "//***@", url.partition("?")[0])[:200]
