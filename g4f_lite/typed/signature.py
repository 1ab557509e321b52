"""What a function tells a model: its description, and the JSON schema and the types of its parameters."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import MissingDependencyError
from ..messages import json_copy

try:
    import docstring_parser
    import msgspec
except ImportError as error:
    raise MissingDependencyError(f'function tools need {error.name}: pip install "g4f-lite[typed]"') from error

from .output import Output
from .schema import schema_of

_EMPTY = inspect.Parameter.empty
_PLAIN = (bool, int, float, str)  # the types that a default tells where there is no hint


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function that a model may call.

    :param hint: its type; Any if neither a hint nor a default tells it
    :param default: its default, or ``inspect.Parameter.empty``
    :param by_position: whether the function takes it by position only
    """

    name: str
    hint: Any
    default: Any
    by_position: bool


@dataclass(frozen=True)
class Signature:
    """What a model is told about a function, and what turns its arguments into Python values.

    :param owner: the name of the tool, for errors
    """

    owner: str
    description: str
    parameters: list[Parameter]
    schema: dict[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any], owner: str) -> Signature:
        """Read a function.

        :raises TypeError: if a parameter cannot be described to a model
        """
        parameters = _parameters(function, owner)
        description, texts = _read_docstring(inspect.getdoc(_inner(function)) or "")
        return cls(owner, description, parameters, _schema(parameters, texts, owner))

    def convert(self, given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Convert and check the arguments of a call, for ``function(*positional, **named)``.

        :raises ValueError: if they do not fit; the message is for the model
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise ValueError(f"there is no parameter {name!r}; the parameters are: {', '.join(names) or 'none'}")
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name in given:
                value = _convert(given[parameter.name], parameter)
            elif parameter.default is _EMPTY:
                raise ValueError(f"the argument {parameter.name!r} is missing")
            elif parameter.by_position:  # those after it need their place
                value = parameter.default
            else:
                continue
            if parameter.by_position:
                positional.append(value)
            else:
                named[parameter.name] = value
        return positional, named


def _convert(value: Any, parameter: Parameter) -> Any:
    """Convert one argument, leniently: models write numbers as text.

    :raises ValueError: if it does not fit
    """
    try:
        return Output.of(parameter.hint).value_of(value)
    except ValueError as error:
        raise ValueError(f"the argument {parameter.name!r} does not fit: {error}") from error


def _inner(function: Callable[..., Any]) -> Any:
    """Return what a partial, a decorated function or an object that can be called runs in the end."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif not inspect.isroutine(function):
            function = type(function).__call__
        else:
            return function


def _parameters(function: Callable[..., Any], owner: str) -> list[Parameter]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:  # some functions that are written in C
        raise TypeError(f"the tool {owner} has no signature; wrap it in a function of your own") from error
    # What a partial has set already is not for the model to choose.
    is_set = function.keywords if isinstance(function, functools.partial) else {}
    kept = [parameter for parameter in found if parameter.name not in is_set]
    for parameter in kept:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"the tool {owner} takes {parameter}, which cannot be described to a model; name its parameters"
            )
    hints = _hints(function, {parameter.name for parameter in kept}, owner)
    return [
        Parameter(
            parameter.name,
            _hint(hints.get(parameter.name, _EMPTY), parameter.default),
            parameter.default,
            parameter.kind is parameter.POSITIONAL_ONLY,
        )
        for parameter in kept
    ]


def _hints(function: Callable[..., Any], names: set[str], owner: str) -> dict[str, Any]:
    """Return the type hints of the parameters, those written as text resolved.

    :raises TypeError: if one cannot be resolved
    """
    inner = _inner(function)

    def only_parameters() -> None:  # the hint of the result may name what is imported for type checkers alone
        pass

    try:
        annotations = getattr(inner, "__annotations__", {})
        only_parameters.__annotations__ = {name: hint for name, hint in annotations.items() if name in names}
        return typing.get_type_hints(
            only_parameters, getattr(inner, "__globals__", {}), _closed_over(inner), include_extras=True
        )
    except Exception as error:  # a hint that is written as text may be any expression
        hint = "; define it outside of functions" if isinstance(error, NameError) else ""
        raise TypeError(f"the tool {owner} has a type hint that cannot be resolved: {error}{hint}") from error


def _closed_over(function: Any) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function uses, which its hints may name."""
    found = {}
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=True):
        with suppress(ValueError):  # a variable that has no value yet
            found[name] = cell.cell_contents
    return found


def _hint(hint: Any, default: Any) -> Any:
    if hint is _EMPTY:
        return type(default) if isinstance(default, _PLAIN) else Any
    return Optional[hint] if default is None else hint  # noqa: UP045  the hint may be a text


def _schema(parameters: list[Parameter], texts: dict[str, str], owner: str) -> dict[str, Any]:
    """Write the JSON schema of an object with the parameters as properties."""
    whole = _types(parameters, owner)
    properties = whole["properties"]
    for parameter in parameters:
        schema = properties[parameter.name] = dict(properties[parameter.name])
        text = texts.get(parameter.name)
        if text and "description" not in schema:
            schema["description"] = text
        if parameter.default is not _EMPTY and parameter.default is not None:
            with suppress(TypeError, ValueError, RecursionError):  # the function knows it, and the model need not
                schema["default"] = json_copy(msgspec.to_builtins(parameter.default), parameter.name)
    required = [parameter.name for parameter in parameters if parameter.default is _EMPTY]
    shared = {"$defs": whole["$defs"]} if "$defs" in whole else {}
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
        **shared,
    }


def _types(parameters: list[Parameter], owner: str) -> dict[str, Any]:
    """Return the schema of an object with a property for each parameter.

    :raises TypeError: if JSON has nothing like the type of one
    """

    def schema(some: list[Parameter]) -> dict[str, Any]:
        hints = {f"p{number}": each.hint for number, each in enumerate(some)}  # msgspec refuses some names
        names = {f"p{number}": each.name for number, each in enumerate(some)}
        return schema_of(msgspec.defstruct("Arguments", [*hints.items()], rename=names)).json

    try:
        return schema(parameters)
    except (TypeError, NameError, RecursionError):
        for parameter in parameters:  # to name the one that is at fault
            try:
                schema([parameter])
            except (TypeError, NameError, RecursionError) as error:
                raise TypeError(
                    f"the parameter {parameter.name!r} of the tool {owner} has a type that has no JSON schema: "
                    f"{parameter.hint!r:.80}"
                ) from error
        raise


def _read_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the description in a docstring, and the text about each parameter; Google, NumPy and Sphinx styles."""
    try:
        parsed = docstring_parser.parse(docstring)
    except docstring_parser.ParseError:
        return docstring, {}
    texts = {each.arg_name: " ".join((each.description or "").split()) for each in parsed.params}
    return (parsed.description or "").strip(), texts
