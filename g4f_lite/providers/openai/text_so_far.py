"""The text of a choice so far, for a message that says it once more at the end of a stream."""

from __future__ import annotations

_BEGINNING = 4  # characters of a message that is shorter, which the text must have somewhere
_MOST_SEARCHED = 1 << 16  # characters of a text
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))


class TextSoFar:
    """The pieces of a text, which are looked at as little as a comparison needs: any number of messages may come.

    :param pieces: the pieces, to which whoever reads one adds it
    """

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces
        self._counted = 0  # pieces whose characters are counted
        self._length = 0
        self._solid = 0  # characters that are not blank

    def rest_of(self, whole: str) -> str | None:
        """Return what a text says behind these pieces; None if it says more than they do, or something else.

        Some services send a shorter one at the end, for instance without marks of sources.
        """
        self._count()
        if len(whole) >= self._length and whole.startswith(text := "".join(self.pieces)):
            return whole[len(text) :]
        beginning = "".join(whole.split(None, _BEGINNING)[:_BEGINNING])[:_BEGINNING]
        return None if _solid(whole) > self._solid or not self._has(beginning) else ""

    def _has(self, beginning: str) -> bool:
        """Return whether the pieces have the beginning of a text; also if there are too many to look."""
        return self._length > _MOST_SEARCHED or beginning in "".join("".join(self.pieces).split())

    def _count(self) -> None:
        for place in range(self._counted, len(self.pieces)):
            self._length += len(self.pieces[place])
            self._solid += _solid(self.pieces[place])
        self._counted = len(self.pieces)


def _solid(text: str) -> int:
    """Count the characters that are not blank, without the memory that millions of words would take."""
    return len(text) - sum(map(text.count, _BLANKS))
