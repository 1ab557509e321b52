"""Markdown in blocks, each of which is rendered by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement
from rich.table import Table
from rich.text import Text

from ..errors import sanitize

MAX_URL = 300  # characters of the URL of an image that are shown
COLUMN = 4  # characters that a column of a table needs at least, including what is between columns
MAX_HIGHLIGHTED = 4_000  # characters of code; of some languages the time that it takes grows with the square
MAX_TOKENS = 20_000  # of the parser's in a block that is rendered: some thousand items of a list, or cells of a table
MAX_TEXT = 16_000  # characters of a paragraph in it; of some, such as ``![![``, the time grows with their square
MAX_NESTING = 16  # levels of lists and quotes, which the parser counts; deeper ones would leave no room for text

# As rich parses, but tags such as <div> stay text, of which rich would show nothing, and so do definitions of links:
# whether `[1]` is a link would depend on a line that may come after the block has been written.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table").disable("reference")


def _parse_short(state: StateCore) -> None:
    """Parse what is in paragraphs, headings and cells, if it can be rendered."""
    for token in state.tokens:
        if token.type == "inline" and len(token.content) <= MAX_TEXT:
            token.children = []
            state.md.inline.parse(token.content, state.md, state.env, token.children)


_PARSER.core.ruler.at("inline", _parse_short)


class WholeTable(TableElement):
    """A table that breaks long words instead of cutting them off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class Block(Markdown):
    """A block of Markdown, without control characters in entities, and with visible URLs of links and images.

    :param tokens: what the parser made of it
    :param source: its text, which is shown as it is where rich would leave something out or take too long
    """

    elements: ClassVar = {**Markdown.elements, "table_open": WholeTable}

    def __init__(self, tokens: list[Token], source: str) -> None:
        super().__init__("", hyperlinks=False, code_theme="ansi_dark")  # the terminal's own colours
        texts = [token for token in tokens if token.type == "inline"]
        _clean(tokens)
        self.parsed = tokens
        self.source = source
        self._columns = sum(token.type == "th_open" for token in tokens)
        self._is_long = len(tokens) > MAX_TOKENS or any(len(token.content) > MAX_TEXT for token in texts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_deep = any(token.level >= MAX_NESTING for token in self.parsed)
        if is_deep or self._is_long or self._columns * COLUMN > options.max_width:
            yield Text(self.source.strip("\n"), overflow="fold")
        else:
            yield from super().__rich_console__(console, options)


def blocks(text: str) -> list[Block]:
    """Parse Markdown into its blocks at the top level."""
    return _sourced(_groups(text), text.split("\n"))  # lines as the parser counts them


def split(text: str) -> tuple[list[Block], str]:
    """Split the complete blocks from the text of the last one, which may still grow.

    An incomplete line does not begin a block: ``#`` could become a heading or a hashtag.
    """
    complete, newline, incomplete = text.rpartition("\n")
    groups = _groups(complete + newline)
    if len(groups) < 2:
        return [], text
    start = groups[-1][0]
    lines = complete.split("\n")
    return _sourced(groups[:-1], lines[:start]), "\n".join([*lines[start:], incomplete])


def _sourced(groups: list[tuple[int, list[Token]]], lines: list[str]) -> list[Block]:
    """Make blocks of what the parser made of some lines."""
    starts = [start for start, _ in groups] + [len(lines)]
    return [Block(tokens, "\n".join(lines[start : starts[number]])) for number, (start, tokens) in enumerate(groups, 1)]


def _groups(text: str) -> list[tuple[int, list[Token]]]:
    """Parse Markdown, and return the number of the first line and the tokens of each block at the top level."""
    groups: list[tuple[int, list[Token]]] = []
    for token in _PARSER.parse(text):
        if token.level == 0 and token.nesting >= 0:
            groups.append((token.map[0] if token.map else 0, []))
        groups[-1][1].append(token)
    return groups


def _clean(tokens: Iterable[Token]) -> None:
    """Remove control characters, which entities such as ``&#27;`` stand for, from tokens, and keep the ends of lines.

    An image becomes text, because rich does not show the URL of an image.
    """
    for token in tokens:
        if token.type == "image":
            url = str(token.attrs.get("src", ""))
            shown = url if len(url) <= MAX_URL else f"{url[:MAX_URL]}…"
            token.type, token.tag, token.content, token.children = "text", "", f"{token.content} ({shown})", None
        if token.type == "softbreak":  # the lines of a poem or of an address, which a model ends where they end
            token.type, token.tag = "hardbreak", "br"
        if token.type == "fence" and len(token.content) > MAX_HIGHLIGHTED:
            token.info = ""
        token.content = sanitize(token.content)
        token.info = sanitize(token.info)
        _clean(token.children or ())
