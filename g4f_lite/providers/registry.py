"""Names of providers: built-in classes, presets, and entry points of other packages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..arguments import hide_keys, safe_url, service_of, unknown_name
from ..errors import ProviderNotConfiguredError, ProviderNotFoundError
from .base import BaseProvider
from .openai.address import read_address
from .openai.presets import PRESETS, plain, preset_named
from .settings import check_url

ENTRY_POINTS = "g4f_lite.providers"
_AGAIN = "install its package again, as a change of its pyproject.toml takes effect then"

# Python's messages about an unknown or a missing parameter of a class.  Patterns are compiled by re at their first use.
_REFUSED = r"\.__init__\(\) got (?:an unexpected keyword|multiple values for) argument '(\w+)'"
_MISSING = r"\.__init__\(\) missing .* arguments?: '(\w+)'"
# Names of models, such as llama3.2, mistral:7b and qwen3:latest, which are no names of providers.
_MODEL = r"(?i)[\w.-]*\d[\w.-]*(?::.*)?|[\w.-]+:(?:latest|[\dx.]+[bm]\b.*)"
# A host with a port, as of a URL whose beginning is missing.
_HOST = r"(?:localhost|[\w-]+(?:\.[\w-]+)+):\d+(?:/.*|(?<=\d{4}))"

# The module of each built-in provider, imported when the provider is used.
_BUILT_IN = {
    "AiChatOnline": "ai_chat_online",
    "AiChats": "ai_chats.provider",
    "AiEngine": "ai_engine.provider",
    "Chatgpt4Online": "ai_engine.chatgpt4_online",
    "Local": "local.provider",
    "OpenAICompatible": "openai.provider",
    "Scripted": "scripted",
    "Echo": "scripted",
}
_GONE = frozenset({"AiChatOnline", "AiChats", "Chatgpt4Online"})  # public sites that no longer answer


def provider_names() -> list[str]:
    """List the names that :func:`make_provider` accepts."""
    others = _entry_points().keys() - hidden_entry_points().keys()
    return [*_BUILT_IN, *PRESETS, *sorted(others)]


def suggested_names() -> list[str]:
    """List the names that may be advised: those of :func:`provider_names` that still answer."""
    return [name for name in provider_names() if name not in _GONE]


def is_provider_name(name: str) -> bool:
    """Return whether :func:`make_provider` accepts a name, regardless of case and punctuation."""
    return plain(name) in map(plain, provider_names())


def names_providers(name: str) -> bool:
    """Return whether a name is that of a provider, also with a model, the URL of a server, or a list of these."""
    return all(is_url(part.strip()) or is_provider_name(name_and_model(part)[0]) for part in name.split(","))


def make_provider(name: str, **settings: Any) -> BaseProvider:
    """Create a provider by the name of a class, a preset or an entry point, regardless of case and punctuation.

    :param name: such as ``"Local"``, ``"groq"`` or ``"ai_chats"``, or the URL of an OpenAI-compatible server; with a
        model, ``"groq:llama-3.3-70b"`` or ``"http://localhost:8080/v1:qwen3"``
    :param settings: arguments of the class
    :raises ProviderNotFoundError: if there is no such name
    :raises TypeError: if the class does not accept a setting, or there are two URLs
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a provider must be a string, not {type(name).__name__}")
    whole = name
    name, model = name_and_model(whole)
    if model:
        settings["model"] = model
    if is_url(name):
        return _server_at(name, settings)
    if preset := preset_named(name):
        openai = import_module(".openai.provider", __package__)
        return make(partial(openai.OpenAICompatible.preset, preset), preset, settings)
    try:
        found = find_class(name, model)
    except ProviderNotFoundError:
        if is_provider_name(name):  # whose entry point leads nowhere
            raise
        from .local.references import is_reference  # which few programs need

        whole = whole.strip()
        if whole.endswith(".gguf") or is_reference(whole):
            message = f"{whole!r} is a model and not a provider; write {f'local:{whole}'!r}"
            raise ProviderNotFoundError(message) from None
        if re.fullmatch(_HOST, whole):
            return _server_at(whole, settings)  # which says what its URL lacks
        if re.fullmatch(_MODEL, whole) and service_of(whole) is None:
            hint = f"a model is written behind its provider: {f'ollama:{whole}'!r}"
            raise ProviderNotFoundError(hide_keys(f"g4f_lite has no provider {name!r}; {hint}")) from None
        raise
    return make(found, name, _with_its_key(found, settings))


def _server_at(url: str, settings: dict[str, Any]) -> BaseProvider:
    """Create the provider for the server at a URL.

    :raises ProviderNotFoundError: if it is not the URL of a server
    :raises TypeError: if there is another URL
    """
    if "base_url" in settings:
        raise TypeError(f"base_url= and the provider {safe_url(url)!r} are two URLs; leave one out")
    try:
        check_url(read_address(url).base, "the address of a server")
    except ValueError as error:
        model = "; a model follows the path, as in http://localhost:8080/v1:qwen3" if re.search(r":\d+:", url) else ""
        raise ProviderNotFoundError(f"{error}{model}") from error
    openai = import_module(".openai.provider", __package__)
    return make(openai.OpenAICompatible, "OpenAICompatible", {"base_url": url, **settings})


def _with_its_key(kind: type[BaseProvider], settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings in which ``api_key`` is the argument of a class for its key, whatever that is called."""
    own = key_argument(kind)
    return {own if own and name == "api_key" else name: value for name, value in settings.items()}


def key_argument(kind: type[BaseProvider]) -> str | None:
    """Return the argument of a class for its key: ``api_key``, or its only secret; None if it takes none."""
    secrets = [*kind.declared_secrets]
    names = ["api_key", *secrets] if len(secrets) == 1 else ["api_key"]
    return next((name for name in names if name in kind.__signature__.parameters), None)


def is_url(name: str) -> bool:
    """Return whether the name of a provider is the URL of a server."""
    before, colon, _ = name.partition("://")
    return bool(colon) and ":" not in before  # unlike local:https://…, which is a model's


def name_and_model(name: str) -> tuple[str, str]:
    """Split the name of a provider, or the URL of a server, from the model behind a colon; "" where there is none.

    Of a URL it is the first colon in the path.  One with credentials, which is refused, is not split: what follows the
    colon may be part of the password.
    """
    name = name.strip()
    if is_url(name):
        found = re.fullmatch(r"([^:]+://[^/?#@]*/[^:?#@]*):([^@]+)", name)
        return (found[1], found[2]) if found else (name, "")
    name, _, model = name.partition(":")
    return name.strip(), model.strip()


def make(kind: Callable[..., BaseProvider], name: str, settings: dict[str, Any]) -> BaseProvider:
    """Create a provider.

    :param kind: its class, or another callable
    :param name: the name of the provider, for errors
    :param settings: arguments of the class
    :raises TypeError: if a setting is unknown or missing
    """
    try:
        return kind(**settings)
    except TypeError as error:
        if refused := re.search(_REFUSED, str(error)):
            raise TypeError(f"{name} does not accept {refused[1]}=") from error
        if missing := re.search(_MISSING, str(error)):
            raise TypeError(f"{name} needs {missing[1]}=") from error
        raise


def member_of(given: Any) -> BaseProvider:
    """Return the provider for a member of a chain: an object, class or name.

    :raises ProviderNotFoundError: if no provider has the name
    :raises TypeError: if it is something else
    """
    if isinstance(given, BaseProvider):
        return given
    if isinstance(given, str):
        return make_provider(given)
    if isinstance(given, type) and issubclass(given, BaseProvider):
        return make(given, given.__name__, {})
    raise TypeError(f"a Fallback needs providers, their classes or their names, not {given!r:.80}")


def find_class(name: str, model: str = "") -> type[BaseProvider]:
    """Return the class of a provider by its name.

    :param model: what stands behind the name, for errors
    :raises ProviderNotFoundError: if there is no such name
    """
    wanted = plain(name)
    for class_name, module in _BUILT_IN.items():
        if plain(class_name) == wanted:
            found: type[BaseProvider] = getattr(import_module(f".{module}", __package__), class_name)
            return found
    if offered := [each for each in entry_points(group=ENTRY_POINTS) if plain(each.name) == wanted]:
        _refuse_several(name, offered)
        return _loaded(offered[0])
    message = unknown_name("provider", name, suggested_names(), "g4f_lite")
    first, slash, rest = name.partition("/")
    if slash and plain(first) in map(plain, provider_names()):  # as litellm and instructor write it
        named = ":".join(filter(None, (first, rest, model)))
        message = f"g4f_lite has no provider {name!r}; a model follows after a colon: {named!r}"
    elif plain(re.split(r"[\s;|]+", name)[0]) in map(plain, provider_names()):
        message = f"g4f_lite has no provider {name!r}; separate several by commas"
    elif group := _similar_group(name):
        hint = f"an entry point is in the group {group!r}: write {ENTRY_POINTS!r}, and {_AGAIN}"
        message = f"g4f_lite has no provider {name!r}; {hint}"
    raise ProviderNotFoundError(hide_keys(message))


def _similar_group(name: str) -> str | None:
    """Return a misspelt group of entry points in which a package offers a provider; None if there is none."""
    groups = (each.group for each in entry_points(name=name))
    return next((group for group in groups if plain(group).startswith(plain("g4f_lite"))), None)


def _refuse_several(name: str, offered: list[EntryPoint]) -> None:
    """Raise if several packages offer different providers by one name: a prompt may not go to one by chance.

    :raises ProviderNotConfiguredError: if they do
    """
    if len({entry_point.value for entry_point in offered}) > 1:
        each = (f"{found.value} of {found.dist.name if found.dist else 'a package'}" for found in offered)
        raise ProviderNotConfiguredError(f"several providers have the name {name!r}: {', '.join(each)}; uninstall one")


def _loaded(entry_point: EntryPoint) -> type[BaseProvider]:
    """Return the class that a package offers.

    :raises ProviderNotConfiguredError: if its module cannot be imported
    :raises ProviderNotFoundError: if there is no class from which a provider can be made
    """
    which = f"{entry_point.name!r} ({entry_point.value})"
    try:
        loaded = entry_point.load()
    except AttributeError as error:
        raise ProviderNotFoundError(
            f"the entry point {which} does not exist: {error}; correct it, and {_AGAIN}"
        ) from error
    except (Exception, SystemExit) as error:  # whatever the code of another package raises
        what, advice = f"{type(error).__name__}: {error}", "; correct its code, or reinstall its package"
        if isinstance(error, ImportError):
            what, advice = str(error), "; reinstall the package that provides it"
        message = hide_keys(f"the provider {which} cannot be imported: {what}{advice}")
        raise ProviderNotConfiguredError(message) from error
    if not (isinstance(loaded, type) and issubclass(loaded, BaseProvider)):
        raise ProviderNotFoundError(f"the entry point {which} is not a provider class; correct it, and {_AGAIN}")
    if missing := sorted(getattr(loaded, "__abstractmethods__", ())):
        raise ProviderNotFoundError(f"the class of the entry point {which} does not implement {', '.join(missing)}")
    return loaded


def hidden_entry_points() -> dict[str, str]:
    """Return the entry points whose name is another provider's, which is used instead: name and value."""
    taken = {plain(name) for name in (*_BUILT_IN, *PRESETS)}
    return {name: found.value for name, found in _entry_points().items() if plain(name) in taken}


def _entry_points() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=ENTRY_POINTS)}
