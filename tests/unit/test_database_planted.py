"""SQLite files that another user has put where all may make files."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import StoreError
from g4f_lite.store.database import Database

from .test_database import NOTES, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
def made_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Give a function that lets a file seem to be another user's."""
    plain = os.lstat

    def pretend(path: Path, user: int) -> None:
        def lstat(asked: Any, **options: Any) -> os.stat_result:
            found = plain(asked, **options)
            return os.stat_result((*found[:4], user, *found[5:])) if str(asked) == str(path) else found

        monkeypatch.setattr(os, "lstat", lstat)

    return pretend


@pytest.mark.parametrize("end", ["", "-wal", "-journal"])
def test_a_file_that_another_user_has_put_there_is_refused(
    tmp_path: Path, made_by: Callable[[Path, int], None], end: str
) -> None:
    tmp_path.chmod(0o1777)
    planted = tmp_path / f"notes.db{end}"
    planted.touch()
    made_by(planted, os.geteuid() + 1)
    message = rf"another user has made notes\.db{end} in a folder where all may make files; name another file"
    with pytest.raises(StoreError, match=message):
        Database(tmp_path / "notes.db", NOTES)
    assert [path.name for path in tmp_path.iterdir()] == [planted.name]


def test_a_link_that_another_user_has_put_there_makes_no_file(
    tmp_path: Path, made_by: Callable[[Path, int], None]
) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "notes.db").symlink_to(tmp_path / "made.db")
    made_by(folder / "notes.db", os.geteuid() + 1)
    with pytest.raises(StoreError, match="another user has made"):
        Database(folder / "notes.db", NOTES)
    assert not (tmp_path / "made.db").exists()


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o1777])
def test_a_file_of_a_colleague_is_used_where_not_all_may_make_files(
    tmp_path: Path, made_by: Callable[[Path, int], None], mode: int
) -> None:
    """So is one of the superuser everywhere."""
    tmp_path.chmod(mode)
    with Database(tmp_path / "notes.db", NOTES) as database:
        write(database, "one")
    made_by(tmp_path / "notes.db", 0 if mode & stat.S_IWOTH else os.geteuid() + 1)
    with Database(tmp_path / "notes.db", NOTES) as database:
        assert database.rows("SELECT text FROM notes") == [("one",)]
