"""``stop`` and ``max_tokens`` for services that do not support them: applied to the text as it arrives."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from ..answers.buffer import MAX_BYTES
from ..answers.deltas import Delta, Finish
from ..answers.images import ImageResponse
from ..arguments import check_stop, check_whole_number

# One ideograph, kana or emoji; up to six letters or digits; one other character.  Preceding white space is included.
_TOKEN = re.compile(r"\s*(?:[\u2e80-\u2fff\u3001-\U0010ffff]|[^\W\u2e80-\U0010ffff]{1,6}|[^\w\s])")


class TextLimits:
    """Cuts a streamed text at a stop sequence, or after a number of tokens.

    Tokens are approximated, because the model's tokenizer is not available: up to six letters or digits of a word,
    one ideograph, kana or emoji, and any other single character count as one token each; white space belongs to the
    token after it.  The result does not depend on how the text is split into pieces.

    :param stop: a text before which the answer ends, or several
    :param max_tokens: the maximum number of tokens
    :ivar reason: ``"stop"`` or ``"length"`` once the text was cut, else None
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if a stop sequence is empty, or they are too many or too long, or ``max_tokens`` is less than 1
    """

    def __init__(self, *, stop: str | Sequence[str] | None = None, max_tokens: int | None = None) -> None:
        self._stops = [] if stop is None else check_stop(stop)
        self._beginnings = {each[:length] for each in self._stops for length in range(1, len(each))}
        self._longest = max(map(len, self._beginnings), default=0)
        self._max_tokens = None if max_tokens is None else check_whole_number(max_tokens, "max_tokens")
        self._held = ""  # not passed on yet: it may be the beginning of a stop sequence
        self._last_token = ""  # passed on already: the last token, which may continue
        self._white_space: list[str] = []  # after the last token allowed; passed on if no other token follows
        self._room = MAX_BYTES  # for white space that is not passed on
        self._tokens = 0  # complete tokens
        self.reason: str | None = None

    def cut(self, deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
        """Pass on deltas up to a limit, and end the answer there: a stage of an answer's stream."""
        for delta in deltas:
            if isinstance(delta, str):
                ready = self.feed(delta)
                if ready:
                    yield ready
            else:
                if isinstance(delta, (ImageResponse, Finish)) and (ready := self.flush()):
                    yield ready
                if self.reason is None:
                    yield delta
            if self.reason is not None:
                deltas.close()
                yield Finish(self.reason)
                return

    def feed(self, piece: str) -> str:
        """Take a piece of text and return what can be passed on now; check ``reason`` afterwards."""
        text = self._held + piece
        # The stop sequence that is complete first, so that the result does not depend on the pieces.
        found = min(((at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0), default=None)
        if found is not None:
            self._held = text[: found[1]]
            ready = self.flush()
            self.reason = self.reason or "stop"
            return ready
        lengths = range(min(len(text), self._longest), 0, -1)
        hold = next((length for length in lengths if text[-length:] in self._beginnings), 0)
        self._held = text[len(text) - hold :]
        return self._within_tokens(text[: len(text) - hold])

    def flush(self) -> str:
        """Return the text that was held back, at the end of the text."""
        text, self._held = self._held, ""
        ready = self._within_tokens(text)
        if self.reason is None:
            ready, self._white_space = "".join([ready, *self._white_space]), []
        return ready

    def _within_tokens(self, text: str) -> str:
        if self._max_tokens is None:
            return text
        start = len(self._last_token)
        text = self._last_token + text
        position = 0
        while match := _TOKEN.match(text, position):
            if self._tokens == self._max_tokens:
                self.reason = "length"
                return text[start:position]
            if match.end() == len(text):  # the next piece may continue this token
                self._last_token = text[position:]
                return text[start:]
            self._tokens += 1
            position = match.end()
        self._last_token = ""
        if self._tokens < self._max_tokens:
            return text[start:]
        self._white_space.append(text[position:])
        self._room -= len(text) - position
        if self._room < 0:
            self.reason = "length"
        return text[start:position]


def approximate_tokens(text: str) -> int:
    """Count the tokens of a text as :class:`TextLimits` does."""
    return sum(1 for _ in _TOKEN.finditer(text.rstrip()))  # behind the last token each blank would be tried
