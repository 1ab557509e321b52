"""The tokens that a service counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Usage
from .fields import count_in

# Fields that are read here; what else is in a usage is the service's own.
_COUNTED = frozenset(
    {"prompt_tokens", "input_tokens", "prompt_tokens_details", "input_tokens_details", "cached_tokens"}
    | {"completion_tokens", "output_tokens", "completion_tokens_details", "output_tokens_details", "total_tokens"}
    | {"prompt_cache_hit_tokens"}
)


def read_usage(*holders: Any) -> Iterator[Usage]:
    """Read the tokens where a service says how many they were, under any of the names in use.

    :param holders: what may have a field ``usage``: a chunk, a choice; the first that has one counts
    """
    for holder in holders:
        usage = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(usage, dict) and (counted := _counted(usage)) is not None:
            yield counted
            return


def _counted(usage: dict[str, Any]) -> Usage | None:
    prompt = count_in(usage, "prompt_tokens", "input_tokens")
    completion = count_in(usage, "completion_tokens", "output_tokens")
    total = count_in(usage, "total_tokens")
    if prompt is None and completion is None:
        return None
    if prompt is None:
        prompt = max(0, (total or 0) - (completion or 0))
    if completion is None:
        completion = max(0, (total or 0) - prompt)
    prompt_details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    completion_details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    cached = count_in(prompt_details, "cached_tokens")
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else total,
        count_in(usage, "cached_tokens", "prompt_cache_hit_tokens") if cached is None else cached,
        count_in(completion_details, "reasoning_tokens"),
        {
            **{name: value for name, value in usage.items() if name not in _COUNTED and value is not None},
            **_further("prompt_tokens_details", prompt_details),
            **_further("completion_tokens_details", completion_details),
        },
    )


def _further(name: str, details: Any) -> dict[str, Any]:
    """Return the details that have no field of their own, under OpenAI's name for all of them."""
    known = ("cached_tokens", "reasoning_tokens")
    given = details.items() if isinstance(details, dict) else ()
    further = {key: value for key, value in given if key not in known and value is not None}
    return {name: further} if further else {}
