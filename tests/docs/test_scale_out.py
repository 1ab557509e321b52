"""Each step of the page about scaling out runs as it is printed, beside a server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
FILES = {block[2]: block[1] for block in re.finditer(r"^```python\n(# (\w+)\.py\n.*?)^```$", PAGE, re.M | re.S)}
PROMPTS = [f"What is {number} times 7?" for number in range(40)]
KEY = "sk-in-the-environment-only"


@pytest.fixture
def server() -> Iterator[Emulator]:
    """Give a server such as vLLM, with a key."""
    with Emulator(api_key=KEY, batch_polls=0) as emulator:
        yield emulator


@pytest.fixture
def run(server: Emulator, tmp_path: Path) -> Callable[[str], list[str]]:
    """Give a function that runs a file of the page in an empty folder, and returns the lines that it prints."""

    def run(name: str) -> list[str]:
        (tmp_path / f"{name}.py").write_text(FILES[name].replace("http://127.0.0.1:8000", server.url), encoding="utf-8")
        return started([sys.executable, f"{name}.py"], server, tmp_path)

    return run


def started(command: list[str], server: Emulator, folder: Path) -> list[str]:
    settings = {"G4F_LITE_BASE_URL": f"{server.url}/v1", "G4F_LITE_API_KEY": KEY, "G4F_LITE_MODEL": "gpt-4o-mini"}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def asked(server: Emulator) -> Counter[str]:
    found = [request for request in server.requests if request.step == "prompt"]
    return Counter(request.json()["messages"][-1]["content"] for request in found)


def test_the_page_has_these_files() -> None:
    assert list(FILES) == ["threads", "processes", "cluster", "own_server", "half_price"]
    assert len(re.findall(r"^```", PAGE, re.M)) == 2 * len(FILES)


@pytest.mark.parametrize("name", ["threads", "processes", "cluster"])
def test_a_step_answers_each_prompt_once_and_goes_on_from_its_store(
    name: str, run: Callable[[str], list[str]], server: Emulator
) -> None:
    if name == "cluster":
        pytest.importorskip("dask.distributed")
    assert run(name) == PROMPTS
    assert asked(server) == Counter(PROMPTS)
    assert run(name) == PROMPTS
    assert asked(server) == Counter(PROMPTS)


def test_a_server_of_your_own(
    run: Callable[[str], list[str]], server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.configure(api_key=None)  # the page's has none
    *texts, usage = run("own_server")
    assert texts == PROMPTS
    assert "done=40, calls=40" in usage


def test_half_the_price(run: Callable[[str], list[str]], server: Emulator) -> None:
    server.configure(batch_failed=(7,))
    printed = run("half_price")
    assert printed[0] == "40 prompts, of which 40 are to be sent"
    assert printed[1:8] == PROMPTS[:7]
    assert printed[41:] == ["1 failed", *PROMPTS]
    assert asked(server) == {PROMPTS[7]: 1}


def test_half_the_price_on_the_command_line(server: Emulator, tmp_path: Path) -> None:
    command = re.search(r"^    (g4f-lite batch .*)$", PAGE, re.M)
    assert command is not None
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    program, *arguments = shlex.split(command[1])
    module = [sys.executable, "-m", program.replace("-", "_")]
    told = "40 answered, 0 failed; 200 tokens of prompts and 200 of answers"
    assert started([*module, *arguments], server, tmp_path) == [told]
