"""What each call of an answer took."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import DeadlineExceededError, G4FLiteError
from .deltas import Identity, Usage
from .price import ModelPrices, PricedAt

NAME_CHARACTERS = 200  # of the name of a model or a tier
# Further counts of OpenAI's API, which have prices of their own, and their names in the price list.
FURTHER = {
    ("prompt_tokens_details", "cache_write_tokens"): "cache_write_tokens",
    ("prompt_tokens_details", "audio_tokens"): "input_audio_tokens",
    ("completion_tokens_details", "audio_tokens"): "output_audio_tokens",
}


class CallUsage(NamedTuple):
    """What one call took.

    :param model: the model that answered, or was asked
    :param priced_at: the caller's price, or the URL whose prices count; "" where nothing costs anything, None for
        unknown prices
    :param usage: the tokens, or None if the service did not report them
    :param failed: whether it ended with an error
    :param retries: how often it was sent again
    :param cached: whether the answer came from the client's cache, and nothing was sent
    :param service_tier: how the service processed the call, if it reports that
    :param provider: the name of the provider
    :param is_part: whether it is the part of a chain's call that a member took which did not answer
    """

    model: str
    priced_at: PricedAt = None
    usage: Usage | None = None
    failed: bool = False
    retries: int = 0
    cached: bool = False
    service_tier: str | None = None
    provider: str = ""
    is_part: bool = False

    @classmethod
    def of(
        cls,
        source: Any,
        error: G4FLiteError | None,
        model: str | None,
        usage: Usage | None,
        identity: Identity | None,
        *,
        begun: bool,
        cached: bool,
        provider: str,
    ) -> CallUsage:
        """Return what the call of an answer took, without the members of a chain that did not answer.

        :param source: the call
        :param error: the error that the answer ended with
        :param model: the model that was asked for
        :param usage: the tokens that the service reported
        :param identity: the service's own data about the answer
        :param begun: whether anything of the answer had come
        :param cached: whether the answer came from the client's cache
        :param provider: the name of the provider
        """
        return cls(
            (identity and identity.model) or model or "",
            "" if cached else _priced_at(source, model, error, begun=begun),
            usage,
            error is not None,
            _retries(source, error),
            cached,
            str(identity.extra.get("service_tier", "default"))[:NAME_CHARACTERS] if identity else None,
            provider,
        ).shortened()

    @classmethod
    def in_vain(
        cls, source: Any, error: G4FLiteError, model: str | None, usage: Usage | None, *, begun: bool
    ) -> CallUsage:
        """Return what a member of a chain took that did not answer.

        :param source: its call
        :param error: the error of its turn
        :param model: the model that it was asked for
        :param usage: the tokens that the service reported nevertheless
        :param begun: whether anything of an answer had come
        """
        priced_at, retries = _priced_at(source, model, error, begun=begun), _retries(source, error)
        part = cls(model or "", priced_at, usage, retries=retries, provider=error.provider or "", is_part=True)
        return part.shortened()

    @property
    def took_nothing(self) -> bool:
        """Whether there is nothing to add up."""
        return self.priced_at == "" and self.usage is None and not self.retries

    def shortened(self) -> CallUsage:
        """Return it as it is kept: without the rest of what a service may say at any length."""
        usage = without_the_rest(self.usage) if self.usage is not None and self.usage.extra else self.usage
        return self._replace(model=self.model[:NAME_CHARACTERS], usage=usage)


def without_the_rest(usage: Usage) -> Usage:
    """Return token counts with those alone that have prices, as what a service adds to them may be of any size."""
    extra: dict[str, Any] = {}
    for place, name in FURTHER:
        counts = usage.extra.get(place)
        if isinstance(counts, dict) and isinstance(count := counts.get(name), int):
            extra.setdefault(place, {})[name] = count
    return replace(usage, extra=extra)


def _retries(source: Any, error: G4FLiteError | None) -> int:
    """Return how often a call was sent again."""
    attempts: int | None = getattr(source, "attempts", None)
    if attempts is None and error is not None and not hasattr(source, "in_vain"):  # a chain counts those of its members
        attempts = error.attempts
    return (attempts or 1) - 1


def _priced_at(source: Any, model: str | None, error: G4FLiteError | None, *, begun: bool) -> PricedAt:
    """Return at what a call is priced: "" if it failed before a model can have begun, which costs nothing."""
    if error is not None and not begun and not _was_waited_for(error):
        return ""
    priced_at: PricedAt = getattr(source, "priced_at", None)
    return priced_at.of_model(model) if isinstance(priced_at, ModelPrices) else priced_at


def _was_waited_for(error: G4FLiteError) -> bool:
    """Return whether time ran out while a service had the prompt, or may have had it."""
    return isinstance(error, DeadlineExceededError) and error.step == "prompt" and error.limit in ("first", "total")
