"""``%%chat -i``: a prompt as an f-string.

Python compiles none of it: before 3.12 an f-string's expressions may have neither backslashes nor its quotation marks.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Callable, Mapping
from textwrap import shorten
from types import CodeType, ModuleType
from typing import Any

from IPython.core.error import UsageError

_OF_PROMPT = re.compile(r"(?:[^{}]+|\{\{|\}\})*")
_OF_FORMAT = re.compile(r"[^{}]*")
_AFTER_EXPRESSION = re.compile(r"(?P<equals>=\s*)?(?:!(?P<conversion>[rsa]))?(?P<end>[:}])")
# Braces that may be meant as an expression: not those of LaTeX, of a shell, of a template, or of a block of code.
_MAY_BE_MEANT = re.compile(r"(?<![\w\\^$%#{}])\{[^{}\\\n]{1,200}\}(?!\})")
_CONVERSIONS: dict[str, Callable[[Any], Any]] = {"r": repr, "s": str, "a": ascii}
_ADVICE = "braces that are part of the prompt are written twice, {{ and }}"

Evaluate = Callable[[CodeType], Any]


def interpolated(prompt: str, evaluate: Evaluate) -> str:
    """Replace the expressions in braces by their values, with conversions, formats and ``=`` as in an f-string.

    :param evaluate: returns the value of an expression
    :raises UsageError: if braces do not contain an expression, or it or its format raises an error
    """
    text, end = _filled(prompt, 0, _OF_PROMPT, evaluate)
    if end < len(prompt):
        raise UsageError(f"-i: a closing brace has no opening one; {_ADVICE}")
    return text


def sent_as_written(prompt: str, variables: Mapping[str, Any]) -> str | None:
    """Return the first braces in a prompt that ``-i`` would have replaced by a value of the user's; None without any.

    :param variables: the user's variables
    """
    for found in _MAY_BE_MEANT.finditer(prompt):
        try:
            tree, after = _expression(found[0], 1)
        except UsageError:
            continue
        is_object_in_code = found[0][after.end() :][:1].isspace()  # {name: value}
        if not is_object_in_code and not isinstance(tree.body, ast.Tuple) and _are_known(tree, variables):
            return found[0]
    return None


def _are_known(tree: ast.Expression, variables: Mapping[str, Any]) -> bool:
    """Return whether an expression has a value of the user's, and no name that means nothing."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    names = {node.id for node in nodes} - {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    if any(name not in variables and not hasattr(builtins, name) for name in names):
        return False
    return any(name in variables and not isinstance(variables[name], ModuleType) for name in names)


def _filled(text: str, at: int, literal: re.Pattern[str], evaluate: Evaluate) -> tuple[str, int]:
    """Return a part of a prompt with the values, and where it ends: at a closing brace, or with the prompt.

    :param literal: what stands between the expressions
    """
    parts = []
    while found := literal.match(text, at):
        parts.append(found[0].replace("{{", "{").replace("}}", "}"))
        at = found.end()
        if text[at : at + 1] != "{":
            break
        value, at = _value(text, at + 1, evaluate)
        parts.append(value)
    return "".join(parts), at


def _value(text: str, start: int, evaluate: Evaluate) -> tuple[str, int]:
    """Return the value of an expression as it is written into the prompt, and where its braces end."""
    tree, found = _expression(text, start)
    end, form = found.end(), ""
    if found["end"] == ":":
        form, end = _filled(text, end, _OF_FORMAT, evaluate)
        end += 1
        # A constant with a format is JSON: {"count":10} would be a text of ten characters.
        if end > len(text) or isinstance(tree.body, ast.Constant):
            raise _not_an_expression(text, start)
    label = text[start : found.end("equals")] if found["equals"] else ""
    conversion = found["conversion"] or ("r" if label and not form else "")
    try:
        value = evaluate(compile(tree, "<prompt>", "eval"))
        written = format(_CONVERSIONS[conversion](value) if conversion else value, form)
        if _is_shortened(value):
            expression = text[start : found.start()].strip()
            whole = expression if expression.isidentifier() else f"({expression})"
            sys.stderr.write(f"{{{expression}}} was shortened by pandas; {{{whole}.to_csv()}} is the whole table\n")
        return label + written, end
    except Exception as error:
        advice = f"; {_ADVICE}" if isinstance(error, (NameError, SyntaxError)) else ""
        quoted = shorten(text[start - 1 : end], 80, placeholder="…")
        raise UsageError(f"-i {quoted}: {type(error).__name__}: {error}{advice}") from error


def _is_shortened(value: Any) -> bool:
    """Return whether pandas leaves out rows, columns or texts of a table where it prints it."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, (pandas.DataFrame, pandas.Series)):
        return False
    most = pandas.get_option("display.max_rows")
    if most and len(value) > most:
        return True
    with pandas.option_context("display.max_columns", None, "display.max_colwidth", None):
        whole = str(value)
    return whole != str(value)


def _expression(text: str, start: int) -> tuple[ast.Expression, re.Match[str]]:
    """Return an expression, and what follows it: the first of the signs before which there is one.

    ``{rows[1:3]}`` does not end at its colon.
    """
    for found in _AFTER_EXPRESSION.finditer(text, start):
        if tree := _parsed(text[start : found.start()]):
            return tree, found
    raise _not_an_expression(text, start)


def _not_an_expression(text: str, start: int) -> UsageError:
    quoted = shorten(text[start - 1 :], 40, placeholder="…")
    return UsageError(f"-i {quoted}: this is not an expression; {_ADVICE}")


def _parsed(expression: str) -> ast.Expression | None:
    """Return an expression's syntax tree; None if this is not an expression."""
    try:
        return ast.parse(f"({expression}\n)", mode="eval") if expression.strip() else None
    except (SyntaxError, ValueError):  # the latter of a null character, before Python 3.12
        return None
