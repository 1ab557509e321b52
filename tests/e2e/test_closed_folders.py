"""The command where a file that it is to write cannot be looked at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from unit.closed_folder import closed

from .command import call


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["chat", "Hi", "--save", "{}/new.json"], "new.json"),
        (["image", "Hi", "--output", "{}/new.png"], ""),
        (["batch", "-", "--store", "{}/new.db"], "new.db"),
        (["batch", "-", "--output", "{}/new.jsonl"], "new.jsonl"),
    ],
)
def test_a_folder_that_may_not_be_entered_is_named_before_anything_is_sent(
    arguments: list[str], name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    given = [argument.format(folder) for argument in arguments]
    call(*given, "-p", "echo", stdin="Hi")  # what it imports may be closed to another user as well
    for file in folder.iterdir():
        file.unlink()
    with closed(folder):
        done = call(*given, "-p", "echo", stdin="Hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Permission denied" in done.stderr
    assert str(folder / name) in done.stderr
    assert not list(folder.iterdir())
