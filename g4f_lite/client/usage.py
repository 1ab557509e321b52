"""``client.usage``: what the calls of a client took."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError
from ..http.forks import lock_free_in_children

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..answers.call_usage import CallUsage
    from ..answers.stream import AnswerStream

MOST_TO_PRICE = 10_000  # calls of one model whose price waits until somebody asks for it
MOST_MODELS = 1000  # that are told apart; a service may name another in each answer
OTHERS = "…"
_lock = lock_free_in_children()  # of all usages
_COUNTS = (
    "calls", "cached", "failures", "retries", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens",
)  # fmt: skip


class UsagePart:
    """What the calls of one model, or of one provider, took; the attributes are those of :class:`ClientUsage`."""

    def __init__(self) -> None:
        self.calls = self.cached = self.failures = self.retries = 0
        self.prompt_tokens = self.completion_tokens = self.cached_tokens = self.reasoning_tokens = 0
        self._price: Any = 0  # a Decimal, once there is one
        self._unpriced = 0
        self._lacks_list = False  # of prices, for calls that are no longer kept
        self._to_price: list[CallUsage] = []

    @property
    def cost(self) -> float | None:
        """What they cost in US dollars; None if one is ``unpriced``.

        :raises MissingDependencyError: if the extra ``prices`` is needed and not installed
        """
        known = self.known_cost
        return None if self._unpriced else known

    @property
    def known_cost(self) -> float:
        """What they cost in US dollars, without those that are ``unpriced``.

        :raises MissingDependencyError: if the extra ``prices`` is needed and not installed
        """
        from ..answers.cost import check_installed

        with _lock:
            if self._lacks_list:
                check_installed()
            self._find_prices()
            return _sum([self._price])

    @property
    def unpriced(self) -> int:
        """How many calls have no known price."""
        with _lock:
            with suppress(MissingDependencyError):
                self._find_prices()
            return self._unpriced + len(self._to_price)

    def add(self, call: CallUsage) -> None:
        """Count a call; the caller holds the lock."""
        if call.cached:
            self.cached += 1
            return
        self.calls += not call.is_part
        self.failures += call.failed
        self.retries += call.retries
        if call.usage is None:
            self._unpriced += call.priced_at != ""
            return
        self.prompt_tokens += call.usage.prompt_tokens
        self.completion_tokens += call.usage.completion_tokens
        self.cached_tokens += call.usage.cached_tokens or 0
        self.reasoning_tokens += call.usage.reasoning_tokens or 0
        if call.priced_at == "":
            return
        self._to_price.append(call)
        if len(self._to_price) > MOST_TO_PRICE:
            try:
                self._find_prices()
            except MissingDependencyError:
                self._unpriced += len(self._to_price)
                self._to_price.clear()
                self._lacks_list = True

    def _find_prices(self) -> None:
        from ..answers.cost import price_of

        calls = tuple(self._to_price)
        prices = [price_of(call.priced_at, call.model, call.usage, call.service_tier) for call in calls if call.usage]
        del self._to_price[: len(calls)]
        self._price += sum(price for price in prices if price is not None)
        self._unpriced += prices.count(None)

    def __repr__(self) -> str:
        return _shown(self)


class _Total:
    """The sum of a count over all models."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, usage: Any, owner: type) -> int:
        if usage is None:
            return self  # type: ignore[return-value]
        return sum(getattr(each, self._name) for each in usage.by_model.values())


class ClientUsage:
    """What the calls of a client took, since it was created or since ``reset()``; threads may share it::

        print(client.usage.prompt_tokens, client.usage.completion_tokens, client.usage.cost)

    A call is counted at its end: whole, failed, or left early.  The tokens are those that services report, and nothing
    is estimated: a call without a report adds no tokens, and is ``unpriced``, unless it costs nothing, or failed before
    a model can have begun.

    :ivar calls: calls that were sent, the failed ones included
    :ivar cached: answers that came from the client's cache
    :ivar failures: calls that ended with an error
    :ivar retries: how often calls were sent again
    :ivar prompt_tokens: tokens of the prompts
    :ivar completion_tokens: tokens of the answers
    :ivar cached_tokens: those of the prompts that were in the service's cache
    :ivar reasoning_tokens: those of the answers that were reasoning
    :ivar unpriced: calls whose cost is not known, so that ``cost`` is None; ``price=`` of their provider may mend that
    """

    calls = _Total()
    cached = _Total()
    failures = _Total()
    retries = _Total()
    prompt_tokens = _Total()
    completion_tokens = _Total()
    cached_tokens = _Total()
    reasoning_tokens = _Total()
    unpriced = _Total()

    def __init__(self) -> None:
        self._models: defaultdict[str, UsagePart] = defaultdict(UsagePart)
        self._providers: defaultdict[str, UsagePart] = defaultdict(UsagePart)
        self._ended: deque[CallUsage] = deque()  # calls that are not added up yet
        self._is_adding = False

    @property
    def by_model(self) -> dict[str, UsagePart]:
        """The same for each model, by the name that the service reports; "" for calls that named none.

        Beyond 1,000 models, the others are together under ``"…"``.
        """
        with _lock:
            self._add_up()
            return dict(self._models)

    @property
    def by_provider(self) -> dict[str, UsagePart]:
        """The same for each provider, by the name that answers and errors have.

        A member of a chain that did not answer has no ``calls`` there, only what it took nevertheless.  If none of the
        members answered, the call is that of the chain.
        """
        with _lock:
            self._add_up()
            return dict(self._providers)

    @property
    def cost(self) -> float | None:
        """What the calls cost in US dollars; None if one is ``unpriced``.

        The prices are ``price=`` of the provider, or else those of the package ``genai-prices``, which come with it:
        nothing is downloaded.

        :raises MissingDependencyError: if the extra ``prices`` is needed and not installed
        """
        costs = [each.cost for each in self.by_model.values()]
        return None if None in costs else _sum(cost or 0.0 for cost in costs)

    @property
    def known_cost(self) -> float:
        """What the calls cost in US dollars, without those that are ``unpriced``.

        :raises MissingDependencyError: if the extra ``prices`` is needed and not installed
        """
        return _sum(each.known_cost for each in self.by_model.values())

    def reset(self) -> None:
        """Begin again at zero."""
        with _lock:
            self._ended.clear()
            self._models.clear()
            self._providers.clear()

    def add(self, call: CallUsage) -> None:
        """Count a call.

        It never waits: an answer may be garbage-collected, and so end, in a thread that holds other locks.
        """
        self._ended.append(call)
        if _lock.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                _lock.release()

    def add_stream(self, stream: AnswerStream) -> None:
        """Count a call at the end of its answer."""
        for call in stream.took:
            self.add(call)

    def _add_up(self) -> None:
        if self._is_adding:  # a garbage collection in the middle of this, whose call is added afterwards
            return
        self._is_adding = True
        try:
            while self._ended:
                call = self._ended.popleft()
                for parts, name in ((self._models, call.model), (self._providers, call.provider)):
                    parts[name if name in parts or len(parts) < MOST_MODELS else OTHERS].add(call)
        finally:
            self._is_adding = False

    def __reduce__(self) -> tuple[Any, ...]:  # a copied or pickled client counts for itself
        return type(self), ()

    def __repr__(self) -> str:
        return _shown(self)


class UncountedUsage(ClientUsage):
    """Keeps the calls of a worker one by one, for the process that it works for, which counts them."""

    def add(self, call: CallUsage) -> None:
        self._ended.append(call)

    def taken(self) -> list[CallUsage]:
        """Return the calls that have ended since the last time; threads may share it."""
        calls = []
        with suppress(IndexError):
            while True:
                calls.append(self._ended.popleft())
        return calls


class KeptUsage(UncountedUsage):
    """Keeps the calls of a batch one by one too, which its client counts.

    :param of_client: the usage of the client
    """

    def __init__(self, of_client: ClientUsage) -> None:
        super().__init__()
        self._of_client = of_client

    def add(self, call: CallUsage) -> None:
        super().add(call)
        self._of_client.add(call)


def _sum(costs: Iterable[Any]) -> float:
    from ..answers.price import in_dollars

    return in_dollars(sum(costs))


def _shown(usage: ClientUsage | UsagePart) -> str:
    shown = [f"{name}={getattr(usage, name)}" for name in (*_COUNTS, "unpriced")]
    cost = known = None
    with suppress(MissingDependencyError):
        cost, known = usage.cost, usage.known_cost
    shown.append(f"cost={cost if cost is None else format(cost, '.6g')}")
    if cost is None and known is not None:
        shown.append(f"known_cost={known:.6g}")
    return f"{type(usage).__name__}({', '.join(shown)})"
