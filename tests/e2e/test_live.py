"""What a terminal shows, with its scroll-back, when Markdown was drawn on it as it arrived."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from g4f_lite.cli.live import LiveMarkdown

from .screen import Screen

WORD = re.compile(r"w\d+w")
FORMS = [
    "# {}",
    "## {} {}",
    "{} {}\n===",
    "{} {} {} {} {} {} {} {} {} {} {} {} {} {}",
    "**{} {}** *{}* `{}` ~~{}~~ {}\n{}",
    "{} <div>{}</div> vector<{}> <T> {}",
    "<div>\n{}\n</div>",
    "<!-- {} -->",
    "[{}](/{}) ![{}](/{}.png)",
    "[{}][1] {}",
    "[1]: https://e.org/{}",
    "- {}\n- {} {}\n  - {}\n- {}",
    "* {}\n\n  {}\n\n* {}",
    "1. {}\n2. {}\n\n   ```\n   {}\n   ```\n3. {}",
    "- [ ] {}\n- [x] {}",
    "> {} {}\n> {}\n>\n> - {}\n> - {}",
    "```python\ndef {}():\n\n    return '{}'  # {}\n```",
    "~~~\n{}\n# {}\n~~~",
    "    {}\n\n    {}",
    "| {} | {} |\n|---|--:|\n| {} | `{}` |\n| {} | **{}** |",
    "{} | {}\n--- | ---\n{} | {}",
    "---\n\n{}",
    "{}\\\n{}  \n{}",
    "&lt;{}&gt; &amp; {} \\*{}\\*",
    "{}\n# {}\n{}\n- {}\n\n\n\n{}",
    "```\n{}",
]


@st.composite
def documents(draw: st.DrawFn, more: list[str] | None = None) -> str:
    """Return Markdown in which each word stands once."""
    forms = draw(st.lists(st.sampled_from(FORMS + (more or [])), min_size=1, max_size=7))
    text = draw(st.sampled_from(["\n\n", "\n\n", "\n"])).join(forms)
    count = iter(range(10_000))
    return re.sub(r"\{\}", lambda _: f"w{next(count)}w", text) + draw(st.sampled_from(["", "\n", "\n\n"]))


def console_on(screen: Screen, width: int, height: int) -> Console:
    return Console(
        file=screen, force_terminal=True, width=width, height=height, legacy_windows=False, color_system="256"
    )


def at_once(text: str, width: int) -> list[str]:
    screen = Screen(width, 500)
    live = LiveMarkdown(console_on(screen, width, 500))
    live.add(text)
    live.end()
    return screen.lines()


def show(
    text: str, cuts: list[int], width: int, height: int, between: Callable[[Screen, Console], None] | None = None
) -> Screen:
    """Draw a text in pieces of these lengths, of which 0 is drawing once more."""
    screen = Screen(width, height)
    console = console_on(screen, width, height)
    live = LiveMarkdown(console)
    start = 0
    for length in cuts:
        live.add(text[start : start + length])
        start += length
        live.draw()
        if between is not None:
            between(screen, console)
    live.add(text[start:])
    live.end()
    return screen


CUTS = st.one_of(
    st.lists(st.integers(0, 60), max_size=30), st.integers(1, 12).map(lambda length: [length] * (400 // length))
)


SOME = settings(max_examples=10, deadline=None, derandomize=True, phases=[Phase.generate])
MANY = settings(SOME, max_examples=100)
SHOWN = {
    "text": documents(["界 {} é {} 😀 {}"]),
    "cuts": CUTS,
    "width": st.integers(30, 100),
    "height": st.integers(2, 30),
}
RESIZED = {"text": documents(), "cuts": CUTS, "widths": st.lists(st.integers(30, 100), min_size=2, max_size=6)}


def assert_shown(text: str, cuts: list[int], width: int, height: int) -> None:
    shown = show(text, cuts, width, height).lines()
    assert shown == at_once(text, width)
    assert Counter(WORD.findall("\n".join(shown))) == Counter(WORD.findall(text))


def assert_whole_after_resizing(text: str, cuts: list[int], widths: list[int]) -> None:
    later = iter(widths[1:])

    def resize(screen: Screen, console: Console) -> None:
        if (width := next(later, None)) is not None:
            screen.resize(width, 60)
            console.size = (width, 60)  # type: ignore[assignment]

    shown = show(text, cuts, widths[0], 60, resize).lines()
    assert Counter(WORD.findall("\n".join(shown))) == Counter(WORD.findall(text))


@pytest.mark.once
@SOME
@given(**SHOWN)
def test_the_screen_shows_what_the_answer_is_at_once(text: str, cuts: list[int], width: int, height: int) -> None:
    assert_shown(text, cuts, width, height)


@pytest.mark.once
@SOME
@given(**RESIZED)
def test_no_word_is_lost_or_repeated_when_the_terminal_is_resized(
    text: str, cuts: list[int], widths: list[int]
) -> None:
    assert_whole_after_resizing(text, cuts, widths)


@pytest.mark.once
@pytest.mark.timeout(600)
@MANY
@given(**SHOWN)
def test_the_screen_shows_any_of_many_answers(text: str, cuts: list[int], width: int, height: int) -> None:
    assert_shown(text, cuts, width, height)


@pytest.mark.once
@pytest.mark.timeout(600)
@MANY
@given(**RESIZED)
def test_many_answers_are_whole_after_resizing(text: str, cuts: list[int], widths: list[int]) -> None:
    assert_whole_after_resizing(text, cuts, widths)


@pytest.mark.parametrize(
    "form",
    ["{}", "# {}", "- {}", "`{}`", "```\n{}\n```", "|||\n|-|-|\n|{}||", f"{'|' * 31}\n{'|-' * 30}|\n|{{}}|"],
)
def test_a_word_longer_than_the_screen_is_whole(form: str) -> None:
    shown = show(form.format("x" * 90), [3] * 40, 30, 10).lines()
    assert sum(line.count("x") for line in shown) == 90


@pytest.mark.parametrize("widths", [(80, 40), (80, 30, 79), (40, 80), (60, 59, 58)])
def test_a_long_paragraph_is_whole_after_resizing(widths: tuple[int, ...]) -> None:
    text = "\n\n".join(" ".join(f"w{number}w" for number in range(start, start + 60)) for start in (0, 60, 120))
    assert_whole_after_resizing(text, [250] * len(widths), list(widths))


def test_lines_of_another_program_are_not_erased() -> None:
    screen = Screen(40, 10)
    live = LiveMarkdown(console_on(screen, 40, 10))
    live.add("one\n\ntwo\n")
    live.draw()
    screen.write("stopped\n")
    live.begin_anew()
    live.add("three")
    live.draw()
    live.end()
    assert screen.lines() == ["one", "", "two", "stopped", "", "two", "three"]


def test_deeply_nested_text_is_whole() -> None:
    for text in (">" * 60 + " word", "".join(f"{'  ' * depth}- {depth}word\n" for depth in range(40))):
        shown = show(text, [7] * 30, 200, 10).lines()
        assert sum(line.count("word") for line in shown) == text.count("word"), text
