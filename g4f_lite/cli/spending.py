"""What the calls of a command took: tokens, and dollars where their price is known."""

from __future__ import annotations

from contextlib import suppress

from ..batch.summary import counted, dollars
from ..client.usage import ClientUsage
from ..errors import MissingDependencyError


def cost_of(usage: ClientUsage) -> float | None:
    """Return what calls cost in US dollars; None if that is not known, or needs an extra that is missing."""
    with suppress(MissingDependencyError):
        return usage.cost
    return None


def told_usage(usage: ClientUsage) -> str:
    """Say what calls took, in one line."""
    tokens = f"{counted(usage.prompt_tokens, 'token')} of prompts, {usage.completion_tokens:,} of answers"
    cost = cost_of(usage)
    price = "cost not known" if cost is None else dollars(cost) if cost else "no cost"
    return f"{counted(usage.calls, 'call')}: {tokens}; {price}"
