"""Markdown that would take long to parse or to draw is written as it is, however it came."""

from __future__ import annotations

import pytest

from g4f_lite.cli import live, markdown
from g4f_lite.cli.live import LiveMarkdown

from .screen import Screen
from .test_live import at_once, console_on

WIDTH, HEIGHT = 40, 10


@pytest.fixture(autouse=True)
def _little_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_BLOCK", 60)
    monkeypatch.setattr(live, "MAX_TOKENS", 30)


def shown(text: str, size: int) -> list[str]:
    """Draw a text that comes in pieces of a size."""
    screen = Screen(WIDTH, HEIGHT)
    drawn = LiveMarkdown(console_on(screen, WIDTH, HEIGHT))
    for start in range(0, len(text), size):
        drawn.add(text[start : start + size])
        drawn.draw()
    drawn.end()
    return screen.lines()


LIST = "- **one**\n" * 7
TEXTS = {
    "a long block": ("*before*\n\n" + LIST + "\n*behind*\n", ["before", "", *["- **one**"] * 7, "", "*behind*"]),
    "which is the first": (LIST, ["- **one**"] * 7),
    "without an end of its last line": ("- *a*\n" * 12 + "- *b*", [*["- *a*"] * 12, "- *b*"]),
    "one line": ("*a* " * 20, ["*a* *a* *a* *a* *a* *a* *a* *a* *a* *a* "[:WIDTH].rstrip()] * 2),
    "many blocks": ("*a*\n\n" * 13, [*["a", ""] * 10, *["*a*", ""] * 2, "*a*"]),
    "the last of many": ("*a*\n\n" * 10 + "*b*\n", [*["a", ""] * 10, "*b*"]),
    "as many as there may be": ("*a*\n\n" * 9 + "*b*", [*["a", ""] * 9, "b"]),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("size", [1, 50, 500])
@pytest.mark.parametrize("which", TEXTS)
def test_it_is_written_as_it_is(which: str, size: int) -> None:
    text, expected = TEXTS[which]
    assert [line.rstrip() for line in shown(text, size)] == expected
    assert shown(text, size) == at_once(text, WIDTH)


def test_an_image_behind_it_has_its_own_line() -> None:
    screen = Screen(WIDTH, HEIGHT)
    drawn = LiveMarkdown(console_on(screen, WIDTH, HEIGHT))
    drawn.add(LIST + "and")
    drawn.add_block("![](https://e.org/a.png)")
    drawn.add("more")
    drawn.end()
    assert screen.lines() == [*["- **one**"] * 7, "and", "![](https://e.org/a.png)", "more"]


def test_control_characters_are_none_of_it() -> None:
    assert shown("- \x1b[2J\n" * 20, 9)[0] == markdown.sanitize("- \x1b[2J")
