"""Characters that may be shown on a terminal."""

from __future__ import annotations

# Control characters could move the cursor or set the clipboard; a carriage return could hide what stands before it.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\N{REPLACEMENT CHARACTER}")
_HARMLESS = {**_CONTROLS, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}


def harmless(text: str) -> str:
    """Give a text without the control characters that a terminal obeys."""
    return text.translate(_HARMLESS)
