"""The glossary is in order, and each word leads to a file that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| ([a-z ]+) \| (.+) \| (`.+`) \|$",
    (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
WORDS = [word for word, _, _ in ROWS]


def test_the_words_are_in_order() -> None:
    assert len(WORDS) > 40
    assert sorted(WORDS) == WORDS


def test_each_word_leads_to_a_file() -> None:
    files = {file for _, _, cell in ROWS for file in re.findall(r"`([^`]+)`", cell)}
    assert [file for file in files if not (ROOT / "g4f_lite" / file).is_file()] == []


def test_an_entry_is_one_or_two_sentences() -> None:
    for word, meaning, _ in ROWS:
        assert meaning.endswith((".", "…")), word
        assert len(re.findall(r"\. (?=[A-Z])|\.$|…$", meaning)) <= 2, word
