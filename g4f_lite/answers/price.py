"""What tokens cost at a server whose prices the caller knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

PriceLike = tuple[float, float] | Mapping[str, tuple[float, float]]


class Price(NamedTuple):
    """What a million tokens cost in US dollars.

    :param prompts: of prompts
    :param answers: of answers
    """

    prompts: float
    answers: float

    @classmethod
    def of(cls, price: Any) -> Price:
        """Check ``price=``, and return it.

        :raises TypeError: if it is not a pair of numbers
        :raises ValueError: if one of them is below 0, or not finite
        """
        is_pair = isinstance(price, (tuple, list)) and len(price) == 2
        if not is_pair or not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in price):
            raise TypeError(
                "price must be a pair such as (0.15, 0.60), the dollars for a million tokens of prompts and of "
                f"answers, not {price!r:.80}"
            )
        if not all(0 <= part < math.inf for part in price):
            raise ValueError(f"price must be 0 or more dollars for a million tokens, not {price!r:.80}")
        return cls(*price)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what so many tokens cost."""
        return (self.prompts * prompt_tokens + self.answers * completion_tokens) / 1e6


class ModelPrices(dict[str, Price]):
    """What a million tokens of each model cost in US dollars.

    :ivar otherwise: what other models are priced at: a URL, "" where they cost nothing, None where that is not known
    """

    otherwise: str | None = None

    def of_model(self, model: str | None) -> Price | ModelPrices:
        """Return the price of a model; all of them if it is none of them."""
        return self if model is None else self.get(model, self)


#: The caller's price, or the URL whose prices count; "" where nothing costs anything, None for unknown prices.
PricedAt = str | Price | ModelPrices | None


def check_price(price: Any, otherwise: str | None = None) -> Price | ModelPrices:
    """Check ``price=``, a pair or a dict of pairs by model, and return it.

    :param otherwise: what models are priced at that are not in the dict
    :raises TypeError: if it is something else
    :raises ValueError: if a number is below 0, or not finite
    """
    if isinstance(price, Mapping):
        prices = ModelPrices({str(model): Price.of(pair) for model, pair in price.items()})
        prices.otherwise = otherwise
        return prices
    return Price.of(price)


def in_dollars(amount: Any) -> float:
    """Return an amount without the last digits, which are those of the calculation: not 6.599999999999999e-05."""
    return float(f"{amount:.12g}")
