"""What is refused as a tool, at the call, and why."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import Client, Tool
from g4f_lite.testing import Scripted

pytest.importorskip("msgspec", reason="the extra typed is not installed")


def told(city: str, unit: str = "C") -> str:
    return city


class Instance:
    def __call__(self, city: str) -> str:
        return city


async def asynchronous(city: str) -> str:
    return city


async def asynchronous_generator(city: str):  # type: ignore[no-untyped-def]
    yield city


class AsyncCall:
    __name__ = "call"

    async def __call__(self, city: str) -> str:
        return city


def of_unknown_type(city: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821
    return ""


def of_no_type(city: 1 / 0) -> str:  # type: ignore[valid-type]
    return ""


def of_no_type_of_json(ask: Callable[[int], int]) -> str:
    return ""


def many(*cities: str) -> str:
    return ""


def any_name(**cities: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("tools", "error", "message"),
    [
        (told, TypeError, r"tools must be a list of functions, not <function told.*; write tools=\[…\]"),
        ("told", TypeError, "tools must be a list of functions, not 'told'"),
        ({"type": "function"}, TypeError, "tools must be a list of functions"),
        (3, TypeError, "tools must be a list of functions, not 3"),
        ([3], TypeError, "tools must be functions, Tool objects or dicts, not 3"),
        (["told"], TypeError, "tools must be functions, Tool objects or dicts, not 'told'"),
        ([lambda city: city], TypeError, r"a tool without a name, such as a lambda, needs one: write Tool\("),
        ([Instance()], TypeError, "a tool without a name"),
        ([Instance], TypeError, "must be a function, not the class Instance"),
        ([many], TypeError, r"the tool many takes \*cities: ?.*, which cannot be described to a model"),
        ([any_name], TypeError, r"the tool any_name takes \*\*cities"),
        ([print], TypeError, r"the tool print (takes \*args|has no signature)"),
        ([asynchronous], TypeError, "the tool asynchronous is an async function, and tools are called synchronously"),
        ([asynchronous_generator], TypeError, "is an async function"),
        ([functools.partial(asynchronous, "x")], TypeError, "is an async function"),
        ([AsyncCall()], TypeError, "is an async function"),
        ([of_unknown_type], TypeError, "of_unknown_type has a type hint that cannot be resolved: name 'Nowhere'"),
        ([of_no_type], TypeError, "of_no_type has a type hint that cannot be resolved: division by zero"),
        (
            [of_no_type_of_json],
            TypeError,
            "the parameter 'ask' of the tool of_no_type_of_json has a type",
        ),
        ([told, told], ValueError, r"two tools have the name 'told'; give one another: Tool\(…, name=…\)"),
        ([told, {"type": "function", "function": {"name": "told"}}], ValueError, "two tools have the name"),
        ([functools.partial(told, unit="F"), told], ValueError, "two tools have the name 'told'"),
    ],
)
def test_bad_tools_are_refused_at_the_call(tools: Any, error: type[Exception], message: str) -> None:
    provider = Scripted()
    with pytest.raises(error, match=message):
        Client(provider).stream("x", tools=tools)
    with pytest.raises(error, match=message):
        Client(provider).conversation(tools=tools)
    assert provider.calls == []


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"name": "two words"}, ValueError, "may have up to 64 letters, digits, _ and -, unlike 'two words'"),
        ({"name": "größe"}, ValueError, "unlike"),
        ({"name": "x" * 65}, ValueError, "unlike"),
        ({"name": ""}, TypeError, "needs one"),
        ({"name": 3}, TypeError, "the name of a tool must be a string, not int"),
        ({"description": 3}, TypeError, "description must be a string, not int"),
    ],
)
def test_bad_settings_of_a_tool_are_refused(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Tool(told, **settings)


@pytest.mark.parametrize(
    "call", [Scripted().create, Scripted().create_generator, Client(Scripted()).chat.completions.create]
)
@pytest.mark.parametrize("tool", [told, Tool(told)])
def test_a_provider_says_who_calls_functions(call: Callable[..., Any], tool: Any) -> None:
    with pytest.raises(TypeError, match=r"only a client calls functions: write g4f_lite.Client\(…\).ask\("):
        call(messages="x", tools=[tool])


@pytest.mark.parametrize("call", [Scripted().create, Client(Scripted()).chat.completions.create])
@pytest.mark.parametrize("tools", [5, True, 1.5, "told", {"type": "function"}])
def test_tools_that_are_not_a_list_are_refused_at_the_call(call: Callable[..., Any], tools: Any) -> None:
    with pytest.raises(TypeError, match=r"tools must be a list of dicts, not .*; write tools=\[…\]"):
        call(messages="x", tools=tools)
