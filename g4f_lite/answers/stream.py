"""The stream that a caller iterates."""

# ruff: noqa: B904  it is the same error that is raised again, and a traceback shows that line
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, TextIO

from ..errors import G4FLiteError, StreamInterruptedError
from .answer import Answer
from .buffer import Buffer, up_to_content
from .deltas import Delta, Piece, Refusal
from .images import ImageResponse
from .interruption import hear_interrupts, raise_interrupt
from .progress import progress
from .short_traceback import shortened
from .show import show
from .so_far import AnswerSoFar
from .source import Scrub, Source, Stage, deltas_of


class AnswerStream(AnswerSoFar, Generator[Piece, None, None]):
    """An answer in progress: iterate it for its pieces of text and its images.

    ::

        for piece in provider.create_generator(messages="Hello"):
            print(piece, end="", flush=True)

    Nothing is sent before the first ``next()`` or ``start()``.  The connection is released or closed when the answer
    ends, when ``close()`` is called, or when the stream is garbage-collected.

    :param begin: starts the answer; called once, when the first delta is needed
    :param provider: the name of the provider
    :param model: the requested model
    :param scrub: takes secrets out of an error, in place, if the source has no method of this name
    :ivar source: the call in progress; None before it begins.  What it knows about itself differs between providers
    :ivar seconds: which the answer took; 0 until it has ended
    :ivar error: the error that the answer ended with, or None
    :ivar cached: whether a stage answers from a cache, and nothing is sent
    """

    def __init__(
        self, begin: Callable[[], Source], *, provider: str, model: str | None = None, scrub: Scrub | None = None
    ) -> None:
        super().__init__(provider, model, scrub)
        self._begin = begin
        self._stages: list[Stage] = []
        self._on_end: tuple[Callable[[AnswerStream], object], ...] = ()
        self._deltas: Generator[Delta, None, None] | None = None
        self._opening = threading.Lock()
        self._waiting: deque[Delta] = deque()  # read by start(), not yet returned to the caller
        self._closed = False
        self._ended = False  # it was read to its end

    def through(self, stage: Stage) -> AnswerStream:
        """Pass the deltas through a stage, after the stages that were added before.

        :param stage: a generator function from deltas to deltas
        :returns: the stream itself
        """
        self._stages.append(stage)
        return self

    def when_ended(self, action: Callable[[AnswerStream], object]) -> AnswerStream:
        """Call a function once, when the answer has ended: whole, failed or closed; a stage would cost time per piece.

        :param action: gets the stream; it must not raise, and must not wait, as a garbage collection may end an answer
        :returns: the stream itself
        """
        self._on_end = (*self._on_end, action)
        return self

    def __next__(self) -> Piece:
        while True:
            delta = self._waiting.popleft() if self._waiting else self._pull()
            if type(delta) is str or isinstance(delta, (str, ImageResponse)):
                return delta
            if isinstance(delta, Refusal):
                return delta.text

    def send(self, value: None) -> Piece:
        """Return the next piece, like ``next()``."""
        return next(self)

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None) -> Piece:
        """Close the stream and raise the given exception."""
        self.close()
        error = val if isinstance(val, BaseException) else typ
        if isinstance(error, type):
            error = error() if val is None else error(val)
        raise error.with_traceback(tb) if tb else error

    def close(self) -> None:
        """End the answer, from any thread; a thread that is waiting for more gets StreamInterruptedError."""
        self._closed = True
        if self.source is not None:
            self._tell_end()
        with suppress(ValueError):  # another thread is reading, and closes the rest at its next delta
            self._close_source()

    def _close_source(self) -> None:
        if self.source is not None:
            self.source.close()
        if self._deltas is not None:  # the stages, which closing the source does not close
            self._deltas.close()

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            self.close()

    def __enter__(self) -> AnswerStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:  # which copy and pickle call
        raise TypeError("an answer in progress cannot be copied or pickled; read it, and copy or pickle its text()")

    def start(self) -> AnswerStream:
        """Send the prompt, wait for the first delta, so that errors are raised here, and return the stream itself.

        :raises G4FLiteError: if the answer does not begin
        """
        if not self._buffer.has_content:
            try:
                self._waiting.extend(up_to_content(self.deltas(), Buffer()))
            except G4FLiteError as error:
                if self.error is None:  # there is too much before the first content
                    self._record_failure(error)
                    self._close_source()
                raise shortened(error)
        return self

    def text(self) -> Answer:
        """Read to the end and return the whole answer, including pieces already iterated; nothing is sent twice.

        :raises ResponseFormatError: if the answer is longer than the 4 MiB that are kept
        """
        self._waiting.clear()
        with suppress(StopIteration):
            if not self._buffer.too_long:
                self._pull(to_end=True)
            self.close()
        return self.answer

    def deltas(self) -> Generator[Delta, None, None]:
        """Iterate all remaining deltas: text, images, reasoning, refusal, tool calls, usage, finish and the rest."""
        with suppress(StopIteration):
            while True:
                yield self._waiting.popleft() if self._waiting else self._pull()

    def show(self, file: TextIO | None = None, *, plain: bool = False) -> Answer:
        """Print the answer as it arrives, in a notebook as Markdown, and return it whole; again if it was read.

        What a terminal or a browser would obey is left out: control characters, HTML, remote images and scripts.

        :param file: the file to print to; standard output if None
        :param plain: whether a notebook prints the text too, instead of rendering it
        """
        return show(self, self._buffer, file, plain=plain, again=self._ended and not self._waiting)

    @property
    def closed(self) -> bool:
        """Whether the stream was closed."""
        return self._closed

    def check_complete(self) -> None:
        """Raise unless the answer is complete; stages call this after their last delta.

        :raises StreamInterruptedError: if the answer was closed, or ended without the end that its protocol requires
        :raises EmptyResponseError: if the answer has no content, or was cut before its reasoning ended
        """
        if not self._buffer.finished and self._closed:
            raise StreamInterruptedError("the answer was closed before its end")
        self._buffer.check_complete()

    def __repr__(self) -> str:
        of = f"{self.model!r} from {self.provider}" if self.model else self.provider
        length = None if self.source is None else len(self._buffer.text)
        return f"<AnswerStream of {of}: {progress(length, self.error, ended=self._ended, closed=self._closed)}>"

    def _pull(self, *, to_end: bool = False) -> Delta:
        """Read the next delta from the source, through the stages, and keep it.

        :param to_end: read on until the end, or until the answer is too long to be kept
        """
        deltas = self._deltas or self._open()
        try:
            for delta in deltas:
                if self._closed:
                    self.close()
                    break
                self._buffer.add(delta)
                if not to_end or self._buffer.too_long:
                    return delta
                del delta  # which a traceback of a later error may show
            raise StopIteration
        except StopIteration:
            self._finish()
            raise
        except G4FLiteError as error:
            self._record_failure(error)
            self._close_source()
            raise shortened(error)
        except ValueError as error:
            if "already executing" not in str(error):
                raise
            if not self._closed:
                raise G4FLiteError("another thread is reading this answer; read it in one thread only") from error
            self._finish()
            raise StopIteration from None  # the answer was complete before it was closed
        except BaseException as error:
            self.close()  # for instance after Ctrl-C: there are no more deltas, and the call counts at once
            raise_interrupt(error, self)
            raise

    def _open(self) -> Generator[Delta, None, None]:
        """Start the answer, once, in the thread that needs it first."""
        if self.closed:
            raise StreamInterruptedError("the answer was closed before its prompt was sent", provider=self.provider)
        with self._opening:
            if self._deltas is not None:
                return self._deltas
            self._began_at = time.monotonic()
            hear_interrupts()
            try:
                source = self._begin()
                deltas = deltas_of(source, self._provider)
            except G4FLiteError as error:
                self.scrub(error)
                raise
            self.source = source
            while self._stages:  # not kept: one may hold the stream, which would then wait for a garbage collection
                deltas = self._stages.pop(0)(deltas)
            self._deltas = deltas
        if self._closed:  # by another thread in the meantime
            self.close()
        return deltas

    def _finish(self) -> None:
        """Record the end of the answer.

        :raises G4FLiteError: if the answer is not complete
        """
        if self.error is not None:
            raise shortened(self.error) from self.error.__cause__  # not from the StopIteration
        self._ended = True
        self.seconds = self.seconds or time.monotonic() - self._began_at
        try:
            self.check_complete()
        except G4FLiteError as error:
            self._record_failure(error)
            raise shortened(error) from error.__cause__
        self._tell_end()

    def _tell_end(self) -> None:
        actions, self._on_end = self._on_end, ()
        for action in actions:
            action(self)

    def _record_failure(self, error: G4FLiteError) -> None:
        """Record the failure of the answer, and add the text so far to the error."""
        self.error, self.seconds = error, time.monotonic() - self._began_at
        error.partial = self._buffer.text or error.partial
        self._add_context(error)
        self._tell_end()
