"""The name of who answers in the interactive chat."""

from __future__ import annotations

from ..http.urls import origin_of
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback


def who_answers(provider: BaseProvider, model: str | None) -> str:
    """Return the name of a provider, those of a chain's members, or the address of a server that has none.

    The model follows, if one is named.

    :param model: the model of the conversation, which all members are asked for; None for the provider's own
    """
    if not isinstance(provider, Fallback):
        return _with(_name(provider), model or _own(provider) or getattr(provider, "default_model", None))
    members = (
        who_answers(one, None) if isinstance(one, Fallback) else _with(_name(one), None if model else _own(one))
        for one in provider.providers
    )
    return _with(" or ".join(members), model)


def _name(provider: BaseProvider) -> str:
    if provider.name != "OpenAICompatible":
        return provider.name
    return origin_of(getattr(provider, "base_url", "")).partition("//")[2] or provider.name


def _own(provider: BaseProvider) -> str | None:
    return getattr(provider, "model", None)


def _with(name: str, model: str | None) -> str:
    return f"{name} ({model})" if model else name
