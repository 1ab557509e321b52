"""Cuts bytes into lines, and parses lines as server-sent events (WHATWG HTML standard, §9.2.6).  It does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..errors import ResponseFormatError

MAX_LINE_BYTES = 1024 * 1024
MAX_EVENT_BYTES = 1024 * 1024  # of all data lines of an event
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event of an event stream: its type, its data lines joined by newlines, and the last event id."""

    event: str
    data: str
    id: str


def split_lines(chunks: Iterable[bytes], *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    r"""Cut bytes into lines at ``\n``, ``\r\n`` and ``\r``, and nowhere else.

    A line is given as soon as its last byte has come, without its end; a ``\r\n`` that two chunks
    share is one end (psf/requests#3980).  What follows the last end is a line too, unless it is empty.

    :param chunks: the bytes
    :param max_line_bytes: the longest line that is taken
    :raises ResponseFormatError: if a line is longer
    """
    begun: list[bytes] = []  # the pieces of a line whose end has not come
    begun_bytes = 0
    after_carriage_return = False
    for chunk in chunks:
        if after_carriage_return and chunk:
            after_carriage_return = False
            if chunk[0] == 10:
                chunk = chunk[1:]
        if b"\r" in chunk:
            after_carriage_return = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines:
            if begun:
                lines[0] = b"".join([*begun, lines[0]])
                begun, begun_bytes = [], 0
            if len(chunk) > max_line_bytes or len(lines[0]) > max_line_bytes:
                for line in lines:
                    _check_length(len(line), max_line_bytes)
                    yield line
            else:
                yield from lines
        if rest:
            begun.append(rest)
            begun_bytes += len(rest)
            _check_length(begun_bytes, max_line_bytes)
    if begun:
        yield b"".join(begun)


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise ResponseFormatError(f"a line of the answer is longer than {limit:,} bytes")


def iter_events(
    lines: Iterable[bytes],
    *,
    accept_unfinished: bool = False,
    read_unknown: Callable[[bytes], Event | None] | None = None,
) -> Iterator[Event]:
    """Return the events of an event stream, each when its blank line comes.

    Comments, unknown fields, ``retry`` and ids with a NUL are ignored, and so is an event without a ``data``
    line; bytes that are not UTF-8 become U+FFFD.

    :param lines: the lines of the stream, without their ends
    :param accept_unfinished: give a last event that no blank line ended, as some servers send it;
        the standard says to drop it
    :param read_unknown: called with each line of which the standard knows nothing; an event that it gives comes next
    :raises ResponseFormatError: if an event has too much data in several lines
    """
    event_type, last_id, data_bytes = "", "", 0
    data: list[str] = []
    first = True
    for line in lines:
        if first:
            first = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            if data:
                yield Event(event_type or "message", data[0] if len(data) == 1 else "\n".join(data), last_id)
                data = []
            event_type = ""
        elif line.startswith(b"data: ") and not data:  # as nearly all are
            data.append(line[6:].decode("utf-8", "replace"))
            data_bytes = len(line)
        else:
            name, _, raw = line.partition(b":")
            value = raw.removeprefix(b" ").decode("utf-8", "replace")
            if name == b"data":
                data_bytes = len(line) + (data_bytes if data else 0)
                if data_bytes > MAX_EVENT_BYTES:
                    raise ResponseFormatError(f"an event of the answer is longer than {MAX_EVENT_BYTES:,} bytes")
                data.append(value)
            elif name == b"event":
                event_type = value
            elif name == b"id":
                last_id = last_id if "\0" in value else value
            elif read_unknown is not None and name not in (b"", b"retry") and (event := read_unknown(line)) is not None:
                yield event
    if data and accept_unfinished:
        yield Event(event_type or "message", "\n".join(data), last_id)
