"""Markdown on a terminal, rendered as it comes."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

from .characters import harmless

DRAWINGS = 12  # in a second, of the block that is being written
LONGEST_ADDRESS = 300  # characters that are shown of a picture's address


class RenderedMarkdown:
    """Writes Markdown block by block: those that are over stay, and the last is drawn again as it grows.

        with RenderedMarkdown() as rendered:
            for piece in answer:
                rendered.feed(piece)

    What is open at the end of the ``with`` block is written then, also after an error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._open = ""
        self._is_first = True
        self._live = Live(
            console=self._console,
            get_renderable=lambda: _Tail(self._open),  # made when it is drawn, not for every piece
            refresh_per_second=DRAWINGS,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def feed(self, piece: str) -> None:
        """Take more of the text."""
        self._open += harmless(piece)
        if "\n" in piece:
            over, self._open = split(self._open)
            self._write(over)

    def write_picture(self, markdown: str) -> None:
        """Write the Markdown of a picture as a block of its own."""
        text, self._open = self._open, ""
        self._write(text)
        self._write(harmless(markdown))

    def __enter__(self) -> RenderedMarkdown:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        text, self._open = self._open, ""
        self._live.stop()
        self._write(text)

    def _write(self, text: str) -> None:
        """Write what does not change any more, a blank line after what stands before it."""
        if text.strip():
            if not self._is_first:
                self._console.print()
            self._is_first = False
            self._console.print(HarmlessMarkdown(text))


def split(text: str) -> tuple[str, str]:
    """Part the blocks that are over from the last, which may still grow.

    A line whose end has not come decides nothing: ``#`` could be a heading's or a tag's.
    """
    lines = text.splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    blocks = _parser().parse("".join(whole))
    starts = [token.map[0] for token in blocks if token.level == 0 and token.nesting >= 0 and token.map]
    start = starts[-1] if starts else 0
    return "".join(lines[:start]), "".join(lines[start:])


def _parser() -> MarkdownIt:
    return MarkdownIt().enable("strikethrough").enable("table")  # what rich reads


class HarmlessMarkdown(Markdown):
    """Markdown whose entities stand for no control characters, and whose links and pictures show their addresses."""

    def __init__(self, text: str) -> None:
        super().__init__(text, hyperlinks=False)
        _clean(self.parsed)


def _clean(tokens: Iterable[Token]) -> None:
    """Take control characters, which entities such as ``&#27;`` stand for, out of what will be shown.

    A picture becomes a text, because rich shows no address of one.
    """
    for token in tokens:
        if token.type == "image":
            address = str(token.attrs.get("src", ""))
            shown = address if len(address) <= LONGEST_ADDRESS else f"{address[:LONGEST_ADDRESS]}…"
            token.type, token.tag, token.content, token.children = "text", "", f"{token.content} ({shown})", None
        token.content = harmless(token.content)
        token.info = harmless(token.info)
        _clean(token.children or ())


class _Tail:
    """As many of the last lines of a text as the terminal has room for."""

    def __init__(self, text: str) -> None:
        self._markdown = HarmlessMarkdown(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._markdown, options, pad=False)
        for line in lines[-max(1, console.size.height - 1) :]:
            yield from line
            yield Segment.line()
