"""An answer that matches ``--schema``, which is asked for once more where it does not."""

from __future__ import annotations

from typing import Any

from ..answers.answer import Answer
from ..conversation import Conversation
from ..errors import OutputError
from ..messages import Image, to_json
from .failure import checking_arguments, one_line
from .keyboard import silent_keyboard
from .notes import note
from .waiting import told_if_late


def ask_for_json(
    conversation: Conversation, text: str, images: list[Image] | None, options: dict[str, Any]
) -> tuple[Answer, OutputError | None]:
    """Send a message, and once more with what was wrong if the answer does not match; then it is not in the history.

    :param options: options of the turn, with the schema as ``output``; the two answers share its timeout
    :returns: the JSON, with what both answers took; or the last answer, and why it does not match
    :raises G4FLiteError: if there is no whole answer
    """
    with checking_arguments():
        question = conversation.stream(text, images=images, **options).question
    question.on_again = lambda wrong: note(
        one_line(f"the answer is not a valid {question.output.name}: {wrong}; asking again")
    )
    error = None
    try:
        with silent_keyboard(), told_if_late(question.stream):
            answer = to_json(question.ask(repairs=1), ensure_ascii=False)
    except OutputError as mismatch:
        answer, error = str(question.answer), mismatch
    taken = {"usage": question.usage, "seconds": question.seconds}
    return Answer(answer, **{**vars(question.answer), **taken}), error
