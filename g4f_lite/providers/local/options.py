"""What the engine may be told besides the messages: checked here, because it would take most of it without a word.

A grammar or a schema is bounded as well: the engine works through all of its alternatives at each token, and gives
nobody else a token meanwhile.  How many it leaves open as the text grows cannot be counted; see ``child.py`` for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ...arguments import check_stop
from .keep_alive import seconds_of

MAX_CHARACTERS = 64 * 1024  # of a grammar, and of a schema as JSON
MAX_ALTERNATIVES = 500
MAX_DEPTH = 100
MAX_REPETITIONS = 100  # of a part of a grammar or of a pattern
LARGEST = 2**31 - 1

_FRACTIONS = """dry_base dry_multiplier frequency_penalty min_p mirostat_eta mirostat_tau presence_penalty
repeat_penalty repetition_penalty temperature top_p typical_p""".split()  # noqa: SIM905
_WHOLE = {"dry_allowed_length": 0, "dry_penalty_last_n": -1, "max_completion_tokens": 1, "max_tokens": 1}
_WHOLE |= {"min_tokens": 0, "mirostat": 0, "n_predict": -1, "repeat_last_n": 0, "seed": -LARGEST, "top_k": 0}
_FORMS = ("grammar", "json_schema", "response_format", "tools")
_NO_FORM: tuple[object, ...] = (None, "", [], {"type": "text"})
_GRAMMAR = re.compile(r'"(?:[^"\\]|\\.)*"?|\[(?:[^\]\\]|\\.)*\]?|#[^\n]*|[()|]|\{[\d,\s]*\}')
_REPETITION = re.compile(r"\{[\d,\s]*\}")


def check_options(options: Mapping[str, Any]) -> None:
    """Raise where the engine could not do what it is told.

    :param options: what the caller gave, ``extra_body`` included
    :raises TypeError: if an option has the wrong type
    :raises ValueError: if an option makes no sense, or a grammar or schema is too large
    """
    given = {**options, **(options.get("extra_body") or {})}
    for name in _FRACTIONS:
        if name in given:
            _number(name, given[name])
    for name, least in _WHOLE.items():
        if name in given:
            _whole_number(name, given[name], least)
    for name, check in _CHECKS.items():
        if given.get(name) is not None:
            check(given[name])


def has_form(options: Mapping[str, Any]) -> bool:
    """Return whether an answer has to have a form, by a grammar, a schema or tools."""
    places = (options, options.get("extra_body") or {})
    return any(given.get(name) not in _NO_FORM for given in places for name in _FORMS)


def _number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")


def _whole_number(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if not least <= value <= LARGEST:
        raise ValueError(f"{name} must be a whole number from {least} to {LARGEST}, not {value}")


def _check_logit_bias(bias: Any) -> None:
    if not isinstance(bias, (dict, list)):
        raise TypeError(f"logit_bias must be a dict of numbers by tokens, not {type(bias).__name__}")


def _check_tools(tools: Any) -> None:
    if not isinstance(tools, list):
        raise TypeError(f"tools must be a list, not {type(tools).__name__}")
    for number, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise ValueError(
                f"tools[{number}] must be {{'type': 'function', 'function': {{'name': …}}}}, not {tool!r:.80}"
            )
        if function.get("parameters") is not None:
            _check_schema(function["parameters"], f"the parameters of {function['name']}")


def _check_tool_choice(choice: Any) -> None:
    function = choice.get("function") if isinstance(choice, dict) else None
    named = isinstance(function, dict) and isinstance(function.get("name"), str)
    if not named and choice not in ("none", "auto", "required"):
        raise ValueError(
            "tool_choice must be 'none', 'auto', 'required' or "
            f"{{'type': 'function', 'function': {{'name': …}}}}, not {choice!r:.80}"
        )


def _check_response_format(response_format: Any) -> None:
    kind = response_format.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise ValueError(f"response_format has the type {kind!r:.80}; it may be 'text', 'json_object' or 'json_schema'")
    inner = response_format.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else response_format.get("schema")
    if schema is not None or kind == "json_schema":
        _check_schema(schema, "the schema in response_format")


def _check_schema(schema: Any, what: str = "json_schema") -> None:
    if not isinstance(schema, dict):
        raise TypeError(f"{what} must be a dict, not {type(schema).__name__}")
    if len(json.dumps(schema)) > MAX_CHARACTERS:
        raise _too_large(what, f"{MAX_CHARACTERS:,} characters of JSON")
    alternatives = 0
    level: list[Any] = [schema]
    for _ in range(MAX_DEPTH):
        alternatives += sum(len(_alternatives(value)) for value in level)
        _check_patterns(level, what)
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            break
    else:
        raise _too_large(what, f"{MAX_DEPTH} levels")
    if alternatives > MAX_ALTERNATIVES:
        raise _too_large(what, f"{MAX_ALTERNATIVES} alternatives")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _alternatives(value: Any) -> list[Any]:
    """List what a schema gives a choice of."""
    if not isinstance(value, dict):
        return []
    return [each for name in ("enum", "anyOf", "oneOf") for each in _inside(value.get(name))]


def _check_patterns(values: list[Any], what: str) -> None:
    for value in values:
        pattern = value.get("pattern") if isinstance(value, dict) else None
        if isinstance(pattern, str):
            _check_repetitions(_REPETITION.findall(pattern), f"a pattern in {what}")


def _check_grammar(grammar: Any) -> None:
    if not isinstance(grammar, str):
        raise TypeError(f"grammar must be a string, not {type(grammar).__name__}")
    if len(grammar) > MAX_CHARACTERS:
        raise _too_large("the grammar", f"{MAX_CHARACTERS:,} characters")
    signs = _GRAMMAR.findall(grammar)
    if signs.count("|") >= MAX_ALTERNATIVES:
        raise _too_large("the grammar", f"{MAX_ALTERNATIVES} alternatives")
    depth = 0
    for sign in signs:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth > MAX_DEPTH:
            raise _too_large("the grammar", f"{MAX_DEPTH} levels of parentheses")
    _check_repetitions([sign for sign in signs if sign[0] == "{"], "the grammar")


def _check_repetitions(found: list[str], what: str) -> None:
    if any(int(number) > MAX_REPETITIONS for sign in found for number in re.findall(r"\d{1,9}", sign)):
        raise _too_large(what, f"{MAX_REPETITIONS} repetitions of a part")


def _too_large(what: str, limit: str) -> ValueError:
    return ValueError(f"{what} is too large for the embedded model: it may have at most {limit}")


_CHECKS: dict[str, Callable[[Any], object]] = {
    "grammar": _check_grammar,
    "json_schema": _check_schema,
    "keep_alive": seconds_of,
    "logit_bias": _check_logit_bias,
    "response_format": _check_response_format,
    "stop": check_stop,
    "tool_choice": _check_tool_choice,
    "tools": _check_tools,
}
