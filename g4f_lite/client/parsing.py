"""``client.chat.completions.parse``: a completion with a value in its message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

from ..answers.deltas import Identity
from ..errors import RefusalError
from ..messages import Messages
from ..prompt import Prompt
from ..providers.selection import ProviderLike
from .results import Choice, Completion, CompletionMessage, CompletionUsage, now
from .routing import Router

T = TypeVar("T")


@dataclass(slots=True)
class ParsedMessage(CompletionMessage, Generic[T]):
    """The message of the model.

    :ivar parsed: the value, which is not part of the JSON; None if the model refuses
    """

    parsed: T | None = None

    def _items(self) -> Iterator[tuple[str, Any]]:
        return (item for item in CompletionMessage._items(self) if item[0] != "parsed")


@dataclass(slots=True)
class ParsedChoice(Choice, Generic[T]):
    """One answer."""

    message: ParsedMessage[T]


@dataclass(slots=True)
class ParsedCompletion(Completion, Generic[T]):
    """A whole answer with a value.

    :ivar attempts: how many answers were asked for
    :ivar messages: the messages of the last request, with what was asked again, and without the schema
    :ivar usage: the token counts of all answers
    """

    choices: list[ParsedChoice[T]]  # type: ignore[assignment]  # a list of the more precise choice
    attempts: int = 1
    messages: Messages = field(default_factory=list)

    def _items(self) -> Iterator[tuple[str, Any]]:
        return (item for item in Completion._items(self) if item[0] not in ("attempts", "messages"))


def parse(
    router: Router, prompt: Prompt, kind: Any, provider: ProviderLike | None, repairs: int
) -> ParsedCompletion[Any]:
    """Send a prompt whose answer is to be a value of a type, and return the completion.

    :param kind: the type
    :param repairs: how many times to ask again
    :raises OutputError: if the answer is not a value of the type
    """
    created = now()
    question = router.question(prompt, kind, provider)
    try:
        parsed = question.ask(repairs)
    except RefusalError:
        parsed = None
    whole = Completion.of(question.stream.answer, question.stream.identity or Identity(), created)
    stream = question.stream
    whole._response, whole._attempts = getattr(stream.source, "response", None), stream.attempts
    (choice,) = whole.choices
    message = ParsedMessage(**_fields(choice.message), parsed=parsed)
    whole.usage, whole._took = CompletionUsage.of(question.usage), question.took
    return ParsedCompletion(
        **{**_fields(whole), "choices": [ParsedChoice(**{**_fields(choice), "message": message})]},
        attempts=question.attempts,
        messages=question.messages,
    )


def _fields(result: Any) -> dict[str, Any]:
    return {each.name: getattr(result, each.name) for each in fields(result)}
