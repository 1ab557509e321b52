"""The picture of a terminal in README.md: what the command wrote when it was run in one.

``python docs/terminal_picture.py`` runs it, with the embedded model, and writes docs/images/chat.svg. It needs Linux or
macOS.
"""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text

PICTURE = Path(__file__).parent / "images" / "chat.svg"
COLUMNS, LINES = 92, 60


def screen_after(arguments: list[str]) -> pyte.Screen:
    """Run ``g4f-lite`` in a terminal, and give the screen that it leaves."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    program = [sys.executable, "-m", "g4f_lite", *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    try:
        while written := os.read(ours, 65_536):
            stream.feed(written)
    except OSError:  # so Linux says that nobody has the terminal open any more
        pass
    finally:
        os.close(ours)
    if child.wait():
        raise SystemExit("\n".join(screen.display).rstrip())
    return screen


def style_of(cell: pyte.screens.Char) -> Style:
    """Give how a character is shown."""
    colour = f"#{cell.fg}" if re.fullmatch("[0-9a-f]{6}", cell.fg) else cell.fg.replace("brown", "yellow")
    return Style(color=colour, bold=cell.bold, italic=cell.italics, underline=cell.underscore)


def lines_of(screen: pyte.Screen) -> list[Text]:
    """Give the lines of a screen, down to the last one that is not empty."""
    lines = []
    for number in range(LINES):
        cells = [screen.buffer[number][column] for column in range(COLUMNS)]
        line = Text()
        for style, alike in itertools.groupby(cells, style_of):
            line.append("".join(cell.data for cell in alike), style)
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def picture_of(arguments: list[str]) -> str:
    """Run ``g4f-lite``, and draw what a person who typed the command sees."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    typed = " ".join(f'"{argument}"' if " " in argument else argument for argument in arguments)
    console.print(Text.assemble(("$ ", "green"), f"g4f-lite {typed}"))
    for line in lines_of(screen_after(arguments)):
        console.print(line)
    # Without rich's fonts, which a browser would fetch from another site.
    template = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="", code_format=template, unique_id="terminal")


if __name__ == "__main__":
    PICTURE.write_text(picture_of(["chat", "Why is the sky blue?"]), encoding="utf-8")
