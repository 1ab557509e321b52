"""Names → providers: ours, the presets, and those that other packages offer as entry points."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from ..arguments import unknown_name
from ..errors import ProviderNotConfiguredError, ProviderNotFoundError
from .base import BaseProvider
from .openai.presets import PRESETS

ENTRY_POINTS = "g4f_lite.providers"

# How Python says that a class has no such parameter, or needs one.
_REFUSED = re.compile(r"\.__init__\(\) got (?:an unexpected keyword|multiple values for) argument '(\w+)'")
_MISSING = re.compile(r"\.__init__\(\) missing .* arguments?: '(\w+)'")

# The module of each provider of ours, imported when it is asked for.
_OURS = {
    "AiChatOnline": "ai_chat_online",
    "AiChats": "ai_chats.provider",
    "AiEngine": "ai_engine.provider",
    "Chatgpt4Online": "ai_engine.chatgpt4_online",
    "Local": "local.provider",
    "OpenAICompatible": "openai.provider",
    "Scripted": "scripted",
    "Echo": "scripted",
}


def provider_names() -> list[str]:
    """List the names that :func:`make_provider` takes."""
    return [*_OURS, *PRESETS, *_entry_points()]


def is_provider_name(name: str) -> bool:
    """Tell whether :func:`make_provider` takes a name, in any spelling of case and dashes."""
    return _plain(name) in map(_plain, provider_names())


def make_provider(name: str, **settings: Any) -> BaseProvider:
    """Make a provider by its name: a class's, a preset's, or an entry point's, in any spelling of case and dashes.

    :param name: such as ``"Local"``, ``"groq"`` or ``"ai_chats"``; with a model, ``"groq:llama-3.3-70b"``
    :param settings: as for the class
    :raises ProviderNotFoundError: no provider has the name
    :raises ProviderNotConfiguredError: another package offers it, and cannot be imported
    :raises TypeError: the class does not have one of the settings
    """
    if not isinstance(name, str):
        raise TypeError(f"a provider's name is a string, not {type(name).__name__}")
    if "://" in name:
        raise ProviderNotFoundError("this is the address of a server, and not a name: give it as base_url=")
    name, _, model = name.strip().partition(":")
    if model:
        settings["model"] = model
    for preset in PRESETS:
        if _plain(preset) == _plain(name):
            openai = import_module(".openai.provider", __package__)
            return make(openai.OpenAICompatible.preset, preset, {"name": preset, **settings})
    return make(find_class(name), name, settings)


def make(kind: Callable[..., BaseProvider], name: str, settings: dict[str, Any]) -> BaseProvider:
    """Make a provider of its class.

    :raises TypeError: a setting that the class does not have, or one that it needs is missing
    """
    try:
        return kind(**settings)
    except TypeError as error:
        if refused := _REFUSED.search(str(error)):
            raise TypeError(f"{name} has no use for {refused[1]}=") from error
        if missing := _MISSING.search(str(error)):
            raise TypeError(f"{name} needs {missing[1]}=") from error
        raise


def find_class(name: str) -> type[BaseProvider]:
    """Find a provider's class by its name.

    :raises ProviderNotFoundError: no such name
    """
    wanted = _plain(name)
    for ours, module in _OURS.items():
        if _plain(ours) == wanted:
            found: type[BaseProvider] = getattr(import_module(f".{module}", __package__), ours)
            return found
    for theirs, entry_point in _entry_points().items():
        if _plain(theirs) == wanted:
            try:
                loaded = entry_point.load()
            except ImportError as error:
                raise ProviderNotConfiguredError(
                    f"the provider {theirs!r} ({entry_point.value}) cannot be imported: {error}; "
                    f"install the package that offers it again"
                ) from error
            if not (isinstance(loaded, type) and issubclass(loaded, BaseProvider)):
                raise ProviderNotFoundError(f"the entry point {theirs!r} ({entry_point.value}) is not a provider")
            return loaded
    raise ProviderNotFoundError(unknown_name("provider", name, provider_names(), "g4f_lite"))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _entry_points() -> dict[str, Any]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=ENTRY_POINTS)}
