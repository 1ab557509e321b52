"""What a model is told about a function, and how the arguments of its calls become Python values."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

import pytest

from g4f_lite import Tool, ToolCall

pytest.importorskip("msgspec", reason="the extra typed is not installed")


@dataclasses.dataclass
class Place:
    name: str
    zone: int = 0


class Unit(enum.Enum):
    C = "c"
    F = "f"


class Options(TypedDict):
    days: int


def google(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Get the weather.

    It is a forecast.

    Args:
        city: The name of the city,
            in English.
        unit (str, optional): C or F.

    Returns:
        The weather.
    """
    return f"{city} {unit}"


def numpy(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Get the weather.

    It is a forecast.

    Parameters
    ----------
    city : str
        The name of the city,
        in English.
    unit : {"C", "F"}, optional
        C or F.

    Returns
    -------
    str
        The weather.
    """
    return f"{city} {unit}"


def sphinx(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Get the weather.

    It is a forecast.

    :param city: The name of the city,
        in English.
    :param str unit: C or F.
    :returns: The weather.
    """
    return f"{city} {unit}"


def annotated(
    city: Annotated[str, "The name of the city, in English."], unit: Annotated[Literal["C", "F"], "C or F."] = "C"
) -> str:
    """Get the weather.

    It is a forecast.
    """
    return f"{city} {unit}"


@pytest.mark.parametrize("function", [google, numpy, sphinx, annotated])
def test_a_docstring_of_any_style_describes_the_function_and_its_parameters(function: Callable[..., str]) -> None:
    assert Tool(function).declaration() == {
        "type": "function",
        "function": {
            "name": function.__name__,
            "description": "Get the weather.\n\nIt is a forecast.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "The name of the city, in English."},
                    "unit": {"enum": ["C", "F"], "description": "C or F.", "default": "C"},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize("docstring", [None, "", "Args:\n", ":param", ":param a b c: x", "Parameters\n---\n", "{}%s"])
def test_any_docstring_will_do(docstring: str | None) -> None:
    def look(city: str) -> str:
        return city

    look.__doc__ = docstring
    assert Tool(look).declaration()["function"]["parameters"]["properties"] == {"city": {"type": "string"}}


def of_types(
    a: int, b: float, c: bool, d: list[str], e: dict[str, int], f: int | None, g: int | str, h: Any, i: Unit,
    j: Options, k: datetime.date, z=3, m="x", n=None, *, o: str | None = None,
) -> None:  # fmt: skip
    """Take all kinds of things."""


def test_types_and_defaults_are_in_the_schema() -> None:
    schema = Tool(of_types).declaration()["function"]["parameters"]
    assert schema["properties"] | {"j": "…"} == {
        "a": {"type": "integer"},
        "b": {"type": "number"},
        "c": {"type": "boolean"},
        "d": {"type": "array", "items": {"type": "string"}},
        "e": {"type": "object", "additionalProperties": {"type": "integer"}},
        "f": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "g": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "h": {},
        "i": {"$ref": "#/$defs/Unit"},
        "j": "…",
        "k": {"type": "string", "format": "date"},
        "z": {"type": "integer", "default": 3},
        "m": {"type": "string", "default": "x"},
        "n": {},
        "o": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    assert schema["required"] == list("abcdefghijk")
    assert schema["$defs"]["Unit"]["enum"] == ["c", "f"]
    assert schema["$defs"]["Options"]["properties"] == {"days": {"type": "integer"}}


def called(function: Callable[..., Any], arguments: Any) -> Any:
    """Return what a function returns for a call of a model, or the text that the model gets about an error."""
    positional, named = Tool(function, name="f").signature.convert(ToolCall("", "f", json.dumps(arguments)).args)
    return function(*positional, **named)


@pytest.mark.parametrize(
    ("hint", "argument", "expected"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (int, 3.0, 3),
        (float, "2.5", 2.5),
        (bool, "true", True),
        (str, "3", "3"),
        (str, 3, "3"),
        (Unit, "f", Unit.F),
        (Place, {"name": "Oslo"}, Place("Oslo")),
        (Place, {"name": "Oslo", "zone": "1"}, Place("Oslo", 1)),
        (list[Place], [{"name": "Oslo"}], [Place("Oslo")]),
        (datetime.date, "2026-02-01", datetime.date(2026, 2, 1)),
        (int | None, None, None),
        (Any, {"a": [1]}, {"a": [1]}),
    ],
)
def test_arguments_are_converted(hint: Any, argument: Any, expected: Any) -> None:
    def function(x):  # type: ignore[no-untyped-def]
        return x

    function.__annotations__ = {"x": hint}
    assert called(function, {"x": argument}) == expected


@pytest.mark.parametrize(
    ("hint", "arguments", "message"),
    [
        (int, {"x": "three"}, "the argument 'x' does not fit: Expected `int`, got `str`"),
        (Place, {"x": {"zone": 1}}, "the argument 'x' does not fit: Object missing required field `name`"),
        (Unit, {"x": "k"}, "the argument 'x' does not fit: Invalid enum value 'k'"),
        (int, {}, "the argument 'x' is missing"),
        (int, {"x": 1, "y": 2}, "there is no parameter 'y'; the parameters are: x"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error_for_the_model(hint: Any, arguments: Any, message: str) -> None:
    def function(x):  # type: ignore[no-untyped-def]
        return x

    function.__annotations__ = {"x": hint}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        called(function, arguments)


def by_position(a: int, b: int = 2, /, c: int = 3, *, d: int = 4) -> tuple[int, ...]:
    return a, b, c, d


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"a": 0}, (0, 2, 3, 4)), ({"a": 0, "d": 9}, (0, 2, 3, 9)), ({"a": 0, "b": 7, "c": 8}, (0, 7, 8, 4))],
)
def test_parameters_are_given_as_the_function_takes_them(arguments: dict[str, int], expected: tuple[int, ...]) -> None:
    assert called(by_position, arguments) == expected


def test_any_name_of_a_parameter_will_do() -> None:
    def take(_a: int, __b: int, größe: int, self: int = 0) -> list[int]:
        return [_a, __b, größe, self]

    assert called(take, {"_a": "1", "__b": 2, "größe": 3}) == [1, 2, 3, 0]


class Shop:
    def price(self, item: str, currency: str = "EUR") -> str:
        """Get a price."""
        return f"{item} {currency}"

    def __call__(self, item: str) -> str:
        """Get it."""
        return item


@functools.lru_cache
def cached(item: str) -> str:
    """Get it once."""
    return item


def plain(decorated: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(decorated)
    def wrapper(*args: Any, **kwargs: Any) -> str:
        return decorated(*args, **kwargs)

    return wrapper


@plain
def wrapped(item: str) -> str:
    """Get it."""
    return item


@pytest.mark.parametrize(
    ("tool", "name", "description", "parameters"),
    [
        (Shop().price, "price", "Get a price.", ["item", "currency"]),
        (functools.partial(Shop().price, currency="NOK"), "price", "Get a price.", ["item"]),
        (functools.partial(Shop().price, "shoe"), "price", "Get a price.", ["currency"]),
        (functools.partial(functools.partial(Shop().price, "shoe"), currency="NOK"), "price", "Get a price.", []),
        (Tool(Shop(), name="shop"), "shop", "Get it.", ["item"]),
        (Tool(lambda item: item, name="get", description="Get."), "get", "Get.", ["item"]),
        (cached, "cached", "Get it once.", ["item"]),
        (wrapped, "wrapped", "Get it.", ["item"]),
        (Tool(wrapped, name="other", description="Other."), "other", "Other.", ["item"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_be_called_is_a_tool(tool: Any, name: str, description: str, parameters: list[str]) -> None:
    told = (tool if isinstance(tool, Tool) else Tool(tool)).declaration()["function"]
    assert (told["name"], told["description"]) == (name, description)
    assert list(told["parameters"]["properties"]) == parameters


def test_what_a_partial_sets_is_not_for_the_model_to_choose() -> None:
    price = functools.partial(Shop().price, currency="NOK")
    assert called(price, {"item": "shoe"}) == "shoe NOK"
    with pytest.raises(ValueError, match="no parameter 'currency'"):
        called(price, {"item": "shoe", "currency": "EUR"})


def test_hints_may_name_what_an_enclosing_function_holds() -> None:
    @dataclasses.dataclass
    class Inner:
        n: int

    def function(x: Inner) -> Missing:  # type: ignore[name-defined]  # noqa: F821  the result's hint is not needed
        return Inner(x.n + 1)

    assert called(function, {"x": {"n": 1}}) == Inner(2)


def test_a_default_that_json_has_not_stays_with_the_function() -> None:
    nothing = object()

    def function(x=nothing, y: float = float("inf"), z: Any = (1, {"a"})):  # type: ignore[no-untyped-def]
        return x is nothing, y, z

    properties = Tool(function).declaration()["function"]["parameters"]["properties"]
    assert properties == {"x": {}, "y": {"type": "number"}, "z": {"default": [1, ["a"]]}}
    assert called(function, {}) == (True, float("inf"), (1, {"a"}))


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ('{"city": "Oslo"}', {"city": "Oslo"}),
        ("", {}),
        ("  ", {}),
        ("null", {}),
        ('"{\\"city\\": \\"Oslo\\"}"', {"city": "Oslo"}),
    ],
)
def test_the_arguments_of_a_call_are_a_dict(text: str, args: dict[str, Any]) -> None:
    assert ToolCall("a", "f", text).args == args


@pytest.mark.parametrize("text", ["{", "[1]", "3", '"Oslo"', "[" * 100_000])
def test_arguments_that_are_no_object_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected (arguments in JSON:|a JSON object as the arguments;)"):
        _ = ToolCall("a", "f", text).args
