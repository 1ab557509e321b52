"""The picture of a terminal in README.md is drawn from what the command writes in one."""

from __future__ import annotations

import html
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no terminals of this kind", allow_module_level=True)

ROOT = Path(__file__).parents[2]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "terminal_picture.py"))


def lines(picture: str) -> list[str]:
    return [html.unescape(text).replace("\xa0", " ") for text in re.findall(r"<text [^>]*>([^<]*)</text>", picture)]


@pytest.mark.once
def test_it_shows_what_was_typed_and_what_came() -> None:
    picture = SCRIPT["picture_of"](["chat", "-p", "echo", "Hello **bold** world"])
    shown = [line for line in lines(picture) if line.strip()]
    assert shown == ["$ ", 'g4f-lite chat -p echo "Hello **bold** world"', "Hello ", "bold", " world"]
    assert re.search(r"\.terminal-r\d+ \{[^}]*font-weight: bold", picture)


def test_it_fetches_nothing() -> None:
    shown = (ROOT / "docs" / "images" / "chat.svg").read_text(encoding="utf-8")
    assert re.findall(r"url\(http|href|<script", shown) == []


def test_the_one_in_readme_shows_the_command_of_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = lines((ROOT / "docs" / "images" / "chat.svg").read_text(encoding="utf-8"))
    command = re.search(r'g4f-lite (chat ".*")$', readme, re.MULTILINE)
    assert command
    assert f"g4f-lite {command[1]}" in shown
    assert "docs/images/chat.svg" in readme
