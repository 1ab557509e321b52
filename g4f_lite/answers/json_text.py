"""Parsing JSON in the text of an answer, with or without a code fence around it."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ResponseFormatError


class NotJsonError(ResponseFormatError, ValueError):
    """Text that is not JSON; also a ValueError, like ``json.JSONDecodeError``."""


def parse_json_text(text: str, provider: str | None) -> Any:
    """Parse the text of an answer as JSON, with or without a code fence around it.

    :param provider: the name of the provider, for the error
    :raises NotJsonError: if the text is not JSON
    """
    try:
        return json.loads(without_fence(text))
    except ValueError as error:
        raise NotJsonError(
            f"expected an answer in JSON, got {text[:80]!r}: {error}", provider=provider, partial=str(text)
        ) from error


def without_fence(text: str) -> str:
    """Strip white space and the code fence of three backticks around a text."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text
