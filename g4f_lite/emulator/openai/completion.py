"""Write one completion, as a stream of chunks or as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..answers import Delta
from ..exchange import BackendError
from ..reply import BodyItem, Piece, Reply, json_reply
from ..sse import CONTENT_TYPE
from .call import DONE, Call, Event, Events
from .dialect import Dialect
from .logprobs import logprobs_of

_MOST_CHOICES = 8


class Completion:
    """Answer one call, in the given dialects."""

    def __init__(self, call: Call, dialects: list[Dialect]) -> None:
        self._call = call
        self._dialects = dialects
        asked = call.body.get("n")
        self._choices = min(asked, _MOST_CHOICES) if isinstance(asked, int) and asked > 1 else 1

    def stream(self, fail: Callable[[str], list[Event]]) -> Reply:
        """Answer with a stream.

        :param fail: gives the events that end the stream when the backend fails
        """
        events = self._events(fail)
        content_type = CONTENT_TYPE
        for dialect in self._dialects:
            content_type = dialect.content_type or content_type
        return Reply(200, [("Content-Type", content_type)], self._pieces(events))

    def whole(self, fail: Callable[[str], Reply]) -> Reply:
        """Answer with one JSON.

        :param fail: gives the answer when the backend fails
        """
        call = self._call
        counts = 0
        choices = []
        try:
            for index in range(self._choices):
                joined = _Joined()
                for delta in self._deltas():
                    joined.add(delta)
                counts += len(joined.texts)
                message = self._message(joined.message)
                logprobs = logprobs_of(joined.texts, call.body)
                choices.append({"index": index, "message": message, "finish_reason": joined.finish_reason, **logprobs})
        except BackendError as error:
            return fail(str(error))
        answer: dict[str, Any] = {**call.common, "object": "chat.completion", "choices": choices}
        if call.exchange.settings.usage:
            answer["usage"] = call.usage(counts)
        for dialect in self._dialects:
            if dialect.whole is not None:
                answer = dialect.whole(answer, call)
        return json_reply(200, answer)

    def _deltas(self) -> Iterator[Delta]:
        deltas = self._call.exchange.deltas(self._call.messages)
        for dialect in self._dialects:
            if dialect.deltas is not None:
                deltas = dialect.deltas(deltas, self._call)
        return deltas

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        for dialect in self._dialects:
            if dialect.message is not None:
                message = dialect.message(message)
        return message

    def _pieces(self, events: Events) -> Iterator[BodyItem]:
        settings = self._call.exchange.settings
        for event in events:
            yield Piece(event.encode(settings, last=event is DONE), event.text)

    def _events(self, fail: Callable[[str], list[Event]]) -> Events:
        chunks = self._chunks()
        for dialect in self._dialects:
            if dialect.events is not None:
                chunks = dialect.events(chunks, self._call)
        try:
            yield from chunks
        except BackendError as error:
            yield from fail(str(error))

    def _chunks(self) -> Events:
        call = self._call
        numbers = range(self._choices)
        # Servers differ in the first delta; content: null is the form that breaks most clients.
        for index in numbers:
            yield self._chunk({"role": "assistant", "content": None}, index)
        answers = {index: self._deltas() for index in numbers}
        reasons: dict[int, object] = dict.fromkeys(numbers, "stop")
        pieces = 0
        # The choices of one answer come interleaved.
        while answers:
            for index, deltas in list(answers.items()):
                delta = next(deltas, None)
                if delta is None:
                    del answers[index]
                elif isinstance(delta, str):
                    pieces += 1
                    yield self._chunk({"content": delta}, index, text=True, **logprobs_of([delta], call.body))
                else:
                    fields = dict(delta)
                    reasons[index] = fields.pop("finish_reason", _reason(fields, reasons[index]))
                    if fields:
                        yield self._chunk(fields, index, text=True)
        for index in numbers:
            yield Event(call.delta({}, reasons[index], index))
        if call.streams_usage and call.exchange.settings.usage:
            yield Event(call.chunk(choices=[], usage=call.usage(pieces)))
        yield DONE

    def _chunk(self, delta: dict[str, Any], index: int, *, text: bool = False, **fields: Any) -> Event:
        return Event(self._call.delta(self._message(delta), None, index, **fields), text)


def _reason(delta: Mapping[str, Any], reason: object) -> object:
    """Return the usual finish reason of an answer, as it is known after this delta."""
    return "tool_calls" if delta.get("tool_calls") else reason


class _Joined:
    """Put the deltas of one choice together into its message."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {"role": "assistant", "content": ""}
        self.finish_reason: object = "stop"
        self.texts: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, delta: Delta) -> None:
        """Take the next delta."""
        if isinstance(delta, str):
            self.texts.append(delta)
            self.message["content"] += delta
            return
        self.finish_reason = _reason(delta, self.finish_reason)
        for name, value in delta.items():
            if name == "finish_reason":
                self.finish_reason = value
            elif name == "tool_calls" and isinstance(value, list):
                for piece in value:
                    self._add_call(piece)
            elif isinstance(value, str):
                self.message[name] = (self.message.get(name) or "") + value
            elif isinstance(value, list):
                self.message[name] = [*self.message.get(name, []), *value]
            else:
                self.message[name] = value

    def _add_call(self, piece: dict[str, Any]) -> None:
        fields = {name: value for name, value in piece.items() if name not in ("index", "function")}
        known = self._calls.get(piece.get("index", len(self._calls)))
        if known is None:
            known = self._calls[piece.get("index", len(self._calls))] = {}
            self.message.setdefault("tool_calls", []).append(known)
        known |= {name: value for name, value in fields.items() if value is not None}
        for name, value in (piece.get("function") or {}).items():
            function = known.setdefault("function", {})
            function[name] = function[name] + value if name == "arguments" and name in function else value
