"""JSON in the text of an answer, with or without a code fence around it."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ResponseFormatError


class NotJsonError(ResponseFormatError, ValueError):
    """Prose where JSON was wanted; a ValueError too, as json's own error is."""


def json_in(text: str, provider: str | None) -> Any:
    """Parse an answer's text as JSON; a fence of three backticks around it is no hindrance.

    :param provider: who answered, for the error
    :raises NotJsonError: the text is no JSON
    """
    try:
        return json.loads(without_fence(text))
    except ValueError as error:
        raise NotJsonError(f"the answer is no JSON: {error}", provider=provider, partial=str(text)) from error


def without_fence(text: str) -> str:
    """Give a text without the blanks and the code fence, three backticks on both sides, around it."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text
