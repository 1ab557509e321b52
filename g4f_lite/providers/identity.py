"""What tells the answers of one provider from those of another."""

from __future__ import annotations

import json
from typing import Any

from ..errors import G4FLiteError
from .base import BaseProvider, Provider
from .fallback import Fallback


def identity_of(provider: BaseProvider, model: str | None) -> str:
    """Return the names, URLs, models and credentials of a provider, or of all members of a chain, as JSON.

    It contains secrets: it is there to be hashed.

    :param model: the requested model; None for the default
    """
    return json.dumps(_facts(provider, model), sort_keys=True, default=str)


def _facts(provider: BaseProvider, model: str | None) -> Any:
    if isinstance(provider, Fallback):
        return [provider.name, [_facts(member, model) for member in provider.providers]]
    try:
        named = provider.get_model(model)
    except G4FLiteError:  # of a member of a chain that does not have this model
        named = model
    if not isinstance(provider, Provider):
        return [provider.name, named]
    query = getattr(provider, "query", None)
    return [provider.name, provider.base_url, query, named, provider.secrets(), provider.cookies]
