"""Parsing JSON that a model wrote: as its answer, with or without a code fence, or as the arguments of a call."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ResponseFormatError, sanitize

QUOTED_CHARACTERS = 80  # of a text that is not JSON, in an error


class NotJsonError(ResponseFormatError, ValueError):
    """Text that is not JSON; also a ValueError, like ``json.JSONDecodeError``."""


def parse_json_text(text: str, provider: str | None) -> Any:
    """Parse the text of an answer as JSON, with or without a code fence around it.

    :param provider: the name of the provider, for the error
    :raises NotJsonError: if the text is not JSON
    """
    try:
        return json.loads(without_fence(text))
    except (ValueError, RecursionError) as error:
        raise NotJsonError(
            f"expected an answer in JSON, got {_quoted(text)}: {error}", provider=provider, partial=str(text)
        ) from error


def without_fence(text: str) -> str:
    """Strip white space and the code fence of three backticks around a text."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text


def parse_arguments(text: str) -> dict[str, Any]:
    """Parse the arguments of a tool call; none, and ``null``, are an empty object.

    :raises NotJsonError: if the text is not a JSON object
    """
    try:
        value = json.loads(text) if text.strip() else None
        if isinstance(value, str):  # some models write the JSON of the JSON
            value = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(f"expected arguments in JSON, got {_quoted(text)}: {error}", partial=text) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotJsonError(f"expected a JSON object as the arguments, got {_quoted(text)}", partial=text)
    return value


def _quoted(text: str) -> str:
    """Return the beginning of a text in quotes, on one line, without what a terminal obeys."""
    folded = " ".join(sanitize(text[: 10 * QUOTED_CHARACTERS]).split())
    return repr(folded if len(folded) <= QUOTED_CHARACTERS else f"{folded[: QUOTED_CHARACTERS - 1]}…")
