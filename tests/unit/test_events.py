"""Server-sent events, by the letter of the WHATWG standard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import ResponseFormatError
from g4f_lite.http.parsing import MAX_EVENT_BYTES, Event, iter_events, split_lines


def parse(text: bytes, **how: bool) -> list[Event]:
    return list(iter_events(split_lines([text]), **how))


def data(text: bytes, **how: bool) -> list[str]:
    return [event.data for event in parse(text, **how)]


# The examples in the standard's section on interpreting an event stream.
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            [("message", "first event", "1"), ("message", "second event", "")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test", ""), ("message", "test", "")]),
    ],
)
def test_the_examples_of_the_standard(stream: bytes, events: list[tuple[str, str, str]]) -> None:
    assert [tuple(event) for event in parse(stream)] == events


def test_a_byte_order_mark_counts_only_at_the_beginning() -> None:
    assert data(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == ["a"]


def test_only_one_blank_is_taken_from_a_value() -> None:
    assert data(b"data:  two\n\ndata:\ttab\n\n") == [" two", "\ttab"]


def test_the_type_lasts_for_one_event() -> None:
    assert [event.event for event in parse(b"event: add\ndata: 1\n\ndata: 2\n\n")] == ["add", "message"]


def test_a_type_without_data_is_no_event() -> None:
    assert parse(b"event: add\n\ndata: 1\n\n") == [Event("message", "1", "")]


def test_the_id_lasts_until_another_comes() -> None:
    assert [event.id for event in parse(b"id: 7\ndata: 1\n\ndata: 2\n\nid: 8\ndata: 3\n\n")] == ["7", "7", "8"]


def test_an_id_with_a_nul_is_ignored() -> None:
    assert [event.id for event in parse(b"id: 7\ndata: 1\n\nid: 8\x00\ndata: 2\n\n")] == ["7", "7"]


def test_comments_unknown_fields_and_retry_are_ignored() -> None:
    assert data(b": keep-alive\nretry: 10\nfoo: bar\nDATA: no\n data: no\ndata : no\ndata: 1\n:\n\n") == ["1"]


def test_an_unfinished_last_event_is_dropped_unless_it_is_wanted() -> None:
    assert data(b"data: 1\n\ndata: 2\n") == ["1"]
    assert data(b"data: 1\n\ndata: 2", accept_unfinished=True) == ["1", "2"]


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    assert data(b"data: a\xff\n\nda\xffta: b\n\n") == ["a\ufffd"]


def test_separators_of_other_standards_do_not_end_a_line() -> None:
    text = "Å ✅ \x0b \x0c \x1c \x85 \u2028 \u2029"
    assert data(f"data: {text}\n\n".encode()) == [text]


@pytest.mark.once
@given(
    st.lists(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]))),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.data(),
)
def test_every_text_comes_through_every_cut(texts: list[str], end: str, draw: st.DataObject) -> None:
    stream = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    places = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[start:stop] for start, stop in zip([0, *places], [*places, len(stream)], strict=True)]
    assert [event.data for event in iter_events(split_lines(chunks))] == texts


@given(st.lists(st.binary(max_size=20)))
def test_no_bytes_raise(lines: list[bytes]) -> None:
    list(iter_events(line.replace(b"\n", b"").replace(b"\r", b"") for line in lines))


@pytest.mark.parametrize("line", [b"data: " + bytes(1000), b"data"])
def test_data_without_end_is_refused(line: bytes) -> None:
    read = 0

    def lines() -> Iterator[bytes]:
        nonlocal read
        for _ in range(2 * MAX_EVENT_BYTES // len(line)):
            read += len(line)
            yield line

    with pytest.raises(ResponseFormatError, match="an event of the answer is longer than 1,048,576 bytes"):
        list(iter_events(lines()))
    assert read <= MAX_EVENT_BYTES + len(line)


def test_events_of_many_lines_are_counted_one_by_one() -> None:
    lines = [b"data: " + bytes(MAX_EVENT_BYTES // 3)] * 2 + [b""]
    assert len(list(iter_events(lines * 3))) == 3
