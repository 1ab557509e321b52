"""Asking once more where the answer does not have the format that ``--schema`` requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..conversation import Conversation
from ..errors import ResponseFormatError
from ..messages import Image, to_messages
from .failure import checking_arguments, one_line
from .notes import note
from .waiting import told_if_late

_CUT = ("length", "content_filter")  # finish reasons of an answer that asking again would not complete


def send_checked(
    conversation: Conversation,
    text: str,
    images: list[Image] | None,
    options: dict[str, Any],
    check: Callable[[str], object],
    on_end: Callable[[AnswerStream], object],
) -> tuple[AnswerStream, ResponseFormatError | None]:
    """Send a message, and once more with what was wrong if the answer does not fit.

    What was asked again is not in the history, and neither is the turn if no answer fits.

    :param options: options of the turn; the two answers share its timeout
    :param check: raises for an answer that does not fit
    :param on_end: called with the stream of each answer that has ended
    :returns: the stream of the last answer, which has ended, and why it does not fit, if so
    :raises G4FLiteError: if there is no whole answer
    """
    began_at = time.monotonic()
    before = list(conversation.messages)
    with checking_arguments():
        turn = to_messages(text, images=images)
        stream = conversation.stream(text, images=images, **options)
    wrong = _mismatch(stream.when_ended(on_end), check)
    if wrong is None:
        return stream, None
    conversation.messages = before
    left = None if options["timeout"] is None else options["timeout"] - (time.monotonic() - began_at)
    if stream.finish_reason in _CUT or (left is not None and left <= 0):
        return stream, wrong
    note(f"{one_line(wrong.message)}; asking again")
    again = conversation.copy()
    answer = [{"role": "assistant", "content": wrong.partial}] if (wrong.partial or "").strip() else []
    again.messages = [*before, *turn, *answer]
    request = f"Your answer is not valid: {wrong.message}\nAnswer again, with JSON that has the required format."
    stream = again.stream(request, **{**options, "timeout": left})
    wrong = _mismatch(stream.when_ended(on_end), check)
    if wrong is None:
        conversation.messages = [*before, *turn, again.messages[-1]]
    return stream, wrong


def add_up(answer: Answer, streams: list[AnswerStream]) -> None:
    """Give an answer the tokens and the time of all that were asked for, as its cost is that of all.

    :param streams: those of the answers, which have ended
    """
    usages = [stream.usage for stream in streams if stream.usage is not None]
    answer.usage = sum(usages[1:], usages[0]) if usages else None
    answer.seconds = sum(stream.seconds for stream in streams)


def _mismatch(stream: AnswerStream, check: Callable[[str], object]) -> ResponseFormatError | None:
    """Read an answer to its end, and return why it does not fit."""
    with stream:
        try:
            with told_if_late(stream):
                text = str(stream.text())
        except ResponseFormatError as error:  # of a service that knows no schemas, or of one that breaks its protocol
            if "response_format" in error.message:
                return error
            raise
    try:
        check(text)
    except ResponseFormatError as error:
        return error
    return None
