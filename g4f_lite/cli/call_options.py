"""The options of a call to a model: ``--temperature``, ``--max-tokens``, ``--stop``, ``--schema`` and ``--option``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from .completion import complete_file
from .failure import Misuse


def call_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add these options to a command, as one argument ``call_options``: what to pass to a call.

    :param names: the names of the option that takes any other: ``-o`` is the output of some commands
    """
    return lambda command: _with_options(command, names)


def _with_options(command: Callable[..., None], names: Sequence[str]) -> Callable[..., None]:
    @click.option(
        "--temperature", metavar="NUMBER", type=float, help="How random the answer is; 0 is the least random."
    )
    @click.option(
        "--max-tokens", metavar="N", type=click.IntRange(min=1), help="The maximum length of the answer, in tokens."
    )
    @click.option("--stop", multiple=True, metavar="TEXT", help="End the answer before this text; can be repeated.")
    @click.option(
        "--schema",
        metavar="FILE|JSON",
        shell_complete=complete_file,
        help="Ask for JSON that matches this JSON schema.",
    )
    @click.option(
        *names,
        "more",
        multiple=True,
        metavar="KEY=VALUE",
        help="Another option of the provider, such as top_p=0.9 or seed=1; can be repeated.",
    )
    @wraps(command)
    def with_options(
        *arguments: Any,
        temperature: float | None,
        max_tokens: int | None,
        stop: tuple[str, ...],
        schema: str | None,
        more: tuple[str, ...],
        **options: Any,
    ) -> None:
        named = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": list(stop) or None,
            "response_format": None if schema is None else _format(schema),
        }
        given = {name: value for name, value in named.items() if value is not None}
        for text in more:
            name, value = _assignment(text)
            if name in given:
                raise Misuse(f"the option {name} is given twice")
            given[name] = value
        command(*arguments, call_options=given, **options)

    return with_options


def _assignment(text: str) -> tuple[str, Any]:
    """Split ``KEY=VALUE``; the value is JSON, or else a text.

    :raises click.ClickException: if there is no key or no value
    """
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not name.isidentifier():
        raise Misuse(f"{text!r} is not KEY=VALUE, such as top_p=0.9; > FILE writes the answer to a file")
    if name in _TAKEN:
        raise Misuse(f"{name} cannot be given with --option{_TAKEN[name]}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


# Arguments that only a program can give, or that are options of a command.
_OF_PYTHON = (
    *("output", "repairs", "tools", "max_turns", "approve", "on_tool", "messages", "stream"),
    *("fresh", "workers", "executor", "store", "rpm", "tpm", "on_error", "max_failures_in_a_row"),
    *("max_cost", "max_pause", "max_time", "progress"),
    *("path", "poll"),
)
# Arguments of a call that the command line gives by itself.
_TAKEN = {name: f"; pass --{name}" for name in ("model", "price", "provider", "proxy", "system", "timeout")} | {
    "prompt": "; pass it as the argument",
    "images": "; pass --image",
    **dict.fromkeys(_OF_PYTHON, ""),
}


def _format(given: str) -> dict[str, Any]:
    """Return the JSON format of answers that fit a schema: one that begins with a brace, or the one in a file.

    :raises click.ClickException: if the file cannot be read, or is not a JSON object
    """
    is_inline = given.lstrip().startswith("{")
    path = Path("schema" if is_inline else given)
    try:
        schema = json.loads(given if is_inline else path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Misuse(f"cannot read the schema {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Misuse(f"the schema {given} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise Misuse(f"the schema {path} is not a JSON object")
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", path.stem)[:64] or "schema"
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}
