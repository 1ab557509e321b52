"""The file that a conversation is saved to and loaded from."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite import Conversation, ConversationChangedError, ConversationFileError
from g4f_lite.testing import Echo, Scripted

from .test_conversation import said


def test_what_cannot_be_saved_is_named_as_it_was_given(tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "talk.json"
    with pytest.raises(FileNotFoundError) as caught:
        Conversation(Scripted()).save(target)
    assert str(caught.value) == f"[Errno 2] No such file or directory: {str(target)!r}"
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match=r"directory'$"):
        Conversation(Scripted()).save(tmp_path / "directory")


def test_it_is_saved_as_plain_json_and_goes_on_from_there(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    conversation = Conversation(Scripted("Grüße ✅"), system="Be brief.")
    conversation.ask("Hello")
    assert conversation.save(file) == file
    assert json.loads(file.read_text(encoding="utf-8")) == conversation.messages
    again = Conversation.load(file, Echo())
    assert again.ask("And now?") == "And now?"
    assert said(again)[:3] == said(conversation)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.json"]


def test_a_file_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    file.write_text("before")
    conversation = Conversation(Scripted())
    conversation.messages = [{"role": "user", "content": object()}]
    with pytest.raises(TypeError):
        conversation.save(file)
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["talk.json"]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no modes")
@pytest.mark.usefixtures("umask")
def test_a_file_is_private_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    conversation = Conversation(Scripted("one"))
    conversation.ask("Hello")
    for before, after in ((None, 0o600), (0o644, 0o644), (0o640, 0o640)):
        if before is not None:
            file.chmod(before)
        conversation.save(file)
        assert file.stat().st_mode & 0o777 == after


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real, link, lost = tmp_path / "elsewhere" / "real.json", tmp_path / "link.json", tmp_path / "lost.json"
    real.write_text("[]")
    with contextlib.suppress(OSError):
        link.symlink_to(real)
    if not link.is_symlink():
        pytest.skip("no links here: Windows wants a right for them, and Wine makes none")
    lost.symlink_to(tmp_path / "elsewhere" / "new.json")
    conversation = Conversation(Scripted("one"), system="Be brief.")
    for path in (link, lost):
        conversation.save(path)
        assert path.is_symlink()
        assert json.loads(path.read_text()) == conversation.messages
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["new.json", "real.json"]


@pytest.mark.parametrize("how", ["held open", "read-only"])
def test_a_file_that_cannot_be_replaced_stays_whole(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "Мои беседы"
    folder.mkdir()
    file = Conversation(Scripted("one"), system="Be brief.").save(folder / "чат 1.json")
    before = file.read_bytes()
    conversation = Conversation.load(file, Scripted("two"))
    conversation.ask("Hi")
    file.chmod(0o600 if how == "held open" else 0o400)
    with file.open("rb") if how == "held open" else contextlib.nullcontext():
        if os.name == "nt" and how == "held open":
            with pytest.raises(PermissionError, match=r"чат 1\.json"):
                conversation.save(file)
            assert file.read_bytes() == before
        else:
            with contextlib.suppress(PermissionError):  # which Windows raises for read-only, and Wine does not
                conversation.save(file)
    assert [path.name for path in folder.iterdir()] == ["чат 1.json"]
    file.chmod(0o600)
    assert json.loads(conversation.save(file).read_text(encoding="utf-8")) == conversation.messages


def test_a_file_that_someone_else_wrote_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    first = Conversation(Scripted("one", "three"))
    first.ask("1")
    first.save(file)
    second = Conversation.load(file, Scripted("two"))
    third = first.copy()
    second.ask("2")
    second.save(file)
    for late in (first, third):
        with pytest.raises(ConversationChangedError, match=r"talk\.json was changed since .*; load it again"):
            late.save(file)
    assert json.loads(file.read_text(encoding="utf-8")) == second.messages
    first.save(tmp_path / "other.json")
    second.save(file)
    file.unlink()
    first.save(file)
    assert json.loads(file.read_text(encoding="utf-8")) == first.messages


def test_a_file_that_someone_else_writes_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "talk.json"
    first = Conversation(Scripted("one"))
    first.save(file)
    second = Conversation.load(file, Scripted("two"))
    second.ask("2")
    first.ask("1")
    fsync = os.fsync

    def write_first(number: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        second.save(file)

    monkeypatch.setattr(os, "fsync", write_first)
    with pytest.raises(ConversationChangedError, match="was changed"):
        first.save(file)
    assert json.loads(file.read_text(encoding="utf-8")) == second.messages
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_file_that_only_looks_changed_is_written(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    conversation = Conversation(Scripted("one"))
    conversation.ask("1")
    os.utime(conversation.save(file), (0, 0))
    conversation.save(file)


def test_half_a_character_is_no_reason_not_to_save(tmp_path: Path) -> None:
    conversation = Conversation(Scripted(["a \ud83d", "\ude42 b \ude42"]))
    conversation.ask("c \ud83d")
    conversation.messages[0]["name"] = "d \ud83d"
    saved = json.loads(conversation.save(tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert saved == [
        {"role": "user", "content": "c \ufffd", "name": "d \ufffd"},
        {"role": "assistant", "content": "a 🙂 b \ufffd"},
    ]


def test_the_mark_that_windows_programs_put_first_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    file.write_text('[{"role": "user", "content": "Grüße"}]', encoding="utf-8-sig")
    assert said(Conversation.load(file, Scripted())) == [("user", "Grüße")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        '{"role": "user"}',
        '"text"',
        '[{"role": "nobody", "content": "x"}]',
        "[1]",
        "[" * 100_000,
        '[{"role": "user", "content": "x", "at": ' + "[" * 500 + "]" * 500 + "}]",
    ],
    ids=lambda text: text[:10],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "talk.json"
    file.write_text(text)
    with pytest.raises(ConversationFileError, match=r"talk\.json is (empty, and )?not a JSON") as caught:
        Conversation.load(file, Scripted())
    assert (caught.value.path, caught.value.reason) == (file, "damaged")


def test_a_file_that_is_not_there_is_an_error_with_few_lines(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Conversation.load(tmp_path / "nosuch.json", Scripted())
    names = [step.name for step in traceback.extract_tb(caught.value.__traceback__)]
    assert names[0] == "test_a_file_that_is_not_there_is_an_error_with_few_lines"
    assert "load" not in names
