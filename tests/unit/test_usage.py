"""What the calls of a client took: counted once each, whatever their end, in any thread."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import (
    AllProvidersFailedError,
    Attached,
    Client,
    Fallback,
    G4FLiteError,
    Identity,
    MissingDependencyError,
    RateLimitError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.client import usage as usage_module
from g4f_lite.client.prices import price_of
from g4f_lite.client.usage import CallUsage, ClientUsage
from g4f_lite.testing import Scripted

OPENAI = "https://api.openai.com/v1"
COUNTED = Usage(10, 5, 15, 4, 3)


def counts(usage: Any) -> tuple[int, ...]:
    return (usage.calls, usage.failures, usage.prompt_tokens, usage.completion_tokens)


def test_a_new_client_has_used_nothing() -> None:
    assert counts(Client(Scripted()).usage) == (0, 0, 0, 0)
    assert Client(Scripted()).usage.by_model == {}


def test_tokens_are_added_up_by_model() -> None:
    client = Client(Scripted(["a", COUNTED], ["b", COUNTED], ["c", Usage(1, 1, 2)]))
    client.ask("x", model="small")
    client.chat.completions.create("x", model="small")
    client.stream("x", model="large").text()
    usage = client.usage
    assert counts(usage) == (3, 0, 21, 11)
    assert (usage.cached_tokens, usage.reasoning_tokens, usage.retries, usage.cached) == (8, 6, 0, 0)
    assert {name: counts(each) for name, each in usage.by_model.items()} == {
        "small": (2, 0, 20, 10),
        "large": (1, 0, 1, 1),
    }
    assert "calls=3" in repr(usage)


def test_the_model_is_the_one_that_answered() -> None:
    client = Client(Scripted([Identity(model="m-2026"), "a", COUNTED]))
    client.ask("x", model="m")
    assert [*client.usage.by_model] == ["m-2026"]


def test_a_conversation_of_the_client_counts_too() -> None:
    client = Client(Scripted(["a", COUNTED]))
    client.conversation().ask("x")
    assert counts(client.usage) == (1, 0, 10, 5)


def test_a_call_counts_once_whatever_its_end() -> None:
    client = Client(Scripted(["a", "b", COUNTED], RateLimitError("no"), ["a", G4FLiteError("cut")], ["a", "b"]))
    stream = client.stream("whole")
    assert counts(client.usage) == (0, 0, 0, 0)  # nothing is sent yet
    stream.text()
    stream.text()
    stream.close()
    assert counts(client.usage) == (1, 0, 10, 5)
    for expected in ((2, 1, 10, 5), (3, 2, 10, 5)):
        with pytest.raises(G4FLiteError):
            client.ask("fails")
        assert counts(client.usage) == expected
    with client.stream("left early") as stream:
        next(stream)
    assert counts(client.usage) == (4, 2, 10, 5)


def test_an_answer_that_is_dropped_counts_when_it_is_gone() -> None:
    client = Client(Scripted(["a", "b"]))
    next(client.stream("x"))
    gc.collect()
    assert client.usage.calls == 1


def test_what_is_refused_at_the_call_is_no_call() -> None:
    client = Client(Scripted())
    with pytest.raises(TypeError):
        client.ask("x", retry="often")
    client.stream("never read")
    assert client.usage.calls == 0


def test_retries_are_those_of_all_members() -> None:
    def failed(attempts: int) -> RateLimitError:
        return RateLimitError("no", attempts=attempts)

    client = Client(Fallback([Scripted(failed(3)), Scripted(failed(2))]))
    with pytest.raises(AllProvidersFailedError):
        client.ask("x")
    assert (client.usage.calls, client.usage.failures, client.usage.retries) == (1, 1, 3)


def test_reset_begins_again() -> None:
    client = Client(Scripted(["a", COUNTED], ["b", COUNTED]))
    client.ask("x")
    client.usage.reset()
    assert counts(client.usage) == (0, 0, 0, 0)
    client.ask("x")
    assert counts(client.usage) == (1, 0, 10, 5)


def test_answers_of_a_cache_took_nothing() -> None:
    usage = ClientUsage()
    usage.add_cached("m")
    usage.add_cached(None)
    assert (usage.calls, usage.cached, usage.unpriced) == (0, 2, 0)
    assert usage.by_model["m"].cached == 1


def test_an_answer_from_the_cache_is_no_call_and_the_same(tmp_path: Path) -> None:
    token = {"token": "a", "logprob": -1.0, "bytes": None}
    said = [
        Identity(model="m-2026", extra={"service_tier": "flex"}),
        Attached({"logprobs": {"content": [token], "refusal": None}}, "choice"),
        "a",
        Usage(10, 5, 15, 4, 3, {"cost": 1}),
    ]
    client = Client(Scripted(said), cache=tmp_path / "answers.db")
    first, again = (client.chat.completions.create("x", model="m") for _ in range(2))
    assert counts(client.usage) == (1, 0, 10, 5)
    assert client.usage.cached == 1
    assert [*client.usage.by_model] == ["m-2026"]
    assert again.choices == first.choices
    assert again.choices[0].logprobs is not None
    assert (again.usage, again.service_tier) == (first.usage, "flex")


def test_a_copy_with_other_options_shares_the_usage() -> None:
    client = Client(Scripted(["a", COUNTED], ["b", COUNTED]))
    client.ask("x")
    client.with_options(timeout=5).ask("x")
    assert counts(client.usage) == (2, 0, 20, 10)


def test_a_pickled_client_counts_for_itself() -> None:
    client = Client("ollama")
    client.usage.add(CallUsage("m"))
    copied = pickle.loads(pickle.dumps(client))
    copied.usage.add(CallUsage("m"))
    copied.usage.add(CallUsage("m"))
    assert (client.usage.calls, copied.usage.calls) == (1, 2)


def test_threads_lose_no_call() -> None:
    usage = ClientUsage()

    def work() -> None:
        for number in range(500):
            usage.add(CallUsage(f"m{number % 3}", usage=Usage(2, 1, 3), retries=1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(usage) == (4000, 0, 8000, 4000)
    assert usage.retries == 4000


def test_a_call_that_ends_while_another_is_added_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a garbage collection ends an answer in the middle of an addition."""
    usage, plain = ClientUsage(), usage_module.ModelUsage.add
    later = [CallUsage("m", usage=Usage(1, 1, 2))]

    def add(self: Any, call: CallUsage) -> None:
        if later:
            usage.add(later.pop())
        plain(self, call)

    monkeypatch.setattr(usage_module.ModelUsage, "add", add)
    usage.add(CallUsage("m", usage=Usage(1, 1, 2)))
    assert counts(usage) == (2, 0, 2, 2)


# Prices


@pytest.fixture
def prices() -> Any:
    return pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")


class At(Scripted):
    """A scripted service with an address."""

    def __init__(self, priced_at: str | None, *answers: Any) -> None:
        super().__init__(*answers)
        self.priced_at = priced_at

    def begin(self, prompt: Any) -> Any:
        return _Source(super().begin(prompt), self.priced_at)


class _Source:
    def __init__(self, deltas: Any, priced_at: str | None) -> None:
        self._deltas, self.priced_at = deltas, priced_at

    def __iter__(self) -> Any:
        return self._deltas

    def close(self) -> None:
        self._deltas.close()


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
    assert (counted.cost, counted.unpriced) == (0.0, 1)


def test_a_tier_at_the_list_price_has_it(prices: Any) -> None:
    assert price_of(OPENAI, "gpt-4o", Usage(9, 9, 18), "default") == price_of(OPENAI, "gpt-4o", Usage(9, 9, 18))


def test_an_answer_without_a_count_is_unpriced(prices: Any) -> None:
    client = Client(At(OPENAI, ["a"], ["b", Usage(10, 10, 20)], RateLimitError("no")))
    client.ask("x", model="gpt-4o")
    client.ask("x", model="gpt-4o")
    with pytest.raises(RateLimitError):
        client.ask("x", model="gpt-4o")
    assert client.usage.cost > 0
    assert client.usage.unpriced == 1


def test_a_model_on_this_machine_costs_nothing(prices: Any) -> None:
    client = Client(At("", ["a", Usage(10, 10, 20)]))
    client.ask("x")
    assert (client.usage.cost, client.usage.unpriced) == (0.0, 0)


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
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[prices\]"'):
        _ = usage.cost
    for _ in range(4):
        usage.add(CallUsage("gpt-4o", OPENAI, Usage(1, 1, 2)))
    assert (usage.unpriced, usage.prompt_tokens) == (4, 4)
    with pytest.raises(MissingDependencyError):
        _ = usage.by_model["gpt-4o"].cost


SCRIPT = """
import sys
from g4f_lite import Client, Usage
from g4f_lite.testing import Scripted
client = Client(Scripted(["a", Usage(1, 1, 2)]))
client.ask("x")
assert "genai_prices" not in sys.modules, "a call loads it"
def refuse(event, arguments):
    assert not event.startswith("socket."), (event, arguments)
sys.addaudithook(refuse)
assert client.usage.cost == 0
"""


def test_prices_are_loaded_when_they_are_used_and_nothing_is_downloaded(prices: Any) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True)


@dataclass
class Person:
    name: str


def test_every_answer_of_a_typed_call_and_of_a_tool_loop_counts_once() -> None:
    pytest.importorskip("msgspec", reason="the extra `typed` is not installed")
    call = ToolCallDelta(0, "c1", "clock", "{}")
    client = Client(Scripted(["{}", COUNTED], ['{"name": "Ada"}', COUNTED], [call, COUNTED], ["noon", COUNTED]))
    assert client.ask("Who?", output=Person, repairs=1) == Person("Ada")
    assert counts(client.usage) == (2, 0, 20, 10)

    def clock() -> str:
        """Tell the time."""
        return "12:00"

    assert client.ask("When?", tools=[clock]) == "noon"
    assert counts(client.usage) == (4, 0, 40, 20)


def test_the_end_of_an_answer_is_told_once_to_everybody() -> None:
    told: list[Any] = []
    stream = Scripted("Hello").create_generator(messages="x").when_ended(told.append).when_ended(told.append)
    stream.text()
    stream.close()
    assert told == [stream, stream]
