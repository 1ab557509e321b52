"""Asking a model, running the tools that it calls, and asking it again with their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

from ..answers.deltas import Attached, Delta, Finish, ToolCallDelta, Usage
from ..answers.stream import AnswerStream
from ..arguments import check_callback, check_whole_number
from ..errors import DeadlineExceededError, TurnsExceededError
from ..messages import Messages, json_copy
from ..prompt import Prompt
from ..timeout import Timeout
from .tools import Toolbox
from .turn import Approve, OnTool, ToolRun, approve_all, execute, in_steps, sent_back, with_ids

BETWEEN_TURNS = "\n\n"  # between the text before a tool call and the text after it


class Loop:
    """The turns of one prompt: the source of the deltas of one AnswerStream.

    The text of each turn is passed on as it comes.  The calls of tools that are run here are not: they and their
    results are in ``messages``.

    :param answer: gives the answer to a prompt; called once for each turn
    :param prompt: the prompt, with the tools among its options
    :param timeout: the timeout of the whole: the time in tools counts, that in ``approve`` does not
    :param max_turns: how many answers the model may be asked for
    :param approve: called for each call of a turn before any of them is run; only True runs it
    :param on_tool: called after each call with the result, or with the exception that the model is told
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if ``max_turns`` is less than 1
    """

    def __init__(
        self,
        answer: Callable[[Prompt], AnswerStream],
        prompt: Prompt,
        toolbox: Toolbox,
        *,
        timeout: Timeout,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answer = answer
        self._prompt = prompt
        self._toolbox = toolbox
        self._timeout = timeout
        self._max_turns = check_whole_number(max_turns, "max_turns")
        self._approve: Approve | None = check_callback(approve, "approve")
        self._on_tool: OnTool | None = check_callback(on_tool, "on_tool")
        self._clock = clock
        self._closed = False
        self._has_text = False
        self._done: Messages = []  # those of the turns whose tools have run
        self._turn = answer(prompt)  # which checks the prompt, and sends nothing yet
        self._deltas = self._run()

    def stream(self) -> AnswerStream:
        """Return the stream of all turns."""
        return AnswerStream(lambda: self, provider=self._turn.provider, model=self._turn.model)

    def __iter__(self) -> Generator[Delta, None, None]:
        return self._deltas

    def close(self) -> None:
        """End the answer, from any thread; a tool that is running is not stopped.

        :raises ValueError: if another thread is reading
        """
        self._closed = True
        self._turn.close()
        self._deltas.close()

    @property
    def provider(self) -> str:
        """The name of the provider of the last turn."""
        return self._turn.provider

    @property
    def model(self) -> str | None:
        """The model of the last turn."""
        return self._turn.model

    @property
    def messages(self) -> Messages:
        """The messages after the prompt: calls of tools, their results, and the answer of the last turn."""
        return [*self._done, self._turn.answer.to_message()]

    def _run(self) -> Generator[Delta, None, None]:
        ends_at = None if self._timeout.total is None else self._clock() + self._timeout.total
        usage: Usage | None = None
        for number in range(1, self._max_turns + 1):
            held: list[Delta] = []  # what belongs to calls: passed on only if the caller is to run them
            end, used = Finish(), None
            for delta in self._text_apart(self._deltas_of_turn(number)):
                if isinstance(delta, (ToolCallDelta, Attached)):
                    held.append(delta)
                elif isinstance(delta, Usage):
                    used = delta
                elif isinstance(delta, Finish):
                    end = delta
                else:
                    yield delta
            if used is not None:
                usage = used if usage is None else usage + used
                yield usage
            calls = self._turn.tool_calls if any(isinstance(delta, ToolCallDelta) for delta in held) else []
            if not calls or self._toolbox.are_for_caller(calls):
                yield from held
                yield end
                return
            calls = with_ids(calls)
            answer = self._turn.answer
            answer.tool_calls = list(map(sent_back, calls))
            message = answer.to_message()
            if number == self._max_turns:
                raise TurnsExceededError(
                    f"the model still called tools in answer {number} of max_turns={number}",
                    messages=[*self._prompt.messages, *self._done, message],
                )
            runs = [ToolRun.of(call, self._toolbox) for call in calls]
            if self._approve is not None:
                before = self._clock()
                approve_all(runs, self._approve)
                ends_at = None if ends_at is None else ends_at + self._clock() - before
            for step in in_steps(runs):
                self._check_time(ends_at)
                if self._closed:
                    return
                execute(step)
                if self._on_tool is not None:
                    for run in step:
                        self._on_tool(run.call, run.result)
            secrets = self._prompt.secrets()
            self._done += [message, *(run.message(secrets) for run in runs)]
            prompt = self._next_prompt(self._check_time(ends_at))
            if self._closed:
                return
            self._turn = self._answer(prompt)

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

    def _check_time(self, ends_at: float | None) -> float | None:
        """Return the seconds that are left; None without a limit.

        :raises DeadlineExceededError: if none are left
        """
        if ends_at is None:
            return None
        left = ends_at - self._clock()
        if left <= 0:
            raise self._time_is_over()
        return left

    def _time_is_over(self) -> DeadlineExceededError:
        text = f"the total time limit of {self._timeout.total:g} s passed, in which the tools run as well"
        return DeadlineExceededError(f"{text}; give a longer timeout= if that is too short", limit="total")

    def _next_prompt(self, left: float | None) -> Prompt:
        """Return the prompt of the next turn, with the results of this one."""
        options: dict[str, Any] = self._prompt.options
        if options.get("tool_choice") not in (None, "auto", "none"):  # it would call tools without end
            options = {name: value for name, value in options.items() if name != "tool_choice"}
        messages = [*self._prompt.messages, *json_copy(self._done, "messages")]
        return replace(self._prompt, messages=messages, options=options, timeout=replace(self._timeout, total=left))
