"""Answers: the stream that a caller iterates, and the text at the end."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from types import TracebackType
from typing import Any, Protocol, TextIO

from .collected import MAX_BYTES, PIECE_BYTES, Collected, is_content, json_in
from .deltas import Delta, Identity, Piece, Refusal, ToolCall, Usage
from .errors import (
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    ProviderError,
    ResponseFormatError,
    StreamInterruptedError,
)
from .images import ImageResponse
from .notebook import cell, in_notebook, show_as_it_comes, show_as_it_grows


class Deltas(Protocol):
    """Where an answer comes from: deltas, iterated once, which can be closed.

    Like a generator's, its ``close`` may raise ValueError while another thread waits in it.
    """

    def __iter__(self) -> Iterator[Delta]: ...

    def close(self) -> None: ...


class Answer(str):
    """An answer: a str that also knows how it came about.

    :ivar usage: tokens, or None where the service did not say
    :ivar finish_reason: why it ended, or None
    :ivar model: the model that was asked;  :ivar provider: the provider that answered
    :ivar seconds: from sending to the end
    :ivar reasoning: what the model thought before it answered
    :ivar tool_calls: the calls it wants made;  :ivar images: the pictures in it
    :ivar refusal: the words with which the model refused to answer, which are the text then, or at its end; None
        where it did not, or where the service does not tell them from an answer
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
    refusal: str | None
    revision: str | None
    _shown_in: int | None = None  # the cell of a notebook that it was shown in

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
        refusal: str | None = None,
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
        answer.refusal = refusal
        answer.revision = revision
        return answer

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    def json(self) -> Any:
        """Parse the text as JSON; a fence of three backticks around it is no hindrance.

        :raises ResponseFormatError: the text is no JSON; the error is a ValueError too
        """
        return json_in(self, self.provider)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON types."""
        return {
            "text": str(self),
            "provider": self.provider,
            "model": self.model,
            "finish_reason": self.finish_reason,
            "usage": {name: count for name, count in asdict(self.usage).items() if count is not None}
            if self.usage
            else None,
            "seconds": round(self.seconds, 3),
            "reasoning": self.reasoning,
            "refusal": self.refusal,
            "tool_calls": [asdict(call) for call in self.tool_calls],
            "images": [url for image in self.images for url in image.urls],
        }

    def _repr_markdown_(self) -> str:
        return str(self)

    def _ipython_display_(self) -> None:
        """Show nothing as the result of the cell that show() has shown it in."""
        if self._shown_in is None or self._shown_in != cell():
            raise NotImplementedError  # upon which IPython shows it as it does anything


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
        self._rest: Iterator[Delta] | None = None
        self._opening = threading.Lock()
        self._collected = Collected()
        self._waiting: deque[Delta] = deque()  # got by start(), not yet given
        self._began_at = 0.0
        self._seconds = 0.0
        self._closed = False
        self._error: G4FLiteError | None = None
        self.explain: Callable[[G4FLiteError], None] | None = None  # is told of what fails, before it is raised

    def __next__(self) -> Piece:
        while True:
            delta = self._waiting.popleft() if self._waiting else self._pull()
            if type(delta) is str or isinstance(delta, (str, ImageResponse)):
                return delta
            if isinstance(delta, Refusal):
                return delta.text

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
        if self._source is None:
            return
        try:
            self._source.close()
        except ValueError:  # a generator that runs in another thread, which closes it with its next delta
            return

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
        begun = self._source is not None and self._collected.has_content
        while not begun:
            delta = self._pull()
            begun = is_content(delta)
            if delta:
                self._waiting.append(delta)
        return self

    def text(self) -> Answer:
        """Read on to the end and give the whole answer, with what was already iterated; nothing is sent twice.

        :raises ResponseFormatError: it is longer than what is kept of one
        """
        self._waiting.clear()
        for _ in self.deltas():
            if self._collected.too_long:
                self.close()
                break
        return self.answer

    def deltas(self) -> Iterator[Delta]:
        """Give all deltas from here on: text, images, reasoning, refusal, tool calls, identity, usage, finish."""
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
        if file is None and in_notebook():
            show_as_it_grows(self, lambda: self._collected.text)
        else:
            show_as_it_comes(self, file or sys.stdout)
        answer = self.answer
        answer._shown_in = cell() if file is None else None
        return answer

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
        """What has come so far, as an Answer.

        :raises ResponseFormatError: it is longer than what is kept of one
        """
        self._check_length()
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
            refusal=self._collected.refusal,
            revision=self._collected.revision,
        )

    @property
    def identity(self) -> Identity | None:
        """What the service calls the answer, once it said so."""
        return self._collected.identity

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
        self._check_length()
        return self._collected.reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls that the model wants made, as far as they have come."""
        self._check_length()
        return self._collected.tool_calls

    def _pull(self) -> Delta:
        """Get the next delta from the source and remember it."""
        rest = self._rest
        if rest is None:
            rest = self._open()
        try:
            delta = next(rest)
            if self._closed:
                self.close()
                raise StopIteration
        except StopIteration:
            self._finish()
            raise
        except G4FLiteError as error:
            self._note(error)
            raise
        except ValueError as error:
            if "already executing" not in str(error):
                raise
            if not self._closed:
                raise G4FLiteError("another thread is reading this answer; let one do it for all") from error
            self._finish()
            raise StopIteration from None  # it was whole before it was closed
        except BaseException:
            self._closed = True  # such as Ctrl-C, after which nothing more comes
            raise
        collected = self._collected
        if type(delta) is str:  # as add() would, without the call for each piece
            collected.recent.append(delta)
            collected.room -= PIECE_BYTES + len(delta)
            if collected.room < 0:
                collected.fold()
        else:
            collected.add(delta)
        return delta

    def _check_length(self) -> None:
        if self._collected.too_long:
            text = f"the answer is longer than the {MAX_BYTES:,} characters that are kept of one; iterate over it"
            raise self._placed(ResponseFormatError(text, partial=self._collected.text))

    def _open(self) -> Iterator[Delta]:
        if self._closed:
            raise StreamInterruptedError("the answer was closed before it was asked for", provider=self.provider)
        with self._opening:  # two threads that want the first piece must not ask twice
            if self._rest is not None:
                return self._rest
            self._began_at = time.monotonic()
            self._source = self._begin()
            self._rest = iter(self._source)
        if self._was_closed():  # meanwhile, by another thread
            self.close()
        return self._rest

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
            self._note(self._placed(error))
            raise error

    def _placed(self, error: ProviderError) -> ProviderError:
        """Say in an error whose answer it is about."""
        error.provider, error.step = self.provider, "stream"
        error.elapsed = self._seconds or time.monotonic() - self._began_at
        return error

    def _note(self, error: G4FLiteError) -> None:
        """Remember how the answer failed, with the text that had come."""
        self._error = error
        self._seconds = time.monotonic() - self._began_at
        if isinstance(error, (ProviderError, DeadlineExceededError)):
            error.partial = self._collected.text or error.partial
        if self.explain is not None:
            self.explain(error)
