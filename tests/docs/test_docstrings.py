"""Docstrings are reStructuredText as it is: Sphinx, IDEs and ``help()`` read the same text."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "g4f_lite"
SECOND_FIELD = re.compile(r"\S.*\s:(?:param|raises|returns|ivar)\b[^`]*:")


def _blocks(node: ast.AST) -> Iterator[ast.AST]:
    """Give a module and all of its statements; their expressions, which are most of it, have no docstrings."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from _blocks(child)


@functools.cache
def docstrings() -> list[tuple[str, str]]:
    """Give each docstring with its file."""
    return [
        (path.relative_to(PACKAGE).as_posix(), text)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in _blocks(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node))
    ]


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
