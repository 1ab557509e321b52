"""The log probabilities of an answer's tokens, as OpenAI's API writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .result import Extended


@dataclass(slots=True)
class TopLogprob(Extended):
    """A token that the model might have written at a place, and how likely it was."""

    nullable = frozenset({"bytes"})

    token: str
    logprob: float
    bytes: list[int] | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class TokenLogprob(Extended):
    """A token of the answer, how likely it was, and the most likely ones in its place."""

    nullable = frozenset({"bytes"})

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = field(default_factory=list)
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class ChoiceLogprobs(Extended):
    """The tokens of a choice's content, and of its refusal."""

    nullable = frozenset({"content", "refusal"})

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None
    extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, reported: Any) -> ChoiceLogprobs | None:
        """Take what a service sent; None for nothing.  A form other than OpenAI's is kept as further fields."""
        if not isinstance(reported, Mapping):
            return None
        read = cls.read(reported)
        read.content, read.refusal = _tokens(reported.get("content")), _tokens(reported.get("refusal"))
        return read


def _tokens(items: Any) -> list[TokenLogprob] | None:
    if not isinstance(items, list):
        return None
    return [_token(item) for item in items if isinstance(item, Mapping)]


def _token(item: Mapping[str, Any]) -> TokenLogprob:
    token = TokenLogprob.read(item, token="", logprob=0.0)
    alternatives = item.get("top_logprobs")
    token.top_logprobs = [
        TopLogprob.read(each, token="", logprob=0.0)
        for each in (alternatives if isinstance(alternatives, list) else [])
        if isinstance(each, Mapping)
    ]
    return token
