"""Reading an answer in a thread of its own, so that the thread of the request can look after its browser meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask

from ...answers.answer import Answer
from ...answers.deltas import Delta, Refusal, is_content
from ...answers.images import ImageResponse
from ...answers.stream import AnswerStream
from ...errors import G4FLiteError, ResponseFormatError
from .failed_calls import asked_now, log_of_on_done

OnDone = Callable[[Answer, "BaseException | None"], object]
MANY, LONG = 1000, 4096  # pieces that wait for a slow browser; from then on, texts shorter than that are joined
END_SECONDS = 5.0  # that a request waits for a thread whose answer was closed


class TypedAnswer(Protocol):
    """What is used of the stream that ``client.stream(…, output=…)`` returns."""

    def partials(self) -> Iterator[Any]: ...
    def close(self) -> None: ...
    @property
    def output(self) -> Any: ...
    @property
    def answer(self) -> Answer: ...


@dataclass(frozen=True)
class Partial:
    """The value of a typed answer, as far as it has come."""

    value: Any


@dataclass(frozen=True)
class End:
    """The end of an answer: what has come of it, and the error if that is not all.

    :param output: the value of a typed answer, as ``{"output": …}`` of plain JSON types
    """

    answer: Answer
    error: BaseException | None
    output: dict[str, Any] = field(default_factory=dict)


Item = Delta | Partial | End
_SENT = (str, Refusal, ImageResponse)


class Reader:
    """Reads an answer to its end, and calls ``on_done``.

    :param stream: the answer
    :param app: the app, in whose context the answer is read and ``on_done`` called
    :param on_done: called once with the answer and None, or with what came of it and the error
    :ivar asked: the method and path of the request
    """

    def __init__(self, stream: AnswerStream | TypedAnswer, app: Flask, on_done: OnDone | None) -> None:
        self._stream = stream
        self.app = app
        self.asked = asked_now()
        self._on_done = on_done
        # A slow browser must not hold up the answer, which is read, and waits here, as far as it is kept.
        self._arrived: deque[Item] = deque()
        self._has_more = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="g4f_lite answer", daemon=True)

    def start(self) -> None:
        """Send the prompt, and begin to read.

        :raises G4FLiteError: if the system refuses another thread; ``on_done`` was called
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            self._stream.close()  # so that no prompt is sent
            self._run()
            raise G4FLiteError(f"the thread that reads the answer could not be started: {error}") from error

    def get(self, seconds: float) -> Item | None:
        """Return the next delta, the newest value or the end; None if none of them comes in time.

        :param seconds: how long to wait
        """
        with self._has_more:
            self._has_more.wait_for(lambda: self._arrived, seconds)
            return self._arrived.popleft() if self._arrived else None

    def close(self) -> None:
        """End the answer, and wait a little until ``on_done`` has been called."""
        self._stream.close()
        self._thread.join(END_SECONDS)

    def _put(self, item: Item) -> None:
        with self._has_more:
            last = self._arrived[-1] if self._arrived else None
            # A value holds all that came before it: kept for a slow browser, they would be many times the answer.
            if isinstance(item, Partial) and isinstance(last, Partial):
                self._arrived.pop()
            elif len(self._arrived) > MANY and isinstance(item, str) and isinstance(last, str) and len(last) < LONG:
                item = last + item  # the shortest pieces take a hundred times their text
                self._arrived.pop()
            self._arrived.append(item)
            self._has_more.notify()

    def _run(self) -> None:
        end = End(Answer(""), RuntimeError("the answer was not read, because the app has no context"))
        try:
            with self.app.app_context():
                end = self._read()
                if self._on_done is not None:
                    self._on_done(end.answer, end.error)
        except BaseException:  # noqa: BLE001  the visitor has the answer all the same
            log_of_on_done(self.app, self.asked)
        finally:
            self._put(end)

    def _read(self) -> End:
        error: BaseException | None = None
        output: dict[str, Any] = {}
        try:
            for item in _items(self._stream):
                self._put(item)
            if not isinstance(self._stream, AnswerStream):  # raises if the whole is not a value of the type
                output = {"output": _plain(self._stream.output)}
        except BaseException as failure:  # noqa: BLE001  it is raised in the thread of the request
            error = failure
            self._stream.close()
        try:
            return End(self._stream.answer, error, output)
        except ResponseFormatError as too_long:
            return End(Answer(too_long.partial), error or too_long)


def _items(stream: AnswerStream | TypedAnswer) -> Iterator[Item]:
    if isinstance(stream, AnswerStream):
        has_begun = False
        for delta in stream.deltas():
            # The rest is not sent, and would wait for a slow browser in any number.
            if is_content(delta) and (isinstance(delta, _SENT) or not has_begun):
                has_begun = True
                yield delta.text if isinstance(delta, Refusal) else delta
            stream.check_length()
        return
    for value in stream.partials():
        yield Partial(value)


def _plain(value: Any) -> Any:
    """Return a value as plain JSON types, with the names that the model was told."""
    import msgspec

    return msgspec.to_builtins(value, enc_hook=_of_object)


def _of_object(value: Any) -> Any:
    is_model = hasattr(value, "model_dump")  # of pydantic
    return value.model_dump(mode="json", by_alias=True) if is_model else str(value)
