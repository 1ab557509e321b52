"""Removing control characters before text is written to a terminal."""

from __future__ import annotations

# Control characters could move the cursor or set the clipboard; a carriage return could hide the text before it.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")
_REPLACEMENTS = {**_CONTROLS, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}


def sanitize(text: str) -> str:
    """Return a text without the control characters that a terminal interprets."""
    return text.translate(_REPLACEMENTS)
