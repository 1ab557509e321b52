"""The secrets of a provider that were given as arguments: a pickle does not carry them, and a copy lacks them."""

from __future__ import annotations

import os
from typing import Any

from ..errors import AuthenticationError
from ..http.redact import names_secret
from .own_settings import MADE_ANEW, holds


def state_without_secrets(provider: Any) -> dict[str, Any]:
    """Return the state of a provider for a pickle; ``_lost`` lists the arguments that were left out of it."""
    state = {name: value for name, value in vars(provider).items() if name not in MADE_ANEW}
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
    if provider.proxy and "@" in provider.proxy:  # a user's name alone may be a key
        state["proxy"] = None
        lost.append("proxy")
    given = {name: value for name in provider.declared_secrets if (value := vars(provider).get(name))}
    given |= provider._own_settings.secrets
    state["_own_settings"] = provider._own_settings.without(list(given.values()))
    for attribute, value in vars(provider).items():
        if holds(value, given.values()) and state.get(attribute) is value:
            state[attribute] = None
            lost += [name for name, secret in given.items() if holds(value, [secret]) and name not in lost]
    return {**state, "_lost": lost}


def check_lost(provider: Any) -> None:
    """Raise if a provider lacks an argument because it was not pickled; a declared secret checks itself.

    :raises AuthenticationError: if it does
    """
    for what in provider._lost:
        if what in provider.declared_secrets or (what == "proxy" and os.environ.get("G4F_LITE_PROXY")):
            continue
        hint = "set G4F_LITE_PROXY" if what == "proxy" else f"create the provider again with {what}="
        message = f"the {what} of this provider contained a secret, which was not pickled; {hint}"
        raise AuthenticationError(message, provider=provider.name)
