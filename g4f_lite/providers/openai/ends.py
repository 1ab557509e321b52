"""Whether an answer is over, and what a finish reason is worth."""

from __future__ import annotations

from typing import Any

from ...answers.deltas import Delta, ToolCallDelta, is_content
from ...errors import ResponseFormatError
from .fields import text_in

MAX_REASON = 1_000  # characters of why an answer ended
_NO_REASON = ("null", "None", "")  # which some services write where the API has null


def is_reason(reason: Any) -> bool:
    """Return whether a field says why an answer ended."""
    return bool(reason) and reason not in _NO_REASON


class Ends:
    """The ends of an answer's choices, as their finish reasons say.

    By the protocol nothing comes behind a finish reason.  Some gateways send one with the thoughts, with each call of a
    tool, or in every chunk: gcli2api and Open WebUI did.  So what can be read behind one belongs to the answer, which
    is over where no more comes.

    :param several: whether more than one choice was asked for; each has an end of its own then
    :ivar reasons: the finish reason of each choice, by its index
    :ivar went_on: whether a part of the answer came behind a reason, so that the reasons alone prove nothing
    """

    def __init__(self, *, several: bool) -> None:
        self.reasons: dict[int, str] = {}
        self.went_on = False
        self._several = several
        self._open = {0} if several else set()  # choices of which something has come since their last reason
        self._lost: ResponseFormatError | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is a reason, and nothing of the answer has come behind it."""
        return bool(self.reasons) and not self._open

    def add_reason(self, index: int, reason: Any) -> None:
        """Note why a choice ended."""
        named = reason if isinstance(reason, str) else text_in(reason, "type", "reason") or str(reason)
        self.reasons[index] = named[:MAX_REASON]
        if self._several:
            self._open.discard(index)
        else:
            self._open.clear()

    def note(self, index: int, delta: Delta) -> None:
        """Note a delta of a choice, where one has ended or there are several.

        :raises ResponseFormatError: if it is a part of the answer, and one before it could not be read
        """
        if not _is_piece(delta):
            return
        self.went_on = self.went_on or not self._several or index in self.reasons
        if self._lost is not None:
            raise self._lost
        self._open.add(index)

    def lose(self, error: ResponseFormatError) -> None:
        """Note that something could not be read, which is no loss where the answer is over.

        :raises ResponseFormatError: if it may be a part of the answer
        """
        if self._several or self.went_on or not self.is_over:
            raise error
        self._lost = self._lost or error


def _is_piece(delta: Delta) -> bool:
    """Return whether a delta is a piece of the answer, and not a whole call of a tool that comes once more."""
    if isinstance(delta, ToolCallDelta):
        return bool(delta.id or delta.name or delta.arguments)
    return is_content(delta)
