"""The scroll-back of a terminal in which an answer was drawn, as tmux keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .command import SECONDS

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

# Draws the text in a file, a few characters at a time, from the first row of the terminal on.
DRAW = """
import sys
from rich.console import Console
from g4f_lite.cli.live import LiveMarkdown

text = open(sys.argv[1]).read()
live = LiveMarkdown(Console())
for start in range(0, len(text), 5):
    live.add(text[start : start + 5])
    live.draw()
live.end()
"""
NUMBERS = range(100, 160)
TEXTS = {
    "code": "```\n" + "".join(f"line {number}\n" for number in NUMBERS) + "```\n",
    "list": "".join(f"- item {number}\n" for number in NUMBERS),
    "paragraph": " ".join(f"This is phrase {number}." for number in NUMBERS),
}


def tmux(server: str, *arguments: str) -> str:
    # readline puts the size of pytest's own terminal into the environment, also of children such as xdist's workers.
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    done = subprocess.run(
        ["tmux", "-L", server, "-f", "/dev/null", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        env=environment,
    )
    return done.stdout


@pytest.mark.parametrize(("width", "height"), [(90, 30), (60, 5)])
@pytest.mark.parametrize("kind", list(TEXTS))
def test_the_scroll_back_has_each_line_once(kind: str, width: int, height: int, tmp_path: Path) -> None:
    (tmp_path / "draw.py").write_text(DRAW)
    (tmp_path / "text").write_text(TEXTS[kind])
    server = f"g4f-lite-{tmp_path.name}"
    program = f"{sys.executable} {tmp_path}/draw.py {tmp_path}/text; tmux -L {server} wait-for -S drawn; cat"
    tmux(server, "new-session", "-d", "-x", str(width), "-y", str(height), program)
    try:
        tmux(server, "wait-for", "drawn")
        shown = tmux(server, "capture-pane", "-p", "-S", "-").split()
    finally:
        tmux(server, "kill-server")
    assert [word for word in shown if word.strip(".•").isdigit()] == [
        f"{number}{'.' * (kind == 'paragraph')}" for number in NUMBERS
    ]
