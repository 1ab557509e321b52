"""Which provider answers where none is given as an object."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..errors import ProviderNotFoundError
from ..http.forks import lock_free_in_children
from .base import BaseProvider
from .fallback import Fallback
from .registry import make, make_provider
from .settings import check_url

ProviderLike = BaseProvider | type[BaseProvider] | str | Iterable[BaseProvider | type[BaseProvider] | str]

# All that an environment's choice depends on.
_VARIABLES = (
    "G4F_LITE_PROVIDER",
    "G4F_LITE_BASE_URL",
    "G4F_LITE_API_KEY",
    "G4F_LITE_MODEL",
    "G4F_LITE_TIMEOUT",
    "OPENAI_BASE_URL",
)

instead: BaseProvider | None = None  # answers in place of any that the environment chooses
_made: dict[tuple[str | None, ...], BaseProvider] = {}
_lock = lock_free_in_children()


def provider_of(provider: ProviderLike, **settings: Any) -> BaseProvider:
    """Give the provider that an object, a class or a name stands for; a list of these becomes a Fallback.

    :param settings: the settings of the providers that are made here
    :raises ProviderNotFoundError: no provider has the name
    :raises TypeError: it is none of these, or a provider does not have one of the settings
    :raises ValueError: the name or the list is empty
    """
    if isinstance(provider, BaseProvider):
        return provider
    if isinstance(provider, str):
        return choose_provider(provider, **settings)
    if isinstance(provider, type) and issubclass(provider, BaseProvider):
        return make(provider, provider.__name__, settings)
    made = [provider_of(member, **settings) for member in members_of(provider)]
    return made[0] if len(made) == 1 else Fallback(made)


def members_of(providers: Any) -> tuple[BaseProvider | type[BaseProvider] | str, ...]:
    """Check a list of providers, classes and names; a single one becomes a list.

    :raises TypeError: a member is none of these
    :raises ValueError: the list is empty
    """
    members = tuple(providers) if isinstance(providers, Iterable) and not isinstance(providers, type) else (providers,)
    for member in members:
        is_class = isinstance(member, type) and issubclass(member, BaseProvider)
        if not (is_class or isinstance(member, (BaseProvider, str))):
            what = f"the class {member.__name__}" if isinstance(member, type) else type(member).__name__
            raise TypeError(f"provider must be a provider, its class, its name, or a list of these, not {what}")
    if not members:
        raise ValueError("provider is an empty list")
    return members


def choose_provider(
    name: str | None = None, *, base_url: str | None = None, download: bool | None = None, **settings: Any
) -> BaseProvider:
    """Make the provider that answers where no object is given.

    In this order: ``name``, ``base_url``, the environment's ``G4F_LITE_PROVIDER``, its
    ``G4F_LITE_BASE_URL`` with ``G4F_LITE_API_KEY``, and the embedded model.  A key alone chooses nothing.
    ``G4F_LITE_MODEL`` is the model of what the environment chooses, where that names none.

    :param name: a provider's name, ``name:model``, or several with commas: a Fallback
    :param base_url: the address of the named provider, or of an OpenAI-compatible server
    :param download: whether ``Local``, where it is chosen, may fetch its weights
    :param settings: as for the provider's class
    :raises ProviderNotFoundError: no provider has the name
    :raises ValueError: a name or an address makes no sense
    """
    by_environment = name is None and base_url is None
    if by_environment:
        if instead is not None:
            return instead
        name = os.environ.get("G4F_LITE_PROVIDER") or None
        base_url = None if name else os.environ.get("G4F_LITE_BASE_URL") or None
        if base_url is not None:
            check_url(base_url, "G4F_LITE_BASE_URL")
        if model := os.environ.get("G4F_LITE_MODEL"):
            settings.setdefault("model", model)
    names = [part.strip() for part in (name or "").split(",") if part.strip()]
    if name is not None and not names:
        raise ValueError(f"provider is {name!r}, which names nobody; leave it out to let the environment choose")
    if base_url is not None:
        settings["base_url"] = base_url
        names = names or ["OpenAICompatible"]
    try:
        made = [_make(one, settings, download) for one in names or ["Local"]]
    except ProviderNotFoundError as error:
        if by_environment:
            raise ProviderNotFoundError(f"G4F_LITE_PROVIDER: {error.message}") from error
        raise
    return made[0] if len(made) == 1 else Fallback(made)


def default_provider() -> BaseProvider:
    """Give the provider that the environment chooses; the same object as long as it chooses the same."""
    if instead is not None:
        return instead
    key = tuple(os.environ.get(name) for name in _VARIABLES)
    with _lock:
        if key not in _made:
            _made[key] = choose_provider()
        return _made[key]


def _make(name: str, settings: dict[str, Any], download: bool | None) -> BaseProvider:
    if download is not None and name.partition(":")[0].strip().lower() == "local":
        settings = {"download": download, **settings}
    return make_provider(name, **settings)
