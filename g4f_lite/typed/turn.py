"""The tool calls of one turn: checked, approved, run, and written as messages."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any

from ..answers.deltas import ToolCall
from ..answers.json_text import NotJsonError
from ..errors import ToolDenied
from ..http.redact import redact
from ..messages import Message, get_random_string
from .tools import Approve, Tool, Toolbox, result_text

MAX_THREADS = 16  # for the parallel calls of one turn
MAX_ERROR = 2_000  # characters of an exception that a model reads


@dataclass
class ToolRun:
    """A tool call, and what came of it.

    :param call: the call, with an id
    :param tool: the tool; None if there is none of that name
    :ivar result: what the function returned, or the exception that it raised or that kept it from being run
    """

    call: ToolCall
    tool: Tool | None
    arguments: tuple[list[Any], dict[str, Any]] = ([], {})
    result: Any = None
    is_ready: bool = field(default=True)

    @classmethod
    def of(cls, call: ToolCall, toolbox: Toolbox) -> ToolRun:
        """Find the tool of a call, and convert the arguments; what is wrong with them is the result."""
        run = cls(call, toolbox.functions.get(call.name))
        try:
            if run.tool is None:
                raise LookupError(f"there is no tool {call.name!r}; the tools are: {', '.join(toolbox.functions)}")
            run.arguments = run.tool.signature.convert(call.args)
        except (LookupError, ValueError) as error:
            run.fail(error)
        return run

    def fail(self, error: Exception) -> None:
        """Keep an exception as the result, so that the function is not called."""
        self.result, self.is_ready = error, False

    def execute(self) -> None:
        """Call the function; an exception is its result."""
        assert self.tool is not None
        positional, named = self.arguments
        try:
            self.result = self.tool.function(*positional, **named)
            if inspect.isawaitable(self.result):
                if inspect.iscoroutine(self.result):
                    self.result.close()
                raise TypeError("the tool returned something to await, and tools are called synchronously")
        except Exception as error:  # noqa: BLE001  the model is told
            self.result = error

    def message(self, secrets: Iterable[str]) -> Message:
        """Write the result as the message that the model reads."""
        try:
            content = result_text(self.result)
        except Exception as error:  # noqa: BLE001  the result itself, or one that cannot be written
            content = redact(_described(error), secrets)[:MAX_ERROR]
        if self.call.type == "function_call":
            return {"role": "function", "name": self.call.name, "content": content}
        return {"role": "tool", "tool_call_id": self.call.id, "content": content}


def _described(error: Exception) -> str:
    try:
        if isinstance(error, NotJsonError):
            text = error.for_the_model()
        else:
            text = error.message if isinstance(error, ToolDenied) else str(error)
    except Exception:  # noqa: BLE001  a class of somebody else's
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def approve_all(runs: Iterable[ToolRun], approve: Approve) -> None:
    """Ask for each call that could run whether it may, before any of them does; only True allows it."""
    for run in runs:
        if not run.is_ready:
            continue
        try:
            if approve(run.call) is not True:
                raise ToolDenied
        except ToolDenied as denied:
            run.fail(denied)


def in_steps(runs: Iterable[ToolRun]) -> Iterator[list[ToolRun]]:
    """Divide calls into steps that run one after the other; those of one step begin at the same time.

    So nothing of a step waits for a thread, and begins after the answer was closed or its time was over.
    """
    for is_parallel, group in groupby(runs, lambda run: run.is_ready and run.tool is not None and run.tool.parallel):
        size = MAX_THREADS if is_parallel else 1
        while step := list(islice(group, size)):
            yield step


def execute(step: list[ToolRun]) -> None:
    """Run the calls of a step: a single one here, several in threads of their own with copies of the context."""
    if len(step) == 1:
        if step[0].is_ready:
            step[0].execute()
        return
    pool = ThreadPoolExecutor(len(step), thread_name_prefix="g4f-lite-tool")
    try:
        for future in [pool.submit(copy_context().run, run.execute) for run in step]:
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for them


def with_ids(calls: list[ToolCall]) -> list[ToolCall]:
    """Give each call an id of its own: some services send none, or one for all."""
    known: set[str] = set()
    found = []
    for call in calls:
        if not call.id or call.id in known:
            call = replace(call, id=get_random_string(9))  # as Mistral wants it: nine letters or digits
        known.add(call.id or "")
        found.append(call)
    return found


def sent_back(call: ToolCall) -> ToolCall:
    """Return a call as the history may hold it: some servers parse its arguments, and refuse what is not an object."""
    try:
        arguments = call.args
    except ValueError:
        arguments = {}
    if arguments and call.arguments.lstrip().startswith("{"):
        return call
    return replace(call, arguments=json.dumps(arguments))
