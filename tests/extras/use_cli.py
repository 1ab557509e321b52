"""The command: its help and an answer; what needs another extra names it, in one line."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

from g4f_lite.cli.app import COMMANDS

COMMAND = str(Path(sys.executable).with_name("g4f-lite"))


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


for name in COMMANDS:
    import_module(f"g4f_lite.cli.commands.{name}")
shown = run("--help")
assert shown.returncode == 0, shown
assert shown.stdout.startswith("Usage: g4f-lite "), shown
answer = run("chat", "--provider", "echo", "# Hello")
assert (answer.returncode, answer.stdout, answer.stderr) == (0, "# Hello\n", ""), answer
for extra, *arguments in [
    ("local", "local", "pull"),
    ("local", "chat", "hello"),
    ("server", "serve", "echo", "--port", "0"),
]:
    refused = run(*arguments)
    assert refused.returncode == 1, refused
    assert refused.stderr.count("\n") == 1, refused
    assert f'pip install "g4f-lite[{extra}]"' in refused.stderr, refused
