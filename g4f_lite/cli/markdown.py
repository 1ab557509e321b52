"""Rendering Markdown on a terminal as it arrives."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

from ..errors import sanitize

REFRESHES = 12  # per second, of the block in progress
MAX_URL = 300  # characters of the URL of an image that are shown


class MarkdownWriter:
    """Writes Markdown block by block, and redraws the last block as it grows::

        with MarkdownWriter() as writer:
            for piece in answer:
                writer.feed(piece)

    The last block is written at the end of the ``with`` block, also after an error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._open = ""
        self._is_first = True
        self._live = Live(
            console=self._console,
            get_renderable=lambda: _Tail(self._open),  # parsed when it is drawn, not for every piece
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def feed(self, piece: str) -> None:
        """Take a piece of the text."""
        self._open += sanitize(piece)
        if "\n" in piece:
            complete, self._open = split(self._open)
            self._write(complete)

    def write_image(self, markdown: str) -> None:
        """Write the Markdown of an image as a block of its own."""
        text, self._open = self._open, ""
        self._write(text)
        self._write(sanitize(markdown))

    def __enter__(self) -> MarkdownWriter:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        text, self._open = self._open, ""
        self._live.stop()
        self._write(text)

    def _write(self, text: str) -> None:
        """Write complete blocks, after a blank line if they are not the first."""
        if text.strip():
            if not self._is_first:
                self._console.print()
            self._is_first = False
            self._console.print(SafeMarkdown(text))


def split(text: str) -> tuple[str, str]:
    """Split the complete blocks from the last one, which may still grow.

    An incomplete line does not begin a block: ``#`` could become a heading or a hashtag.
    """
    lines = text.splitlines(keepends=True)
    complete = [line for line in lines if line.endswith("\n")]
    blocks = _parser().parse("".join(complete))
    starts = [token.map[0] for token in blocks if token.level == 0 and token.nesting >= 0 and token.map]
    start = starts[-1] if starts else 0
    return "".join(lines[:start]), "".join(lines[start:])


def _parser() -> MarkdownIt:
    return MarkdownIt().enable("strikethrough").enable("table")  # as rich does


class SafeMarkdown(Markdown):
    """Markdown without control characters in entities, and with visible URLs of links and images."""

    def __init__(self, text: str) -> None:
        super().__init__(text, hyperlinks=False)
        _clean(self.parsed)


def _clean(tokens: Iterable[Token]) -> None:
    """Remove control characters, which entities such as ``&#27;`` stand for, from tokens.

    An image becomes text, because rich does not show the URL of an image.
    """
    for token in tokens:
        if token.type == "image":
            url = str(token.attrs.get("src", ""))
            shown = url if len(url) <= MAX_URL else f"{url[:MAX_URL]}…"
            token.type, token.tag, token.content, token.children = "text", "", f"{token.content} ({shown})", None
        token.content = sanitize(token.content)
        token.info = sanitize(token.info)
        _clean(token.children or ())


class _Tail:
    """The last lines of a text, as many as fit the terminal."""

    def __init__(self, text: str) -> None:
        self._markdown = SafeMarkdown(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._markdown, options, pad=False)
        for line in lines[-max(1, console.size.height - 1) :]:
            yield from line
            yield Segment.line()
