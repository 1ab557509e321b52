"""Docstrings are reStructuredText as it is: Sphinx, IDEs and ``help()`` read the same text."""

from __future__ import annotations

import re
from itertools import pairwise

from .sources import sources

SECOND_FIELD = re.compile(r"\S.*\s:(?:param|raises|returns|ivar)\b[^`]*:")


def docstrings() -> list[tuple[str, str]]:
    """Give each docstring with its file."""
    return [(name, text) for name, source in sources().items() for text in source.docstrings]


def has_unannounced_code(text: str) -> bool:
    """Tell whether a paragraph is indented, and the text above it does not end with ``::``."""
    in_code = False
    for above, paragraph in pairwise(re.split(r"\n\s*\n", text)):
        in_code = paragraph.startswith("    ") and (in_code or above.endswith("::"))
        if paragraph.startswith("    ") and not in_code:
            return True
    return False


def test_each_field_has_a_line_of_its_own() -> None:
    lines = [(file, line.strip()) for file, text in docstrings() for line in text.splitlines()]
    assert len(lines) > 1000
    assert [(file, line) for file, line in lines if SECOND_FIELD.match(line)] == []


def test_code_is_announced_with_two_colons() -> None:
    assert [(file, text[:80]) for file, text in docstrings() if has_unannounced_code(text)] == []
