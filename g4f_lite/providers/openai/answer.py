"""A whole answer of chat completions, as events or as one JSON object → deltas."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...answers.deltas import Delta
from ...errors import DeadlineExceededError, G4FLiteError, ResponseFormatError, ServiceError, TransportError
from ...http.body import MAX_JSON_BYTES, Body
from ...http.checks import ERROR_BODY_BYTES, names_failure, shorten
from ...http.parsing import BLANK, Event, iter_events, parse_json
from .chunks import ChunkReader
from .errors import failure_in, tells_of_failure, told_at_end, with_body

END = "[DONE]"
MAX_LINE_BYTES = MAX_JSON_BYTES  # a line may hold an image
MAX_EVENT_PARTS = 100_000  # objects and lists; a whole answer may have those of all its tokens
MAX_EVENT_VALUES = 300_000  # by the commas, also those of a text, which has fewer than tokens
_MARKER = r"\[[A-Z_ ]*\]|(?i:ping|pong|keep-?alive|heartbeat)|null|\"\""
JSON_BEGINNINGS = (b"{", b"[", b'"')  # what begins otherwise is a stream of events, or should be


def read_answer(response: Body, *, several: bool = False) -> Iterator[Delta]:
    """Read an answer as it comes, as events or, from a server that does not stream, as one JSON object.

    :param several: whether more than one choice was asked for
    :raises G4FLiteError: if something in it says that the service failed
    :raises ResponseFormatError: if it could not be read: what is behind a hole is not given
    """
    if response.peek().lstrip(BLANK)[:1] in JSON_BEGINNINGS:
        return _read_body(response.read().lstrip(BLANK), response, several=several)
    return _read_events(response.lines(max_line_bytes=MAX_LINE_BYTES), response, several=several)


def _read_body(body: bytes, response: Body, *, several: bool) -> Iterator[Delta]:
    """Read an answer that came whole, as one JSON object; some servers write a stream as lines of JSON."""
    try:
        completion = parse_json(body)
    except ResponseFormatError:
        lines = body.splitlines()
        if not lines[0].endswith(b"}") or not any(lines[1:]):
            raise
        yield from _read_events(response.in_time(lines), None, several=several)
        return
    yield from read_completion(completion, several=several, in_time=response.in_time)


def read_completion(
    completion: Any, *, several: bool = False, in_time: Callable[[list[Any]], Iterable[Any]] = list
) -> Iterator[Delta]:
    """Read a whole answer from its JSON.

    :param several: whether more than one choice was asked for
    :param in_time: passes chunks on while there is time
    :raises G4FLiteError: if it says that the service failed
    :raises ResponseFormatError: if it is not an answer
    """
    if isinstance(completion, list):
        completion = _unwrapped(completion)
    chunks = completion if isinstance(completion, list) and completion else [completion]  # a whole stream as one list
    reader = ChunkReader(several=several, whole=len(chunks) == 1)
    for chunk in in_time(chunks):
        yield from reader.read(chunk)
    if not reader.has_read:
        raise ResponseFormatError(f"expected an answer, got {shorten(json.dumps(completion), 200)}")
    yield from reader.end()


def _read_events(lines: Iterable[bytes], response: Body | None, *, several: bool) -> Iterator[Delta]:
    """Read an event stream; events that hold nothing of an answer, such as pings and sources, are skipped.

    What may be a piece of the answer and cannot be read is an error, as an answer with a hole may say the opposite.
    Behind the end there are no pieces; what seemed to be the end was not where more of the answer comes.

    :param response: the body that the lines come from; None where it has been read to its end
    """
    strays, reader = StrayLines(), ChunkReader(several=several)
    ends = reader.ends
    ended, skipped = False, ""
    before, chunk = None, None  # the last two
    try:
        for event in iter_events(lines, accept_unfinished=True, read_unknown=strays):
            data = event.data.strip()
            while data.startswith("data:"):  # which a gateway wrote before data that had it already
                data = data[5:].lstrip()
            says_failure = event.event != "message" and names_failure(event.event)
            is_marker = not data or (data[0] != "{" and _is_marker(data))
            if is_marker and (says_failure or names_failure(data)):
                raise _failure_of(None, data or event.event)
            if data == END:
                ended = True
                break
            if is_marker:
                skipped = skipped or data
                continue
            try:
                before, chunk = chunk, parse_json(data, max_parts=MAX_EVENT_PARTS, max_values=MAX_EVENT_VALUES)
            except ResponseFormatError as error:
                if says_failure or (data[0] != "{" and tells_of_failure(data)):
                    raise with_body(ServiceError(shorten(data)), data) from error
                if event.event != "message" and data[0] != "{":  # of a type that only its service knows
                    skipped = skipped or shorten(data, 200)
                    continue
                at_end = data[0] == "{" and (response is None or response.complete)
                if at_end and not ends.is_over:  # cut in the middle of an event
                    break
                ends.lose(error)  # else the answer would have a hole
                continue
            if isinstance(chunk, list):
                chunk = _unwrapped(chunk)
            if says_failure:
                raise _failure_of(chunk, data)
            if strays.lost:
                ends.lose(strays.lost)
            if (text := reader.text_alone(chunk)) is not None:
                yield text
                continue
            try:
                yield from reader.read(chunk)
            except ResponseFormatError as error:
                ends.lose(error)
            if not reader.has_read:
                skipped = skipped or shorten(data, 200)
    except (TransportError, DeadlineExceededError):
        if ends.went_on or not ends.is_over:  # else all was there; only the end of the body was not
            raise
    is_whole = ended or ends.is_over
    if not ends.is_over:
        # Words in the last event of an answer without a finish reason say why, even if nothing marks them as an error.
        failure = (None if ended else strays.failure()) or told_at_end((chunk, before))
        if failure is not None:
            raise failure
    if strays.lost:
        ends.lose(strays.lost)
    if skipped and not reader.has_read:
        raise ResponseFormatError(f"expected an answer in chunks, got {skipped}")
    yield from reader.end() if is_whole else reader.rest()


def _is_marker(data: str) -> bool:
    """Return whether data is a sign of life or of a stage, such as ``ping`` or ``[START]``, and not a chunk."""
    return re.fullmatch(_MARKER, data) is not None


def _unwrapped(values: list[Any]) -> Any:
    """Return what a list of one holds, as Google sends errors; any other list is given as it is."""
    return values[0] if len(values) == 1 else values


def _failure_of(chunk: Any, data: str) -> G4FLiteError:
    """Make the error of an event whose name says that it reports one."""
    failure = failure_in(chunk, whole=True) if isinstance(chunk, dict) else None
    return failure or with_body(ServiceError(f"the service ended the answer with an error: {shorten(data)}"), data)


class StrayLines:
    """Reads the lines that the standard of event streams does not know.

    llama.cpp reports a failure as a line ``error: {…}``.  Gateways write an error as JSON without ``data:`` before
    it, in one line or in many, or end an answer with a few words of plain text.

    :ivar lost: the error of a line that may have been a piece of the answer, as it is no field, or one of an unknown
        name that holds JSON; None where there was none
    """

    def __init__(self) -> None:
        self.lost: ResponseFormatError | None = None
        self._kept: list[str] = []
        self._room = ERROR_BODY_BYTES

    def __call__(self, line: bytes) -> Event | None:
        """Return the event that a line stands for; a line that stands for none is kept."""
        line = line.strip(b" \t")
        name, _, value = line.partition(b":")
        if name in (b"data", b"error"):
            return Event("message" if name == b"data" else "error", value.decode("utf-8", "replace").strip(), "")
        if line.startswith(b"{") and line.endswith(b"}"):
            return Event("message", line.decode("utf-8", "replace"), "")
        is_field = re.match(rb"[\w-]+:", line) is not None  # which further versions of the standard may know
        if line and (not is_field or name.lower() == b"data" or value.lstrip().startswith(b"{")):
            text = line[:ERROR_BODY_BYTES].decode("utf-8", "replace")
            self.lost = self.lost or ResponseFormatError(f"expected an event, got {shorten(text, 200)!r}")
        if self._room > 0:
            self._kept.append(line[: self._room].decode("utf-8", "replace"))
            self._room -= len(line)
        return None

    def failure(self) -> G4FLiteError | None:
        """Make the error for an answer without an end: what the lines say; None where there were none."""
        text = "\n".join(self._kept).strip()
        if not text:
            return None
        try:
            value = parse_json(text)
        except ResponseFormatError:
            value = None
        failure = failure_in(value, whole=True) if isinstance(value, dict) else None
        if failure is None and tells_of_failure(text):
            failure = ServiceError(shorten(text))
        return with_body(failure or ResponseFormatError(f"expected events, got {shorten(text, 200)!r}"), text)
