"""Standard input as a prompt or a part of one, and keys that are pressed too early."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.cli import main, prompt
from g4f_lite.cli.options import ProviderOptions
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Echo

from .command import asked, assert_refused, call, run

PNG = b"\x89PNG\r\n\x1a\n"


def prompts(emulator: Emulator) -> list[str]:
    return [request.json()["messages"][-1]["content"] for request in emulator.requests if request.step == "prompt"]


def run_with(path: Path, offset: int, *arguments: str) -> None:
    """Run the command with a file on standard input, from which something has read as far as an offset."""
    with path.open(encoding="utf-8") as file, pytest.MonkeyPatch.context() as patch:
        file.seek(offset)
        patch.setattr(sys, "stdin", file)
        patch.setattr(sys, "argv", ["g4f-lite", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0


def test_a_dash_is_standard_input_alone(emulator: Emulator, here: list[str]) -> None:
    assert call("chat", "-", *here, stdin="one\ntwo\n").stdout == "one\ntwo\n"
    assert asked(emulator)["messages"][-1]["content"] == "one\ntwo"
    done = call("chat", "-", *here)
    assert (done.returncode, "there is no prompt" in done.stderr) == (2, True)
    done = run("chat", *here, stdin="")
    assert (done.returncode, "standard input was empty" in done.stderr) == (2, True)


def test_a_pipe_is_added_to_the_prompt(emulator: Emulator, here: list[str]) -> None:
    assert run("chat", "Sum up:", *here, stdin="one\n").returncode == 0
    assert prompts(emulator) == ["Sum up:\n\none"]


def test_a_dash_beside_the_prompt_requires_standard_input(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    for arguments in (["Sum up:", "-"], ["-", "Sum up:"]):
        assert call("chat", *arguments, *here, stdin="one\n").stdout == "Sum up:\n\none\n"
    (tmp_path / "lines.txt").write_text("one\ntwo\n", encoding="utf-8")
    run_with(tmp_path / "lines.txt", 4, "chat", "Sum up:", "-", *here)
    assert prompts(emulator) == ["Sum up:\n\none"] * 2 + ["Sum up:\n\ntwo"]
    for arguments in (["Sum up:", "-"], ["-", "-f", str(tmp_path / "lines.txt")]):
        done = call("chat", *arguments, *here, stdin=" \n")
        assert (done.returncode, "standard input was empty, and - requires it" in done.stderr) == (2, True)
    assert len(prompts(emulator)) == 3
    assert "several arguments" in call("chat", "one", "two", "-", *here).stderr


def test_a_file_is_added_to_the_prompt_unless_something_else_is_reading_it(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    (tmp_path / "lines.txt").write_text("one\ntwo\n", encoding="utf-8")
    run_with(tmp_path / "lines.txt", 0, "chat", "Sum up:", *here)
    run_with(tmp_path / "lines.txt", 4, "chat", "one", *here)
    run_with(tmp_path / "lines.txt", 4, "chat", "-", *here)
    run_with(tmp_path / "lines.txt", 4, "chat", *here)
    assert prompts(emulator) == ["Sum up:\n\none\ntwo", "one", "two", "two"]


def test_text_files_are_added_to_the_prompt(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.md"
    one.write_text("\ufefferste Zeile\n", encoding="utf-8")
    two.write_bytes("\ufeffzweite\r\n".encode("utf-16-le"))
    files = ["-f", str(one), "--file", str(two)]
    assert call("chat", "Sum up:", *files, *here, stdin="three\n").returncode == 0
    assert call("chat", *files[:2], *here).returncode == 0
    assert prompts(emulator) == [
        f"Sum up:\n\n{one}:\n\nerste Zeile\n\n{two}:\n\nzweite\n\nthree",
        f"{one}:\n\nerste Zeile",
    ]


def test_files_that_are_not_text(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    (tmp_path / "plan.pdf").write_bytes(b"%PDF-1.7\n\x00\xff")
    for name, word in (
        ("plan.pdf", "is not text in UTF-8; convert it to text first\n"),
        ("red.png", "is not text in UTF-8; an image is sent with --image\n"),
        ("latin.txt", "is not text in UTF-8; `iconv -f latin1 -t utf-8` converts Latin-1\n"),
        ("none.txt", "cannot read"),
        (".", "cannot read"),
    ):
        assert_refused(call("chat", "Sum up:", "-f", str(tmp_path / name), *here), word)
    assert_refused(call("chat", "Sum up:", "-f", "-", *here), "--file takes no standard input, which is added to the")
    assert emulator.requests == []


def test_standard_input_in_latin_1(emulator: Emulator, here: list[str]) -> None:
    told = "standard input is not text in UTF-8; `iconv -f latin1 -t utf-8` converts Latin-1\n"
    assert_refused(call("chat", "Sum up:", *here, stdin="Grüße".encode("latin-1")), told)
    assert emulator.requests == []


def test_an_empty_pipe_is_pointed_out(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    image = tmp_path / "red.png"
    image.write_bytes(PNG)
    note = "Note: standard input was empty; the prompt is sent without it\n"
    assert run("chat", "Write a message", *here, stdin="").stderr == note
    assert run("chat", "Write a message", *here, stdin="a change").stderr == ""
    assert run("chat", "Write a message", "-i", "-", *here, stdin=PNG).stderr == ""
    done = call("chat", "what", *here, stdin=PNG)
    assert (done.returncode, done.stderr) == (
        2,
        "Error: standard input is an image, not text; send it with --image -\n",
    )
    assert call("chat", "Sum up:", *here, stdin="BMW builds cars.").stdout == "Sum up:\n\nBMW builds cars.\n"


def test_standard_input_that_is_left_alone(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("two", encoding="utf-8")
    source, sink = os.pipe()  # open and silent
    with open(source, encoding="utf-8") as silent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", silent)
        for arguments in (["one"], ["-f", str(tmp_path / "notes.txt")]):
            patch.setattr(sys, "argv", ["g4f-lite", "chat", "--no-stdin", *arguments, *here])
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code == 0
    os.close(sink)
    assert prompts(emulator) == ["one", f"{tmp_path / 'notes.txt'}:\n\ntwo"]
    for words in (["one", "-"], ["one", "-i", "-"]):
        done = call("chat", "--no-stdin", *words, *here, stdin="two")
        assert (done.returncode, "which --no-stdin leaves alone" in done.stderr) == (2, True)
    done = call("chat", "--no-stdin", *here, stdin="two")
    assert (done.returncode, "there is no prompt" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["one"], "Note: reading standard input, which is added to the prompt; --no-stdin leaves it alone\n"),
        (["one", "-"], "Note: reading the prompt from standard input\n"),
        ([], "Note: reading the prompt from standard input\n"),
        (["one", "--quiet"], ""),
    ],
)
def test_a_standard_input_that_stays_silent_is_pointed_out(
    here: list[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], note: str
) -> None:
    source, sink = os.pipe()
    written = threading.Event()

    class Errors(io.StringIO):
        def write(self, text: str) -> int:
            written.set()
            return super().write(text)

    def speak_late() -> None:
        if note:
            written.wait(60)
        os.write(sink, b"two")
        os.close(sink)

    monkeypatch.setattr(prompt, "SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", errors := Errors())
    monkeypatch.setattr(sys, "argv", ["g4f-lite", "chat", *arguments, *here])
    speaker = threading.Thread(target=speak_late)
    speaker.start()
    with open(source, encoding="utf-8") as silent:
        monkeypatch.setattr(sys, "stdin", silent)
        with pytest.raises(SystemExit) as ended:
            main()
    speaker.join()
    assert (ended.value.code, errors.getvalue()) == (0, note)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals in the standard library")
def test_keys_are_not_shown_before_the_answer_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    import termios

    own, theirs = os.openpty()
    shown: list[bool] = []

    def is_shown() -> bool:
        return bool(termios.tcgetattr(theirs)[3] & termios.ECHO)

    def choose(*_: Any) -> Echo:
        shown.append(is_shown())
        return Echo()

    monkeypatch.setattr(ProviderOptions, "choose", choose)
    monkeypatch.setattr(os, "tcgetpgrp", lambda terminal: os.getpgrp())  # as if the tests ran in it
    monkeypatch.setattr(sys, "argv", ["g4f-lite", "chat", "Hello"])
    try:
        with open(theirs, closefd=False) as keyboard:
            monkeypatch.setattr(sys, "stdin", keyboard)
            with pytest.raises(SystemExit):
                main()
        assert shown == [False]
        assert is_shown()
    finally:
        os.close(own)
        os.close(theirs)
