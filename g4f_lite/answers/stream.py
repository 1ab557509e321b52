"""The stream that a caller iterates: an answer while it comes."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Protocol, TextIO

from ..errors import (
    DeadlineExceededError,
    EmptyResponseError,
    EngineError,
    G4FLiteError,
    ProviderError,
    ResponseFormatError,
    StreamInterruptedError,
)
from .answer import Answer
from .buffer import MAX_BYTES, PIECE_BYTES, Buffer
from .deltas import NOTHING_CAME, Delta, Identity, Piece, Refusal, ToolCall, Usage, is_content
from .display import cell, in_notebook, show_as_it_comes, show_as_it_grows
from .images import ImageResponse

# A step between a provider and the caller: takes the deltas of an answer and gives those that go on.
Stage = Callable[[Generator[Delta, None, None]], Generator[Delta, None, None]]


class Source(Protocol):
    """Where the deltas of an answer come from: iterated once, closed from any thread.

    Like a generator's, its ``close`` may raise ValueError while another thread waits in it.
    """

    def __iter__(self) -> Generator[Delta, None, None]: ...

    def close(self) -> None: ...


class AnswerStream(Generator[Piece, None, None]):
    """An answer while it comes: iterate it for its pieces of text and its images.

    ::

        for piece in provider.create_generator(messages="Hello"):
            print(piece, end="", flush=True)

    Nothing is sent before the first ``next()`` or ``start()``.  The end, ``close()``, or letting go
    of the stream gives its connection back or closes it.

    :param begin: starts the answer; called once, when the first delta is needed
    :param provider: the provider's name
    :param model: the model that is asked
    """

    def __init__(self, begin: Callable[[], Source], *, provider: str, model: str | None = None) -> None:
        self._provider = provider
        self._model = model
        self._begin = begin
        self._stages: list[Stage] = []
        self._source: Source | None = None
        self._deltas: Generator[Delta, None, None] | None = None
        self._opening = threading.Lock()
        self._buffer = Buffer()
        self._waiting: deque[Delta] = deque()  # pulled by start(), not yet given to the caller
        self._began_at = 0.0
        self._seconds = 0.0
        self._closed = False
        self._error: G4FLiteError | None = None

    def through(self, stage: Stage) -> AnswerStream:
        """Send the deltas through a stage, behind those that are there already.

        :param stage: a generator function from deltas to deltas
        :returns: the stream itself
        """
        self._stages.append(stage)
        return self

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
            if self._deltas is not None:  # the stages, which the source does not know
                self._deltas.close()
        except ValueError:  # another thread is reading: it closes the rest with its next delta
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
        begun = self._source is not None and self._buffer.has_content
        while not begun:
            delta = self._pull()
            begun = is_content(delta)
            if delta:
                self._waiting.append(delta)
        return self

    def text(self) -> Answer:
        """Read on to the end and give the whole answer, pieces already iterated included; nothing is sent twice.

        :raises ResponseFormatError: it is longer than what is kept of an answer
        """
        self._waiting.clear()
        for _ in self.deltas():
            if self._buffer.too_long:
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
        """Print the answer as it comes and give it whole; in a notebook, as live Markdown.

        :param file: where to print; standard output where None
        """
        if file is None and in_notebook():
            show_as_it_grows(self, lambda: self._buffer.text)
        else:
            show_as_it_comes(self, file or sys.stdout)
        answer = self.answer
        answer._shown_in = cell() if file is None else None
        return answer

    @property
    def provider(self) -> str:
        """The name of the provider that answers; of a chain, the member's once it is known."""
        return getattr(self._source, "provider", None) or self._provider

    @property
    def model(self) -> str | None:
        """The model that is asked, where one is named."""
        return getattr(self._source, "model", None) or self._model

    @property
    def answer(self) -> Answer:
        """What has come so far, as an Answer.

        :raises ResponseFormatError: it is longer than what is kept of an answer
        """
        self._check_length()
        return Answer(
            self._buffer.text,
            usage=self.usage,
            finish_reason=self.finish_reason,
            model=self.model,
            provider=self.provider,
            seconds=self._seconds,
            reasoning=self.reasoning,
            tool_calls=self.tool_calls,
            images=self._buffer.images,
            refusal=self._buffer.refusal,
            revision=self._buffer.revision,
        )

    @property
    def identity(self) -> Identity | None:
        """What the service calls the answer, once it has said so."""
        return self._buffer.identity

    @property
    def usage(self) -> Usage | None:
        """The tokens, as the service counted them, once it has said so."""
        return self._buffer.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, once it has."""
        return self._buffer.finish_reason

    @property
    def reasoning(self) -> str:
        """The model's reasoning so far, which came before the answer."""
        self._check_length()
        return self._buffer.reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls that the model wants made, as far as they have come."""
        self._check_length()
        return self._buffer.tool_calls

    def check_complete(self) -> None:
        """Raise unless the answer came whole; for stages, when their deltas have ended.

        :raises StreamInterruptedError: it was closed, or stopped without its protocol's end
        :raises EmptyResponseError: there is nothing in it
        """
        if self.finish_reason is None and self._closed:
            raise StreamInterruptedError("the answer was closed before its end")
        if not self._buffer.has_content:
            raise EmptyResponseError(NOTHING_CAME)
        if self.finish_reason is None:
            raise StreamInterruptedError("the answer stops without the end that its protocol has")

    def _pull(self) -> Delta:
        """Get the next delta from the source, through the stages, and keep it."""
        deltas = self._deltas or self._open()
        try:
            delta = next(deltas)
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
        buffer = self._buffer
        if type(delta) is str:  # as add() does, without a call for each piece
            buffer.recent.append(delta)
            buffer.room -= PIECE_BYTES + len(delta)
            if buffer.room < 0:
                buffer.fold()
        else:
            buffer.add(delta)
        return delta

    def _check_length(self) -> None:
        if self._buffer.too_long:
            text = f"the answer is longer than the {MAX_BYTES:,} characters that are kept of one; iterate over it"
            error = ResponseFormatError(text, partial=self._buffer.text)
            self._place(error)
            raise error

    def _open(self) -> Generator[Delta, None, None]:
        """Start the answer, once, whichever thread needs it first."""
        if self._closed:
            raise StreamInterruptedError("the answer was closed before it was sent for", provider=self.provider)
        with self._opening:
            if self._deltas is not None:
                return self._deltas
            self._began_at = time.monotonic()
            self._source = self._begin()
            deltas = iter(self._source)
            for stage in self._stages:
                deltas = stage(deltas)
            self._deltas = deltas
        if self._was_closed():  # meanwhile, by another thread
            self.close()
        return deltas

    def _was_closed(self) -> bool:
        return self._closed

    def _finish(self) -> None:
        """Take note of the end.

        :raises G4FLiteError: the answer is not whole
        """
        if self._error is not None:
            raise self._error
        self._seconds = self._seconds or time.monotonic() - self._began_at
        try:
            self.check_complete()
        except G4FLiteError as error:
            self._note(error)
            raise

    def _place(self, error: G4FLiteError) -> None:
        """Say in an error which answer it is about."""
        error.provider = error.provider or self.provider
        error.step = error.step or "stream"
        if error.elapsed is None:
            error.elapsed = self._seconds or time.monotonic() - self._began_at

    def _note(self, error: G4FLiteError) -> None:
        """Remember how the answer failed, and put the text that had come into the error."""
        self._error = error
        self._seconds = time.monotonic() - self._began_at
        if isinstance(error, (ProviderError, DeadlineExceededError, EngineError)):
            error.partial = self._buffer.text or error.partial
        self._place(error)
