"""``answer.cost``: what one answer cost, with all the calls that it took."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import responses

from g4f_lite import (
    Answer,
    Client,
    EmptyResponseError,
    Fallback,
    G4FLiteError,
    MissingDependencyError,
    OpenAICompatible,
    OtherChoice,
    RateLimitError,
    Reasoning,
    RetryPolicy,
    ToolCallDelta,
    Usage,
)
from g4f_lite.answers.price import Price
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Scripted

from .priced_services import At

ONE = Usage(1, 1)
CHEAP, DEAR = Price(1, 2), Price(100, 200)  # 0.000003 and 0.0003 dollars for ONE
OPENAI = "https://api.openai.com/v1"


@dataclass
class Person:
    name: str


def clock() -> str:
    """Tell the time."""
    return "12:00"


@pytest.mark.parametrize(
    "answered",
    [
        lambda client: client.ask("one"),
        lambda client: client.stream("one").text(),
        lambda client: client.conversation().ask("one"),
        lambda client: client.provider.ask("one"),
        lambda client: client.map(["one"])[0].answer,
        lambda client: client.chat.completions.create("one"),
        lambda client: client.chat.completions.create("one", stream=False),
    ],
)
def test_an_answer_knows_what_it_cost(answered: Callable[[Client], Any]) -> None:
    with Emulator() as emulator, Client(base_url=f"{emulator.url}/v1", model="echo", price=(2, 10)) as client:
        answer = answered(client)
        assert answer.cost == 12e-6
        for again in (copy.copy(answer), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
            assert again.cost == 12e-6
        assert "cost" not in answer.to_dict()


def test_a_stream_that_is_read_has_the_cost() -> None:
    client = Client(At(CHEAP, ["a", "b", ONE], ["c"]))
    stream = client.stream("x")
    next(stream)
    assert stream.answer.cost is None  # the tokens come last
    list(stream)
    assert stream.answer.cost == 3e-6
    assert client.ask("x").cost is None  # without a report of tokens


@pytest.mark.parametrize(
    ("priced_at", "answer", "cost"),
    [(CHEAP, ["a", ONE], 3e-6), ("", ["a", ONE], 0.0), ("", ["a"], 0.0), (None, ["a", ONE], None)],
)
def test_what_is_not_known_is_none_and_what_is_free_is_zero(priced_at: Any, answer: list[Any], cost: Any) -> None:
    assert Client(At(priced_at, answer)).ask("x").cost == cost


def test_an_answer_of_ones_own_has_no_cost() -> None:
    assert Answer("Hello").cost is None


def test_the_price_may_be_that_of_the_list() -> None:
    pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")
    client = Client(At(OPENAI, *[["a", Usage(1_000_000, 0)]] * 2))
    assert client.ask("x", model="gpt-4o-mini").cost == 0.15
    assert client.chat.completions.create("x", model="gpt-4o-mini").cost == 0.15


def test_without_the_extra_only_the_cost_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    answer = Client(At(OPENAI, ["a", ONE])).ask("x", model="gpt-4o-mini")
    assert answer.to_dict()["usage"]["total_tokens"] == 2
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[prices\]"'):
        _ = answer.cost


@pytest.mark.parametrize(
    ("members", "cost"),
    [
        ([At("", ["a", ONE]), At(DEAR, ["b", ONE])], 0.0),
        ([At("", RateLimitError("no")), At(DEAR, ["b", ONE])], 0.0003),
        ([At(DEAR, RateLimitError("no")), At("", ["b", ONE])], 0.0),
        ([At(DEAR, [ONE]), At(CHEAP, ["b", ONE])], 0.000303),  # the first one was empty, and is paid for
        ([At(None, [ONE]), At(CHEAP, ["b", ONE])], None),
        ([Fallback([At(DEAR, [ONE]), At("", RateLimitError("no"))]), At(CHEAP, ["b", ONE])], 0.000303),
        ([Fallback([At(DEAR, [ONE]), At(CHEAP, ["b", ONE])]), Scripted()], 0.000303),
    ],
)
def test_the_cost_of_a_chain_is_that_of_the_members_that_took_tokens(members: list[Any], cost: float | None) -> None:
    client = Client(Fallback(members))
    assert client.ask("x").cost == cost
    assert (client.usage.calls, client.usage.failures, client.usage.cost) == (1, 0, cost)


def test_the_members_of_a_chain_have_their_prices_and_retries() -> None:
    one = {"choices": [{"message": {"content": "one"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    often = RetryPolicy(attempts=3, backoff=0.0)
    members = [
        OpenAICompatible("http://a.example/v1", model="llama", price=(100, 200), retry=often),
        OpenAICompatible("http://b.example/v1", model="llama", price=(1, 2)),
    ]
    with responses.RequestsMock() as mocked, Client(Fallback(members)) as client:
        for _ in range(3):
            mocked.post("http://a.example/v1/chat/completions", status=503)
        mocked.post("http://b.example/v1/chat/completions", json=one)
        assert client.ask("x").cost == 3e-6
        assert {name: (each.calls, each.retries, each.cost) for name, each in client.usage.by_provider.items()} == {
            "OpenAICompatible (a.example)": (0, 2, 0.0),
            "OpenAICompatible (b.example)": (1, 0, 3e-6),
        }


def test_the_turns_of_a_tool_have_the_price_of_the_member_that_answered_each() -> None:
    call = ToolCallDelta(0, "c1", "clock", "{}")
    chain = Fallback([At(DEAR, [call, ONE], RateLimitError("no")), At(CHEAP, ["noon", ONE])])
    client = Client(chain)
    answer = client.ask("When?", tools=[clock])
    assert (answer, answer.usage, answer.cost) == ("noon", Usage(2, 2), 0.000303)
    assert client.usage.cost == 0.000303


def test_an_answer_that_was_asked_for_again_costs_all_of_them() -> None:
    pytest.importorskip("msgspec", reason="the extra `typed` is not installed")
    client = Client(At(CHEAP, *[["{}", ONE], ['{"name": "Ada"}', ONE]] * 2))
    parsed = client.chat.completions.parse("Who?", response_format=Person, repairs=1)
    assert (parsed.attempts, parsed.cost, pickle.loads(pickle.dumps(parsed)).cost) == (2, 6e-6, 6e-6)
    (result,) = client.map(["Who?"], output=Person)
    assert (result.output, result.answer and result.answer.cost) == (Person("Ada"), 6e-6)


def test_a_typed_stream_has_the_cost_too() -> None:
    pytest.importorskip("msgspec", reason="the extra `typed` is not installed")
    call = ToolCallDelta(0, "c1", "clock", "{}")
    client = Client(At(CHEAP, ["Wait.", call, ONE], ['{"name": "Ada"}', ONE]))
    stream = client.stream("Who?", output=Person, tools=[clock])
    assert (stream.output, stream.answer.cost) == (Person("Ada"), 6e-6)


def test_an_answer_from_the_cache_or_a_store_cost_nothing_now(tmp_path: Path) -> None:
    client = Client(At(CHEAP, ["a", ONE], ["b", ONE]), cache=tmp_path / "cache.db")
    assert [client.ask("x").cost for _ in range(2)] == [3e-6, 0.0]
    assert client.chat.completions.create("x").cost == 0.0
    client = Client(At(CHEAP, ["a", ONE]))
    for cost in (3e-6, 0.0):
        results = client.map(["x"], store=tmp_path / "store.db")
        assert [result.answer and result.answer.cost for result in [*results, *results]] == [cost, cost]
        results.close()


def test_the_tokens_of_all_choices_are_in_the_cost_of_the_first() -> None:
    client = Client(At(CHEAP, ["a", OtherChoice(1, "b"), ONE]))
    stream = client.stream("x")
    assert (stream.text().cost, stream.other_choices[1].cost) == (3e-6, None)


def test_an_empty_answer_has_a_cost_that_is_not_known() -> None:
    client = Client(At(DEAR, []))
    with pytest.raises(EmptyResponseError):
        client.ask("x")
    assert (client.usage.failures, client.usage.unpriced) == (1, 1)


@pytest.mark.parametrize("cut", [["a", G4FLiteError("cut")], [Reasoning("Hmm"), G4FLiteError("cut")]])
@pytest.mark.parametrize("chain", [False, True])
def test_what_failed_in_the_middle_has_a_cost_that_is_not_known(cut: list[Any], *, chain: bool) -> None:
    service = At(DEAR, cut)
    client = Client(Fallback([service, At("", "never asked")]) if chain else service)
    with pytest.raises(G4FLiteError, match="cut"):
        client.ask("x")
    assert (client.usage.failures, client.usage.unpriced, client.usage.cost) == (1, 1, None)


def test_a_server_of_ones_own_may_be_free() -> None:
    with Emulator() as emulator:
        assert OpenAICompatible(f"{emulator.url}/v1", model="echo", price=(0, 0)).ask("one").cost == 0.0
