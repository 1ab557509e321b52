"""A whole answer of chat completions, as events or as one JSON object → deltas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ...answers.deltas import Delta
from ...errors import DeadlineExceededError, G4FLiteError, ResponseFormatError, ServiceError, TransportError
from ...http.body import BLANK, MAX_JSON_BYTES, Body, parse_json
from ...http.checks import shorten
from ...http.events import iter_events
from .chunks import ChunkReader
from .errors import failure_in, names_failure, tells_of_failure, with_body
from .stray_lines import StrayLines

END = "[DONE]"
MAX_LINE_BYTES = MAX_JSON_BYTES  # a line may hold an image
JSON_BEGINNINGS = (b"{", b"[", b'"')  # what begins otherwise is a stream of events, or should be


def read_answer(response: Body, *, several: bool = False) -> Iterator[Delta]:
    """Read an answer as it comes, as events or, from a server that does not stream, as one JSON object.

    :param several: whether more than one choice was asked for
    :raises G4FLiteError: if something in it says that the service failed
    :raises ResponseFormatError: if nothing of it could be read, or it stops where something could not
    """
    if response.peek().lstrip(BLANK)[:1] in JSON_BEGINNINGS:
        return _read_body(response.read().lstrip(BLANK), several=several)
    return _read_events(response.lines(max_line_bytes=MAX_LINE_BYTES), response, several=several)


def _read_body(body: bytes, *, several: bool) -> Iterator[Delta]:
    """Read an answer that came whole, as one JSON object; some servers write a stream as lines of JSON."""
    try:
        completion = parse_json(body.decode("utf-8", "replace"))
    except ResponseFormatError:
        lines = body.splitlines()
        if not lines[0].endswith(b"}") or not any(lines[1:]):
            raise
        yield from _read_events(lines, None, several=several)
        return
    yield from read_completion(completion, several=several)


def read_completion(completion: Any, *, several: bool = False) -> Iterator[Delta]:
    """Read a whole answer from its JSON.

    :param several: whether more than one choice was asked for
    :raises G4FLiteError: if it says that the service failed
    :raises ResponseFormatError: if it is not an answer
    """
    completion = _unwrapped(completion)
    chunks = completion if isinstance(completion, list) and completion else [completion]  # a whole stream as one list
    reader = ChunkReader(several=several, whole=len(chunks) == 1)
    for chunk in chunks:
        yield from reader.read(chunk)
    if not reader.has_read:
        raise ResponseFormatError(f"expected an answer, got {shorten(json.dumps(completion), 200)}")
    yield from reader.end()


def _read_events(lines: Iterable[bytes], response: Body | None, *, several: bool) -> Iterator[Delta]:
    """Read an event stream; events that hold nothing of an answer, such as pings and sources, are skipped.

    :param response: the body that the lines come from; None where it has been read to its end
    """
    reader, strays = ChunkReader(several=several), StrayLines()
    ended, skipped, unreadable, chunk = False, "", None, None
    try:
        for event in iter_events(lines, accept_unfinished=True, read_unknown=strays):
            data = event.data.strip()
            while data.startswith("data:"):  # which a gateway wrote before data that had it already
                data = data[5:].lstrip()
            if data == END:
                ended = True
                break
            if not data:
                continue
            says_failure = event.event != "message" and names_failure(event.event)
            try:
                chunk = _unwrapped(parse_json(data))
            except ResponseFormatError as error:
                if says_failure or (data[0] != "{" and tells_of_failure(data)):
                    raise with_body(ServiceError(shorten(data)), data) from error
                if data[0] != "{":  # no chunk at all
                    unreadable = unreadable or error
                    continue
                if response is None or response.complete:  # the end came first: cut in the middle of an event
                    break
                raise  # else the answer would have a hole
            if says_failure:
                raise _failure_of(chunk, data)
            if (text := reader.text_alone(chunk)) is not None:
                yield text
                continue
            try:
                yield from reader.read(chunk)
            except ResponseFormatError as error:
                unreadable = unreadable or error
            if not reader.has_read:
                skipped = skipped or shorten(data, 200)
    except (TransportError, DeadlineExceededError):
        if not reader.reasons:  # else all was there; only the end of the body was not
            raise
    if skipped and not reader.has_read:
        unreadable = unreadable or ResponseFormatError(f"expected an answer in chunks, got {skipped}")
    is_whole = ended or bool(reader.reasons)
    if not is_whole:
        # Words in the last event of an answer without its end say why, even if nothing marks them as an error.
        failure = strays.failure() or (failure_in(chunk, whole=True) if isinstance(chunk, dict) else None)
        if failure is not None:
            raise failure
    if unreadable is not None and not (is_whole and reader.has_read):
        raise unreadable
    yield from reader.end() if is_whole else reader.rest()


def _unwrapped(value: Any) -> Any:
    """Return what a list of one holds, as Google sends errors; any other value is given as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _failure_of(chunk: Any, data: str) -> G4FLiteError:
    """Make the error of an event whose name says that it reports one."""
    failure = failure_in(chunk, whole=True) if isinstance(chunk, dict) else None
    return failure or with_body(ServiceError(f"the service ended the answer with an error: {shorten(data)}"), data)
