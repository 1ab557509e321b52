"""Prints the rows of the matrix as the table of docs/reliability.md: ``python -m tests.wire.matrix_table``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from .matrix_rows import ROWS, MiB, Outcomes, Row
from .matrix_rows_beside import BOOTSTRAP_ROWS, DRAWING_ROWS, IMAGE_ROWS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- the matrix: begin -->\n", "<!-- the matrix: end -->\n"

TABLES = {
    "A text": ROWS,
    "What comes before a prompt: a nonce, a token, a page with cookies, a list of models": BOOTSTRAP_ROWS,
    "The request to draw an image": DRAWING_ROWS,
    "Fetching an image": IMAGE_ROWS,
}
NAMES = ("OpenAICompatible", "AiEngine", "AiChats", "AiChatOnline")  # Chatgpt4Online is an AiEngine
WORDS = {
    "closed port": "nobody listens",
    "refuse": "the new connection is reset",
    "reset": "the connection is reset",
    "cut": "the connection is closed",
    "stall": "silence",
    "drip": "a byte every 0.05 s",
    "end": "the body ends, without an end marker",
    "truncate": "the body ends in the middle of a piece",
    "empty": "an answer with nothing in it",
    "no_body": "no byte of a body",
    "trailing": "1 MiB of blank lines behind the answer",
    "status": "status",
    "server_error": "status 503",
    "rate_limit": "status 429",
    "redirect": "a redirect, status",
    "challenge": "a bot-challenge page, status",
    "error": "the service's own error",
    "limit": "the service's own words for a limit",
    "quota": "the service's own words for a used-up quota",
    "success_false": "the service rejects the request",
    "token": "the token, cookie or key is refused",
    "not_json": "a piece that is no JSON",
    "wrong_types": "a piece with values of wrong types",
    "endless_line": "a line without an end",
    "endless_headers": "256 KiB of headers",
    "page": "a web page, status 200",
    "bomb": "8 MiB of blanks in a small gzip body",
}


def what(rows: list[Row]) -> str:
    """Say what happens in rows that differ in a status alone."""
    row = rows[0]
    words = WORDS[row.fault]
    if statuses := ", ".join(str(each.settings["status"]) for each in rows if "status" in each.settings):
        words += f" {statuses}"
    if row.settings.get("date"):
        words += ", Retry-After: a date that is past"
    elif "retry_after" in row.settings:
        words += f", Retry-After: {row.settings['retry_after']}"
    if "size" in row.settings and row.fault == "endless_line":
        words += f", {row.settings['size'] // MiB} MiB"
    if "seconds" in row.settings:
        words += f" for {row.settings['seconds']} s"
    elif row.fault == "stall":
        words += f" beyond the {row.limits} limit"
    if "interval" in row.settings:
        words = f"a byte every {row.settings['interval']} s"
    framing = {"close": "body without a length", "length": "body with a length"}
    if row.server:
        words += f" ({framing.get(row.server.get('framing', ''), 'compressed body')})"
    return words


def shown(outcomes: Outcomes) -> str:
    """Say what each family gives, those together that give the same."""
    families: dict[str, list[str]] = {}
    for outcome, names in zip(outcomes, NAMES, strict=True):
        if outcome is not None:
            families.setdefault(str(outcome), []).append(names)
    if len(families) == 1:
        return next(iter(families))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in families.items())


def table() -> str:
    """Write it, in parts."""
    return "\n".join(f"### {title}\n\n{part_of_table(rows)}" for title, rows in TABLES.items())


def part_of_table(all_rows: list[Row]) -> str:
    lines = [
        "| what happens | where | what a caller gets |",
        "|---|---|---|",
    ]

    def alike(row: Row) -> tuple[object, ...]:
        rest = {name: value for name, value in row.settings.items() if name != "status"}
        return row.fault, row.place, shown(row.outcomes), rest, row.server, row.limits

    for _, group in groupby(all_rows, alike):
        rows = list(group)
        lines.append(f"| {what(rows)} | {rows[0].place} | {shown(rows[0].outcomes)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
