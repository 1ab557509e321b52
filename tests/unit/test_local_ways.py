"""In how many ways a text may go on by a grammar, a pattern or a schema."""

from __future__ import annotations

import time
from typing import Any

import pytest

from g4f_lite.providers.local.options import check_options
from g4f_lite.providers.local.ways import MANY, ways_of_grammar, ways_of_pattern, ways_of_schema

OF_JSON = r"""root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws  # "in" a comment (
array ::= "[" ws (
    value ("," ws value)*
  )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""


def chain(body: str, length: int = 30, last: str = '"a"') -> str:
    """Write a grammar in which each rule refers to the next one."""
    rules = [f"r{number} ::= {body.replace('NEXT', f'r{number + 1}')}" for number in range(length)]
    return "\n".join(["root ::= r0", *rules, f"r{length} ::= {last}"])


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= a\na ::= c a "b" | "b"\nc ::= "z"?',
        'root ::= a\na ::= "x" u | u\nu ::= a "b"',
        'root ::= ("y"* root "x") | "z"',
        'root ::= b{0,3} root | "x"\nb ::= "q"',
        'root ::= "" root "y" | "x"',
        chain("NEXT", 100, '""') + ' | r0 "a"',
    ],
)
def test_a_rule_that_leads_to_itself_before_any_character_is_too_much(grammar: str) -> None:
    """The engine refuses the plain ones itself, and goes round in these without an end."""
    assert ways_of_grammar(grammar) == MANY
    with pytest.raises(ValueError, match="alternatives"):
        check_options({"grammar": grammar})


@pytest.mark.parametrize(
    ("grammar", "ways"),
    [
        ('root ::= "a"', 1),
        ('root ::= "a" | "b" | [cd] | .', 4),
        ('root ::= "a"? "b"? "c"', 3),
        ('root ::= "" "a"', 1),
        ('root ::= ("a" | "b")* "c"', 3),
        ('root ::= "a" root "b" | "c"', 2),
        ('root ::= "a"{2,5} "b"', 1),
        ('root ::= ("a" x) y y\nx ::= ("b"?)?\ny ::= "c" | "d" | "e"', 6),
        ('root ::= ("a"?){7}', 7),
        ('root ::= ("a"?){40,} "b"', 43),
        ('root ::= ("a"?){50}', 50),
        ('root ::= ("a"?){51}', MANY),
        ('root ::= ("a" | ){51}', MANY),
        ('root ::= x x\nx ::= ("a"?){25} "b" ("a"?){26}', MANY),
        ('root ::= ("a"?){30} x ("a"?){10}\nx ::= ("b"? "c"?){6}', MANY),
        ('root ::= ("a"? "b"){100}', 2),
        ('root ::= "a"{0,100}', 1),
        ('root ::= ("a" "b"?){0,100}', 1),
        (chain('"x" NEXT "a"?{1}', 51), MANY),
        ('root ::= (("a"?)?)+', 6),
        (chain("NEXT NEXT"), 1),
        (chain("NEXT | NEXT", 5), 32),
        (chain("NEXT | NEXT"), MANY),
        (chain("NEXT? NEXT? NEXT?"), MANY),
        (chain("NEXT", 5000), MANY),
        (OF_JSON, 10),
    ],
)
def test_of_a_grammar(grammar: str, ways: int) -> None:
    assert ways_of_grammar(grammar) == ways


@pytest.mark.parametrize(
    ("pattern", "ways"),
    [
        (r"^(\(\d{3}\)|\d{3}-)?\d{3}-\d{4}$", 3),
        ("a?b?c?", 3),
        ("(?:a|b){1,50}(c?){1,40}?", 41),
        (r"[(|?]\(\|\?", 1),
        ("((a?)?){20}", MANY),
    ],
)
def test_of_a_pattern(pattern: str, ways: int) -> None:
    assert ways_of_pattern(pattern) == ways


def doubling(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": {"type": "string"}}}


PERSON = {"type": "object", "properties": {name: {"$ref": "#/$defs/Person"} for name in ("boss", "aide", "heir")}}
NODE = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/Node"}}]}


@pytest.mark.parametrize(
    ("schema", "ways"),
    [
        ({"type": "object"}, 1),
        ({"$ref": "#"}, 1),
        ({"$ref": "#/nowhere"}, 1),
        ({"$ref": "#/$defs/Person", "$defs": {"Person": PERSON}}, 1),
        ({"items": {"$ref": "#/$defs/Node"}, "$defs": {"Node": NODE}}, 2),
        ({"properties": {"a~b/c": doubling(3)["$defs"]["d0"]}, "$defs": doubling(3)["$defs"]}, 8),
        (doubling(40), MANY),
        (doubling(3000), MANY),
        ({"anyOf": [*({"anyOf": [{"$ref": f"#/anyOf/{n}"}] * 2} for n in range(1, 40)), {}]}, MANY),
        ({"anyOf": [{"$ref": "#/anyOf/2"}, {"$ref": "#/anyOf/x"}]}, 2),
    ],
)
def test_of_a_schema(schema: dict[str, Any], ways: int) -> None:
    assert ways_of_schema(schema) == ways


@pytest.mark.parametrize(
    "options",
    [
        {"grammar": chain("NEXT? NEXT? NEXT?")},
        {"json_schema": doubling(40)},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": doubling(40)}}},
        {"json_schema": {"type": "string", "pattern": "^((a?)?){20}$"}},
        {"json_schema": {"type": "string", "pattern": "^(a?){100}$"}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": doubling(40)}}]},
    ],
)
def test_more_than_the_engine_can_try_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at most 500 alternatives at one place"):
        check_options(options)


def test_brackets_without_an_end_are_read_once() -> None:
    began = time.thread_time()
    check_options({"grammar": "[" * 65_000, "json_schema": {"pattern": "[" * 60_000}})
    assert time.thread_time() - began < 5  # tenths of one; to the end from each of them would take minutes
