"""``g4f-lite chat`` with a file: what is kept, what is sent again, and what is left alone."""

from __future__ import annotations

import json
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import filelock
import pytest

from g4f_lite import AiEngine, Client, Conversation
from g4f_lite.cli.locked_file import lock_of
from g4f_lite.emulator import Emulator

from .command import SECONDS, asked, assert_failed, assert_refused, call, run

FIRST = [{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": "Hello, Ada."}]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Give the file of a conversation."""
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(FIRST), encoding="utf-8")
    return path


def texts(path: Path) -> list[str]:
    return [message["content"] for message in json.loads(path.read_text(encoding="utf-8"))]


def test_save_keeps_the_conversation(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    emulator.answer("Grüße, Ada.")
    done = call("chat", "My name is Ada.", "--system", "Be brief.", "--save", str(path), *here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Grüße, Ada.\n", "")
    assert texts(path) == ["Be brief.", "My name is Ada.", "Grüße, Ada."]


def test_continue_sends_what_was_said_and_keeps_what_is_said(emulator: Emulator, here: list[str], kept: Path) -> None:
    emulator.answer("Ada.")
    assert call("chat", "What is my name?", "--continue", str(kept), *here).stdout == "Ada.\n"
    assert asked(emulator)["messages"] == [*FIRST, {"role": "user", "content": "What is my name?"}]
    assert texts(kept) == ["My name is Ada.", "Hello, Ada.", "What is my name?", "Ada."]


def test_a_file_without_a_system_message_can_get_one(
    emulator: Emulator, here: list[str], kept: Path, tmp_path: Path
) -> None:
    command = ["chat", "Bye", "--continue", str(kept), "--system", "Be brief.", *here]
    everything = ["Be brief.", "My name is Ada.", "Hello, Ada.", "Bye", "Bye"]
    assert call(*command, "--save", str(tmp_path / "branch.json")).returncode == 0
    assert texts(tmp_path / "branch.json") == everything
    assert texts(kept) == ["My name is Ada.", "Hello, Ada."]
    assert call(*command).returncode == 0
    assert [message["content"] for message in asked(emulator)["messages"]] == everything[:-1]
    assert texts(kept) == everything
    assert call("chat", "Again", "--continue", str(kept), *here).returncode == 0
    assert texts(kept) == [*everything, "Again", "Again"]


def test_a_long_conversation_can_be_sent_in_part(emulator: Emulator, here: list[str], kept: Path) -> None:
    command = ["--continue", str(kept), "--max-characters", "10", *here]
    assert call("chat", "one", *command).returncode == 0
    assert call("chat", "two", *command).returncode == 0
    assert [message["content"] for message in asked(emulator)["messages"]] == ["one", "one", "two"]
    assert texts(kept) == ["My name is Ada.", "Hello, Ada.", "one", "one", "two", "two"]


def test_paths_may_have_blanks_and_any_script(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "Мои беседы"
    folder.mkdir()
    path = folder / "чат № 1.json"
    emulator.answer("Ада.")
    done = run("chat", "Как меня зовут?", "--save", str(path), *here, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "???.", "")
    assert texts(path) == ["Как меня зовут?", "Ада."]
    taken = run("chat", "Hi", "--save", str(path), *here, PYTHONIOENCODING="cp1252")
    assert taken.returncode == 2
    assert "already exists" in taken.stderr


def test_a_branch(emulator: Emulator, here: list[str], kept: Path, tmp_path: Path) -> None:
    branch = tmp_path / "branch.json"
    done = call("chat", "Bye", "--json", "--continue", str(kept), "--save", str(branch), *here)
    assert json.loads(done.stdout)["text"] == "Bye"
    assert texts(kept) == ["My name is Ada.", "Hello, Ada."]
    assert texts(branch) == ["My name is Ada.", "Hello, Ada.", "Bye", "Bye"]


def test_the_same_file_for_both_is_continued_or_begun(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    for prompt, name in (("one", path), ("two", path.parent / "." / path.name), ("three", path)):
        assert call("chat", prompt, "--continue", str(name), "--save", str(path), *here).returncode == 0
    assert texts(path) == ["one", "one", "two", "two", "three", "three"]
    assert len(asked(emulator)["messages"]) == 5


def test_a_missing_file_leads_to_the_option_that_makes_it(here: list[str], tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    assert_refused(call("chat", "Hi", "--continue", str(path), *here), "No such file", f"; --save {path} begins a new")
    assert "--save" not in call("chat", "Hi", "--continue", str(tmp_path), *here).stderr


def test_a_turn_that_fails_changes_no_file(emulator: Emulator, here: list[str], kept: Path, tmp_path: Path) -> None:
    for options in (["--continue", str(kept)], ["--save", str(tmp_path / "new.json")]):
        emulator.answer(["one", " two"])
        emulator.fail("cut", after=1)
        assert_failed(call("chat", "Count", *options, *here), "cut", printed="one\n", code=3)
    assert texts(kept) == ["My name is Ada.", "Hello, Ada."]
    assert list(tmp_path.iterdir()) == [kept]


def test_what_cannot_be_is_told_before_anything_is_sent(
    emulator: Emulator, here: list[str], kept: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    assert_refused(call("chat", "Hi", "--save", str(kept), *here), "talk.json", "--continue")
    assert_refused(call("chat", "Hi", "--save", "-", *here), "standard output")
    assert_refused(call("chat", "Hi", "--save", str(tmp_path / "no" / "talk.json"), *here), "is not a directory")
    assert_refused(call("chat", "Hi", "--continue", str(tmp_path / "none.json"), *here), "cannot read", "none.json")
    assert_refused(
        call("chat", "Hi", "--continue", str(broken), *here), "broken.json", "is not a JSON list of messages"
    )
    own = tmp_path / "own.json"
    own.write_text(json.dumps([{"role": "system", "content": "Be polite."}, *FIRST]), encoding="utf-8")
    assert_refused(
        call("chat", "Hi", "--continue", str(own), "--system", "Be brief.", *here), "a system message of its own"
    )
    assert emulator.requests == []
    assert texts(kept) == ["My name is Ada.", "Hello, Ada."]


@pytest.mark.parametrize("option", ["--continue", "--save"])
def test_two_commands_at_once_lose_no_turn(option: str, kept: Path) -> None:
    both = threading.Barrier(2)

    def answer(messages: list[dict[str, Any]]) -> Iterator[str]:
        both.wait(SECONDS)  # neither is answered before both have asked
        yield f"re: {messages[-1]['content']}"

    file = kept if option == "--continue" else kept.with_name("new.json")
    with Emulator(answer) as emulator:
        here = ["--base-url", f"{emulator.url}/v1", "--model", "echo", "--system", "Be brief."][
            : 4 + 2 * (file != kept)
        ]
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda word: run("chat", word, option, str(file), *here), ["one", "two"]))
    assert [(one.returncode, one.stderr) for one in done] == [(0, ""), (0, "")]
    before = ["My name is Ada.", "Hello, Ada."] if file == kept else ["Be brief."]
    assert texts(file) in (
        [*before, "one", "re: one", "two", "re: two"],
        [*before, "two", "re: two", "one", "re: one"],
    )


@pytest.mark.parametrize("by", ["its name", "a link"])
def test_a_file_that_another_command_keeps_locked(
    by: str, emulator: Emulator, here: list[str], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.cli.locked_file.LOCK_SECONDS", 0)
    named = kept
    if by == "a link":
        named = kept.parent / "elsewhere" / "link.json"
        named.parent.mkdir()
        try:
            named.symlink_to(kept)
        except OSError:
            pytest.skip("links cannot be made here")
    with filelock.FileLock(kept.with_name(".talk.json.lock")):
        assert_failed(call("chat", "Hi", "--continue", str(named), *here), "cannot write", "lock", printed="Hi\n")
    assert texts(kept) == ["My name is Ada.", "Hello, Ada."]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes there")
def test_nobody_else_can_hold_its_lock(kept: Path) -> None:
    with lock_of(kept):  # older versions of filelock remove its file at the end
        assert stat.S_IMODE(kept.with_name(".talk.json.lock").stat().st_mode) == 0o600


def test_a_file_that_is_no_conversation_any_more_is_left_alone(kept: Path) -> None:
    def answer(messages: list[dict[str, Any]]) -> Iterator[str]:
        kept.write_text("{}")
        yield "Hello"

    with Emulator(answer) as emulator:
        here = ["--base-url", f"{emulator.url}/v1", "--model", "echo"]
        assert_failed(
            call("chat", "Hi", "--continue", str(kept), *here), "not a JSON list of messages", printed="Hello\n"
        )
    assert kept.read_text() == "{}"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_talk_is_kept_turn_by_turn_until_a_new_one(emulator: Emulator, here: list[str], kept: Path) -> None:
    from .command import Terminal

    with Terminal("chat", *here, "--continue", str(kept)) as terminal:
        assert f"\r\nContinuing {kept}: 2 messages.\r\n" in terminal.wait_for("> ")
        terminal.type("And yours?\n")
        terminal.wait_for("And yours?\r\nAnd yours?\r\n> ")
        assert texts(kept) == ["My name is Ada.", "Hello, Ada.", "And yours?", "And yours?"]
        terminal.type("/new\n")
        assert "talk.json is left as it is" in terminal.wait_for("> ").replace("\r\n", "")
        terminal.type("third\n")
        terminal.wait_for("third\r\nthird\r\n> ")
        assert [message["content"] for message in asked(emulator)["messages"]] == ["third"]
        assert len(texts(kept)) == 4
        terminal.type("/quit\n")
        assert terminal.end()[0] == 0


@pytest.mark.parametrize("make", [Conversation, lambda site: Client(site).conversation()], ids=["alone", "a client's"])
def test_ai_engine_knows_a_conversation_by_its_chat_id(
    emulator: Emulator, make: Callable[[AiEngine], Conversation]
) -> None:
    with AiEngine(emulator.url) as site:
        conversation = make(site)
        conversation.ask("first")
        conversation.ask("second")
        conversation.copy().ask("third")
        site.create(messages="fourth", chat_id="mine")
    first, second, third, fourth = (
        request.json()["chatId"] for request in emulator.requests if request.step == "prompt"
    )
    assert first == second != third
    assert fourth == "mine"
