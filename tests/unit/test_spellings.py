"""How much a text may cost in which secrets are looked for: a service knows the key, and writes what it wants."""

from __future__ import annotations

import pytest

from g4f_lite.http import redact, spellings
from g4f_lite.http.redact import hide

KEY = "zk-my9odd4key7711"


def escaped(text: str) -> str:
    return "".join(f"%{ord(character):02x}" for character in text)


def test_beyond_the_last_escape_that_is_decoded_all_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MAX_ESCAPES", 3 * len(KEY))
    text = f"a {escaped(KEY)} b {KEY} c {escaped('d' * 2 * len(KEY))}"
    assert hide(f"{text} e", [KEY]) == f"a *** b *** c {escaped('d' * 2 * len(KEY))} e"
    assert hide(f"{text} e {escaped(KEY)} f", [KEY]) == f"a *** b *** c {escaped('d' * 2 * len(KEY))} e ***"


def test_the_escapes_of_all_levels_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MAX_ESCAPES", 2 * len(KEY) - 1)
    twice = escaped(KEY).replace("%", "%25")
    assert hide(f"a {escaped(KEY)} b", [KEY]) == "a *** b"
    assert hide(f"a {twice} b", [KEY]).startswith("a ***")
    assert "77" not in hide(f"a {twice} b", [KEY])


def test_a_text_with_very_many_secrets_is_hidden_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MAX_PLACES", 6)  # what is not escaped is found at each level
    assert hide(f"a {KEY} b {KEY} {escaped(KEY)}", [KEY]) == "a *** b *** ***"
    assert hide(f"a {KEY} b {KEY} {KEY} {escaped(KEY)}", [KEY]) == "***"


@pytest.mark.parametrize("filling", [KEY[:9], escaped(KEY), "%2541", "&amp;", "a"])
def test_no_more_is_decoded_than_the_limit(filling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MAX_ESCAPES", 1000)
    decoded: list[str] = []

    def character(escape: str) -> str:
        decoded.append(escape)
        return known(escape)

    known = spellings._character
    monkeypatch.setattr(spellings, "_character", character)
    found = spellings.Spellings([KEY])
    decoded.clear()
    assert KEY not in hide(escaped(KEY) + filling * 20_000, found)
    assert len(decoded) <= 1000


def test_of_very_many_texts_the_first_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "MAX_PARTS", 7)
    asked: list[str] = []

    def clean(text: str) -> str:
        asked.append(text)
        return hide(text, [KEY])

    cleaned = redact.Cleaner(clean)
    assert cleaned({"a": [f"b {KEY}"], "c": ["d"] * 1000, "e": "f"}) == {"a": ["b ***"], "c": ["d", "***"]}
    assert len(asked) < 6
    few = {"a": (1, "b")}
    assert redact.Cleaner(clean)(few) is few
