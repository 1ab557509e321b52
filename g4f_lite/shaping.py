"""Options that a provider cannot do: done here where they can be, else refused or dropped with a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Generator
from typing import Any

from .answer import AnswerStream
from .collected import MAX_BYTES
from .deltas import Delta, Finish
from .errors import ResponseFormatError
from .images import ImageResponse
from .limits import TextLimits
from .messages import Messages
from .providers.arguments import asks_for_nothing, unknown_name
from .providers.base import BaseProvider
from .structured import JsonFormat

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


class Shape:
    """How one call is made of the options that were given.

    :param provider: who is asked;  :param options: what the caller wants; what is None or asks for nothing is left out
    :param drop: whether options that nobody can do are dropped with a warning
    :ivar options: what the provider is told
    :raises TypeError: an option that nobody can do, unless it is dropped
    :raises ValueError: the value of an option that is done here makes no sense
    """

    def __init__(self, provider: BaseProvider, options: dict[str, Any], *, drop: bool = False) -> None:
        known = provider.known_options
        self.options = {name: value for name, value in options.items() if not asks_for_nothing(name, value)}
        ours: dict[str, Any] = {}
        for name in list(self.options) if known is not None else ():
            if known is None or name in known:
                continue
            value = self.options.pop(name)
            if name in _DONE_HERE:
                ours[name] = value
            else:
                refuse(name, value, {*known, *_DONE_HERE}, provider, drop=drop)
        stop = ours.get("stop")
        max_tokens = ours.get("max_completion_tokens", ours.get("max_tokens"))
        self._limits = (
            TextLimits(stop=stop, max_tokens=max_tokens) if stop is not None or max_tokens is not None else None
        )
        wanted = ours.get("response_format")
        self._format = None if wanted is None or wanted == {"type": "text"} else JsonFormat(wanted)

    def messages(self, messages: Messages) -> Messages:
        """Give what is said to the provider."""
        return messages if self._format is None else self._format.add_to(messages)

    def answer(self, stream: AnswerStream) -> AnswerStream:
        """Give the answer in its shape; the stream itself where nothing is done here."""
        if self._limits is None and self._format is None:
            return stream
        return AnswerStream(
            lambda: _Shaped(stream, self._limits, self._format), provider=stream.provider, model=stream.model
        )


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
    message = f"{provider.name} cannot do {name}; the option is dropped"
    warnings.warn(message, UserWarning, stacklevel=_levels_to_caller())


def _levels_to_caller() -> int:
    """Count the frames up to the first one outside this package, so that a warning names the caller's line."""
    levels, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        levels, frame = levels + 1, frame.f_back
    return levels


class _Shaped:
    """The deltas of an answer, cut and checked; may be closed from any thread."""

    def __init__(self, stream: AnswerStream, limits: TextLimits | None, format_: JsonFormat | None) -> None:
        self._stream = stream
        self._limits = limits or TextLimits()
        self._format = format_
        self._deltas = self._checked() if format_ else self._cut()

    def __iter__(self) -> Generator[Delta, None, None]:
        return self._deltas

    @property
    def provider(self) -> str:
        return self._stream.provider

    @property
    def model(self) -> str | None:
        return self._stream.model

    def close(self) -> None:
        self._stream.close()
        try:
            self._deltas.close()
        except ValueError:  # it is running in another thread, which the line above has woken
            return

    def _cut(self) -> Generator[Delta, None, None]:
        limits = self._limits
        for delta in self._stream.deltas():
            if isinstance(delta, str):
                shown = limits.feed(delta)
                if shown:
                    yield shown
            else:
                if isinstance(delta, (ImageResponse, Finish)) and (shown := limits.flush()):
                    yield shown
                if limits.reason is None:
                    yield delta
            if limits.reason is not None:
                self._stream.close()
                yield Finish(limits.reason)
                return

    def _checked(self) -> Generator[Delta, None, None]:
        """Hold the text back to its end, so that nothing is given that does not fit."""
        pieces: list[str] = []
        room = MAX_BYTES
        for delta in self._cut():
            if isinstance(delta, str):
                pieces.append(delta)
                room -= len(delta)
                if room < 0:
                    self._stream.close()
                    text = f"the answer is longer than the {MAX_BYTES:,} characters that are held back of one"
                    raise ResponseFormatError(text, provider=self._stream.provider, step="stream")
            elif isinstance(delta, Finish):
                if pieces:
                    yield self._fitting("".join(pieces))
                yield delta
            else:
                yield delta

    def _fitting(self, text: str) -> str:
        assert self._format is not None
        try:
            return self._format.check(text)
        except ResponseFormatError as error:
            error.provider = self._stream.provider
            raise
