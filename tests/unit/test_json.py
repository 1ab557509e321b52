"""JSON that a service sent: parsed as json does it, and refused before that where it is too deep."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import Answer, ResponseFormatError
from g4f_lite.answers.json_text import read_json
from g4f_lite.http import parsing
from g4f_lite.http.parsing import MAX_JSON_DEPTH, MAX_JSON_PARTS, MAX_JSON_VALUES, parse_json
from g4f_lite.messages import MAX_DIGITS
from g4f_lite.typed.lenient import plain_json
from g4f_lite.typed.mismatch import Mismatch

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\[]{}\n', max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\{', max_size=4), inner, max_size=4),
)


@pytest.mark.once
@given(values, st.sampled_from([None, 2]))
def test_what_json_writes_is_read(value: Any, indent: int | None) -> None:
    many = [value] * (MAX_JSON_DEPTH + 1)  # enough brackets to be looked at
    assert parse_json(json.dumps(many, indent=indent)) == many


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n \xef\xbb\xbf\n"])
def test_bytes_are_read_as_utf_8(before: bytes) -> None:
    assert parse_json(before + '{"t": "Olá"} '.encode()) == {"t": "Olá"}
    assert parse_json(before + b'{"t": "Ol\xc3"}') == {"t": "Ol\ufffd"}
    with pytest.raises(ResponseFormatError, match=r"expected JSON, got 'Ol\ufffd'"):
        parse_json(before + b"Ol\xc3")


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}"), ('{"\\"]":[', "]}"), (' [\n{"a" :', "} ]")])
def test_the_depth_that_is_taken(opened: str, closed: str) -> None:
    levels = MAX_JSON_DEPTH // (opened.count("{") + opened.count("["))
    parse_json(opened * levels + "1" + closed * levels)
    with pytest.raises(ResponseFormatError, match="more than 200 levels"):
        parse_json(opened * (levels + 1) + "1" + closed * (levels + 1))


def test_brackets_in_a_text_are_no_levels() -> None:
    text = "[{" * MAX_JSON_DEPTH + '"\\'
    assert parse_json(json.dumps({"a": text})) == {"a": text}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 900 + "1" + "}" * 900])
def test_what_is_too_deep_is_never_parsed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that recurses so deeply leaves no room for finalizers, which the collector may run there."""
    monkeypatch.setattr(parsing, "_decode", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(ResponseFormatError):
        parse_json(text)


@pytest.mark.parametrize("limit", [None, 0, 640, 1_000_000])
def test_a_number_has_no_more_digits_than_python_takes(limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its limit is off, as for programs that compute with long numbers."""
    if limit is None:
        monkeypatch.delattr(sys, "get_int_max_str_digits", raising=False)  # as in 3.10.6
    else:
        monkeypatch.setattr(sys, "get_int_max_str_digits", lambda: limit, raising=False)
    assert parse_json("9" * MAX_DIGITS) == 10**MAX_DIGITS - 1
    assert parse_json('{"a": [' + "123456789, " * 1_000 + "0]}")["a"][-1] == 0
    monkeypatch.setattr(parsing, "_decode", lambda text: json.JSONDecoder(parse_int=lambda _: 0).raw_decode(text))
    if limit != 640:  # where Python itself refuses it
        with pytest.raises(ResponseFormatError, match="a number of more than 4,300 digits"):
            parse_json(f'{{"created": -{"7" * (MAX_DIGITS + 1)}}}')


@pytest.mark.parametrize("read", [read_json, plain_json, lambda text: Answer(text).json()])
def test_a_number_with_very_many_digits_is_not_read_from_what_a_model_wrote(
    read: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.answers.json_text.MAX_DIGITS", 20)
    assert read('{"a": [-12345678901234567890]}') == {"a": [-12345678901234567890]}
    with pytest.raises((ValueError, Mismatch)):
        read('{"a": 123456789012345678901}')


@pytest.mark.parametrize("part", ["[],", '{"":{}},'])
def test_very_many_parts_are_never_looked_at(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_decode", "_check_depth"):
        monkeypatch.setattr(parsing, name, lambda _: pytest.fail("it was looked at"))
    with pytest.raises(ResponseFormatError, match="more than 1,000,000 objects"):
        parse_json(f"[{part * MAX_JSON_PARTS}0]")


def test_very_many_values_are_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"[{'1,' * MAX_JSON_VALUES}0,0]"
    assert len(parse_json(text, max_values=MAX_JSON_VALUES + 1)) == MAX_JSON_VALUES + 2
    monkeypatch.setattr(parsing, "_decode", lambda _: pytest.fail("it was looked at"))
    with pytest.raises(ResponseFormatError, match="more than 4,000,000 values"):
        parse_json(text)


@pytest.mark.parametrize("quotes", ['"', '\\"', '"\\"', "\\"])
def test_quotes_without_an_end_take_no_time(quotes: str) -> None:
    """Looked at once, and not once for each: that would be hours."""
    with pytest.raises(ResponseFormatError):
        parse_json("[" * (MAX_JSON_DEPTH + 1) + quotes * 200_000)
    with pytest.raises(ResponseFormatError):
        parse_json('"' + quotes * 200_001 + "[" * (MAX_JSON_DEPTH + 1))
