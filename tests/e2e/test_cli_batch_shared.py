"""``g4f-lite batch``: two commands that ask the same prompts with one store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Finish, Prompt, Usage
from g4f_lite.testing import Echo

from .command import call


@pytest.mark.parametrize("quiet", [False, True])
def test_another_command_with_the_same_prompts_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    store, prompts = tmp_path / "answers.db", ["one", "two", "three"]

    def begin(provider: Echo, prompt: Prompt) -> Iterator[Any]:
        text = prompt.messages[-1]["content"]
        if text == "two" and (theirs := others.copy()):
            others.clear()  # meanwhile, the other one answers this and the next
            Client("echo").map(theirs, store=store, progress=False).texts()
        yield text
        yield Usage(3, 2, 5)
        yield Finish("stop")

    monkeypatch.setattr(Echo, "begin", begin)
    others = ["two", "three"]
    (tmp_path / "in.txt").write_text("\n".join([*prompts, "four"]), encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-p", "echo", "--workers", "1", "--store", str(store)]
    done = call(*command, "-o", str(tmp_path / "out.csv"), *["-q"] * quiet)
    assert (done.returncode, others) == (0, [])
    end = (
        f"4 answered (1 of them from {store}, 1 of these by another program meanwhile), 0 failed; "
        "1 answered first by another program, so that both paid; this run took 9 tokens of prompts and 6 of answers\n"
    )
    told = (
        f"Note: another program asks the same prompts with the store {store}, and both pay for those that both have "
        "in progress; stop one of them, or give each a part of the prompts\n"
    )
    assert (done.stdout, done.stderr) == (("", "") if quiet else (end, told))
