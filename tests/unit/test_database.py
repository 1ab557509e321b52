"""SQLite files: who owns one, which version it has, and what is raised for one that cannot be used."""

from __future__ import annotations

import gc
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import StoreError
from g4f_lite.store.database import Database, Kind

from .closed_folder import closed

NOTES = Kind("notes", 0x6E6F7465, (("CREATE TABLE notes (text TEXT)",),))
NOTES_2 = NOTES._replace(versions=(*NOTES.versions, ("ALTER TABLE notes ADD COLUMN author TEXT DEFAULT 'nobody'",)))


def write(database: Database, text: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))


def test_what_is_written_is_there_for_the_next_one(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        write(database, "one")
    with Database(str(tmp_path / "notes.db"), NOTES) as database:
        assert database.rows("SELECT text FROM notes") == [("one",)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_folder_that_may_not_be_entered_is_an_error(tmp_path: Path) -> None:
    with closed(tmp_path), pytest.raises(StoreError, match="Permission denied; check its permissions and those of its"):
        Database(tmp_path / "notes.db", NOTES)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Database(tmp_path / "notes.db", NOTES) as database:
            write(database, "one")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == {"notes.db": 0o600, "notes.db-wal": 0o600, "notes.db-shm": 0o600}


def test_a_connection_that_a_garbage_collection_has_closed_is_not_used_again(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        write(database, "one")
        (connection,) = database._idle.connections
        connection.close()
        assert database.rows("SELECT text FROM notes") == [("one",)]
        assert connection not in database._idle.connections


def test_an_exception_undoes_a_transaction(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        with suppress(KeyboardInterrupt), database.transaction() as connection:
            connection.execute("INSERT INTO notes (text) VALUES ('half')")
            raise KeyboardInterrupt
        write(database, "whole")
        assert database.rows("SELECT text FROM notes") == [("whole",)]


def test_a_relative_path_stays_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Database("notes.db", NOTES) as database:
        monkeypatch.chdir("elsewhere")
        thread = threading.Thread(target=write, args=(database, "from another thread"))
        thread.start()
        thread.join()
        assert database.rows("SELECT text FROM notes") == [("from another thread",)]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_signal_in_the_moment_when_writing_begins_leaves_nothing_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            done = super().execute(sql, *parameters)
            if sql == "BEGIN IMMEDIATE" and signals:
                raise signals.pop()
            return done

    signals: list[BaseException] = []
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **named: connect(*a, factory=Interrupted, **named))
    with Database(tmp_path / "notes.db", NOTES) as database, Database(tmp_path / "notes.db", NOTES) as other:
        signals.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            write(database, "one")
        write(other, "two")
        write(database, "three")
        assert [text for (text,) in database.rows("SELECT text FROM notes")] == ["two", "three"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_opens_a_connection_of_its_own(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        write(database, "parent")
        child = os.fork()
        if child == 0:
            write(database, "child")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        write(database, "parent again")
        assert [text for (text,) in database.rows("SELECT text FROM notes")] == ["parent", "child", "parent again"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_a_child_writes_stays_when_its_parent_closes_the_file(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        write(database, "parent")
        (told, tell), (closed, close) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            write(database, "child")
            os.write(tell, b"1")
            os.read(closed, 1)
            write(database, "child again")
            os._exit(0)
        os.read(told, 1)
        database.rows("SELECT 1")
        database.close()
        os.write(close, b"1")
        assert os.waitpid(child, 0)[1] == 0
        assert database.rows("SELECT text FROM notes") == [("parent",), ("child",), ("child again",)]
    for descriptor in (told, tell, closed, close):
        os.close(descriptor)


def test_another_process_takes_nothing_from_a_file_that_is_opened_twice_here(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    elsewhere = (
        "import sqlite3, sys; other = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "other.execute(\"INSERT INTO notes VALUES ('elsewhere')\"); other.close()"
    )
    with Database(path, NOTES) as first:
        write(first, "one")
        with Database(path, NOTES):
            for text in ("two", "three"):
                subprocess.run([sys.executable, "-c", elsewhere, str(path)], check=True)
                write(first, text)
    with Database(path, NOTES) as again:
        texts = [text for (text,) in again.rows("SELECT text FROM notes")]
    assert texts == ["one", "elsewhere", "two", "elsewhere", "three"]


def test_a_copy_in_another_process_is_of_the_same_file(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database, pickle.loads(pickle.dumps(database)) as copy:
        write(copy, "one")
        assert database.rows("SELECT text FROM notes") == [("one",)]


def test_an_older_file_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as old:
        write(old, "one")
    with Database(tmp_path / "notes.db", NOTES_2) as new:
        assert new.rows("SELECT text, author FROM notes") == [("one", "nobody")]


def test_a_connection_is_used_by_one_thread_after_the_other(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        for text in ("one", "two"):
            thread = threading.Thread(target=write, args=(database, text))
            thread.start()
            thread.join()
        assert len(database._idle.connections) == 1


def test_what_is_in_use_is_closed_when_it_is_given_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "notes.db", NOTES)
    with database.transaction() as connection:
        database.close()  # by another thread, say
        connection.execute("INSERT INTO notes (text) VALUES ('kept')")
    assert database._idle.connections == []
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    assert database.rows("SELECT text FROM notes") == [("kept",)]
    database.close()


def test_closing_again_and_again_disturbs_no_thread(tmp_path: Path) -> None:
    database = Database(tmp_path / "notes.db", NOTES)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                database.rows("SELECT text FROM notes")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        database.close()
        for thread in threads:
            thread.join(0.0001)  # which lets those run that are not done
    assert failures == []
    database.close()


def other_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def other_kind(path: Path) -> None:
    Database(path, Kind("songs", 1, (("CREATE TABLE songs (name TEXT)",),))).close()


def newer_version(path: Path) -> None:
    Database(path, NOTES_2).close()


def text_file(path: Path) -> None:
    path.write_text("prompt\nsummarise this\n" * 100)


def no_tables(path: Path) -> None:
    Database(path, NOTES).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE notes")
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason", "words"),
    [
        (Path.mkdir, "directory", "is a folder; name a file in it"),
        (other_program, "foreign", "is a SQLite file, but not one of notes; name another file"),
        (other_kind, "foreign", "is a SQLite file, but not one of notes; name another file"),
        (newer_version, "newer", "a newer g4f_lite wrote it, in version 2, and this one knows 1; upgrade g4f_lite"),
        (text_file, "foreign", "is not a SQLite file; name another file"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, make: object, reason: str, words: str
) -> None:
    path = tmp_path / "notes.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=words) as caught:
        Database(path, NOTES)
    assert (caught.value.reason, caught.value.path) == (reason, path)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_missing_table_is_damage(tmp_path: Path) -> None:
    no_tables(tmp_path / "notes.db")
    with (
        Database(tmp_path / "notes.db", NOTES) as database,
        pytest.raises(StoreError, match="table is missing") as caught,
    ):
        database.rows("SELECT text FROM notes")
    assert caught.value.reason == "damaged"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*runs; make it first"):
        Database(tmp_path / "runs" / "notes.db", NOTES)


def test_a_folder_that_may_not_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("g4f_lite.store.database.os.open", refuse)
    with pytest.raises(StoreError, match="Permission denied; check its permissions") as caught:
        Database(tmp_path / "notes.db", NOTES)
    assert caught.value.reason == "unwritable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "notes.db")
    with pytest.raises(StoreError, match="not a regular file"):
        Database(tmp_path / "notes.db", NOTES)


def test_a_full_disk_is_an_error_and_takes_nothing_back(tmp_path: Path) -> None:
    with Database(tmp_path / "notes.db", NOTES) as database:
        write(database, "kept")
        pages = database.rows("PRAGMA page_count")[0][0]
        database._idle.connections[-1].execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError, match="the disk is full; make room") as caught:
            write(database, "x" * 100_000)
        assert caught.value.reason == "full"
        database._idle.connections[-1].execute("PRAGMA max_page_count=1000")
        write(database, "after")
        assert [text for (text,) in database.rows("SELECT text FROM notes")] == ["kept", "after"]


def test_a_store_that_another_process_holds_is_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.store.database.BUSY_SECONDS", 0.01)
    path = tmp_path / "notes.db"
    with Database(path, NOTES) as holder, Database(path, NOTES) as other, holder.transaction():  # noqa: SIM117
        with pytest.raises(StoreError, match="another process keeps writing") as caught:
            write(other, "two")
    assert caught.value.reason == "locked"


def test_many_threads_may_create_and_write_one_file(tmp_path: Path) -> None:
    def work(number: int) -> None:
        with Database(tmp_path / "notes.db", NOTES) as own:
            write(own, str(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Database(tmp_path / "notes.db", NOTES) as database:
        assert database.rows("SELECT count(*) FROM notes") == [(8,)]


def test_what_is_forgotten_in_a_circle_is_closed_first(tmp_path: Path) -> None:
    """Python 3.13 warns of a connection that it collects while it is open."""
    closed: list[str] = []

    class Noting(sqlite3.Connection):
        def close(self) -> None:
            closed.append("closed")
            super().close()

        def __del__(self) -> None:
            closed.append("collected")

    database = Database(tmp_path / "notes.db", NOTES)
    database._idle.connections.append(sqlite3.connect(tmp_path / "notes.db", factory=Noting))
    circle: list[Any] = [database]
    circle.append(circle)
    del database, circle
    gc.collect()
    assert closed == ["closed", "collected"]
