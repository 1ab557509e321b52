"""What of a provider goes into a pickle: its settings, and no secret that was given as an argument."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..http.redact import names_secret
from .own_settings import holds
from .secret import secrets_of


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
        state["_own_session"], state["_session_cookies"] = None, {}
        lost.append("session")
    if provider.proxy and urlsplit(provider.proxy).password:
        state["proxy"] = None
        lost.append("proxy")
    given = {name: value for name in secrets_of(type(provider)) if (value := vars(provider).get(name))}
    given |= provider._own_settings.secrets
    for attribute, value in vars(provider).items():
        if holds(value, given.values()) and state.get(attribute) is value:
            state[attribute] = None
            lost += [name for name, secret in given.items() if holds(value, [secret]) and name not in lost]
    return {**state, "_lost": lost}
