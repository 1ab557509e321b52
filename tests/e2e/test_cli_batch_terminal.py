"""What ``g4f-lite batch`` writes to a terminal, which obeys some characters."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator
from g4f_lite.emulator.openai.batches import Batches

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in the standard library", allow_module_level=True)

from .command import Terminal, call

OBEYED = ["\x1b", "\x07", "\x7f", "\x9b", "\x9d", "\u202e", "\u2066"]
ANSWER = f'Grüße "☃" {"x".join(OBEYED)}\nand a line\r\n'


@pytest.mark.once
def test_answers_are_the_same_json_without_characters_that_a_terminal_obeys(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    for _ in range(3):
        emulator.answer(ANSWER)
    with Terminal("batch", str(tmp_path / "in.txt"), *here) as terminal:
        code, shown = terminal.end()
    assert (code, [char for char in OBEYED if char in shown]) == (0, [])
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [(row["prompt"], row["answer"]) for row in rows] == [("one", ANSWER), ("two", ANSWER)]
    assert 'Grüße \\"☃\\" \\u001bx\\u0007x\\u007fx\\u009b' in shown
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    assert "\x9b" in call("batch", str(tmp_path / "in.txt"), *here).stdout  # a pipe gets the characters


def test_the_state_of_a_hosted_batch_is_shown_without_them(
    emulator: Emulator, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter([f"validating{''.join(OBEYED)}", "failed"])
    reason = [{"message": f"no{''.join(OBEYED)}"}]

    def advance(_: Batches, batch: dict[str, Any], *__: Any) -> None:
        batch |= {"status": next(states), "errors": {"data": reason}}

    monkeypatch.setattr(Batches, "_advance", advance)
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    hosted = ["--hosted", str(tmp_path / "run.json"), "--poll", "0.01", "-m", "m"]
    with Terminal("batch", str(tmp_path / "in.txt"), *hosted, *here) as terminal:
        code, shown = terminal.end()
    assert (code, [char for char in OBEYED if char in shown]) == (1, [])
    assert "waiting" in shown
