"""The most that the calls of a batch may cost."""

from __future__ import annotations

import threading
from typing import Any

from ..answers.call_usage import CallUsage
from ..answers.cost import price_of
from ..errors import G4FLiteError
from .task import Calls


class CostLimitError(G4FLiteError):
    """The calls of a batch have cost its ``max_cost``.

    :param max_cost: the limit, in US dollars
    """

    def __init__(self, message: str, *, max_cost: float = 0.0, **context: Any) -> None:
        super().__init__(message, **context)
        self.max_cost = max_cost


class CostLimit:
    """Adds up what the calls of a batch cost, until they have reached a limit.

    What a call took that was not answered counts as far as it is known.

    :param max_cost: the limit, in US dollars
    :param calls: the calls of the batch
    """

    def __init__(self, max_cost: float, calls: Calls) -> None:
        self._max_cost = max_cost
        self._calls = calls
        self._cost: Any = 0  # a Decimal, once there is one
        self._reason: Exception | None = None
        self._lock = threading.Lock()
        calls.keep_used()

    def begin(self) -> None:
        """Begin at zero, if the batch was stopped; a reading that its caller has left goes on with what is left."""
        with self._lock:
            if self._reason is not None:
                self._cost, self._reason = 0, None

    def reason_to_stop(self) -> Exception | None:
        """Return why nothing more is sent: the limit is reached, or the price of an answer is not known; or None."""
        with self._lock:
            for call in self._calls.used():
                price = price_of(call.priced_at, call.model, call.usage, call.service_tier)
                if price is not None:
                    self._cost += price
                elif not call.failed and not call.is_part:
                    self._reason = self._reason or ValueError(_told_of_unpriced(call))
            if float(self._cost) >= self._max_cost and self._reason is None:
                self._reason = CostLimitError(
                    f"the max_cost of {told_limit(self._max_cost)} is reached", max_cost=self._max_cost
                )
            return self._reason


def told_limit(max_cost: float) -> str:
    """Return a limit as it was given, such as ``$0.5``."""
    return f"${max_cost:,.10f}".rstrip("0").rstrip(".")


def told_of_lacking_price(who: str) -> str:
    """Say that a limit cannot hold.

    :param who: the model, or the provider, whose price is not known
    """
    return f"max_cost cannot hold, as no price is known for {who}; give price=(P, A)"


def _told_of_unpriced(call: CallUsage) -> str:
    if call.usage is None and call.priced_at is not None:
        return f"max_cost cannot hold, as {call.provider} did not report the tokens of an answer; go on without it"
    return told_of_lacking_price(named(call.model, call.provider))


def named(model: str, provider: str) -> str:
    """Return a model with its provider; the provider alone where the server chooses the model, or its name has it."""
    return f"{model!r} of {provider}" if model and f"model {model!r}" not in provider else provider
