"""Selecting a provider by a name, a class, a list or the environment."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..answers.short_traceback import shortened
from ..arguments import safe_url
from ..errors import G4FLiteError, ModelNotSupportedError, ProviderNotFoundError
from ..http.forks import lock_free_in_children
from .base import BaseProvider
from .environment import warn_of_key_without_server, warn_of_unknown_variables
from .openai.presets import plain
from .registry import find_class, make, make_provider, name_and_model
from .settings import check_url

ProviderLike = BaseProvider | type[BaseProvider] | str | Iterable[BaseProvider | type[BaseProvider] | str]

# The variables that the choice of the environment depends on.
_VARIABLES = (
    "G4F_LITE_PROVIDER",
    "G4F_LITE_BASE_URL",
    "G4F_LITE_API_KEY",
    "G4F_LITE_MODEL",
    "G4F_LITE_MMPROJ",
    "G4F_LITE_CONTEXT",
    "G4F_LITE_THREADS",
    "G4F_LITE_TIMEOUT",
    "OPENAI_BASE_URL",
    "OLLAMA_HOST",
)

OF_SERVER = ("base_url", "api_key")  # settings
ANY_SERVER = "openaicompatible"  # the name of the class for any server

replacement: BaseProvider | None = None  # replaces the choice of the environment, for tests
_made: dict[tuple[str | None, ...], BaseProvider] = {}
_lock = lock_free_in_children()


def provider_of(provider: ProviderLike, **settings: Any) -> BaseProvider:
    """Return the provider for an object, class, name or list; a list becomes a Fallback.

    :param settings: arguments for the providers that are created here
    :raises ProviderNotFoundError: if no provider has the name
    :raises TypeError: if it is something else, or does not accept a setting
    :raises ValueError: if it is empty
    """
    if isinstance(provider, BaseProvider):
        return provider
    if isinstance(provider, str):
        return choose_provider(provider, **settings)
    if isinstance(provider, type) and issubclass(provider, BaseProvider):
        return make(provider, provider.__name__, settings)
    made = [provider_of(member, **settings) for member in members_of(provider)]
    return _one_of(made)


def members_of(providers: Any) -> tuple[BaseProvider | type[BaseProvider] | str, ...]:
    """Check a list of providers, classes and names, and return it.

    :raises TypeError: if it contains something else
    :raises ValueError: if it is empty
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


def setting_of_provider(name: str, provider: Any) -> str:
    """Return the error message for an argument of a client that is one of its provider; "" if it is not.

    :param provider: the provider, its class or its name
    """
    kind: Any = provider if isinstance(provider, (type, str)) else type(provider)
    if isinstance(kind, str):
        try:
            kind = find_class(kind.partition(":")[0])
        except G4FLiteError:
            return ""
    if not issubclass(kind, BaseProvider):
        return ""
    if name in inspect.signature(kind).parameters:
        return f"Client does not accept {name}=: pass it to the provider, as in Client({kind.__name__}({name}=…))"
    options: Any = kind.known_options  # a property, if any is accepted
    if isinstance(options, frozenset) and name in options:
        return f"Client does not accept {name}=: pass {name}= to the call, as in ask(…, {name}=…)"
    return ""


def choose_provider(
    name: str | None = None, *, base_url: str | None = None, local: Mapping[str, Any] | None = None, **settings: Any
) -> BaseProvider:
    """Create the provider that a name, a URL or the environment selects.

    The first of these that is set counts: ``name``; ``base_url``; ``G4F_LITE_PROVIDER``; ``G4F_LITE_BASE_URL``,
    with ``G4F_LITE_API_KEY``; and otherwise the embedded model.  A key alone selects nothing.  ``G4F_LITE_MODEL`` is
    the model if the environment selects the provider and names no other model.

    :param name: the name of a provider, ``name:model``, the URL of an OpenAI-compatible server, ``url:model``, or
        several of these separated by commas for a Fallback
    :param base_url: the URL of the named provider, or of an OpenAI-compatible server; of several names, that of the
        only ``openaicompatible``, and so is an ``api_key``
    :param local: further arguments of ``Local``, if it is selected
    :param settings: arguments of the provider's class
    :raises ProviderNotFoundError: if there is no such name
    :raises TypeError: if there is a URL or a key for several providers
    :raises ValueError: if a name or URL is invalid
    """
    warn_of_unknown_variables()
    by_environment, model = name is None and base_url is None, os.environ.get("G4F_LITE_MODEL")
    if by_environment:
        if replacement is not None:
            return replacement
        name = os.environ.get("G4F_LITE_PROVIDER") or None
        base_url = None if name else os.environ.get("G4F_LITE_BASE_URL") or None
        if base_url is not None:
            try:
                check_url(base_url, "G4F_LITE_BASE_URL")
            except ValueError as error:
                raise ProviderNotFoundError(str(error)) from None
        warn_of_key_without_server()
        if model:
            settings.setdefault("model", model)
    names = [part.strip() for part in (name or "").split(",") if part.strip()]
    if name is not None and not names:
        raise ValueError(f"provider {name!r} contains no name; leave it out to let the environment choose")
    if base_url is not None:
        settings["base_url"] = base_url
        names = names or ["OpenAICompatible"]
    try:
        spare = model if by_environment and len(names) > 1 else None
        each = settings_of_each(names, settings)
        made = [make_member(one, own, local or {}, spare) for one, own in zip(names or ["Local"], each, strict=True)]
    except (ProviderNotFoundError, ModelNotSupportedError) as error:
        if by_environment and isinstance(error, ProviderNotFoundError):
            error.message = f"G4F_LITE_PROVIDER: {error.message}"
        elif by_environment and "G4F_LITE_" not in error.message and not _names_projector(error):
            own = any(name_and_model(one)[1] for one in names)
            if own or (model and settings.get("model") == model):
                error.message += f" (the model is from {'G4F_LITE_PROVIDER' if own else 'G4F_LITE_MODEL'})"
        error.args = (error.message,)
        raise shortened(error)  # noqa: B904  it is the same one
    return _one_of(made)


def names_any_server(names: str) -> bool:
    """Return whether one of several names, separated by commas, is that of the class for any server."""
    return any(plain(name.partition(":")[0]) == ANY_SERVER for name in names.split(","))


def default_provider() -> BaseProvider:
    """Return the provider that the environment selects; the same object until the environment changes."""
    if replacement is not None:
        return replacement
    key = tuple(os.environ.get(name) for name in _VARIABLES)
    with _lock:
        if key not in _made:
            _made[key] = choose_provider()
        return _made[key]


def _one_of(providers: list[BaseProvider]) -> BaseProvider:
    """Return the only provider of a list, or a chain of several."""
    if len(providers) == 1:
        return providers[0]
    from .fallback import Fallback  # which few programs need

    return Fallback(providers)


def _names_projector(error: G4FLiteError) -> bool:
    """Return whether an error says who named a projector, which is not the model."""
    from .local.vision import PROJECTOR_FROM  # which few programs need

    return PROJECTOR_FROM in error.message


def settings_of_each(names: Sequence[str], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of each provider: of several, a URL and a key are those of the only ``openaicompatible``.

    :raises TypeError: if there is a URL or a key, and not one provider of this name
    """
    if len(names) < 2:
        return [settings]
    shared = {name: value for name, value in settings.items() if name not in OF_SERVER}
    is_server = [names_any_server(name) for name in names]
    if shared.keys() != settings.keys() and sum(is_server) != 1:
        name = next(name for name in OF_SERVER if name in settings)
        url = settings.get("base_url")
        by_url = f"; a server can also be named by its URL, as in provider={safe_url(str(url))!r}" if url else ""
        raise TypeError(
            f"{name}= needs a single provider, or of several one that is {ANY_SERVER!r}, whose it is then{by_url}; "
            "in Python, each OpenAICompatible of a Fallback has a URL and a key of its own"
        )
    return [settings if own else shared for own in is_server]


def make_member(name: str, settings: dict[str, Any], local: Mapping[str, Any], spare: str | None) -> BaseProvider:
    """Create one of the providers that were chosen.

    :param spare: the model of the environment for a chain, which may be that of a server before ``Local``
    """
    kind, own = name_and_model(name)
    if kind.lower() == "local":
        settings = {**local, **settings}
        if spare and not own and settings.get("model") == spare and is_of_server(spare):
            del settings["model"]
    return make_provider(name, **settings)


def is_of_server(model: str) -> bool:
    """Return whether the model of the environment is no name that ``Local`` could have, of a chain with it."""
    from .local.catalogue import DEFAULT  # which few programs need
    from .local.references import is_path, is_reference, name_of

    if is_path(model) or is_reference(model):
        return False
    try:
        name_of(model, DEFAULT)
    except ModelNotSupportedError:
        return True
    return False
