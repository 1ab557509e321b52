"""Parsing JSON that a model wrote: as its answer, with or without a code fence, or as the arguments of a call."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ResponseFormatError, sanitize
from ..messages import MAX_DIGITS

QUOTED_CHARACTERS = 80  # of a text that is not JSON, in an error


class NotJsonError(ResponseFormatError, ValueError):
    """Text that is not JSON; also a ValueError, like ``json.JSONDecodeError``.

    ``partial`` is the text.  The message, the cause and a pickle are without it: a service may have sent back a key,
    and an answer does not know the keys of its call.
    """

    def __str__(self) -> str:
        return super().__str__() + ("; the text is in .partial of this error" if self.partial else "")

    def for_the_model(self) -> str:
        """Return the message for the model that wrote the text, with the beginning of it."""
        return f"{self.message}; got {_quoted(self.partial)}"

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "partial": ""}


def whole_number(digits: str) -> int:
    """Return a number in JSON, whose time grows with the square of its digits.

    :raises ValueError: if it has very many
    """
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS:,} digits")
    return int(digits)


# Parses JSON that a model wrote, and raises ValueError or RecursionError.
read_json = json.JSONDecoder(parse_int=whole_number).decode


def parse_json_text(text: str, provider: str | None) -> Any:
    """Parse the text of an answer as JSON, with or without a code fence around it.

    :param provider: the name of the provider, for the error
    :raises NotJsonError: if the text is not JSON
    """
    try:
        return read_json(without_fence(text))
    except (ValueError, RecursionError) as error:
        hint = "; ask with output=dict, which finds JSON within other text" if "{" in text or "[" in text else ""
        message = f"expected an answer in JSON: {error}{hint}"
        raise NotJsonError(message, provider=provider, partial=str(text)) from _without_text(error)


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
        value = read_json(text) if text.strip() else None
        if isinstance(value, str):  # some models write the JSON of the JSON
            value = read_json(value)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(f"expected arguments in JSON: {error}", partial=text) from _without_text(error)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotJsonError("expected a JSON object as the arguments", partial=text)
    return value


def _without_text(error: Exception) -> Exception:
    if isinstance(error, json.JSONDecodeError):
        error.doc = ""
    return error


def _quoted(text: str) -> str:
    """Return the beginning of a text in quotes, on one line, without what a terminal obeys."""
    folded = " ".join(sanitize(text[: 10 * QUOTED_CHARACTERS]).split())
    return repr(folded if len(folded) <= QUOTED_CHARACTERS else f"{folded[: QUOTED_CHARACTERS - 1]}…")
