"""Markdown on a terminal: what is to be seen in the end, and that it comes as it is written."""

from __future__ import annotations

import re
import sys
import threading

import pytest
from rich.console import Console

from g4f_lite.cli.markdown import MAX_HIGHLIGHTED, MAX_TEXT, MAX_TOKENS, blocks, split
from g4f_lite.cli.writer import MarkdownWriter
from g4f_lite.emulator import Emulator

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in the standard library", allow_module_level=True)

from .command import INTERRUPTED, Terminal, call
from .screen import Screen

pytestmark = pytest.mark.usefixtures("interruptible")

XTERM = {"TERM": "xterm", "COLUMNS": "60", "LINES": "20"}
TEXT = "# Colours\n\nThe sky is **blue**.\n\n- one\n- two\n\n```python\nprint(1)\n```\n"


def seen(output: str) -> list[str]:
    """Play what was written to a terminal, and give the lines that are to be seen in the end."""
    screen = Screen(60, 20)
    screen.write(output)
    return [line.strip() for line in screen.lines() if line.strip()]


def answer(*arguments: str, **environment: str) -> tuple[int, str]:
    with Terminal("chat", *arguments, **{**XTERM, **environment}) as terminal:
        return terminal.end()


@pytest.mark.parametrize("option", [[], ["--no-stream"]])
def test_markdown_is_rendered(emulator: Emulator, here: list[str], option: list[str]) -> None:
    emulator.answer(re.findall(r"[\s\S]{1,3}", TEXT))
    code, output = answer("Colours?", *option, *here)
    assert code == 0
    lines = [line.strip("┃ ") for line in seen(output) if "━" not in line]  # older versions of rich frame a heading
    assert lines == ["Colours", "The sky is blue.", "• one", "• two", "print(1)"]


def test_raw(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(TEXT)
    assert answer("Colours?", "--raw", *here) == (0, TEXT.replace("\n", "\r\n"))
    assert answer("**bold**", *here, TERM="dumb") == (0, "**bold**\r\n")
    assert call("chat", "**bold**", *here, **XTERM).stdout == "**bold**\n"


def test_it_is_drawn_as_it_comes(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["First **para", "graph**.\n\nSecond", " never"])
    emulator.fail("stall", after=2)
    with Terminal("chat", "Tell", *here, **XTERM) as terminal:
        shown = terminal.wait_for("Second")
        assert "paragraph" in shown
        code, rest = terminal.interrupt()
    lines = seen(shown + rest)
    assert code == INTERRUPTED
    assert lines[0] == "First paragraph."
    assert [line for line in lines if "Second" in line and "^C" not in line]


def test_a_cut_answer_stays_before_its_error(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["The **sky", "** is", " blue."])
    emulator.fail("cut", after=2)
    code, output = answer("Why?", *here)
    assert code == 3
    lines = seen(output)
    assert lines[0] == "The sky is"
    assert lines[1].startswith("Error: ")


def test_it_controls_no_terminal(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(
        "a&#27;]52;c;eA==&#7;b \x1b]0;t\x07 `&#27;c` [here](https://example.org/a) ![cat](https://e.org/c.png)"
    )
    _, output = answer("Why?", *here)
    assert "\x1b]" not in output
    assert "\x07" not in output
    text = "".join(seen(output)).replace(" ", "")
    assert text.endswith("here(https://example.org/a)cat(https://e.org/c.png)")


def test_what_is_typed_meanwhile_is_not_shown(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["First\n\nSec", "ond\n"])
    emulator.fail("stall", after=1)
    with Terminal("chat", "Tell", *here, **XTERM) as terminal:
        shown = terminal.wait_for("Sec")
        terminal.type("abc\n\n")
        code, rest = terminal.interrupt()
    assert code == INTERRUPTED
    assert seen(shown + rest) == ["First", "Sec"]


@pytest.mark.once
def test_reading_does_not_wait_for_the_screen() -> None:
    taken = threading.Event()

    class Stopped(Screen):
        def write(self, text: str) -> int:
            taken.wait(60)
            return super().write(text)

    screen = Stopped(40, 5)
    with MarkdownWriter(Console(file=screen, force_terminal=True, width=40, height=5, legacy_windows=False)) as writer:
        for number in range(500):
            writer.feed(f"- line {number}\n")
        taken.set()
    assert screen.lines() == [f" • line {number}" for number in range(500)]


def test_an_error_of_the_screen_is_raised() -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise ValueError("gone")

    screen = Gone(40, 5)
    with pytest.raises(ValueError, match="gone"), MarkdownWriter(Console(file=screen, width=40, height=5)) as writer:
        writer.feed("text")


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("one", ""),
        ("one\n\ntwo", ""),
        ("one\n\ntwo\n", "one\n\n"),
        ("one\n#", ""),  # which may become a tag
        ("one\n# two\n", "one\n"),
        ("- a\n\n- b\n", ""),
        ("```\na\n\nb\n", ""),
        ("```\na\n```\nb\n", "```\na\n```\n"),
        ("", ""),
    ],
)
def test_what_is_over(text: str, over: str) -> None:
    assert split(text)[1] == text[len(over) :]


def printed(text: str) -> str:
    console = Console(file=Screen(60, 20), width=60, height=20, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(*blocks(text))
    return capture.get()


def test_the_lines_of_a_poem_stay_lines() -> None:
    assert seen(printed("The *sea*,\nthe sky.\n\n- one\n  two\n\n> three\n> four")) == [
        *("The sea,", "the sky.", "• one", "two", "▌ three", "▌ four"),
    ]


def test_long_code_is_not_coloured_as_that_can_take_minutes() -> None:
    line = "x = 1\n"
    short, long = line * 10, line * (MAX_HIGHLIGHTED // len(line) + 1)
    assert "\x1b[94m" in printed(f"```python\n{short}```")
    assert "\x1b[94m" not in printed(f"```python\n{long}```")


@pytest.mark.once
def test_a_block_of_very_many_parts_is_shown_as_it_is() -> None:
    assert "**bold**" not in printed("- **bold**\n" + "- word\n" * 10)
    assert "**bold**" in printed("- **bold**\n" + "- word\n" * (MAX_TOKENS // 5))


@pytest.mark.once
def test_a_very_long_paragraph_is_shown_as_it_is_because_its_parsing_could_take_minutes() -> None:
    word, many = "word ", MAX_TEXT // 5
    assert "**bold**" not in printed("**bold** " + word * 10)
    assert "**bold**" in printed("**bold** " + word * many)
    assert "**bold**" in printed(f"> | a |\n> |---|\n> | **bold** {word * many} |\n")
    assert len(printed("![" * 500_000).replace("\n", "")) == 1_000_000
