"""The pieces of tool calls, put to the calls that they belong to."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...answers.deltas import ToolCallDelta
from ...answers.json_text import read_json
from ...errors import ResponseFormatError
from ...http.checks import shorten
from .fields import check_sent_back, number_in, text_in
from .object_end import ObjectEnd

MAX_CALLS = 1_000  # to which pieces may still come
MAX_COMPARED = 16 * 1024 * 1024  # characters of arguments that a message may say once more
MAX_KEPT = 4 * 1024 * 1024  # characters of arguments, as many as an answer keeps; more are passed on all the same

_OF_CALL = frozenset({"index", "id", "type", "function", "custom"})
_OF_FUNCTION = frozenset({"name", "arguments", "input", "parameters"})


@dataclass
class _Call:
    """A call of which pieces have come."""

    index: int  # our own number of it
    said_index: int | None  # the service's
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)  # of its arguments
    length: int = 0  # of the pieces together
    letters: int = 0  # the same, without blanks
    end: ObjectEnd = field(default_factory=ObjectEnd)  # of its arguments
    is_empty: bool = False  # whether an empty object has come, which some services send before the real arguments
    value: int | None = None  # a hash of the value of its arguments, once it was asked for

    def add(self, arguments: str) -> None:
        self.pieces.append(arguments)
        self.length += len(arguments)
        self.letters += _letters(arguments)
        self.end.read(arguments)
        self.value = None

    def hash_of_value(self) -> int:
        """Return a hash of the value of its arguments, as far as they have come."""
        if self.value is None:
            self.value = _hash_of_value("".join(self.pieces) or "{}" * self.is_empty)
        return self.value

    def has_whole(self, arguments: str) -> bool:
        """Return whether these are its arguments, perhaps with other blanks, and no more of them can come."""
        may_be = self.end.is_reached and self.letters == _letters(arguments)  # else it would be parsed at each piece
        return may_be and self.hash_of_value() == _hash_of_value(arguments)

    def goes_on_with(self, name: str, arguments: str) -> bool:
        """Return whether a piece may be a further one of this call, and not the first of another."""
        if not name or not self.name:
            return True
        return name == self.name and not (arguments and self.end.is_reached and not self.has_whole(arguments))


class ToolCalls:
    """The tool calls of one choice while their pieces come.

    Services number their calls wrongly, or not at all: all calls 0, the head of a call 0 and its tail 1, ids only in
    the first piece, or the same id in each.  So the calls are numbered anew here: a new id that comes with a name
    begins a new call, and everything else goes to the call that its id, its index or its place says.
    """

    def __init__(self) -> None:
        self._calls: deque[_Call] = deque()
        self._begun = 0
        self._by_id: dict[str, _Call] = {}  # the last call with an id
        self._by_index: dict[int, _Call] = {}  # the last call under an index of the service's
        self._room = MAX_KEPT
        self._room_to_compare = MAX_COMPARED
        self._beside: list[_Call] = []  # those whose pieces stood in one list, without ids and indices

    def read(self, pieces: Any, *, again: bool = False) -> Iterator[ToolCallDelta]:
        """Read a list of pieces, as a chunk or a message holds it; those that say nothing are left out.

        :param again: whether it is of a message behind the pieces, which says their calls once more: perhaps with other
            blanks, or with other ids.  Each is known by its name and the value of its arguments
        :raises ResponseFormatError: if it is not a list of objects, or one has what cannot be sent back
        """
        pieces = [pieces] if isinstance(pieces, dict) else pieces
        if not isinstance(pieces, list) or not all(isinstance(piece, dict) for piece in pieces):
            raise ResponseFormatError(f"expected a list of tool calls, got {shorten(json.dumps(pieces), 100)}")
        touched = []
        known: defaultdict[tuple[str, int], deque[_Call]] = defaultdict(deque)
        for call in self._calls if again and self._room_to_compare > 0 else ():
            self._room_to_compare -= call.length if call.value is None else 0
            known[call.name, call.hash_of_value()].append(call)
        for place, piece in enumerate(pieces):
            kind = "custom" if isinstance(piece.get("custom"), dict) or piece.get("type") == "custom" else "function"
            inner = piece.get(kind) or {}
            if not isinstance(inner, dict) or not isinstance(inner.get("name") or "", str):
                raise ResponseFormatError(f"expected a tool call, got {shorten(json.dumps(piece), 100)}")
            id_, name, arguments = text_in(piece, "id").strip(), text_in(inner, "name").strip(), _arguments_in(inner)
            extra = {each: value for each, value in piece.items() if each not in _OF_CALL and value is not None}
            if more := {each: value for each, value in inner.items() if each not in _OF_FUNCTION}:
                extra[kind] = more
            check_sent_back(extra)
            if not (id_ or name or arguments or extra):
                continue
            if known and name and (same := known[name, _hash_of_value(arguments)]):
                call, arguments = same.popleft(), ""
            else:
                call = self._call_of(id_, name, arguments, index_in(piece), place if len(pieces) > 1 else None)
            touched.append(call)
            new_id, new_name = "" if call.id else id_, "" if call.name else name
            call.name = call.name or name
            if new_id:
                call.id = new_id
                self._by_id[new_id] = call
            if (id_ or name) and not new_name and call.has_whole(arguments):
                arguments = ""  # the whole call again, at the end of the answer
            if arguments == "{}" and not isinstance(inner.get("arguments"), str):
                call.is_empty, arguments = True, ""
            if arguments and self._room > 0:
                self._room -= len(arguments)
                call.add(arguments)
            yield ToolCallDelta(call.index, new_id or None, new_name or None, arguments, kind, extra)
        if len(touched) > 1:
            self._beside = touched

    def rest(self) -> Iterator[ToolCallDelta]:
        """Return the arguments of calls that had an empty object and nothing after it."""
        empty = (call for call in self._calls if call.is_empty and not call.length)
        yield from (ToolCallDelta(call.index, arguments="{}") for call in empty)

    def read_function_call(self, call: Any) -> Iterator[ToolCallDelta]:
        """Read a piece of ``function_call``, the API's older form of a single call."""
        if not isinstance(call, dict):
            raise ResponseFormatError(f"expected a function call, got {shorten(json.dumps(call), 100)}")
        name, arguments = text_in(call, "name"), _arguments_in(call)
        if name or arguments:
            yield ToolCallDelta(0, None, name or None, arguments, "function_call")

    def _call_of(self, id_: str, name: str, arguments: str, index: int | None, place: int | None) -> _Call:
        """Find the call that a piece belongs to, or begin one.

        :param index: the service's number of the call, where the piece says one
        :param place: the piece's place among several in one list
        """
        last = self._calls[-1] if self._calls else None
        there = None if index is None else self._by_index.get(index)
        if id_:
            known = self._by_id.get(id_)
            if known is not None:
                is_other = bool(name) and index is not None and there is None and index != known.said_index
                if is_other and name == known.name and known.has_whole(arguments):
                    return known  # the same once more
                return self._begin(index) if is_other or not known.goes_on_with(name, arguments) else known
            late = last if index is None else there
            if late is not None and (
                # Its id comes late, or each of its pieces has another one.
                late.goes_on_with(name, arguments) if not late.id else not name and arguments
            ):
                return late
            return self._begin(index)
        if index is not None:
            if there is None and last is not None and not name:
                there = last
                self._remember(index, last)
            return there if there is not None and there.goes_on_with(name, arguments) else self._begin(index)
        if place is not None and name:
            return self._begin(None)
        if place is not None and place < len(self._beside):
            return self._beside[place]
        return last if last is not None and last.goes_on_with(name, arguments) else self._begin(None)

    def _begin(self, index: int | None) -> _Call:
        call = _Call(self._begun, index)
        self._begun += 1
        if len(self._calls) == MAX_CALLS:
            oldest = self._calls.popleft()
            if self._by_id.get(oldest.id) is oldest:
                del self._by_id[oldest.id]
        self._calls.append(call)
        if index is not None:
            self._remember(index, call)
        return call

    def _remember(self, index: int, call: _Call) -> None:
        self._by_index[index] = call
        if len(self._by_index) > MAX_CALLS:
            del self._by_index[next(iter(self._by_index))]


def index_in(fields: dict[str, Any]) -> int | None:
    """Return the index of a choice or a call, which some services write as ``"1"`` or ``1.0``; None where none is."""
    index = fields.get("index")
    if isinstance(index, str) and index.isdecimal() and len(index) < 6:
        return int(index)
    return number_in(fields, "index")


def _letters(text: str) -> int:
    return len(text) - sum(map(text.count, " \t\r\n"))


def _hash_of_value(arguments: str) -> int:
    """Return a hash that is the same for arguments that differ in blanks, escapes or the order of their names only."""
    try:
        return hash(json.dumps(read_json(arguments), sort_keys=True))
    except (ValueError, RecursionError):
        return hash(arguments)


def _arguments_in(function: dict[str, Any]) -> str:
    """Return the arguments in a piece as text; some services send them as an object."""
    for name in ("arguments", "input", "parameters"):
        value = function.get(name)
        if isinstance(value, str):
            return value
        if value is not None:
            return json.dumps(value, ensure_ascii=False)
    return ""
