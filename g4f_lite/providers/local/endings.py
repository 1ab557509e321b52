"""Where an answer ends that nobody has set a limit for: at a sentence, or where it begins to repeat itself."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator

from ...answers.deltas import Delta, Finish
from ...arguments import warn

HELD_PIECES = 64  # the last before a usual limit: what is behind the last sentence in them is not given
REPETITION = "repetition"
_WORD = re.compile(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+")  # where words have no blanks between them, a character
_ORDINAL = re.compile(r"^\W*\d+[.)]\W*$")  # those of a list go on also where nothing else does
_AROUND = "*_,.;:!?\"'()"
_SENTENCE_END = re.compile(r"""(?<=[^\W\d])[.!?…。！？]+["'”’)\]*_]*(?=\s)|\n""")


class Repetition:
    """Notices that a text goes round in circles: of its last words, most stand where they stood before.

    Three words in a row count as seen before if they were, whatever is between.  Of 60 ordinary answers of a
    small model, those that made sense had at most 35 in 100 such places; those that ran to the limit had 80
    and more.
    """

    WORDS = 100
    SEEN = 80

    def __init__(self) -> None:
        self._open = ""  # the last word, which may go on
        self._last: tuple[str, ...] = ()
        self._before: set[tuple[str, ...]] = set()
        self._places: deque[bool] = deque(maxlen=self.WORDS)

    def feed(self, piece: str) -> bool:
        """Take a piece of the text, and tell whether it repeats itself by now."""
        words = _WORD.findall(self._open + piece)
        self._open = words.pop() if words and not piece[-1:].isspace() else ""
        for word in words:
            self._last = (*self._last, _ORDINAL.sub("1.", word).strip(_AROUND).lower())[-3:]
            self._places.append(self._last in self._before)
            self._before.add(self._last)
        return bool(words) and sum(self._places) >= self.SEEN


def well_ended(deltas: Iterator[Delta], stop: Callable[[], object], limit: int | None) -> Iterator[Delta]:
    """Pass an answer's deltas on to a good end, where the caller has not said how long it may be.

    :param stop: ends the answer at its source
    :param limit: the most tokens that the engine gives; None where that is the model's own affair
    """
    streamed = None if limit is None else limit - min(HELD_PIECES, limit // 8)
    repetition, held, pieces, at_sentence = Repetition(), "", 0, False
    for delta in deltas:
        if isinstance(delta, str):
            held += delta
            pieces += 1
            if repetition.feed(delta):
                warn("the model repeated itself, so that its answer was ended; ask otherwise, or ask another model")
                stop()
                yield held
                yield Finish(REPETITION)
                return
            if streamed is None or pieces <= streamed:
                yield held
                held = ""
            elif ends := [found.end() for found in _SENTENCE_END.finditer(held)]:
                at_sentence = True
                yield held[: ends[-1]]
                held = held[ends[-1] :]
            continue
        if isinstance(delta, Finish):
            if held and not (delta.reason == "length" and at_sentence):
                yield held
            held = ""
        yield delta
