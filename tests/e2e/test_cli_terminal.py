"""The command in a real terminal: the conversation, and what a terminal is spared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in the standard library", allow_module_level=True)

from g4f_lite.cli.line_editor import QUIT_HINT

from .command import INTERRUPTED, Terminal

pytestmark = pytest.mark.usefixtures("interruptible")

CTRL_A, CTRL_C, CTRL_D, CTRL_P = "\x01", "\x03", "\x04", "\x10"


def history(emulator: Emulator) -> list[str]:
    """Give the texts of all messages in the last prompt."""
    prompts = [request for request in emulator.requests if request.step == "prompt"]
    return [message["content"] for message in prompts[-1].json()["messages"]]


@pytest.fixture
def options(here: list[str]) -> list[str]:
    return ["chat", *here]


def say(terminal: Terminal, text: str) -> str:
    """Type a line and give what is shown up to the next prompt."""
    terminal.type(f"{text}\n")
    terminal.wait_for(f"{text}\r\n")
    return terminal.wait_for("> ")


def test_a_conversation_remembers(emulator: Emulator, options: list[str]) -> None:
    with Terminal(*options, "--system", "Be brief.") as terminal:
        assert "Chatting with OpenAICompatible at 127.0.0.1:" in terminal.wait_for("\r\n")
        terminal.wait_for("> ")
        assert say(terminal, "first") == "first\r\n> "
        assert say(terminal, "second") == "second\r\n> "
        assert history(emulator) == ["Be brief.", "first", "first", "second"]
        assert say(terminal, "   ") == "> "
        assert say(terminal, "/new") == "A new conversation begins.\r\n> "
        say(terminal, "third")
        assert history(emulator) == ["Be brief.", "third"]
        terminal.type("/quit\n")
        assert terminal.end()[0] == 0


def test_lines_can_be_edited_and_recalled(emulator: Emulator, options: list[str]) -> None:
    pytest.importorskip("readline")
    with Terminal(*options) as terminal:
        terminal.wait_for("> ")
        terminal.type(f"ello{CTRL_A}h\n")
        terminal.wait_for("hello\r\n> ")
        assert history(emulator) == ["hello"]
        terminal.type(f"{CTRL_P}\n")
        terminal.wait_for("hello\r\n> ")
        assert history(emulator) == ["hello", "hello", "hello"]


def test_ctrl_c_stops_an_answer_and_keeps_the_conversation(emulator: Emulator, options: list[str]) -> None:
    emulator.answer(["one", " two", " three"])
    emulator.fail("stall", after=2)
    with Terminal(*options) as terminal:
        terminal.wait_for("> ")
        terminal.type("Count\n")
        terminal.wait_for("one two")
        terminal.press_ctrl_c()
        shown = terminal.wait_for("> ").replace("^C", "")
        assert shown == "\r\nStopped. This turn is not kept; /retry sends the message again.\r\n> "
        emulator.answer("one two three")
        assert say(terminal, "/retry") == "one two three\r\n> "
        say(terminal, "again")
        assert history(emulator) == ["Count", "one two three", "again"]


def test_a_failed_turn_leaves_the_history_as_it_was(emulator: Emulator, options: list[str]) -> None:
    with Terminal(*options) as terminal:
        terminal.wait_for("> ")
        say(terminal, "first")
        emulator.answer(["one", " two"])
        emulator.fail("cut", after=1)
        shown = say(terminal, "second")
        assert shown.startswith("one\r\nError: ")
        assert shown.count("Error: ") == 1
        emulator.fail("success_false")
        assert say(terminal, "third").startswith("Error: ")
        say(terminal, "fourth")
        assert history(emulator) == ["first", "first", "fourth"]


def test_ctrl_d_leaves(options: list[str]) -> None:
    with Terminal(*options) as terminal:
        terminal.wait_for("> ")
        terminal.type(CTRL_D)
        assert terminal.end() == (0, "\r\n")


@pytest.mark.parametrize(
    "word",
    ["/exit", "quit", pytest.param("/bye", marks=pytest.mark.once), pytest.param("exit", marks=pytest.mark.once)],
)
def test_words_that_leave(emulator: Emulator, options: list[str], word: str) -> None:
    with Terminal(*options) as terminal:
        terminal.wait_for("> ")
        terminal.type(f"{word}\n")
        assert terminal.end() == (0, f"{word}\r\n")
    assert emulator.requests == []


def test_ctrl_c_clears_a_line_and_leaves_when_it_is_pressed_twice(emulator: Emulator, options: list[str]) -> None:
    pytest.importorskip("readline")

    def shown_after_ctrl_c() -> str:
        terminal.press_ctrl_c()
        return terminal.wait_for("> ").replace("^C", "")

    with Terminal(*options) as terminal:
        terminal.wait_for("> ")
        assert shown_after_ctrl_c() == f"\r\n{QUIT_HINT}\r\n> "
        for _ in range(2):  # neither is the second on an empty line
            terminal.type("half a mess")
            terminal.wait_for("half a mess")
            assert shown_after_ctrl_c() == "\r\n> "
        assert say(terminal, "hello") == "hello\r\n> "
        assert history(emulator) == ["hello"]
        assert shown_after_ctrl_c() == f"\r\n{QUIT_HINT}\r\n> "
        terminal.press_ctrl_c()
        code, shown = terminal.end()
        assert (code, shown.replace("^C", "")) == (INTERRUPTED, "\r\n")


def test_images_go_with_the_first_message(emulator: Emulator, options: list[str]) -> None:
    with Terminal(*options, "--image", "https://example.org/cat.png") as terminal:
        banner = terminal.wait_for("> ").splitlines()[:-1]
        assert "Sent with your first message: 1 image." in banner
        assert max(map(len, banner)) <= 80
        say(terminal, "look")
        assert history(emulator)[0][1] == {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
        say(terminal, "and")
        assert history(emulator)[-1] == "and"


def test_a_text_file_goes_with_the_first_message(emulator: Emulator, options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("the notes\n", encoding="utf-8")
    with Terminal(*options, "-f", str(file)) as terminal:
        assert "Sent with your first message: 1 text file.\r\n" in terminal.wait_for("> ")
        emulator.fail("success_false")
        assert say(terminal, "look").startswith("Error: ")
        emulator.answer("seen")
        assert say(terminal, "/retry") == "seen\r\n> "
        say(terminal, "and")
        assert history(emulator) == [f"look\n\n{file}:\n\nthe notes", "seen", "and"]


def test_no_stream_shows_nothing_of_a_cut_answer(emulator: Emulator, options: list[str]) -> None:
    with Terminal(*options, "--no-stream") as terminal:
        terminal.wait_for("> ")
        emulator.fail("cut", after=1)
        emulator.answer(["one", " two"])
        assert say(terminal, "Count").startswith("Error: ")
        assert say(terminal, "hello") == "hello\r\n> "


def test_a_prompt_does_not_wait_for_the_keyboard(options: list[str]) -> None:
    with Terminal(*options, "hello") as terminal:
        assert terminal.end() == (0, "hello\r\n")


def test_an_answer_does_not_control_the_terminal(emulator: Emulator, options: list[str]) -> None:
    emulator.answer("a\x1b]52;c;eA==\x07b\rc\td")
    with Terminal(*options, "hello") as terminal:
        assert terminal.end() == (0, "a\ufffd]52;c;eA==\ufffdbc\td\r\n")


def test_json_needs_a_prompt(options: list[str]) -> None:
    with Terminal(*options, "--json") as terminal:
        code, shown = terminal.end()
        assert code == 2
        assert "--json needs a prompt" in shown


@pytest.mark.once
def test_the_embedded_model_talks(local_weights: Path) -> None:
    with Terminal("chat") as terminal:
        assert "Local (smollm2)" in terminal.wait_for("\r\n")
        terminal.wait_for("> ")
        terminal.type("Tell me a very long story.\n")
        terminal.wait_for("story.\r\n")
        terminal.wait_for(" ")
        terminal.type(CTRL_C)
        terminal.wait_for("> ")
        assert "Paris" in say(terminal, "What is the capital of France?")
        terminal.type(CTRL_D)
        assert terminal.end() == (0, "\r\n")
