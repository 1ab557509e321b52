"""Answers: the stream that a caller iterates, and the text at the end."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Protocol, TextIO

from .deltas import Delta, Finish, Piece, Reasoning, Revision, ToolCall, ToolCallDelta, Usage
from .errors import (
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    ProviderError,
    StreamInterruptedError,
)
from .images import ImageResponse


class Deltas(Protocol):
    """Where an answer comes from: an iterator of deltas that can be closed.

    Like a generator's, its ``close`` may raise ValueError while another thread waits in it.
    """

    def __next__(self) -> Delta: ...

    def close(self) -> None: ...


class Answer(str):
    """An answer: a str that also knows how it came about.

    :ivar usage: tokens, or None where the service did not say
    :ivar finish_reason: why it ended, or None
    :ivar model: the model that was asked;  :ivar provider: the provider that answered
    :ivar seconds: from sending to the end
    :ivar reasoning: what the model thought before it answered
    :ivar tool_calls: the calls it wants made;  :ivar images: the pictures in it
    :ivar revision: the service's last word, where it ended a stream with another whole text than it
        had streamed; the answer itself stays what was streamed
    """

    usage: Usage | None
    finish_reason: str | None
    model: str | None
    provider: str | None
    seconds: float
    reasoning: str
    tool_calls: list[ToolCall]
    images: list[ImageResponse]
    revision: str | None

    def __new__(
        cls,
        text: str,
        *,
        usage: Usage | None = None,
        finish_reason: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        seconds: float = 0.0,
        reasoning: str = "",
        tool_calls: list[ToolCall] | None = None,
        images: list[ImageResponse] | None = None,
        revision: str | None = None,
    ) -> Answer:
        answer = super().__new__(cls, text)
        answer.usage = usage
        answer.finish_reason = finish_reason
        answer.model = model
        answer.provider = provider
        answer.seconds = seconds
        answer.reasoning = reasoning
        answer.tool_calls = tool_calls or []
        answer.images = images or []
        answer.revision = revision
        return answer

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    def json(self) -> Any:
        """Parse the text as JSON; a fence of three backticks around it is no hindrance.

        :raises ValueError: the text is no JSON
        """
        text = self.strip()
        if text.startswith("```") and text.endswith("```") and "\n" in text:
            text = text[text.index("\n") : -3]
        return json.loads(text)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON types."""
        return {
            "text": str(self),
            "provider": self.provider,
            "model": self.model,
            "finish_reason": self.finish_reason,
            "usage": asdict(self.usage) if self.usage else None,
            "seconds": round(self.seconds, 3),
            "reasoning": self.reasoning,
            "tool_calls": [asdict(call) for call in self.tool_calls],
            "images": [url for image in self.images for url in image.urls],
        }

    def _repr_markdown_(self) -> str:
        return str(self)


@dataclass
class _Collected:
    """What has come of an answer so far."""

    deltas: list[Delta] = field(default_factory=list)
    usage: Usage | None = None
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        """The pieces joined; where there are only images, the first one's URL."""
        pieces = [delta for delta in self.deltas if isinstance(delta, (str, ImageResponse))]
        if pieces and all(isinstance(piece, ImageResponse) for piece in pieces):
            return self.images[0].urls[0]
        return "".join(map(str, pieces))

    @property
    def has_content(self) -> bool:
        """Whether anything has come but usage, finish, a revision and pieces of no length."""
        return any(delta and not isinstance(delta, (Usage, Finish, Revision)) for delta in self.deltas)

    @property
    def reasoning(self) -> str:
        return "".join(delta.text for delta in self.deltas if isinstance(delta, Reasoning))

    @property
    def images(self) -> list[ImageResponse]:
        return [delta for delta in self.deltas if isinstance(delta, ImageResponse)]

    @property
    def revision(self) -> str | None:
        return next((delta.text for delta in reversed(self.deltas) if isinstance(delta, Revision)), None)

    @property
    def tool_calls(self) -> list[ToolCall]:
        calls: dict[int, ToolCall] = {}
        for delta in self.deltas:
            if isinstance(delta, ToolCallDelta):
                begun = calls.get(delta.index, ToolCall(None, "", ""))
                calls[delta.index] = ToolCall(
                    begun.id or delta.id, begun.name or delta.name or "", begun.arguments + delta.arguments
                )
        return [calls[index] for index in sorted(calls)]


class AnswerStream(Generator[Piece, None, None]):
    """An answer while it comes: iterate it for its pieces of text and its images.

        for piece in provider.create_generator(messages="Hello"):
            print(piece, end="", flush=True)

    Nothing is sent before the first ``next()`` or ``start()``.  The end, ``close()``, or letting go
    of the stream gives its connection back or closes it.

    :param begin: starts the answer; called once, at the first need
    :param provider: the provider's name;  :param model: the model that is asked
    """

    def __init__(self, begin: Callable[[], Deltas], *, provider: str, model: str | None = None) -> None:
        self._provider = provider
        self._model = model
        self._begin = begin
        self._source: Deltas | None = None
        self._opening = threading.Lock()
        self._collected = _Collected()
        self._waiting: deque[Delta] = deque()  # got by start(), not yet given
        self._began_at = 0.0
        self._seconds = 0.0
        self._closed = False
        self._error: G4FLiteError | None = None

    def __next__(self) -> Piece:
        while True:
            delta = self._waiting.popleft() if self._waiting else self._pull()
            if type(delta) is str or isinstance(delta, (str, ImageResponse)):
                return delta

    def send(self, value: None) -> Piece:
        """Give the next piece, as ``next()`` does."""
        return next(self)

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None) -> Piece:
        """Close the stream and raise the given exception."""
        self.close()
        error = typ
        if isinstance(val, BaseException):
            error = val
        elif isinstance(typ, type):
            error = typ() if val is None else typ(val)
        raise error.with_traceback(tb) if tb else error

    def close(self) -> None:
        """End the answer, from any thread: a reader that waits for more gets StreamInterruptedError."""
        self._closed = True
        if self._source is not None:
            self._close_source(self._source)

    def __del__(self) -> None:
        if getattr(self, "_source", None) is not None:
            self.close()

    def __enter__(self) -> AnswerStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> AnswerStream:
        """Send now, wait for the first delta, and raise here what fails.

        :returns: the stream itself
        """
        while self._source is None or not self._collected.has_content:
            self._waiting.append(self._pull())
        return self

    def text(self) -> Answer:
        """Read on to the end and give the whole answer, with what was already iterated; nothing is sent twice."""
        self._waiting.clear()
        for _ in self.deltas():
            pass
        return self.answer

    def deltas(self) -> Iterator[Delta]:
        """Give all deltas from here on: text, images, reasoning, tool calls, usage, finish."""
        while True:
            try:
                delta = self._waiting.popleft() if self._waiting else self._pull()
            except StopIteration:
                return
            yield delta

    def show(self, file: TextIO | None = None) -> Answer:
        """Print the answer as it comes and give it back whole; in a notebook, as live Markdown.

        :param file: where to; standard output where None
        """
        if file is None and _in_notebook():
            return self._show_in_notebook()
        out = file or sys.stdout
        for piece in self:
            out.write(str(piece))
            out.flush()
        out.write("\n")
        out.flush()
        return self.answer

    @property
    def provider(self) -> str:
        """Who answers; of a chain, the member that does, once it is known."""
        return getattr(self._source, "provider", None) or self._provider

    @property
    def model(self) -> str | None:
        """The model that was asked, where one was named."""
        return getattr(self._source, "model", None) or self._model

    @property
    def answer(self) -> Answer:
        """What has come so far, as an Answer."""
        return Answer(
            self._collected.text,
            usage=self.usage,
            finish_reason=self.finish_reason,
            model=self.model,
            provider=self.provider,
            seconds=self._seconds,
            reasoning=self.reasoning,
            tool_calls=self.tool_calls,
            images=self._collected.images,
            revision=self._collected.revision,
        )

    @property
    def usage(self) -> Usage | None:
        """The tokens, as the service counted them, once it said so."""
        return self._collected.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, once it did."""
        return self._collected.finish_reason

    @property
    def reasoning(self) -> str:
        """What the model thought so far before answering."""
        return self._collected.reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls that the model wants made, as far as they have come."""
        return self._collected.tool_calls

    def _pull(self) -> Delta:
        """Get the next delta from the source and remember it."""
        source = self._source
        if source is None:
            source = self._open()
        try:
            delta = source.__next__()
            if self._closed:
                self._close_source(source)
                raise StopIteration
        except StopIteration:
            self._finish()
            raise
        except G4FLiteError as error:
            self._note(error)
            raise
        collected = self._collected
        collected.deltas.append(delta)
        if type(delta) is not str:
            if isinstance(delta, Usage):
                collected.usage = delta
            elif isinstance(delta, Finish):
                collected.finish_reason = delta.reason
        return delta

    def _open(self) -> Deltas:
        if self._closed:
            raise StreamInterruptedError("the answer was closed before it was asked for", provider=self.provider)
        with self._opening:  # two threads that want the first piece must not ask twice
            if self._source is not None:
                return self._source
            self._began_at = time.monotonic()
            source = self._source = self._begin()
        if self._was_closed():  # meanwhile, by another thread
            self._close_source(source)
        return source

    def _close_source(self, source: Deltas) -> None:
        try:
            source.close()
        except ValueError:  # a generator that runs in another thread, which closes it with its next delta
            return

    def _was_closed(self) -> bool:
        return self._closed

    def _finish(self) -> None:
        """Tell a proper end from one that somebody made, and an answer from an empty one.

        :raises G4FLiteError: the answer is not whole
        """
        if self._error is not None:
            raise self._error
        self._seconds = self._seconds or time.monotonic() - self._began_at
        error: ProviderError | None = None
        if self.finish_reason is None and self._closed:
            error = StreamInterruptedError("the answer was closed before its end")
        elif self.finish_reason is None and self._collected.has_content:
            error = StreamInterruptedError("the answer stops without the end that its protocol has")
        elif not self._collected.has_content:
            error = EmptyResponseError("the answer has no text, no image, no tool call and no reasoning")
        if error is not None:
            error.provider, error.step, error.elapsed = self.provider, "stream", self._seconds
            self._note(error)
            raise error

    def _note(self, error: G4FLiteError) -> None:
        """Remember how the answer failed, with the text that had come."""
        self._error = error
        self._seconds = time.monotonic() - self._began_at
        if isinstance(error, (ProviderError, DeadlineExceededError)):
            error.partial = self._collected.text or error.partial

    def _show_in_notebook(self) -> Answer:
        from IPython.display import Markdown, display

        handle = display(Markdown(""), display_id=True)
        shown_at = 0.0
        for _ in self:
            if time.monotonic() - shown_at > 0.05:  # seconds; a page drawn more often only flickers
                handle.update(Markdown(self._collected.text))
                shown_at = time.monotonic()
        handle.update(Markdown(self._collected.text))
        return self.answer


def _in_notebook() -> bool:
    """Tell whether output goes to a notebook's cell, without importing IPython for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"
