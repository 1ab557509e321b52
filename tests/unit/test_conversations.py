"""Conversations in a SQLite file: what is written is there, whole, whoever else writes."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    Client,
    Conversation,
    ConversationNotFoundError,
    Conversations,
    Finish,
    StoreError,
    StreamInterruptedError,
    ToolCallDelta,
)
from g4f_lite.store import conversations as module
from g4f_lite.testing import Scripted

USER = {"role": "user", "content": "Why is the sky blue?"}
ASSISTANT = {"role": "assistant", "content": "Light is scattered."}
TURN = [USER, ASSISTANT]


@pytest.fixture
def talks(tmp_path: Path) -> Conversations:
    return Conversations(tmp_path / "talks.sqlite")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE messages SET message = '{'",
        "UPDATE messages SET message = x'ff'",
        "UPDATE messages SET message = '5'",
        "UPDATE conversations SET created = 4611686018427387904",
        "UPDATE conversations SET changed = 9e999",
        "UPDATE conversations SET changed = 'yesterday'",
        "CREATE TRIGGER no BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END",
    ],
)
def test_what_something_else_wrote_into_the_file_is_told_as_damage(talks: Conversations, damage: str) -> None:
    id = talks.create(TURN)
    with closing(sqlite3.connect(talks.path)) as connection:
        connection.execute(damage)
        connection.commit()
    with pytest.raises(StoreError, match=re.escape(str(talks.path))) as caught:
        (talks.list(), talks.load(id), talks.append(id, TURN))
    assert caught.value.reason == "damaged"


def test_a_conversation_from_its_creation_to_its_end(talks: Conversations) -> None:
    id = talks.create()
    assert re.fullmatch(r"[a-z0-9]{26}", id)
    assert talks.load(id) == []
    talks.append(id, TURN)
    talks.append(id, {"role": "user", "content": "And at night?"})
    talks.append(id, "Hello?")
    assert talks.load(id) == [
        USER,
        ASSISTANT,
        {"role": "user", "content": "And at night?"},
        {"role": "user", "content": "Hello?"},
    ]
    talks.delete(id)
    assert talks.list() == []


def test_another_object_and_another_process_see_the_same(talks: Conversations) -> None:
    id = talks.create([{"role": "system", "content": "Be brief. 🙂\n"}])
    talks.append(id, TURN)
    again = Conversations(talks.path)
    assert again.load(id) == [{"role": "system", "content": "Be brief. 🙂\n"}, *TURN]
    assert [info.id for info in again.list()] == [id]


def test_the_list_says_what_a_person_looks_for(talks: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 200.0, 300.0, 400.0])
    monkeypatch.setattr(module.time, "time", lambda: next(times))
    first, second = talks.create([{"role": "system", "content": "Be brief."}]), talks.create("x" * 100)
    talks.append(first, [{"role": "user", "content": "Two\n lines"}, ASSISTANT])
    talks.append(first, "Later")
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    listed = [(info.id, info.title, info.created - epoch, info.changed - epoch, info.messages) for info in talks.list()]
    assert listed == [
        (first, "Two lines", timedelta(seconds=100), timedelta(seconds=400), 4),
        (second, "x" * 79 + "…", timedelta(seconds=200), timedelta(seconds=200), 1),
    ]


@pytest.mark.parametrize("method", ["load", "delete", "append"])
def test_an_unknown_id(talks: Conversations, method: str) -> None:
    deleted = talks.create({"role": "user", "content": "Hello"})
    talks.delete(deleted)
    arguments = [TURN] if method == "append" else []
    for id in (deleted, "", "\ud83d", "x'; DROP TABLE messages; --", "\0"):
        with pytest.raises(ConversationNotFoundError, match="there is no conversation ") as caught:
            getattr(talks, method)(id, *arguments)
        assert repr(id) in str(caught.value)
        assert isinstance(caught.value, LookupError)
    with pytest.raises(TypeError, match="the id of a conversation must be a string, not int"):
        getattr(talks, method)(1, *arguments)


@pytest.mark.parametrize(
    ("messages", "error", "match"),
    [
        ([USER, {"role": "robot", "content": "x"}], ValueError, "robot"),
        ([USER, {"role": "assistant", "content": 1}], TypeError, "content of type int"),
        ([], ValueError, "messages is empty"),
        (b"Hello", TypeError, "not bytes"),
        (None, TypeError, "not NoneType"),
    ],
)
def test_wrong_messages_leave_the_conversation_as_it_was(
    talks: Conversations, messages: object, error: type[Exception], match: str
) -> None:
    id = talks.create("Hello")
    with pytest.raises(error, match=match):
        talks.append(id, messages)  # type: ignore[arg-type]
    assert talks.load(id) == [{"role": "user", "content": "Hello"}]


def test_a_turn_is_written_whole_or_not_at_all(talks: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    id = talks.create("Hello")
    before = talks.list()
    monkeypatch.setattr(module, "_title", lambda message: 1 / 0)  # after the messages were inserted
    with pytest.raises(ZeroDivisionError):
        talks.append(id, TURN)
    assert talks.load(id) == [{"role": "user", "content": "Hello"}]
    assert talks.list() == before


WRITER = """
import sys
from g4f_lite import Conversations

def write(path, id, writer, turns):
    talks = Conversations(path)
    for number in range(int(turns)):
        talks.append(id, [{"role": role, "content": f"{writer}{number}"} for role in ("user", "assistant")])

if __name__ == "__main__":
    write(*sys.argv[1:])
"""


def _check_all_turns(talks: Conversations, id: str, writers: str, turns: int) -> None:
    """No turn is lost or torn apart, and those of each writer are in order."""
    messages = talks.load(id)
    pairs = list(zip(messages[::2], messages[1::2], strict=True))
    assert all(first["role"] == "user" and second["role"] == "assistant" for first, second in pairs)
    assert all(first["content"] == second["content"] for first, second in pairs)
    texts = [first["content"] for first, _ in pairs]
    for writer in writers:
        assert [text for text in texts if text[0] == writer] == [f"{writer}{number}" for number in range(turns)]
    assert len(texts) == len(writers) * turns


def test_threads_that_write_at_once_lose_nothing(talks: Conversations) -> None:
    id = talks.create()
    write: dict[str, Any] = {"__name__": "writer"}
    exec(WRITER, write)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda writer: write["write"](talks.path, id, writer, 25), "abcd"))
    _check_all_turns(talks, id, "abcd", 25)


@pytest.mark.once
def test_processes_that_write_at_once_lose_nothing(talks: Conversations) -> None:
    id = talks.create()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(talks.path), id, writer, "25"]) for writer in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    _check_all_turns(talks, id, "ab", 25)


def test_a_conversation_writes_its_turns(talks: Conversations) -> None:
    scripted = Scripted("Light is scattered.", ["cut", StreamInterruptedError("lost")], "It is dark.")
    client = Client(scripted)
    id = talks.create([{"role": "system", "content": "Be brief."}])
    for text, works in (("Why is the sky blue?", True), ("And now?", False), ("And at night?", True)):
        talk = client.conversation(messages=talks.load(id), on_turn=lambda turn: talks.append(id, turn))
        if works:
            talk.ask(text)
        else:
            with pytest.raises(StreamInterruptedError):
                talk.ask(text)
    assert talks.load(id) == [
        {"role": "system", "content": "Be brief."},
        *TURN,
        {"role": "user", "content": "And at night?"},
        {"role": "assistant", "content": "It is dark."},
    ]
    assert scripted.calls[2].messages == talks.load(id)[:4]


def test_a_turn_with_tools_is_one_turn(talks: Conversations) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    call = ToolCallDelta(0, "call_1", "add", '{"a": 1, "b": 2}')
    client = Client(Scripted([call, Finish("tool_calls")], "It is 3."))
    id, turns = talks.create(), []
    talk = client.conversation(tools=[add], on_turn=lambda turn: turns.append(turn) or talks.append(id, turn))
    talk.ask("What is 1 + 2?")
    assert [[message["role"] for message in turn] for turn in turns] == [["user", "assistant", "tool", "assistant"]]
    assert talks.load(id) == talk.messages == turns[0]


def test_a_turn_that_cannot_be_written_is_an_error_and_not_in_the_history(talks: Conversations) -> None:
    id = talks.create()
    talk = Conversation(Scripted("Hello."), on_turn=lambda turn: talks.append(id, turn))
    talks.delete(id)
    with pytest.raises(ConversationNotFoundError, match="what had arrived is in") as caught:
        talk.ask("Hello")
    assert caught.value.partial == "Hello."
    assert talk.messages == []


def test_what_is_written_is_a_copy(talks: Conversations) -> None:
    taken: list[list[dict[str, object]]] = []
    talk = Conversation(Scripted("Hello."), on_turn=taken.append, keep_interrupted=True)
    talk.ask("Hi")
    taken[0][0]["content"] = "changed"
    assert talk.messages[0]["content"] == "Hi"


def test_an_interrupted_turn_is_written_where_it_is_kept() -> None:
    taken: list[object] = []
    scripted = Scripted(["Light is", KeyboardInterrupt()])
    talk = Conversation(scripted, on_turn=taken.append, keep_interrupted=True)
    with pytest.raises(KeyboardInterrupt):
        talk.ask("Why?")
    assert taken == [[{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Light is"}]]


def test_it_shows_its_file(talks: Conversations) -> None:
    with talks as same:
        assert same is talks
    assert repr(talks) == f"Conversations({str(talks.path)!r})"
    assert talks.list() == []


def test_a_file_that_fails_is_not_blamed_on_the_provider(talks: Conversations) -> None:
    talks.delete(id := talks.create())
    with pytest.raises(ConversationNotFoundError) as caught:
        Conversation(Scripted("Light."), on_turn=lambda turn: talks.append(id, turn)).ask("Why?")
    assert (caught.value.provider, caught.value.step) == (None, None)
    assert str(caught.value).startswith("there is no conversation")


def test_a_copy_of_the_file_alone_has_all_that_was_written(talks: Conversations, tmp_path: Path) -> None:
    """Also while it is open, as it is in the workers of a server."""
    with Conversations(talks.path) as worker:
        id = worker.create(TURN)
        copy = shutil.copy(talks.path, tmp_path / "copy.sqlite")
    assert Conversations(copy).load(id) == TURN


@pytest.mark.once
def test_what_was_deleted_is_in_no_file_any_more(talks: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of texts of all lengths, whose pages SQLite has split and joined, while another worker has the file open."""
    chance = random.Random(1)
    monkeypatch.setattr(module, "get_random_string", lambda length: f"{chance.getrandbits(120):x}")
    texts: dict[str, list[str]] = {}
    deleted: list[str] = []
    with Conversations(talks.path) as worker:
        for step in range(200):
            if chance.random() < 0.3 or len(texts) < 5:
                texts[worker.create()] = []
            elif chance.random() < 0.8:
                id, text = chance.choice(list(texts)), f"secret {step}."
                texts[id].append(text)
                talks.append(id, [{"role": "user", "content": text + "x" * chance.randrange(20_000)}, ASSISTANT])
            else:
                id = chance.choice(list(texts))
                worker.delete(id)
                deleted += texts.pop(id)
        assert len(deleted) > 15
        assert left(talks, *deleted) == []


def test_a_conversation_is_deleted_beside_a_reader(talks: Conversations) -> None:
    """At once; its text is gone with the next change."""
    id, other = talks.create("a secret"), talks.create("A question")
    with closing(sqlite3.connect(talks.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        talks.delete(id)
        assert [info.id for info in talks.list()] == [other]
        reader.execute("COMMIT")
    for _ in range(2):  # the first moves what the reader held up, the second overwrites where it was
        talks.append(other, TURN)
    assert left(talks, "a secret") == []


def left(talks: Conversations, *texts: str) -> list[str]:
    files = [path.read_bytes() for path in talks.path.parent.glob(f"{talks.path.name}*")]
    return [text for text in texts if any(text.encode() in file for file in files)]
