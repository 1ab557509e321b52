"""Functions that a model may call."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..answers.deltas import ToolCall

_NAME = r"[A-Za-z0-9_-]{1,64}"  # as OpenAI's API takes it


class Tool:
    """A function that a model may call, with settings::

        client.ask("…", tools=[get_weather, Tool(search, name="search_shop", parallel=True)])

    The model is told the name, the docstring, and the names, types, defaults and descriptions of the parameters.

    :param function: the function; its parameters need names, and types that have a JSON schema
    :param name: the name for the model; that of the function if None
    :param description: the description for the model; that in the docstring if None
    :param parallel: whether the function may run in another thread, beside other such calls of the same turn
    :raises TypeError: if the function cannot be described to a model, or is not called synchronously
    :raises ValueError: if the name is not one that the API takes
    :raises MissingDependencyError: if the extra ``typed`` is not installed
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        parallel: bool = False,
    ) -> None:
        self.function = _checked(function)
        self.name = _checked_name(_name_of(function) if name is None else name)
        if not isinstance(description, (str, type(None))):
            raise TypeError(f"description must be a string, not {type(description).__name__}")
        from .signature import Signature

        self.parallel = parallel
        self.signature = Signature.of(self.function, self.name)
        self.description = self.signature.description if description is None else description

    def declaration(self) -> dict[str, Any]:
        """Return the tool as OpenAI's API writes it."""
        about = {"description": self.description} if self.description else {}
        return {
            "type": "function",
            "function": {"name": self.name, **about, "parameters": self.signature.schema},
        }

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


ToolLike = Callable[..., Any] | Tool | Mapping[str, Any]
Approve = Callable[[ToolCall], bool]
OnTool = Callable[[ToolCall, Any], object]


@dataclass(frozen=True)
class Toolbox:
    """The tools of a call.

    :param declared: what the model is told about them, in order
    :param functions: those that are run here, by name
    :param for_caller: the names of those that the caller runs, because they were given as dicts
    """

    declared: list[Any]
    functions: dict[str, Tool] = field(default_factory=dict)
    for_caller: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tools: Iterable[ToolLike]) -> Toolbox:
        """Check the tools of a call.

        :raises TypeError: if one is not a tool
        :raises ValueError: if two have the same name
        """
        if callable(tools) or isinstance(tools, (str, bytes, Mapping, Tool)) or not isinstance(tools, Iterable):
            raise TypeError(f"tools must be a list of functions, not {tools!r:.80}; write tools=[…]")
        declared: list[Any] = []
        functions: dict[str, Tool] = {}
        others: list[str] = []
        for given in tools:
            if isinstance(given, Mapping):
                declared.append(given)
                others += _names_in(given)
                continue
            if not isinstance(given, Tool) and not callable(given):
                raise TypeError(f"tools must be functions, Tool objects or dicts, not {given!r:.80}")
            tool = given if isinstance(given, Tool) else Tool(given)
            if tool.name in functions:
                raise ValueError(f"two tools have the name {tool.name!r}; give one another: Tool(…, name=…)")
            functions[tool.name] = tool
            declared.append(tool.declaration())
        if twice := functions.keys() & others:
            raise ValueError(f"two tools have the name {min(twice)!r}; give one another")
        return cls(declared, functions, frozenset(others))

    def are_for_caller(self, calls: Iterable[ToolCall]) -> bool:
        """Return whether a turn calls a tool that the caller runs."""
        return any(call.name in self.for_caller for call in calls)


def _checked(function: Any) -> Callable[..., Any]:
    if not callable(function):
        raise TypeError(f"a tool must be a function, not {function!r:.80}")
    if isinstance(function, type):
        raise TypeError(f"a tool must be a function, not the class {function.__name__}")
    inner = _without_partial(function)
    for each in (inner, getattr(inner, "__call__", None)):  # noqa: B004  of an object that can be called
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            raise TypeError(
                f"the tool {_name_of(function) or repr(function)} is an async function, and tools are called "
                "synchronously: wrap it in a function that calls asyncio.run(…)"
            )
    return function  # type: ignore[no-any-return]


def _without_partial(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _name_of(function: Any) -> str:
    """Return the name of a function, or of what a partial calls; "" if it has none."""
    name = getattr(_without_partial(function), "__name__", "")
    return name if isinstance(name, str) and name != "<lambda>" else ""


def _checked_name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a tool must be a string, not {type(name).__name__}")
    if not name:
        raise TypeError("a tool without a name, such as a lambda, needs one: write Tool(function, name=…)")
    if not re.fullmatch(_NAME, name):
        raise ValueError(
            f"a tool's name may have up to 64 letters, digits, _ and -, unlike {name!r:.80}: "
            "write Tool(function, name=…)"
        )
    return name


def _names_in(declared: Mapping[str, Any]) -> list[str]:
    """Return the name of a tool that is written as the API takes it; none for what a service runs itself."""
    inner = declared.get(str(declared.get("type", "function")))
    name = inner.get("name") if isinstance(inner, Mapping) else None
    return [name] if isinstance(name, str) else []


def result_text(result: Any) -> str:
    """Return the result of a function as the text that the model reads: a string as it is, anything else as JSON.

    :raises Exception: if that is the result
    """
    if isinstance(result, Exception):
        raise result
    if isinstance(result, str):
        return str(result)
    import msgspec

    with contextlib.suppress(TypeError, ValueError, RecursionError, OverflowError):
        return msgspec.json.encode(result, enc_hook=_plain).decode()
    return str(result)


def _plain(value: Any) -> Any:
    """Return something that JSON has, for a value that it has not."""
    for method in ("model_dump", "to_dict", "tolist"):  # of pydantic's models, data frames, arrays
        if callable(plain := getattr(value, method, None)) and not isinstance(value, type):
            return plain()
    return list(value) if isinstance(value, Iterable) else str(value)
