"""``stop`` and ``max_tokens`` for services that know neither: done here, on the text as it comes."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from ..answers.deltas import Delta, Finish
from ..answers.images import ImageResponse
from ..arguments import check_whole_number

# One ideograph, kana or emoji; up to six letters or digits; one other sign.  Blanks before it belong to it.
_TOKEN = re.compile(r"\s*(?:[\u2e80-\u2fff\u3001-\U0010ffff]|[^\W\u2e80-\U0010ffff]{1,6}|[^\w\s])")


class TextLimits:
    """Cut a text that comes in pieces at a stop sequence, or after a number of tokens.

    No tokenizer is at hand here, so tokens are approximated: up to six letters or digits of a word, one
    other sign, and one ideograph, kana or emoji each count as one; blanks belong to what follows them.
    How the text is cut into pieces makes no difference.

    :param stop: the text ends before the first of these, which is left out
    :param max_tokens: the most tokens that are given
    :ivar reason: ``"stop"`` or ``"length"`` once the text was cut, else None
    :raises TypeError: a wrong type;  :raises ValueError: an empty stop sequence, or less than one token
    """

    def __init__(self, *, stop: str | Sequence[str] | None = None, max_tokens: int | None = None) -> None:
        self._stops = _checked_stops(stop)
        self._max_tokens = None if max_tokens is None else check_whole_number(max_tokens, "max_tokens")
        self._held = ""  # may be the beginning of a stop sequence
        self._open = ""  # given already, and may go on: the last token's beginning
        self._blanks: list[str] = []  # behind the last token that may be given: the next one, if any, is cut
        self._tokens = 0  # that are complete
        self.reason: str | None = None

    def cut(self, deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
        """Pass deltas on up to the limit, and end the answer there: a stage of an answer's stream."""
        for delta in deltas:
            if isinstance(delta, str):
                shown = self.feed(delta)
                if shown:
                    yield shown
            else:
                if isinstance(delta, (ImageResponse, Finish)) and (shown := self.flush()):
                    yield shown
                if self.reason is None:
                    yield delta
            if self.reason is not None:
                deltas.close()
                yield Finish(self.reason)
                return

    def feed(self, piece: str) -> str:
        """Take a piece and give what of the text may be shown now; check ``reason`` after it."""
        text = self._held + piece
        # The one that is complete first, so that the cuts between the pieces make no difference.
        found = min(((at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0), default=None)
        if found is not None:
            self._held = text[: found[1]]
            shown = self.flush()
            self.reason = self.reason or "stop"
            return shown
        hold = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - hold :]
        return self._within_tokens(text[: len(text) - hold])

    def flush(self) -> str:
        """Give what was held back, as no more text follows."""
        text, self._held = self._held, ""
        shown = self._within_tokens(text)
        if self.reason is None:
            shown, self._blanks = "".join([shown, *self._blanks]), []
        return shown

    def _within_tokens(self, text: str) -> str:
        if self._max_tokens is None:
            return text
        given = len(self._open)
        text = self._open + text
        place = 0
        while match := _TOKEN.match(text, place):
            if self._tokens == self._max_tokens:
                self.reason = "length"
                return text[given:place]
            if match.end() == len(text):  # the next piece may go on with it
                self._open = text[place:]
                return text[given:]
            self._tokens += 1
            place = match.end()
        self._open = ""
        if self._tokens < self._max_tokens:
            return text[given:]
        self._blanks.append(text[place:])
        return text[given:place]


def _overlap(text: str, stop: str) -> int:
    """Give the length of the longest end of ``text`` with which ``stop`` begins."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


def _checked_stops(stop: str | Sequence[str] | None) -> list[str]:
    stops = [stop] if isinstance(stop, str) else list(stop or [])
    for each in stops:
        if not isinstance(each, str):
            raise TypeError(f"stop must be a string or a list of strings, not of {type(each).__name__}")
        if not each:
            raise ValueError("a stop sequence is empty")
    return stops
