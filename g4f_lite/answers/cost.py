"""What calls cost, by the caller's price, or else by the list that is part of the package ``genai-prices``.

Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ..errors import MissingDependencyError
from .call_usage import FURTHER, CallUsage, without_the_rest
from .deltas import Usage
from .price import ModelPrices, Price, PricedAt, in_dollars

# Tiers at the list price; another one is cheaper or dearer, by how much the list does not say for all services.
_AT_LIST_PRICE = frozenset({None, "auto", "default", "on_demand", "standard"})


def check_installed() -> None:
    """Raise if the prices are not installed.

    :raises MissingDependencyError: if the package is missing
    """
    try:
        import genai_prices  # noqa: F401
    except ImportError as error:
        message = 'the cost of calls needs price=(P, A), or genai-prices: pip install "g4f-lite[prices]"'
        raise MissingDependencyError(message) from error


def price_of(priced_at: PricedAt, model: str, usage: Usage | None, service_tier: str | None = None) -> Decimal | None:
    """Return what a call cost in US dollars; None if that is not known.

    :param priced_at: the caller's price or prices, or the URL of the service; "" for a model on this machine, which
        costs nothing
    :param model: the model that answered
    :param usage: its tokens; None if they were not reported
    :raises MissingDependencyError: if the package with the list is needed and missing
    """
    if isinstance(priced_at, ModelPrices):
        priced_at = priced_at.get(model, priced_at.otherwise)
    if priced_at == "":
        return Decimal(0)
    if priced_at is None or usage is None:
        return None
    if isinstance(priced_at, Price):
        return Decimal(str(priced_at.cost(usage.prompt_tokens, usage.completion_tokens)))
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


def lacks_price(priced_at: PricedAt, model: str) -> bool:
    """Return whether it is known before a call that nobody will know its price.

    Of several prices, the model that answers may have one, by the name that the service gives it.

    :param priced_at: as for ``price_of``
    :param model: the model that is asked; "" if the server chooses it
    :raises MissingDependencyError: if the package with the list is needed and missing
    """
    if isinstance(priced_at, ModelPrices) or priced_at == "":
        return False
    if isinstance(priced_at, str) and not model:
        return not _is_listed(priced_at)
    return price_of(priced_at, model, Usage(1, 1, 2)) is None


def _is_listed(url: str) -> bool:
    """Return whether the list has prices of a service."""
    check_installed()
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, url)
    except LookupError:
        return False
    return True


def cost_of(calls: Iterable[CallUsage]) -> float | None:
    """Return what calls cost in US dollars together; None if there are none, or the cost of one is not known.

    :raises MissingDependencyError: if the package with the list is needed and missing
    """
    prices = [price_of(call.priced_at, call.model, call.usage, call.service_tier) for call in calls]
    return None if None in prices or not prices else in_dollars(sum(price for price in prices if price is not None))


def _further(usage: Usage) -> dict[str, int]:
    """Return further counts by the names that the price list has for them."""
    known = without_the_rest(usage).extra
    counts = {name: known.get(place, {}).get(theirs, 0) for (place, theirs), name in FURTHER.items()}
    return {name: count for name, count in counts.items() if count > 0}
