"""Prompts made from the values of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite.batch.templates import MISSING, fill, names_in, value_of, with_names

ROW = {"user": {"name": "Ada", "mail": None, "roles": ["author", {"of": "notes"}]}, "user.mail": "mine", "id": 7}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 7),
        ("user.name", "Ada"),
        ("user.mail", "mine"),  # the column of exactly that name goes first
        ("user.roles.0", "author"),
        ("user.roles.1.of", "notes"),
        ("user.roles.2", MISSING),
        ("user.roles.-1", MISSING),
        ("user.name.first", MISSING),
        ("user.mail.host", MISSING),
        ("id.0", MISSING),
        ("user.", MISSING),
        ("", MISSING),
    ],
)
def test_a_name_is_a_column_or_else_a_path(name: str, value: Any) -> None:
    assert value_of(ROW, name) == value


@pytest.mark.parametrize(
    ("name", "value"), [("Score", "good"), ("text", "x"), ("Mood", "fine"), ("", MISSING), ("Score.0", MISSING)]
)
def test_the_blanks_around_the_name_of_a_column_do_not_count(name: str, value: Any) -> None:
    row = {"Score ": "good", " text": "x", "Mood": "fine", "Mood\N{NO-BREAK SPACE}": "sad", " ": 1}
    assert value_of(row, name) == value
    assert fill(f"{{{name} }}", row) == ("" if value is MISSING else value)


def test_a_template_is_filled() -> None:
    template = "{{id}} { id } {user.roles} {user.mail}, {user.roles.1} {none}{id}."
    assert names_in(template) == ["id", "user.roles", "user.mail", "user.roles.1", "none"]
    assert fill(template, ROW) == '{id} 7 ["author", {"of": "notes"}] mine, {"of": "notes"} 7.'


def read(log: list[int], *rows: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, row in enumerate(rows, start=1):
        log.append(line)
        yield line, row


def test_rows_are_read_only_until_each_name_was_found() -> None:
    log: list[int] = []
    rows = with_names(read(log, {"a": 1}, {"b": {"c": None}}, {}, {"d": 1}), ["a", "b.c"], is_table=False)
    assert next(rows) == (1, {"a": 1})
    assert log == [1, 2]
    assert [line for line, _ in rows] == [2, 3, 4]


def test_a_name_that_no_row_has_is_an_error_with_those_that_are_there() -> None:
    rows = [{"id": 1, "user": {"name": "Ada"}}, {"id": 2, "user": {"mail": "x"}}, {"id": 3, "user": None}]
    with pytest.raises(
        ValueError, match=r"^no line has a column 'user.nme' .*; there are user.name, user.mail, id, user$"
    ):
        list(with_names(read([], *rows), ["id", "user.nme"], is_table=False))
    log: list[int] = []
    with pytest.raises(ValueError, match=r"^line 1: there is no column 'nme' for the prompt; there are id, user$"):
        list(with_names(read(log, *rows), ["nme"], is_table=True))
    assert log == [1]  # the other rows of a table have no other columns
    with pytest.raises(ValueError, match=r"; there are c0, .*, c39 and 2 more; write \{\{ and \}\} for braces"):
        list(with_names(read([], {f"c{number}": 1 for number in range(42)}), ['"x": 1'], is_table=False))
    assert list(with_names([], ["nme"], is_table=False)) == []
