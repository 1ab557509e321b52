"""Options that a provider cannot do: done here where they can be, else refused or dropped with a warning."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ..answers.stream import Stage
from ..arguments import unknown_name, warn
from ..prompt import Prompt
from ..providers.base import BaseProvider

_DONE_HERE = ("stop", "max_tokens", "max_completion_tokens", "response_format")

# What says who is asked, and by which way: without it the prompt would go to somebody else.
_WHERE_IT_BELONGS = {
    "base_url": "Client(base_url=…)",
    "api_key": "Client(provider, api_key=…)",
    "provider": "Client(provider)",
    "proxies": "Client(proxies=…)",
    "verify": "Client(provider, verify=…)",
    **{name: f"Client(OpenAICompatible(base_url, {name}=…))" for name in ("headers", "cookies", "session", "cert")},
}

# Options of g4f's own, which may be given where they ask for nothing, and what is not done.
_OF_G4F = {
    "web_search": "this library does not search the web",
    "ignored": "write provider= for who answers",
    "ignore_working": "a provider that you name answers, working or not",
    "ignore_stream": "every provider streams",
    "image_name": "a picture is sent without its name",
}


def divide(prompt: Prompt, provider: BaseProvider, *, drop: bool = False) -> tuple[Prompt, list[Stage]]:
    """Give the prompt with the options that a provider takes, and the stages that do others in its place.

    :param drop: whether options that nobody can do are dropped with a warning
    :raises TypeError: an option that nobody can do, unless it is dropped
    :raises ValueError: the value of an option that is done here makes no sense
    """
    known = provider.known_options
    if known is None or prompt.options.keys() <= known:
        return prompt, []
    ours: dict[str, Any] = {}
    for name in prompt.options:
        if name in known:
            continue
        if name in _DONE_HERE:
            ours[name] = prompt.options[name]
        else:
            refuse(name, prompt.options[name], {*known, *_DONE_HERE}, provider, drop=drop)
    stages: list[Stage] = []  # each imported where it is needed
    messages = prompt.messages
    stop, max_tokens = ours.get("stop"), ours.get("max_completion_tokens", ours.get("max_tokens"))
    if stop is not None or max_tokens is not None:
        from .text_limits import TextLimits

        stages.append(TextLimits(stop=stop, max_tokens=max_tokens).cut)
    wanted = ours.get("response_format")
    if wanted is not None and wanted != {"type": "text"}:
        from .json_format import JsonFormat

        form = JsonFormat(wanted)
        messages = form.add_to(messages)
        stages.append(form.hold)
    options = {name: value for name, value in prompt.options.items() if name in known}
    return replace(prompt, messages=messages, options=options), stages


def refuse(name: str, value: Any, known: Collection[str], provider: BaseProvider, *, drop: bool) -> None:
    """Refuse an option that nobody can do, or, where it is to be dropped, warn of that.

    :param known: the options that can be done
    :raises TypeError: it is not to be dropped, or says who is asked
    """
    if name in _WHERE_IT_BELONGS:
        raise TypeError(f"{name} is no option of a call: write g4f_lite.{_WHERE_IT_BELONGS[name]}, and ask that")
    if name in _OF_G4F and not value:
        return
    if not drop:
        refusal = unknown_name("option", name, sorted(known), provider.name)
        if name in _OF_G4F:
            refusal += f": {_OF_G4F[name]}"
        raise TypeError(f"{refusal}; Client(drop_unsupported=True) drops such options with a warning")
    warn(f"{provider.name} cannot do {name}; the option is dropped")
