"""The log probabilities of an answer's tokens, as OpenAI's API writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from .result import Extended

T = TypeVar("T", bound=Extended)


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
        read = _read(cls, reported)
        read.content, read.refusal = _tokens(reported.get("content")), _tokens(reported.get("refusal"))
        return read


def _tokens(items: Any) -> list[TokenLogprob] | None:
    if not isinstance(items, list):
        return None
    return [_token(item) for item in items if isinstance(item, Mapping)]


def _token(item: Mapping[str, Any]) -> TokenLogprob:
    token = _read(TokenLogprob, {"token": "", "logprob": 0.0, **item})
    alternatives = item.get("top_logprobs")
    token.top_logprobs = [
        _read(TopLogprob, {"token": "", "logprob": 0.0, **each})
        for each in (alternatives if isinstance(alternatives, list) else [])
        if isinstance(each, Mapping)
    ]
    return token


def _read(kind: type[T], reported: Mapping[str, Any]) -> T:
    """Make a result of a JSON object; names that it has no field for are further fields."""
    make: Any = kind  # each subclass is a dataclass
    own = {each.name for each in fields(make)} - {"extra"}
    known = {name: value for name, value in reported.items() if name in own}
    made: T = make(**known, extra={name: value for name, value in reported.items() if name not in own} or None)
    return made
