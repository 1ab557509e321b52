"""What tokens cost at a server whose prices the caller knows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


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
