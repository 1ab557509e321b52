"""Cuts bytes, in whatever chunks they come, into lines.  It does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import ResponseFormatError

MAX_LINE_BYTES = 1024 * 1024


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
