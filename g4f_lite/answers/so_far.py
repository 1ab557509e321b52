"""What has arrived of an answer so far, and what is known of its call."""

from __future__ import annotations

import time
from typing import Any

from ..errors import ConversationNotFoundError, G4FLiteError, ResponseFormatError, StoreError
from .answer import Answer
from .buffer import MAX_BYTES, Buffer
from .call_usage import CallUsage
from .deltas import Delta, Identity, ToolCall, Usage
from .source import Scrub


class AnswerSoFar:
    """The part of an answer that has arrived; an :class:`~g4f_lite.AnswerStream` reads on.

    :param provider: the name of the provider
    :param model: the requested model
    :param scrub: takes secrets out of an error, in place, if the source has no method of this name
    """

    def __init__(self, provider: str, model: str | None, scrub: Scrub | None) -> None:
        self._provider = provider
        self._model = model
        self._scrub = scrub
        self._buffer = Buffer()
        self._began_at = 0.0
        self.source: Any = None  # the call, once it has begun
        self.seconds = 0.0
        self.error: G4FLiteError | None = None
        self.cached = False  # whether a stage answers from a cache
        self._passed_over: dict[str, str] = {}

    @property
    def provider(self) -> str:
        """The name of the provider; for a Fallback, of the member that answers, once it is known."""
        return getattr(self.source, "provider", None) or self._provider

    @property
    def model(self) -> str | None:
        """The requested model, or None if none was named."""
        return getattr(self.source, "model", None) or self._model

    @property
    def served_model(self) -> str | None:
        """The model that the service says has answered, or None until it has said so."""
        return (self.identity and self.identity.model) or None

    @property
    def attempts(self) -> int | None:
        """How many times the prompt was sent, or None where the provider does not say."""
        return getattr(self.source, "attempts", None)

    @property
    def passed_over(self) -> dict[str, str]:
        """Of a chain, why the members that were asked before did not answer, by their names."""
        return getattr(self.source, "passed_over", None) or self._passed_over

    @property
    def begun(self) -> bool:
        """Whether anything has arrived."""
        return self._buffer.begun

    @property
    def answer(self) -> Answer:
        """What has arrived so far, as an Answer.

        :raises ResponseFormatError: if the answer is longer than the 4 MiB that are kept
        """
        self.check_length()
        return self._answer_of(self._buffer, self.took)

    @property
    def other_choices(self) -> dict[int, Answer]:
        """What has come of other choices than the first, by their index, where several were asked for.

        :raises ResponseFormatError: if one is longer than what is kept of an answer
        """
        others = self._buffer.others
        self.check_length(*others.values())
        return {index: self._answer_of(others[index]) for index in sorted(others)}

    def _answer_of(self, buffer: Buffer, took: tuple[CallUsage, ...] = ()) -> Answer:
        named: dict[str, Any] = {"model": self.model, "served_model": self.served_model, "provider": self.provider}
        return Answer(seconds=self.seconds, took=took, **named, **buffer.parts)

    @property
    def took(self) -> tuple[CallUsage, ...]:
        """What each call of the answer took: of the turns in which tools were called, or of a chain's members."""
        of_turns: tuple[CallUsage, ...] | None = getattr(self.source, "took", None)
        if of_turns is not None:
            return of_turns
        own = CallUsage.of(
            self.source,
            self.error,
            self.model,
            self.usage,
            self.identity,
            begun=self.error is None or self.begun,
            cached=self.cached,
            provider=self.provider,
        )
        return (*getattr(self.source, "in_vain", ()), own)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What the answer adds to a history: the answer, and before it the calls of tools with their results.

        :raises ResponseFormatError: if the answer is longer than the 4 MiB that are kept
        """
        of_turns: list[dict[str, Any]] | None = getattr(self.source, "messages", None)
        return [self.answer.to_message()] if of_turns is None else of_turns

    @property
    def kept(self) -> list[Delta]:
        """What has arrived so far, in few deltas, which make the same answer again.

        :raises ResponseFormatError: if the answer is longer than the 4 MiB that are kept
        """
        self.check_length()
        return self._buffer.deltas

    @property
    def reasoning(self) -> str:
        """The model's reasoning so far."""
        self.check_length()
        return self._buffer.reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls that the model requests, as far as they have arrived."""
        self.check_length()
        return self._buffer.tool_calls

    @property
    def identity(self) -> Identity | None:
        """The service's own data about the answer, or None until it has arrived."""
        return self._buffer.identity

    @property
    def usage(self) -> Usage | None:
        """The token counts, or None until the service has reported them."""
        return self._buffer.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, or None until it has."""
        return self._buffer.finish_reason

    def take_origin(self, provider: str, model: str | None, passed_over: dict[str, str]) -> None:
        """Say whose an answer is that comes from a cache, and not from this stream's source."""
        self._provider, self._model, self._passed_over, self.cached = provider, model, passed_over, True

    def check_length(self, *others: Buffer) -> None:
        """Raise ResponseFormatError if what has arrived is longer than the 4 MiB that are kept."""
        if not any(buffer.too_long for buffer in (self._buffer, *others)):
            return
        text = f"the answer is longer than the {MAX_BYTES:,} characters that are kept; iterate over the stream instead"
        error = ResponseFormatError(text, partial=self._buffer.text)
        self._add_context(error)
        raise error

    def scrub(self, error: BaseException) -> None:
        """Take the secrets of the call out of an error about its answer, in place, as a service may have sent them."""
        scrub = getattr(self.source, "scrub", self._scrub)
        if scrub is not None:
            scrub(error)

    def _add_context(self, error: G4FLiteError) -> None:
        """Add the provider, the step, the attempts and the time to an error, and take secrets out of it."""
        if isinstance(error, (ConversationNotFoundError, StoreError)):  # of a file, as that of on_turn
            return
        error.provider = error.provider or self.provider
        error.step = error.step or "stream"
        error.attempts = error.attempts or self.attempts
        if error.elapsed is None:
            error.elapsed = self.seconds or time.monotonic() - self._began_at
        self.scrub(error)
