"""Lines out of bytes, however the bytes were cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import ResponseFormatError
from g4f_lite.http.parsing import split_lines

# Bytes that matter: line ends, the byte 0x85 inside "Å" and "✅", and the beginning of a field.
body = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"data: ", "Å✅\u2028".encode(), b"\x00"])).map(b"".join)


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Draw a body and one way to cut it, empty pieces included."""
    whole = draw(body)
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return whole, [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


def expected(whole: bytes) -> list[bytes]:
    lines = re.split(rb"\r\n|\r|\n", whole)
    return lines if lines[-1] else lines[:-1]


@given(cut())
def test_every_way_to_cut_gives_the_same_lines(pieces: tuple[bytes, list[bytes]]) -> None:
    whole, chunks = pieces
    assert list(split_lines(chunks)) == expected(whole)


@given(body)
def test_a_line_is_given_as_soon_as_its_last_byte_is_there(whole: bytes) -> None:
    given_so_far = 0

    def one_by_one():  # type: ignore[no-untyped-def]
        for end in range(1, len(whole) + 1):
            yield whole[end - 1 : end]
            # The generator came back for more: all that was complete must have been given.
            done = len(re.findall(rb"\r\n|\r|\n", whole[:end]))
            assert given_so_far == done

    for _ in split_lines(one_by_one()):
        given_so_far += 1


def test_a_carriage_return_at_a_cut_is_one_line_end() -> None:
    assert list(split_lines([b"a\r", b"\nb\r", b"c"])) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 6, b"x" * 5], [b"ok\n" + b"x" * 11 + b"\n"], [b"x"] * 11])
def test_a_line_that_is_too_long_is_an_error(chunks: list[bytes]) -> None:
    with pytest.raises(ResponseFormatError, match="longer than 10 bytes"):
        list(split_lines(chunks, max_line_bytes=10))


@pytest.mark.parametrize("chunks", [[b"x" * 10 + b"\n"], [b"x" * 5, b"x" * 5], [b"x" * 10 + b"\r\n" + b"y" * 10]])
def test_a_line_of_exactly_the_limit_is_none(chunks: list[bytes]) -> None:
    assert all(len(line) == 10 for line in split_lines(chunks, max_line_bytes=10))


def test_an_endless_line_is_not_kept() -> None:
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 1000

    with pytest.raises(ResponseFormatError):
        list(split_lines(endless(), max_line_bytes=10_000))
    assert taken == 11
