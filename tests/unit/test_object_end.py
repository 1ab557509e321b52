"""The end of a JSON object that comes in pieces is found wherever it is cut."""

from __future__ import annotations

import re

import pytest

from g4f_lite.providers.openai.object_end import ObjectEnd


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("{}", True),
        ('{"a": [1, {"b": {}}]}', True),
        (' {"a": 1}\n', True),
        (r'{"a": "}", "b": "\"}", "c": "\\"}', True),
        (r'{"a": "\u007d\\\\"}', True),
        ("", False),
        ("{", False),
        ('{"a": 1', False),
        ('{"a": {}', False),
        ('{"a": "}', False),
        (r'{"a": "\"}', False),
        (r'{"a": "\\\"}', False),
        ("[{}]", False),
        ('"{}"', False),
        ("null", False),
        ("1,", False),
    ],
)
def test_an_object_ends_with_its_last_bracket_wherever_it_is_cut(text: str, ends: bool) -> None:
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            end = ObjectEnd()
            for piece in (text[:first], text[first:second], text[second:]):
                end.read(piece)
            assert end.is_reached is ends, (first, second)


def test_each_piece_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    finditer = re.finditer

    def counted(pattern, text, flags=0):  # type: ignore[no-untyped-def]
        seen.append(len(text))
        return finditer(pattern, text, flags)

    monkeypatch.setattr(re, "finditer", counted)
    end = ObjectEnd()
    for piece in ['{"a": [', *["1, "] * 1_000, "2]}"]:
        end.read(piece)
    assert end.is_reached
    assert sum(seen) == len('{"a": [') + 3_000 + len("2]}")
