"""What of a provider goes into a pickle: its settings, and no secret that was given as an argument."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..http.redact import names_secret


def state_without_secrets(provider: Any) -> dict[str, Any]:
    """Return the state of a provider for a pickle; ``_lost`` lists the arguments that were left out of it."""
    state = {name: value for name, value in vars(provider).items() if name not in ("pool", "budget", "cool_downs")}
    lost = list(provider._lost)
    if any(map(names_secret, provider.headers)):
        state["headers"] = {name: value for name, value in provider.headers.items() if not names_secret(name)}
        lost.append("headers")
    if provider.cookies:
        state["cookies"] = {}
        lost.append("cookies")
    if provider._own_session is not None:
        state["_own_session"] = None
        lost.append("session")
    if provider.proxy and urlsplit(provider.proxy).password:
        state["proxy"] = None
        lost.append("proxy")
    return {**state, "_lost": lost}
