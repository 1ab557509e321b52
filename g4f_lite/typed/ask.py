"""Asking until the answer is a value of a type, or until no repair is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..answers.deltas import COUNTS, Usage
from ..answers.stream import AnswerStream
from ..arguments import check_whole_number
from ..errors import (
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    OutputError,
    OutputTruncatedError,
    RefusalError,
)
from ..messages import Messages
from ..prompt import Prompt
from ..timeout import Timeout
from .mismatch import Mismatch
from .output import Output
from .ways import Provider, arguments_as_text, asked, asked_again, in_prompt, is_refusal, remember, ways_of

logger = logging.getLogger(__name__)
T = TypeVar("T")
Told = TypeVar("Told", OutputError, OutputTruncatedError, RefusalError)
_CUT = ("length", "content_filter")  # finish reasons of an answer that asking again would not complete


@dataclass
class Question(Generic[T]):
    """A prompt whose answer is to be a value of a type, and what it took.

    :param prompt: the prompt
    :param output: the type
    :param provider: what can be asked of the provider
    :param send: sends a prompt
    :param keep: gets the messages for a history of an answer that fits; None where there is no history
    :ivar on_again: called with the reason before another answer is asked for
    :ivar stream: the last answer
    :ivar messages: the messages that it answers, without the schema
    :ivar attempts: how many answers were asked for
    :raises TypeError: if the prompt has a ``response_format``
    """

    prompt: Prompt
    output: Output[T]
    provider: Provider
    send: Callable[[Prompt], AnswerStream]
    keep: Callable[[Messages], object] | None = None
    on_again: Callable[[str], object] | None = field(default=None, init=False)
    messages: Messages = field(init=False)
    attempts: int = field(default=1, init=False)

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        output: Any,
        provider: Provider,
        send: Callable[[Prompt], AnswerStream],
        keep: Callable[[Messages], object] | None = None,
    ) -> Question[Any]:
        """Make a question of a type as the caller gave it.

        :raises TypeError: if it cannot be the type of an answer
        """
        return Question(prompt, Output.of(output), provider, send, keep)

    def __post_init__(self) -> None:
        if "response_format" in self.prompt.options:
            raise TypeError("output= and response_format= both set the format of the answer; pass only one of them")
        self.messages = self.prompt.messages
        self._ways = ways_of(self.provider, self.prompt, self.output.schema)
        self._began_at = time.monotonic()
        self._limits = Timeout.of(self.prompt.timeout, getattr(self.provider, "timeout", None))  # of all answers
        self._usages: list[Usage] = []
        self._took: list[CallUsage] = []  # by the answers before the last one
        self._why_again = ""
        self._closed = False
        self._in_approve = 0.0  # seconds, which do not count
        self._results: Messages = []  # the calls of tools for answers that did not fit, and their results
        self.stream = self._stream()

    def ask(self, repairs: int) -> T:
        """Send the prompt, and send it again with what was wrong until an answer fits.

        :param repairs: how many times to send it again
        :raises OutputError: if the last answer does not fit
        :raises G4FLiteError: if there is no whole answer
        """
        check_whole_number(repairs, "repairs", least=0)
        while True:
            try:
                answer = self.begin().whole()
            except DeadlineExceededError as error:
                self._name_limit(error)
                raise
            except EmptyResponseError as error:
                self._count(error)
                if error.finish_reason is None or not self._may_ask_again(repairs):  # one that was cut has none
                    raise
                self._ask_again("", "there is no text")
                continue
            try:
                value = self.output.convert(answer)
            except Mismatch as error:
                self.stream.scrub(error)
                if self._may_ask_again(repairs):
                    self._ask_again(answer, str(error))
                elif self.stream.cached and not self._results and self._has_time():
                    self._begin_anew()
                else:
                    raise self.mismatched(error) from error
            else:
                self.keep_turn()
                return value

    def _may_ask_again(self, repairs: int) -> bool:
        return self.attempts <= repairs and self._has_time()

    def _ask_again(self, text: str, wrong: str) -> None:
        """Prepare another answer.

        :param text: the last one
        :param wrong: why it does not fit
        """
        logger.info("the answer is not a valid %s; asking again: %s", self.output.name, wrong)
        if self.on_again is not None:
            self.on_again(wrong)
        schema = None if in_prompt(self._ways[0], self.provider) else self.output.schema
        self._keep_calls()
        self.messages = asked_again(self.messages, text, wrong, schema)
        self.attempts += 1
        self._why_again = "none before fitted"
        self._go_on()

    def _begin_anew(self) -> None:
        """Ask for what the cache has: none of it fits, and it would not until it is replaced."""
        logger.info("no cached answer is a valid %s; asking again", self.output.name)
        self.prompt = replace(self.prompt, fresh=True)
        self.messages = self.prompt.messages
        self.attempts = 1
        self._go_on()

    def _keep_calls(self) -> None:
        """Send the calls of tools for the last answer, and their results, with the next one: none is run twice."""
        self._in_approve += getattr(self.stream.source, "seconds_in_approve", 0.0)
        if calls := self.stream.messages[:-1]:
            self._results += calls
            self.messages = [*self.messages, *calls]
            self.prompt = self.prompt.after_call()

    def _count(self, error: EmptyResponseError) -> None:
        """Count what an answer without text took, with what those before it did."""
        if error.usage is not None:
            self._usages.append(error.usage)
        if self.attempts > 1:
            error.usage = self.usage

    def keep_turn(self) -> None:
        """Give the history calls of tools with their results, and the last answer, which fits."""
        if self.keep is not None:
            self.keep([*self._results, *self.stream.messages])

    def _stream(self) -> AnswerStream:
        """Prepare an answer; nothing is sent before it is read."""
        prompt = replace(self.prompt, messages=self.messages)
        stream = self.send(asked(prompt, self._ways[0], self.output.schema, self.provider))
        return stream.through(arguments_as_text) if self._ways[0] == "tool" else stream

    def _go_on(self) -> None:
        """Prepare the next answer, which is closed if the question is: close() may have seen the answer before."""
        self._took += self.stream.took
        self.stream = self._stream()
        if self._closed:
            self.stream.close()

    def close(self) -> None:
        """End the answer, from any thread."""
        self._closed = True
        self.stream.close()

    def begin(self) -> Question[T]:
        """Start the answer; where the service refuses the way of asking for it, take the next one.

        :returns: the question itself
        :raises G4FLiteError: if no answer begins
        """
        while True:
            try:
                self.stream.start()
            except G4FLiteError as error:
                self._check_cut(error)
                if not is_refusal(error, self._ways[0]) or self._is_of_caller(error) or not self._has_time():
                    raise
                logger.info("%s is refused; asking in another way: %s", self._ways[0], error)
                remember(self.provider, self.prompt, self._ways.pop(0), self.output.schema)
                if self.stream.usage is not None:  # of the answers that called tools
                    self._usages.append(self.stream.usage)
                self._keep_calls()
                self._why_again = "the service had refused another way of asking"
                self._go_on()
            else:
                return self

    def _is_of_caller(self, error: G4FLiteError) -> bool:
        """Return whether an error came between a call and its result: from ``approve`` or ``on_tool``."""
        return error.after_calls and self.stream.messages[-2]["role"] == "assistant"

    def whole(self) -> Answer:
        """Read the answer to its end.

        :raises RefusalError: if it is a refusal
        :raises OutputTruncatedError: if it was cut before the end of the JSON
        :raises OutputError: if it calls a tool that is for the caller to run
        """
        try:
            self.stream.text()
        except EmptyResponseError as error:
            self._check_cut(error)
            raise
        answer = self.answer
        if answer.usage is not None:
            self._usages.append(answer.usage)
        if answer.refusal:
            raise self._told(RefusalError(f"the model refuses to answer: {answer.refusal:.200}"), answer)
        if answer.tool_calls:
            text = f"the model calls {answer.tool_calls[0].name!r}, which is not run here, as the tool is a dict"
            raise self._told(OutputError(f"{text}; pass a function, or ask without output="), answer)
        if answer.finish_reason in _CUT:
            try:
                self.output.strictly(answer)
            except Mismatch as error:
                raise self._told(_truncated(answer.finish_reason), answer, error) from error
        return answer

    def checked(self, answer: Answer) -> T:
        """Convert a whole answer.

        :raises OutputError: if it does not fit
        """
        try:
            return self.output.convert(answer)
        except Mismatch as error:
            raise self.mismatched(error) from error

    def mismatched(self, reason: Mismatch) -> OutputError:
        """Return the error for the answer, which does not fit."""
        text = f"the answer is not a valid {self.output.name}: {reason}"
        return self._told(OutputError(text), self.answer, reason)

    @property
    def answer(self) -> Answer:
        """What has come of the last answer, without the text before a call of tools: a value in it would be a guess."""
        whole, text = self.stream.answer, self.stream.messages[-1]["content"] or ""
        return whole if text == whole else Answer(text, **vars(whole))

    @property
    def took(self) -> tuple[CallUsage, ...]:
        """What the calls of all answers took."""
        return (*self._took, *self.stream.took)

    @property
    def usage(self) -> Usage | None:
        """The token counts of all answers; None if the service reported none."""
        if not self._usages:
            return None
        counts: dict[str, Any] = {name: _sum(self._usages, name) for name in COUNTS}
        return Usage(**counts)

    @property
    def seconds(self) -> float:
        """The seconds since the call."""
        return time.monotonic() - self._began_at

    def _check_cut(self, error: G4FLiteError) -> None:
        """Raise if there is no text because a model was cut while it thought.

        :raises OutputTruncatedError: if it was
        """
        if isinstance(error, EmptyResponseError) and error.finish_reason in _CUT:
            if error.usage is not None:
                self._usages.append(error.usage)
            raise self._told(_truncated(error.finish_reason), Answer("", provider=error.provider), error) from error

    def _told(self, error: Told, answer: Answer, cause: Exception | None = None) -> Told:
        """Add to an error what the answers took, and take the secrets of the call out of it and its cause."""
        error.provider, error.step, error.partial = answer.provider, "stream", str(answer)
        error.attempts, error.elapsed = self.attempts, self.seconds
        error.usage = self.usage
        error.__cause__ = cause
        self.stream.scrub(error)
        return error

    def _name_limit(self, error: DeadlineExceededError) -> None:
        """Say of an answer that was asked for again that the caller's limit passed, not what was left of it."""
        if self._why_again and error.limit == "total" and self._limits.total is not None:
            text = f"the total time limit of {self._limits.total:g} s passed while answer {self.attempts} was asked for"
            error.message = f"{text}, as {self._why_again}; give a longer timeout= if that is too short"
            error.args = (error.message,)

    def _has_time(self) -> bool:
        """Return whether the limit on the whole call leaves time for another answer, which is then limited to that."""
        if self._limits.total is None:
            return True
        waited = self._in_approve + getattr(self.stream.source, "seconds_in_approve", 0.0)
        left = self._limits.total - (time.monotonic() - self._began_at - waited)
        if left > 0:
            self.prompt = replace(self.prompt, timeout=replace(self._limits, total=left))
        return left > 0


def _truncated(finish_reason: str | None) -> OutputTruncatedError:
    remedy = "; give a larger max_tokens" if finish_reason == "length" else ": the service's filter held the rest back"
    text = f"the answer ended with finish_reason {finish_reason!r} before its JSON was complete{remedy}"
    return OutputTruncatedError(text, finish_reason=finish_reason)


def _sum(usages: list[Usage], name: str) -> int | None:
    counts = [getattr(usage, name) for usage in usages]
    return None if None in counts else sum(counts)
