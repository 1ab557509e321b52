"""The errors in the file of a hosted batch: their kind, their numbers, and the beginning of their texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import errors
from ..answers.deltas import COUNTS, Usage
from ..errors import G4FLiteError
from ..providers.openai.fields import count_in

_LONGEST = 4096  # bytes of a text, as JSON writes it: a file has 50,000 errors at most for each part of a batch


def to_json(error: G4FLiteError) -> dict[str, Any]:
    """Return what is kept of an error, without its cause.

    :param error: the error, without secrets
    """
    kind = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    kept: dict[str, Any] = {"kind": kind.__name__}
    for name, value in vars(error).items():
        if isinstance(value, (str, int, float)):
            kept[name] = _beginning(value) if isinstance(value, str) else value
        elif isinstance(value, Usage):
            kept[name] = {count: getattr(value, count) for count in COUNTS}
    return kept


def from_json(kept: Mapping[str, Any]) -> G4FLiteError:
    """Make an error of what was kept of it.

    :raises ValueError: if it is something else
    """
    fields = dict(kept)
    try:
        error = getattr(errors, fields.pop("kind"))(fields["message"])
        if not isinstance(error, G4FLiteError):
            raise TypeError(f"{error!r} is not an error")
        for name, value in fields.items():
            if isinstance(value, dict):
                prompt, completion, total, cached, reasoning = (count_in(value, count) for count in COUNTS)
                value = Usage(prompt or 0, completion or 0, total or 0, cached, reasoning)
            elif not isinstance(value, (str, int, float)):
                raise TypeError(f"{name} is {value!r}")
            setattr(error, name, value)
        str(error)  # which formats numbers
    except (AttributeError, KeyError, TypeError, ValueError) as reason:
        raise ValueError(f"not an error: {kept!r:.80}") from reason
    return error


def _beginning(text: str) -> str:
    """Return a text that JSON writes in no more than the longest bytes, with "…" for what is left out."""
    beginning = text[:_LONGEST]
    while len(json.dumps(beginning)) > _LONGEST:
        beginning = beginning[: len(beginning) * 3 // 4]
    return text if beginning == text else f"{beginning}…"
