"""Asking a model, running the tools that it calls, and asking it again with their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from ..answers.buffer import Buffer
from ..answers.call_usage import CallUsage
from ..answers.deltas import Attached, Delta, Finish, ToolCall, ToolCallDelta, Usage
from ..answers.stream import AnswerStream
from ..arguments import check_callback, check_whole_number
from ..errors import DeadlineExceededError, G4FLiteError, ResponseFormatError, TurnsExceededError
from ..messages import Messages, json_copy
from ..prompt import Prompt
from ..timeout import Timeout
from .tools import Approve, OnTool, Toolbox
from .turn import ToolRun, approve_all, execute, in_steps, sent_back, with_ids

BETWEEN_TURNS = "\n\n"  # between the text before a tool call and the text after it
_MOST_HELD = 64 * 1024  # characters of a text that may be the beginning of JSON


@dataclass(frozen=True)
class ToolUse:
    """The tools of a call, and how they are run.

    :param toolbox: the tools
    :param max_turns: how many answers the model may be asked for
    :param approve: called for each call of a turn before any of them is run; only True runs it
    :param on_tool: called after each call with the result, or with the exception that the model is told
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if ``max_turns`` is less than 1
    """

    toolbox: Toolbox
    max_turns: int = 5
    approve: Approve | None = None
    on_tool: OnTool | None = None

    def __post_init__(self) -> None:
        check_whole_number(self.max_turns, "max_turns")
        check_callback(self.approve, "approve")
        check_callback(self.on_tool, "on_tool")

    def around(
        self, answer: Callable[[Prompt], AnswerStream], timeout: Timeout | None, *, json: bool = False
    ) -> Callable[[Prompt], AnswerStream]:
        """Return what gives the answer to a prompt after its calls of tools have been run.

        :param answer: gives the answer to a prompt
        :param timeout: the timeout of a prompt that has none
        :param json: whether the answer is JSON, so that no text before a call belongs to it
        """
        if not self.toolbox.functions:
            return answer

        def whole(prompt: Prompt) -> AnswerStream:
            loop = Loop(answer, prompt, self, timeout=Timeout.of(prompt.timeout, timeout), json=json)
            return AnswerStream(lambda: loop, provider=loop.provider, model=loop.model)

        return whole


class Loop:
    """The turns of one prompt: the source of the deltas of one AnswerStream.

    The text of each turn is passed on as it comes.  The calls of tools that are run here are not: they and their
    results are in ``messages``.

    :param answer: gives the answer to a prompt; called once for each turn
    :param prompt: the prompt, with the tools among its options
    :param use: the tools, and how they are run
    :param timeout: the timeout of the whole: the time in tools counts, that in ``approve`` does not
    :param json: whether the answer is JSON, so that no text before a call belongs to it
    :param clock: returns the time in seconds
    """

    def __init__(
        self,
        answer: Callable[[Prompt], AnswerStream],
        prompt: Prompt,
        use: ToolUse,
        *,
        timeout: Timeout,
        json: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answer = answer
        self._prompt = prompt
        self._use = use
        self._timeout = timeout
        self._json = json
        self._clock = clock
        self._closed = False
        self._has_text = False
        self._ends_at: float | None = None
        self.seconds_in_approve = 0.0
        self._usage: Usage | None = None  # of all turns
        self._done: Messages = []  # those of the turns whose tools have run
        self._ended: list[AnswerStream] = []  # these turns, whose providers may have been different members of a chain
        self._turn = answer(prompt)  # which checks the prompt, and sends nothing yet
        self._deltas = self._marked(self._run())

    def __iter__(self) -> Generator[Delta, None, None]:
        return self._deltas

    def close(self) -> None:
        """End the answer, from any thread; a tool that is running is not stopped.

        :raises ValueError: if another thread is reading
        """
        self._closed = True
        self._turn.close()
        self._deltas.close()

    def scrub(self, error: BaseException) -> None:
        """Take out of an error what the calls of all turns must not show."""
        for turn in (*self._ended, self._turn):
            turn.scrub(error)

    @property
    def provider(self) -> str:
        """The name of the provider of the last turn."""
        return self._turn.provider

    @property
    def model(self) -> str | None:
        """The model of the last turn."""
        return self._turn.model

    @property
    def passed_over(self) -> dict[str, str]:
        """Why other members of a chain did not give the last turn, by their names."""
        return self._turn.passed_over

    @property
    def took(self) -> tuple[CallUsage, ...]:
        """What the calls of all turns took."""
        return tuple(call for turn in (*self._ended, self._turn) for call in turn.took)

    @property
    def messages(self) -> Messages:
        """The messages after the prompt: calls of tools, their results, and the answer of the last turn."""
        return [*self._done, self._turn.answer.to_message()]

    def _marked(self, deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
        """Pass on the deltas, and tell whoever may send the prompt again if tools had been called before an error."""
        try:
            yield from deltas
        except G4FLiteError as error:
            error.after_calls = bool(self._done)
            raise

    def _run(self) -> Generator[Delta, None, None]:
        use, total = self._use, self._timeout.total
        self._ends_at = None if total is None else self._clock() + total
        for number in range(1, use.max_turns + 1):
            deltas = self._deltas_of_turn(number)
            rest = yield from self._pass_on(json_only(deltas) if self._json else self._text_apart(deltas))
            calls = rest.tool_calls
            if not calls or use.toolbox.are_for_caller(calls):
                yield from rest.deltas
                return
            calls = with_ids(calls)
            answer = self._turn.answer
            answer.tool_calls = list(map(sent_back, calls))
            self._done.append(answer.to_message())
            if number == use.max_turns:
                raise TurnsExceededError(
                    f"the model still called tools in answer {number} of max_turns={number}; pass a larger number",
                    messages=[*self._prompt.messages, *self._done],
                )
            self._done += self._results(calls)
            prompt = self._next_prompt(self._seconds_left())
            self._ended.append(self._turn)
            self._turn = self._answer(prompt)
            if self._closed:  # and close() may have seen the turn before
                self._turn.close()
                return

    def _pass_on(self, deltas: Iterator[Delta]) -> Generator[Delta, None, Buffer]:
        """Pass on the deltas of a turn as they come; return those that are passed on only if it is the last one.

        :raises ResponseFormatError: if these are more than an answer keeps
        """
        rest = Buffer()
        rest.finished = True
        used = None
        for delta in deltas:
            if isinstance(delta, (ToolCallDelta, Attached, Finish)):
                rest.add(delta)
                if rest.too_long:
                    raise ResponseFormatError("the model's calls of tools are longer than an answer may be")
            elif isinstance(delta, Usage):
                used = delta
            else:
                yield delta
        if used is not None:
            self._usage = used if self._usage is None else self._usage + used
            yield self._usage
        return rest

    def _results(self, calls: list[ToolCall]) -> Messages:
        """Run the tools of a turn, and return the messages that tell their results."""
        use = self._use
        runs = [ToolRun.of(call, use.toolbox) for call in calls]
        if use.approve is not None:
            before = self._clock()
            approve_all(runs, use.approve)
            self.seconds_in_approve += (waited := self._clock() - before)
            self._ends_at = None if self._ends_at is None else self._ends_at + waited
        for step in in_steps(runs):
            self._seconds_left()
            if self._closed:
                break
            execute(step)
            if use.on_tool is not None:
                for run in step:
                    use.on_tool(run.call, run.result)
        secrets = self._prompt.secrets()
        return [run.message(secrets) for run in runs]

    def _text_apart(self, deltas: Iterator[Delta]) -> Iterator[Delta]:
        """Pass on the deltas of a turn, with a blank line between its text and that of the turns before."""
        gap = BETWEEN_TURNS if self._has_text else ""
        for delta in deltas:
            if isinstance(delta, str) and delta.strip():
                self._has_text = True
                if gap:
                    yield gap
                    gap = ""
            yield delta

    def _deltas_of_turn(self, number: int) -> Iterator[Delta]:
        try:
            yield from self._turn.deltas()
        except DeadlineExceededError as error:
            if error.limit == "total" and number > 1:  # it names what was left for this turn
                raise self._time_is_over() from error
            raise

    def _seconds_left(self) -> float | None:
        """Return the seconds that are left; None without a limit.

        :raises DeadlineExceededError: if none are left
        """
        if self._ends_at is None:
            return None
        left = self._ends_at - self._clock()
        if left <= 0:
            raise self._time_is_over()
        return left

    def _time_is_over(self) -> DeadlineExceededError:
        text = f"the total time limit of {self._timeout.total:g} s passed, in which the tools run as well"
        text += "; give a longer timeout= if that is too short"
        return DeadlineExceededError(text, limit="total", seconds=self._timeout.total)

    def _next_prompt(self, left: float | None) -> Prompt:
        """Return the prompt of the next turn, with the results of this one."""
        messages = [*self._prompt.messages, *json_copy(self._done, "messages")]
        timeout = replace(self._timeout, total=left)
        return replace(self._prompt.after_call(), messages=messages, timeout=timeout)


def json_only(deltas: Iterator[Delta]) -> Iterator[Delta]:
    """Hold text back until it begins as a JSON object does, and leave it out if a tool is called: a stage."""
    text, is_held, has_calls = "", True, False
    for delta in deltas:
        if isinstance(delta, str) and is_held:
            text += delta
            is_held = len(text) < _MOST_HELD and not text.lstrip().startswith("{")
            if is_held:
                continue
            delta = text
        has_calls = has_calls or isinstance(delta, ToolCallDelta)
        if isinstance(delta, Finish) and is_held and text and not has_calls:
            yield text
        yield delta
