"""stop and max_tokens, kept to on our side."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite.client.text_limits import TextLimits


def cut(pieces, **limits):
    text_limits = TextLimits(**limits)
    shown = []
    for piece in pieces:
        shown.append(text_limits.feed(piece))
        if text_limits.reason:
            break
    else:
        shown.append(text_limits.flush())
    return "".join(shown), text_limits.reason


@pytest.mark.parametrize(
    ("text", "tokens", "shown", "reason"),
    [
        ("one two three", 2, "one two", "length"),
        ("one two", 2, "one two", None),
        ("one two \n", 2, "one two \n", None),
        ("Hello, world", 2, "Hello,", "length"),
        ("Hello, world", 3, "Hello, world", None),
        ("abcdefghi", 1, "abcdef", "length"),
        ("日本語", 2, "日本", "length"),
        ("a😀b", 2, "a😀", "length"),
        ("  one two", 1, "  one", "length"),
        ("日\u3000本", 1, "日", "length"),
        ("日\u3000", 1, "日\u3000", None),
        ("", 1, "", None),
    ],
)
def test_tokens_are_counted_as_documented(text, tokens, shown, reason):
    assert cut([text], max_tokens=tokens) == (shown, reason)


@pytest.mark.parametrize(
    ("text", "stop", "shown", "reason"),
    [
        ("one two three", "two", "one ", "stop"),
        ("one two three", ["three", "two"], "one ", "stop"),
        ("one two", "never", "one two", None),
        ("one two th", "three", "one two th", None),
        ("abc", ["abc", "b"], "a", "stop"),
        ("abc", ["bc", "abc"], "", "stop"),
        ("aab", "ab", "a", "stop"),
    ],
)
def test_the_text_ends_before_a_stop_sequence(text, stop, shown, reason):
    assert cut([text], stop=stop) == (shown, reason)
    assert cut(list(text), stop=stop) == (shown, reason)


def test_a_piece_is_shown_at_once_where_nothing_can_begin_in_it():
    limits = TextLimits(stop="###", max_tokens=100)
    assert limits.feed("Hello") == "Hello"
    assert limits.feed(" there#") == " there"
    assert limits.feed("1") == "#1"


def test_blanks_are_shown_at_once_where_more_may_follow():
    limits = TextLimits(max_tokens=2)
    assert [limits.feed(piece) for piece in ("one", "\n", " ", "two", "\n", " ")] == ["one", "\n", " ", "two", "", ""]
    assert limits.flush() == "\n "


@pytest.mark.parametrize("tokens", [1, 2])
def test_many_blank_pieces_take_time_in_proportion(tokens):
    pieces = ["word", *["\n"] * 20_000]
    began_at = time.process_time()
    assert cut(pieces, max_tokens=tokens) == ("".join(pieces), None)
    assert time.process_time() - began_at < 2  # seconds; it takes a fiftieth of one


def test_the_first_limit_wins():
    assert cut(["one two three four"], stop="four", max_tokens=2) == ("one two", "length")
    assert cut(["one two three four"], stop="two", max_tokens=3) == ("one ", "stop")


@given(
    text=st.text(alphabet="ab1 ,\n日\u3000", max_size=40),
    places=st.lists(st.integers(0, 40), max_size=8),
    stop=st.lists(st.text(alphabet="ab ,", min_size=1, max_size=3), max_size=3),
    tokens=st.none() | st.integers(1, 6),
)
def test_how_the_text_is_cut_makes_no_difference(text, places, stop, tokens):
    borders = sorted({0, len(text), *(min(place, len(text)) for place in places)})
    pieces = [text[begin:end] for begin, end in pairwise(borders)]
    whole = cut([text], stop=stop, max_tokens=tokens)
    assert cut(pieces, stop=stop, max_tokens=tokens) == whole
    assert text.startswith(whole[0])


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"max_tokens": 0}, ValueError),
        ({"max_tokens": True}, TypeError),
        ({"max_tokens": 1.5}, TypeError),
        ({"stop": ""}, ValueError),
        ({"stop": [1]}, TypeError),
        ({"stop": 5}, TypeError),
        ({"stop": {"a": 1}}, TypeError),
        ({"stop": ["a"] * 65}, ValueError),
        ({"stop": ["a", "b" * 257]}, ValueError),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, error):
    with pytest.raises(error):
        TextLimits(**limits)


def test_as_many_and_as_long_stop_sequences_as_are_allowed():
    stops = [f"{number:02}" + "a" * 253 + "b" for number in range(64)]
    text = "a" * 1000 + stops[-1][:-1] * 2
    assert cut(list(text), stop=stops) == (text, None)
    assert cut([*text, "b", "c"], stop=stops) == (text[:-255], "stop")
