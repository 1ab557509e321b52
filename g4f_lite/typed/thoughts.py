"""Leaving out the thoughts that a model writes before its answer, in the same text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BEGINNING, _END = "<think>", "</think>"


def without_thoughts(text: str) -> str:
    """Return a text without the thoughts between ``<think>`` tags that it begins with."""
    return "".join(pieces_without_thoughts([text]))


def pieces_without_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """Iterate the pieces of a text as they come, without such thoughts, and without the white space before them."""
    coming = iter(pieces)
    text = ""
    for piece in coming:
        text = (text + piece).lstrip()
        if not _BEGINNING.startswith(text):
            break
    if text.startswith(_BEGINNING):
        held, last = [text], text
        while _END not in last and (next_piece := next(coming, None)) is not None:
            held.append(next_piece)
            last = last[1 - len(_END) :] + next_piece
        _, end, rest = last.partition(_END)
        text = rest if end else "".join(held)
    yield text
    yield from coming
