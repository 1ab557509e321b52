"""Options that a provider does not support: emulated if possible, else refused, or dropped with a warning."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..arguments import unknown_name, warn

if TYPE_CHECKING:
    from ..answers.source import Stage
    from ..prompt import Prompt
    from ..providers.base import BaseProvider

EMULATED = ("stop", "max_tokens", "max_completion_tokens", "response_format")

# Options that choose the provider or the connection: dropping them would send the prompt somewhere else.
_CLIENT_SETTINGS = {
    "base_url": "Client(base_url=…)",
    "api_key": "Client(provider, api_key=…)",
    "provider": "Client(provider)",
    "proxies": "Client(proxies=…)",
    "verify": "Client(provider, verify=…)",
    **{name: f"Client(OpenAICompatible(base_url, {name}=…))" for name in ("headers", "cookies", "session", "cert")},
}

# Options of g4f, which are accepted as long as they are off, and why they are not supported.
_G4F_OPTIONS = {
    "web_search": "this library does not search the web",
    "ignored": "name the provider with provider=",
    "ignore_working": "a provider that you name is used whether it is marked as working or not",
    "ignore_stream": "every provider streams",
    "image_name": "images are sent without their names",
}


def divide(prompt: Prompt, provider: BaseProvider, *, drop: bool = False) -> tuple[Prompt, list[Stage]]:
    """Return the prompt with the options that a provider supports, and stages that emulate others.

    :param drop: whether to drop unsupported options with a warning; in a chain, for the members that lack them
    :raises TypeError: if an option is not supported, and not dropped
    :raises ValueError: if an emulated option has an invalid value
    """
    known = provider.known_options
    if known is None or prompt.options.keys() <= known:
        return prompt, []
    emulated: dict[str, Any] = {}
    optional: set[str] = set()
    for name in prompt.options:
        if name in known:
            continue
        if name in EMULATED:
            emulated[name] = prompt.options[name]
            continue
        lacking, having = _told_apart(name, provider)
        for member in lacking:
            supported = {*known, *EMULATED, *(member.known_options or ())}
            refuse(name, prompt.options[name], supported, member, drop=drop, has=having[0].name if having else "")
        if having:
            optional.add(name)
    stages: list[Stage] = []  # each is imported where it is needed
    messages = prompt.messages
    stop = emulated.get("stop")
    max_tokens = emulated.get("max_completion_tokens", emulated.get("max_tokens"))
    if stop is not None or max_tokens is not None:
        from .text_limits import TextLimits

        stages.append(TextLimits(stop=stop, max_tokens=max_tokens).cut)
    response_format = emulated.get("response_format")
    if response_format is not None and response_format != {"type": "text"}:
        from .json_format import JsonFormat

        json_format = JsonFormat(response_format)
        messages = json_format.add_to(messages)
        stages.append(json_format.hold)
    options = {name: value for name, value in prompt.options.items() if name in known or name in optional}
    return replace(prompt, messages=messages, options=options, optional=frozenset(optional)), stages


def _told_apart(name: str, provider: BaseProvider) -> tuple[list[BaseProvider], list[BaseProvider]]:
    """Return the members of a chain that do not support an option, and those that do.

    :param provider: the chain; or another provider, which does not support the option
    """
    from ..providers.fallback import FOR_ONE_SERVICE, Fallback  # which few programs need

    if not isinstance(provider, Fallback) or name in FOR_ONE_SERVICE:
        return [provider], []
    lacking: list[BaseProvider] = []
    having: list[BaseProvider] = []
    for member in provider.providers:
        known = member.known_options
        (having if known is None or name in known else lacking).append(member)
    return lacking, having


def refuse(name: str, value: Any, known: Collection[str], provider: BaseProvider, *, drop: bool, has: str = "") -> None:
    """Refuse an unsupported option, or warn that it is dropped.

    :param known: the supported options
    :param drop: whether to drop the option
    :param has: the name of another member of the same chain that supports it
    :raises TypeError: if the option is not dropped, or chooses the provider or the connection
    """
    if name in _CLIENT_SETTINGS:
        raise TypeError(f"{name} is not an option of a call; write g4f_lite.{_CLIENT_SETTINGS[name]}")
    if name in _G4F_OPTIONS and not value:
        return
    if not drop:
        refusal = unknown_name("option", name, sorted(known), provider.name)
        if has:
            refusal = f"{provider.name} has no option {name!r}, which {has} has"
        elif name in _G4F_OPTIONS:
            refusal += f": {_G4F_OPTIONS[name]}"
        if has or refusal.endswith(repr(name)):  # nothing better is known; a misprint is not to be dropped
            refusal += "; Client(drop_unsupported=True) drops such options with a warning"
        raise TypeError(refusal)
    warn(f"{provider.name} does not support {name}; the option is dropped")
