"""Parses what services send: bytes → lines → server-sent events (WHATWG HTML standard, §9.2.6), and JSON.

It does no I/O.
"""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..errors import ResponseFormatError
from ..messages import MAX_DIGITS

MAX_LINE_BYTES = 1024 * 1024
MAX_EVENT_BYTES = 1024 * 1024  # of all data lines of an event
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLANK = b"\xef\xbb\xbf \t\r\n"  # what may stand before an answer: a byte order mark, white space
MAX_JSON_DEPTH = 200
MAX_JSON_PARTS = 1_000_000  # objects and lists: each takes many times its bytes, and time that no limit can end
MAX_JSON_VALUES = 4_000_000  # those in them, by the commas; no text that a model writes has so many
_LONG_NUMBER = rf"(?<!\d)\d{{{MAX_DIGITS + 1}}}"
_decode = json.JSONDecoder().raw_decode  # json.loads without its two searches for blanks, a fifth of its time


class Event(NamedTuple):
    """One event of an event stream: its type, its data lines joined by newlines, and the last event id."""

    event: str
    data: str
    id: str


def split_lines(
    chunks: Iterable[bytes], *, max_line_bytes: int = MAX_LINE_BYTES, on_rest: Callable[[], object] | None = None
) -> Iterator[bytes]:
    r"""Cut bytes into lines at ``\n``, ``\r\n`` and ``\r``, and nowhere else.

    A line is given as soon as its last byte has come, without its end; a ``\r\n`` that two chunks
    share is one end (psf/requests#3980).  What follows the last end is a line too, unless it is empty.

    :param chunks: the bytes
    :param max_line_bytes: the longest line that is taken
    :param on_rest: called before what follows the last end is given, which may be a line that was cut
    :raises ResponseFormatError: if a line is longer
    """
    begun = bytearray()  # a line whose end has not come; a list of pieces of a byte each would take 80 times as much
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
                lines[0] = bytes(begun) + lines[0]
                begun = bytearray()
            if len(chunk) > max_line_bytes or len(lines[0]) > max_line_bytes:
                for line in lines:
                    _check_length(len(line), max_line_bytes)
                    yield line
            else:
                yield from lines
        if rest:
            begun += rest
            _check_length(len(begun), max_line_bytes)
    if begun:
        if on_rest is not None:
            on_rest()
        yield bytes(begun)


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


def parse_json(text: str | bytes, *, max_parts: int = MAX_JSON_PARTS, max_values: int = MAX_JSON_VALUES) -> Any:
    """Parse JSON that a service sent.

    :param text: the JSON; bytes, such as a line of a body, are read as UTF-8
    :param max_parts: the most objects and lists in it
    :param max_values: the most commas in it
    :raises ResponseFormatError: if it is not JSON, has too many parts, values or digits, or is nested too deeply
    """
    if isinstance(text, bytes):
        text = text.lstrip(BLANK).decode("utf-8", "replace")
    if len(text) > 2 * MAX_JSON_DEPTH:
        _check_size(text, max_parts, max_values)
    try:
        value, end = _decode(text)
    except (ValueError, RecursionError):
        end = -1
    if end != len(text):  # there are blanks around it, or it is not JSON
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ResponseFormatError(f"expected JSON, got {text[:200]!r}") from error
    return value


def _check_size(text: str, max_parts: int, max_values: int) -> None:
    """Refuse JSON that takes much more time or memory than its length says.

    :raises ResponseFormatError: if it has too many parts, values or digits, or is nested too deeply
    """
    parts = text.count("{") + text.count("[")
    if parts > max_parts:
        raise ResponseFormatError(f"the JSON has more than {max_parts:,} objects and lists")
    if text.count(",") > max_values:
        raise ResponseFormatError(f"the JSON has more than {max_values:,} values")
    if parts > MAX_JSON_DEPTH:
        _check_depth(text)
    if not _python_limits_digits() and re.search(_LONG_NUMBER, text):
        raise ResponseFormatError(f"the JSON has a number of more than {MAX_DIGITS:,} digits")


def _python_limits_digits() -> bool:
    """Return whether Python refuses long numbers; a program may have switched that off, and 3.10.6 does not know it."""
    limit: int = getattr(sys, "get_int_max_str_digits", int)()
    return 0 < limit <= MAX_DIGITS


def _check_depth(text: str) -> None:
    """Refuse JSON that is nested too deeply, before json parses it, which recurses as deep.

    :raises ResponseFormatError: if it is nested too deeply
    """
    if any(depth > MAX_JSON_DEPTH for depth in _depths(text)):
        raise ResponseFormatError(f"the JSON is nested more than {MAX_JSON_DEPTH} levels deep")


def is_cut_json(text: str) -> bool:
    """Return whether a text that is not JSON may be the beginning of it: not all its brackets are closed."""
    return sum(deque(_depths(text), maxlen=1)) > 0  # the last of them, if there is one


def _depths(text: str) -> Iterator[int]:
    """Return how many brackets are open after each bracket of JSON."""
    depth = 0
    string_or_bracket = r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]'
    for found in re.finditer(string_or_bracket, text, re.DOTALL):
        if text[found.start()] in "[{":
            depth += 1
            yield depth
        elif text[found.start()] in "]}":
            depth -= 1
            yield depth
