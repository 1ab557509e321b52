"""What the calls of a command took: tokens, and dollars where their price is known or given by ``--price``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import click

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..answers.price import Price, PriceLike, check_price
from ..batch.summary import counted, dollars
from ..client.usage import ClientUsage, UsagePart
from ..errors import MissingDependencyError
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.local.base import EngineProvider
from .failure import Misuse
from .who_answers import Names

_MOST_NAMES = 4  # of models without a price
OF_CHAT = "; start the chat with --price MODEL=P,A"  # which cannot be given any more


def _prices_of(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> PriceLike | None:
    """Read prices such as ``0.15,0.60`` or ``big=1,2``.

    :raises click.ClickException: if one is something else, or they contradict each other
    """
    prices: dict[str, Price] = {}  # by model; "" for all
    for text in texts:
        model, equals, pair = text.rpartition("=")
        model = model.strip()
        price = _price_of(pair if model or not equals else "", text)
        if model in prices:
            raise Misuse(f"--price is given twice for {model or 'all models'}; leave one out")
        prices[model] = price
    if "" in prices and len(prices) > 1:
        raise Misuse("--price P,A is for all models; give each its own, as in --price MODEL=P,A, or leave that out")
    return prices.get("", prices or None)


def _price_of(pair: str, text: str) -> Price:
    try:
        return Price.of([float(part) for part in pair.split(",")])
    except (TypeError, ValueError):
        what = "the dollars for a million tokens of prompts and of answers"
        raise Misuse(f"a price is two numbers, {what}, such as 0.15,0.60, not {text!r}") from None


price_option = click.option(
    "--price",
    metavar="[MODEL=]P,A",
    callback=_prices_of,
    multiple=True,
    help="Dollars per million tokens of prompts and of answers, such as 0.15,0.60; MODEL=0.15,0.60 is for one model, "
    "and can be repeated.",
)


def set_price(provider: BaseProvider, price: PriceLike | None) -> None:
    """Set what the tokens of a provider cost, or of all members of a chain that are not free; the embedded model is.

    :param price: the price, or the prices of models; None leaves what is known
    """
    if price is None:
        return
    members = provider.providers if isinstance(provider, Fallback) else [provider]
    for one in members:
        is_kept = isinstance(provider, Fallback) and one.priced_at == ""  # as that of Ollama on this machine
        if not is_kept and not isinstance(one, EngineProvider):
            one.priced_at = check_price(price, one.priced_at if isinstance(one.priced_at, str) else None)


class Unpriced:
    """Finds the models that have no price, though ``--price`` gives one to others that are not among them.

    :param price: what it says
    """

    def __init__(self, price: PriceLike | None) -> None:
        self._prices = price if isinstance(price, Mapping) else {}
        self._unused = dict.fromkeys(self._prices)
        self._models: dict[str, None] = {}

    def add(self, *names: str | None) -> None:
        """Take a model, by all names that it has: as it was asked for, and as the service names it."""
        for name in names:
            self._unused.pop(name or "", None)
        if self._prices.keys().isdisjoint(names):
            self._models |= dict.fromkeys(filter(None, names))

    def add_answer(self, answer: Answer) -> None:
        """Take the models that gave an answer, but for those that are free; none of one from a store."""
        for call in answer.took:
            if call.priced_at != "" and not call.is_part:
                self.add(answer.model, call.model)

    def told(self, which: str) -> str:
        """Say so; nothing if each model has a price, or each price a model.

        :param which: the models that were looked at, such as ``"model that answered"``
        """
        if not self._unused or not self._models:
            return ""
        names = list(self._models)
        unused, unpriced = " and ".join(self._unused), " and ".join(names[:_MOST_NAMES])
        lacking = f"{unpriced} {'have' if names[1:] else 'has'} no price there: give --price {names[0]}=P,A"
        return f"--price names {unused}, which no {which} is called; {lacking}"


def cost_of(usage: ClientUsage | UsagePart) -> float | None:
    """Return what calls cost in US dollars; None if that is not known, or needs an extra that is missing."""
    with suppress(MissingDependencyError):
        return usage.cost
    return None


class ChatUsage(ClientUsage):
    """What the calls of an interactive chat took, of each model of each provider, by the names that the chat shows.

    :param names: the names
    :ivar provider: the provider that is asked now
    """

    def __init__(self, names: Names, provider: BaseProvider) -> None:
        super().__init__()
        self._names = names
        self.provider = provider

    def add(self, call: CallUsage) -> None:
        super().add(call._replace(provider=self._names.of_call(self.provider, call)))

    def __str__(self) -> str:
        """Say it in one line, which has a name if there is only one, and else in one more for each."""
        parts = self.by_provider
        if len(parts) == 1:
            return "".join(f"{name}: {told_usage(part, OF_CHAT)}" for name, part in parts.items())
        lines = (f"\n  {name}: {told_usage(part, '')}" for name, part in parts.items())
        return told_usage(self, OF_CHAT) + "".join(lines)


def told_usage(usage: ClientUsage | UsagePart, advice: str = "; give --price P,A") -> str:
    """Say what calls took, in one line.

    :param advice: what is said where their cost is not known
    """
    tokens = f"{counted(usage.prompt_tokens, 'token')} of prompts, {usage.completion_tokens:,} of answers"
    return f"{counted(usage.calls, 'call')}: {tokens}; {_told_cost(usage, advice)}"


def _told_cost(usage: ClientUsage | UsagePart, advice: str) -> str:
    cost = cost_of(usage)
    if cost is not None:
        return dollars(cost) if cost else "no cost"
    with suppress(MissingDependencyError):
        if usage.known_cost:
            return f"{dollars(usage.known_cost)}, without {counted(usage.unpriced, 'call')} whose price is not known"
    return "cost not known" + (advice if usage.prompt_tokens else "")
