"""In how many ways a text may go on by a grammar or a schema: the engine tries them all at each token.

A few rules may leave more ways open than any machine can try: each may refer to two others, and those to two more.
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..schema_references import References, objects_of

MANY = 1_000_000  # is as good as any larger number
MAX_OPTIONAL = 50  # parts in a row: of 100, the engine tries millions of choices for a token of four characters
# To begin with a character, to have none at all, and to end after one; how many parts in a row may be left out
# at the beginning, and at the end.
Ways = tuple[int, int, int, int, int]
NOTHING: Ways = 0, 1, 0, 0, 0

_GRAMMAR = re.compile(
    r"""(?x) \s+ | \#[^\n]* | (?P<name>[\w-]+)\s*(?P<rule>::=)? | (?P<open>\() | (?P<close>\)) | (?P<or>\|)
    | (?P<often>[?*+]|\{[\d,\s]*\}) | (?P<empty>"") | (?P<some>"(?:[^"\\]|\\.)*"?|\[(?:[^\]\\]|\\.)*\]?|.)"""
)
_PATTERN = re.compile(
    r"""(?xs) [\^$] | (?P<open>\((?:\?:)?) | (?P<close>\)) | (?P<or>\|) | (?P<often>[?*+]\??|\{\d+(?:,\d*)?\})
    | (?P<some>\[(?:[^\]\\]|\\.)*\]?|\\.|.)"""
)
_MOST_PASSES = 50  # over the rules, to find those that may stand for nothing
Tokens = list[tuple[str, str]]


def ways_of_grammar(grammar: str) -> int:
    """Return the most ways in which a text may go on anywhere in a grammar."""
    bodies: dict[str, Tokens] = {}
    body: Tokens = []
    for found in _GRAMMAR.finditer(grammar):
        if found["rule"]:
            body = bodies.setdefault(found["name"], [])
        elif found.lastgroup:
            body.append((found.lastgroup, found["name"] or found.group()))
    return _Rules(bodies).most()


def ways_of_pattern(pattern: str) -> int:
    """Return the most ways in which a text may go on anywhere in a regular expression."""
    tokens = [(found.lastgroup, found.group()) for found in _PATTERN.finditer(pattern) if found.lastgroup]
    return _Rules({"": tokens}).most()


class _Rules:
    """The rules of a grammar."""

    def __init__(self, bodies: dict[str, Tokens]) -> None:
        self._bodies = bodies
        self._known: dict[str, Ways] = {}
        self._most = 0

    def most(self) -> int:
        try:
            if self._begin_with_themselves():
                return MANY
            for name in self._bodies:
                self._rule(name)
        except RecursionError:  # each leads to the next, hundreds of times
            return MANY
        return self._most

    def _begin_with_themselves(self) -> bool:
        """Return whether a rule leads to itself before any character, in which the engine goes round without an end."""
        empty: set[str] = set()  # rules that may stand for nothing
        for _ in range(_MOST_PASSES):
            begin = {name: self._beginnings(tokens[::-1], empty) for name, tokens in self._bodies.items()}
            found = {name for name, (_, may_be_empty) in begin.items() if may_be_empty}
            if found == empty:
                break
            empty = found
        else:
            return True  # each leads to the next, dozens of times
        try:
            TopologicalSorter({name: rules for name, (rules, _) in begin.items()}).prepare()
        except CycleError:
            return True
        return False

    def _beginnings(self, tokens: Tokens, empty: set[str]) -> tuple[set[str], bool]:
        """Return the rules that alternatives may begin with, and whether they may stand for nothing.

        :param tokens: what is left, the next one last; read up to the end or a closing parenthesis
        :param empty: the rules that may stand for nothing
        """
        alternatives: list[list[tuple[set[str], bool]]] = [[]]
        while tokens:
            kind, text = tokens.pop()
            parts = alternatives[-1]
            if kind == "close":
                break
            if kind == "or":
                alternatives.append([])
            elif kind == "often":
                if parts and re.match(r"[?*]|\{\s*[0,]", text):
                    parts[-1] = parts[-1][0], True
            elif kind == "open":
                parts.append(self._beginnings(tokens, empty))
            else:
                parts.append(({text} if kind == "name" else set(), kind == "empty" or text in empty))
        rules: set[str] = set()
        for parts in alternatives:
            for names, may_be_empty in parts:
                rules |= names
                if not may_be_empty:
                    break
        return rules, any(all(may_be_empty for _, may_be_empty in parts) for parts in alternatives)

    def _rule(self, name: str) -> Ways:
        if name not in self._known:
            self._known[name] = 0, 0, 1, 0, 0  # in a circle, which is counted once: each round has another character
            self._known[name] = self._choice(list(reversed(self._bodies.get(name, []))))
        return self._known[name]

    def _choice(self, tokens: Tokens) -> Ways:
        """Count the ways of alternatives, up to the end or a closing parenthesis.

        :param tokens: what is left, the next one last
        """
        choices: list[Ways] = []
        parts: list[Ways] = []
        while tokens:
            kind, text = tokens.pop()
            if kind == "close":
                break
            if kind == "or":
                choices.append(self._sequence(parts))
                parts = []
            elif kind == "often":
                if parts:
                    parts.append(self._repeated(parts.pop(), text))
            elif kind == "open":
                parts.append(self._choice(tokens))
            elif kind == "name":
                parts.append(self._rule(text))
            else:
                parts.append(NOTHING if kind == "empty" else (1, 0, 1, 0, 0))
        choices.append(self._sequence(parts))
        some, none, ends, first, last = zip(*choices, strict=True)
        left_out = min(sum(none), 1)
        return self._counted(sum(some), sum(none), max(ends), max(*first, left_out), max(*last, left_out))

    def _sequence(self, parts: list[Ways]) -> Ways:
        ways = NOTHING
        for part in reversed(parts):
            ways = self._before(part, ways)
        return ways

    def _repeated(self, part: Ways, sign: str) -> Ways:
        numbers = [int(number) for number in re.findall(r"\d{1,9}", sign)]
        least = numbers[0] if numbers else int(sign[0] == "+")
        most = 1 if sign[0] == "?" else numbers[-1] if numbers and not re.search(r",\s*\}", sign) else least + 1
        ways = NOTHING
        for number in range(min(most, 1000), 0, -1):
            ways = self._before(part, ways)
            if number > least:
                some, none, ends, first, last = ways
                ways = self._counted(some, none + 1, ends, max(first, 1), max(last, 1))
        return ways

    def _before(self, part: Ways, rest: Ways) -> Ways:
        """Count the ways of a part with what is behind it."""
        some, none, ends, first, last = part
        self._counted(0, 0, ends * rest[0], last + rest[3], 0)
        return self._counted(
            some + none * rest[0],
            none * rest[1],
            max(ends * rest[1], rest[2]),
            first + (rest[3] if none else 0),
            max(rest[4], last + rest[3] if rest[1] else 0),
        )

    def _counted(self, some: int, none: int, ends: int, first: int, last: int) -> Ways:
        ways = min(some, MANY), min(none, MANY), min(ends, MANY)
        self._most = max(self._most, *ways, MANY if max(first, last) > MAX_OPTIONAL else 0)
        return (*ways, min(first, MANY), min(last, MANY))


def ways_of_schema(schema: dict[str, Any]) -> int:
    """Return the most values of different kinds that may stand anywhere in JSON of a schema."""

    def ways_of(part: Any) -> int:
        if not isinstance(part, dict):
            return 1
        ways = references.behind(part) or 0
        for name in ("anyOf", "oneOf", "allOf"):
            if isinstance(part.get(name), list):
                ways += sum(map(ways_of, part[name]))
        return min(max(ways, 1), MANY)

    references = References(schema, ways_of)
    try:
        return max(map(ways_of, objects_of(schema)))
    except RecursionError:
        return MANY
