"""What calls cost, by the caller's price, or else by the list that is part of the package ``genai-prices``.

Nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from ..answers.deltas import Usage
from ..errors import MissingDependencyError
from ..providers.price import ModelPrices, Price, PricedAt

# Further counts of OpenAI's API, which have prices of their own.
_FURTHER = {
    ("prompt_tokens_details", "cache_write_tokens"): "cache_write_tokens",
    ("prompt_tokens_details", "audio_tokens"): "input_audio_tokens",
    ("completion_tokens_details", "audio_tokens"): "output_audio_tokens",
}
# Tiers at the list price; another one is cheaper or dearer, by how much the list does not say for all services.
_AT_LIST_PRICE = frozenset({None, "auto", "default", "on_demand", "standard"})


def check_installed() -> None:
    """Raise if the prices are not installed.

    :raises MissingDependencyError: if the package is missing
    """
    try:
        import genai_prices  # noqa: F401
    except ImportError as error:
        message = 'the cost of calls needs genai-prices: pip install "g4f-lite[prices]"'
        raise MissingDependencyError(message) from error


def price_of(priced_at: PricedAt, model: str, usage: Usage, service_tier: str | None = None) -> Decimal | None:
    """Return what a call cost in US dollars; None if that is not known.

    :param priced_at: the caller's price or prices, or the URL of the service; "" for a model on this machine, which
        costs nothing
    :param model: the model that answered
    :raises MissingDependencyError: if the package with the list is needed and missing
    """
    if isinstance(priced_at, ModelPrices):
        priced_at = priced_at.of_model(model)
    if priced_at == "":
        return Decimal(0)
    if isinstance(priced_at, Price):
        return Decimal(str(priced_at.cost(usage.prompt_tokens, usage.completion_tokens)))
    if priced_at is None or isinstance(priced_at, ModelPrices):  # which do not have this model
        return None
    check_installed()
    import genai_prices

    if service_tier not in _AT_LIST_PRICE:
        return None
    try:
        counted = genai_prices.Usage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cache_read_tokens=usage.cached_tokens,
            **_further(usage),
        )
        return genai_prices.calc_price(counted, model, provider_api_url=priced_at).total_price
    except (ArithmeticError, LookupError, ValueError):  # no such service or model, or counts that cannot be
        return None


def without_the_rest(usage: Usage) -> Usage:
    """Return token counts with those alone that have prices, as what a service adds to them may be of any size."""
    extra: dict[str, Any] = {}
    for place, name in _FURTHER:
        counts = usage.extra.get(place)
        if isinstance(counts, dict) and isinstance(count := counts.get(name), int):
            extra.setdefault(place, {})[name] = count
    return replace(usage, extra=extra)


def _further(usage: Usage) -> dict[str, int]:
    """Return further counts by the names that the price list has for them."""
    known = without_the_rest(usage).extra
    counts = {name: known.get(place, {}).get(theirs, 0) for (place, theirs), name in _FURTHER.items()}
    return {name: count for name, count in counts.items() if count > 0}
