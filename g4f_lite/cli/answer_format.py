"""The format that ``--schema`` requests, and whether an answer has it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ..answers.answer import Answer
from ..errors import MissingDependencyError, ResponseFormatError
from .failure import checking_arguments
from .notes import note

_UNCHECKED = 'that the answer fits the schema is not checked without jsonschema: pip install "g4f-lite[typed]"'


def with_output(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call, with ``output`` in place of a schema in ``response_format``.

    :raises click.ClickException: if the schema is not valid
    :raises MissingDependencyError: if the packages that check it are not installed
    """
    schema = options.get("response_format")
    for name in ("json_schema", "schema"):
        schema = schema.get(name) if isinstance(schema, dict) else None
    if not isinstance(schema, dict):
        return dict(options)
    from ..typed.output import Output

    with checking_arguments():
        Output.of(schema)
    return {**{name: options[name] for name in options if name != "response_format"}, "output": schema}


def format_check(options: Mapping[str, Any]) -> Callable[[str], object] | None:
    """Return a function that raises ResponseFormatError for an answer without the requested format.

    :param options: the options of the call
    :returns: None if they request none that can be checked
    :raises click.ClickException: if the schema is invalid
    """
    wanted = options.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") not in ("json_object", "json_schema"):
        return None
    from ..client.json_format import JsonFormat

    try:
        with checking_arguments():
            json_format = JsonFormat(wanted)
    except MissingDependencyError:
        tell_once = functools.cache(lambda: note(_UNCHECKED))

        def unchecked(text: str) -> None:
            tell_once()  # not before there is an answer: a provider may refuse a schema for want of the same package
            Answer(text).json()

        return unchecked

    def check(text: str) -> None:
        try:
            json_format.check(text)
        except ResponseFormatError as error:  # without the step, which is the answer itself
            raise ResponseFormatError(error.message, partial=text) from error

    return check
