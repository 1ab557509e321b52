"""The text of a choice so far, for a message that says it once more at the end of a stream."""

from __future__ import annotations

_MOST_SEARCHED = 1 << 16  # characters of a text, for the beginning of a message that is shorter


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
        words = whole.split()
        return None if len("".join(words)) > self._solid or not self._has(*words[:1]) else ""

    def _has(self, word: str = "") -> bool:
        """Return whether a word is among the pieces; also if there are too many to look."""
        return self._length > _MOST_SEARCHED or word in "".join(self.pieces)

    def _count(self) -> None:
        for place in range(self._counted, len(self.pieces)):
            self._length += len(self.pieces[place])
            self._solid += len("".join(self.pieces[place].split()))
        self._counted = len(self.pieces)
