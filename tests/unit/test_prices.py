"""What calls cost: by the caller's price, or by the list of the extra ``prices``."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import responses

from g4f_lite import Client, Fallback, MissingDependencyError, OpenAICompatible, RateLimitError, Usage
from g4f_lite.answers.call_usage import CallUsage
from g4f_lite.answers.cost import price_of
from g4f_lite.answers.price import Price
from g4f_lite.client import usage as usage_module
from g4f_lite.client.usage import ClientUsage
from g4f_lite.emulator import Emulator
from g4f_lite.providers.identity import identity_of
from g4f_lite.testing import Scripted

from .priced_services import At

OPENAI = "https://api.openai.com/v1"


@pytest.fixture
def prices() -> Any:
    return pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")


def test_the_price_is_that_of_the_list(prices: Any) -> None:
    """By hand: 0.15 and 0.60 dollars for a million tokens, and 0.075 for cached ones."""
    client = Client(At(OPENAI, ["a", Usage(1_000_000, 500_000, 1_500_000, 200_000)]))
    client.ask("x", model="gpt-4o-mini")
    assert client.usage.cost == pytest.approx(0.8 * 0.15 + 0.2 * 0.075 + 0.5 * 0.60)
    assert client.usage.by_model["gpt-4o-mini"].cost == client.usage.cost
    assert client.usage.unpriced == 0


def test_counts_with_a_price_of_their_own_are_told_apart(prices: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[dict[str, Any]] = []
    monkeypatch.setattr(prices, "Usage", lambda **counts: counted.append(counts))
    monkeypatch.setattr(prices, "calc_price", lambda *_, **__: SimpleNamespace(total_price=1))
    prompt = {"audio_tokens": 4, "cache_write_tokens": 3, "text_tokens": 2}
    extra = {"prompt_tokens_details": prompt, "completion_tokens_details": {"audio_tokens": 0}, "cost": 7}
    assert price_of(OPENAI, "gpt-audio", Usage(10, 5, 15, extra=extra)) == 1
    told = {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": None}
    assert counted == [{**told, "cache_write_tokens": 3, "input_audio_tokens": 4}]


@pytest.mark.parametrize(
    ("priced_at", "model", "usage", "tier"),
    [
        ("http://127.0.0.1:8080/v1", "gpt-4o", Usage(9, 9, 18), None),
        (None, "gpt-4o", Usage(9, 9, 18), None),
        (OPENAI, "a-model-that-nobody-knows", Usage(9, 9, 18), None),
        (OPENAI, "", Usage(9, 9, 18), None),
        (OPENAI, "gpt-4o", Usage(9, 9, 18, cached_tokens=10), None),
        (OPENAI, "gpt-4o", Usage(9, 9, 18), "flex"),
    ],
)
def test_what_the_list_does_not_know_is_unpriced(
    prices: Any, priced_at: str | None, model: str, usage: Usage, tier: str | None
) -> None:
    counted = ClientUsage()
    counted.add(CallUsage(model, priced_at, usage, service_tier=tier))
    assert (counted.cost, counted.known_cost, counted.unpriced) == (None, 0.0, 1)


def test_a_tier_at_the_list_price_has_it(prices: Any) -> None:
    assert price_of(OPENAI, "gpt-4o", Usage(9, 9, 18), "default") == price_of(OPENAI, "gpt-4o", Usage(9, 9, 18))


def test_an_answer_without_a_count_is_unpriced(prices: Any) -> None:
    client = Client(At(OPENAI, ["a"], ["b", Usage(10, 10, 20)], RateLimitError("no")))
    client.ask("x", model="gpt-4o")
    client.ask("x", model="gpt-4o")
    with pytest.raises(RateLimitError):
        client.ask("x", model="gpt-4o")
    assert (client.usage.cost, client.usage.unpriced) == (None, 1)
    assert client.usage.by_model["gpt-4o"].cost is None
    assert client.usage.known_cost == client.usage.by_model["gpt-4o"].known_cost > 0


def test_a_model_on_this_machine_costs_nothing(prices: Any) -> None:
    client = Client(At("", ["a", Usage(10, 10, 20)]))
    client.ask("x")
    assert (client.usage.cost, client.usage.unpriced) == (0.0, 0)


@pytest.mark.parametrize(
    ("preset", "settings", "priced_at"),
    [
        ("ollama", {}, ""),
        ("vllm", {"base_url": "http://127.0.0.1:8001/v1"}, ""),
        ("ollama", {"base_url": "http://gpu.test:11434/v1"}, "http://gpu.test:11434/v1"),
        ("lmstudio", {"price": (1, 2)}, (1, 2)),
        ("openai", {"base_url": "http://127.0.0.1:4000/v1"}, "http://127.0.0.1:4000/v1"),  # a gateway, say
    ],
)
def test_a_program_on_this_machine_costs_nothing(preset: str, settings: dict[str, Any], priced_at: Any) -> None:
    assert OpenAICompatible.preset(preset, **settings).priced_at == priced_at


def test_what_costs_nothing_needs_no_report_of_its_tokens() -> None:
    client = Client(At("", ["a"]))
    client.ask("x")
    assert (client.usage.cost, client.usage.unpriced) == (0.0, 0)


@pytest.mark.parametrize("chain", [False, True])
def test_what_costs_nothing_costs_nothing_if_it_is_interrupted(*, chain: bool) -> None:
    local = At("", [KeyboardInterrupt()])
    client = Client(Fallback([local, Scripted()]) if chain else local)
    with pytest.raises(KeyboardInterrupt):
        client.ask("x")
    assert (client.usage.calls, client.usage.cost, client.usage.unpriced) == (1, 0.0, 0)


def test_a_price_of_ones_own_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with Emulator() as emulator:
        client = Client(base_url=f"{emulator.url}/v1", model="echo", price=(2, 10))
        estimate = client.map(["a" * 4_000_000], max_tokens=1_000_000).estimate()
        answer = client.ask("one two three")
        assert estimate.cost == pytest.approx(2 + 10)
        assert answer.usage is not None
        paid = (2 * answer.usage.prompt_tokens + 10 * answer.usage.completion_tokens) / 1e6
        assert client.usage.cost == pytest.approx(paid)
        assert (client.usage.known_cost, client.usage.unpriced) == (client.usage.cost, 0)
        chain = Client([OpenAICompatible(f"{emulator.url}/v1", model="echo", price=(2, 10)), Scripted()])
        chain.ask("one two three")
        assert chain.usage.cost == client.usage.cost


def test_a_sum_has_no_digits_of_its_calculation() -> None:
    usage = ClientUsage()
    for model, tokens in (("a", 31), ("a", 33), ("b", 1), ("b", 1)):
        usage.add(CallUsage(model, Price(1, 2), Usage(tokens, 0, tokens)))
    usage.add(CallUsage("c", Price(0.1, 0.2), Usage(1, 1, 2)))
    assert (usage.by_model["c"].cost, usage.cost, usage.known_cost) == (3e-07, 6.63e-05, 6.63e-05)


def test_models_have_prices_of_their_own() -> None:
    with (
        Emulator() as emulator,
        Client(base_url=f"{emulator.url}/v1", price={"big": (2, 10), "small": (0, 1)}) as client,
    ):
        for model, cost in (("big", 12), ("small", 1)):
            client.usage.reset()
            answer = client.ask("one", model=model)
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1, 1)
            assert client.usage.cost == pytest.approx(cost / 1e6)
        client.ask("one", model="other")
        assert (client.usage.cost, client.usage.unpriced) == (None, 1)
        assert client.map(["one"], model="big", max_tokens=1).estimate().cost > 0
        assert client.map(["one"], model="other").estimate().cost is None


def test_a_model_that_is_not_in_the_prices_has_that_of_the_list(prices: Any) -> None:
    provider = OpenAICompatible.preset("openai", price={"big": (2, 10)})
    for priced_at in (provider.priced_at, pickle.loads(pickle.dumps(provider.priced_at))):
        costs = [price_of(priced_at, model, Usage(1_000_000, 0)) for model in ("big", "gpt-4o-mini", "unheard-of")]
        assert costs == [2, Decimal("0.15"), None]
    local = OpenAICompatible.preset("ollama", price={"big": (2, 10)})
    assert price_of(local.priced_at, "small", Usage(1, 1)) == 0


@pytest.mark.parametrize(("model", "cost"), [("big", 12e-6), ("big-2026", 12e-6), ("other", None)])
def test_the_model_that_a_server_lists_first_has_a_price_of_its_own(model: str, cost: float | None) -> None:
    answer = {"choices": [{"message": {"content": "one"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    with responses.RequestsMock() as mocked, Client(base_url="http://a.example/v1", price={model: (2, 10)}) as client:
        mocked.get("http://a.example/v1/models", json={"data": [{"id": "big"}]})
        mocked.post("http://a.example/v1/chat/completions", json={"model": "big-2026", **answer})
        client.ask("one")
        assert client.usage.cost == cost


@pytest.mark.parametrize(
    ("price", "kind"),
    [
        (0.15, TypeError),
        ((0.15,), TypeError),
        ("0.15,0.60", TypeError),
        ((0.15, True), TypeError),
        ((0.15, -1), ValueError),
        ((math.nan, 1), ValueError),
        ((1, math.inf), ValueError),
        ({"big": 1}, TypeError),
    ],
)
def test_a_price_is_checked_where_it_is_given(price: Any, kind: type[Exception]) -> None:
    for make in (Client, OpenAICompatible):
        with pytest.raises(kind, match="price must be"):
            make(base_url="http://127.0.0.1:9/v1", price=price)


def test_a_usage_is_shown_with_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    usage = ClientUsage()
    usage.add(CallUsage("m", Price(0.15, 0.6), Usage(1000, 100, 1100)))
    assert repr(usage).endswith(
        ", prompt_tokens=1000, completion_tokens=100, cached_tokens=0, reasoning_tokens=0, unpriced=0, cost=0.00021)"
    )
    assert repr(usage.by_model["m"]).endswith("unpriced=0, cost=0.00021)")
    usage.add(CallUsage("m", Price(0.15, 0.6)))  # without a report of its tokens
    for each in (usage, usage.by_model["m"]):
        assert repr(each).endswith("unpriced=1, cost=None, known_cost=0.00021)")
    for priced_at in (None, OPENAI):
        usage.add(CallUsage("m", priced_at, Usage(1, 1, 2)))
    assert repr(usage).endswith("unpriced=3, cost=None)")


def test_neither_a_price_nor_a_name_changes_a_place_in_a_store() -> None:
    first = OpenAICompatible("http://127.0.0.1:9/v1")
    priced = OpenAICompatible("http://127.0.0.1:9/v1", price=(1, 2), name="parrot")
    assert identity_of(priced, "m") == identity_of(first, "m")
    assert pickle.loads(pickle.dumps(priced)).priced_at == (1, 2)


def test_many_calls_are_priced_before_they_take_memory(prices: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_module, "MOST_TO_PRICE", 10)
    usage = ClientUsage()
    for _ in range(25):
        usage.add(CallUsage("gpt-4o", OPENAI, Usage(1_000_000, 0, 1_000_000)))
    assert len(usage.by_model["gpt-4o"]._to_price) <= 10
    assert usage.cost == pytest.approx(25 * 2.5)


def test_without_the_extra_the_cost_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setattr(usage_module, "MOST_TO_PRICE", 2)
    usage = ClientUsage()
    assert usage.cost == 0
    for _ in range(4):
        usage.add(CallUsage("gpt-4o", OPENAI, Usage(1, 1, 2)))
        with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[prices\]"'):
            _ = usage.cost
    assert (usage.unpriced, usage.prompt_tokens) == (4, 4)
    with pytest.raises(MissingDependencyError):
        _ = usage.by_model["gpt-4o"].cost


def test_what_costs_nothing_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    usage = ClientUsage()
    for priced_at in ("", OPENAI):
        usage.add(CallUsage("gpt-4o", priced_at, Usage(1, 1)))
    assert usage.by_model["gpt-4o"].unpriced == 1


SCRIPT = """
import sys
from g4f_lite import Client, Usage
from g4f_lite.answers.call_usage import CallUsage
from g4f_lite.testing import Scripted
client = Client(Scripted(["a", Usage(1, 1, 2)]))
answer = client.ask("x")
assert not {"genai_prices", "g4f_lite.answers.cost"} & {*sys.modules}, "a call loads it"
def refuse(event, arguments):
    assert not event.startswith("socket."), (event, arguments)
sys.addaudithook(refuse)
client.usage.add(CallUsage("gpt-4o", "https://api.openai.com/v1", Usage(1, 1, 2)))
assert client.usage.known_cost > 0
"""


@pytest.mark.once
def test_prices_are_loaded_when_they_are_used_and_nothing_is_downloaded(prices: Any) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True)
