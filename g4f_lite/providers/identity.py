"""What tells the answers of one provider from those of another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import requests

from ..errors import G4FLiteError
from .base import BaseProvider, Provider
from .fallback import Fallback
from .own_settings import plain


def identity_of(provider: BaseProvider, model: str | None, *, with_keys: bool = True) -> str:
    """Return the names, URLs, models and credentials of a provider, or of all members of a chain, as JSON.

    It contains secrets: it is there to be hashed.

    :param model: the requested model; None for the default
    :param with_keys: False leaves out the keys
    """
    return json.dumps(_facts(provider, model, with_keys), sort_keys=True, default=str)


def _facts(provider: BaseProvider, model: str | None, with_keys: bool) -> Any:
    if isinstance(provider, Fallback):
        return [provider.name, [_facts(member, model, with_keys) for member in provider.providers]]
    keys = [*dict.fromkeys(provider.secrets())]
    facts = _facts_of_one(provider, model)
    return [facts, keys] if with_keys else _without(facts, keys)


def _without(value: Any, keys: list[str]) -> Any:
    """Return nested facts in which each string that is a key is None."""
    if isinstance(value, Mapping):
        return {name: _without(each, keys) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without(each, keys) for each in value]
    return None if value in keys else value


def _facts_of_one(provider: BaseProvider, model: str | None) -> Any:
    try:
        named = provider.get_model(model)
    except G4FLiteError:  # of a member of a chain that does not have this model
        named = model
    facts = [provider._kind_name or provider.name, named, plain(provider.identity(), provider._own_settings.only)]
    if isinstance(provider, Provider):
        facts += [
            provider.base_url,
            provider.headers,
            provider.cookies,
            plain(provider.cert, ""),
            _of_session(provider),
        ]
    return facts


def _of_session(provider: Provider) -> Any:
    """Return what a caller's own session adds to requests: whose they are."""
    session = provider._own_session
    if session is None:
        return None
    travel = {*requests.Session.__attrs__} - {"headers", "auth", "params", "cert"}
    facts = {name: value for name, value in vars(session).items() if name not in travel}
    facts["headers"] = dict(session.headers)
    # A class of the caller's own may sign what it sends: a session by what it is, an adapter by what it was made with.
    signs = [one for one in session.adapters.items() if type(one[1]) is not requests.adapters.HTTPAdapter]
    return plain([type(session), facts, provider._session_cookies, signs], provider._own_settings.only)
