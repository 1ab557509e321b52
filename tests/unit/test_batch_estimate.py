"""What a batch says that it would send, before it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from g4f_lite import AuthenticationError, Client, Fallback, OpenAICompatible
from g4f_lite.batch.summary import Estimate

from .batch_providers import Shout


@pytest.fixture
def client() -> Client:
    return Client(Shout())


def test_an_estimate_tells_the_largest_prompt_and_those_that_are_repeated(client: Client) -> None:
    prompts: list[Any] = ["one", "two", "one", {"prompt": "one"}, {"prompt": "one", "temperature": 1}, "x" * 400]
    estimate = client.map([*prompts, {"prompt": "one", "model": "other"}], system="Be brief.").estimate()
    assert (estimate.calls, estimate.largest, estimate.repeated) == (7, 103, 2)


def test_an_estimate_needs_no_key_and_reading_the_results_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    client = Client("openai", model="gpt-4o")
    results = client.map(["one", "two"])
    assert results.estimate().calls == 2
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
            results.texts()
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        results.check()
    with pytest.raises(TypeError, match=r"prompts\[0\]: .*temprature"):
        client.map(["one"], temprature=1)
    with pytest.raises(TypeError, match=r"prompts\[1\]: .*temprature"):
        client.map(["one", {"prompt": "two", "temprature": 1}])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    results.check()


def test_an_estimate_has_the_cost_where_the_price_is_known() -> None:
    pytest.importorskip("genai_prices")
    client = Client("openai", api_key="sk-none", model="gpt-4o")
    cost = client.map(["x" * 399_999] * 10, max_tokens=1000).estimate().cost
    assert cost == pytest.approx(10 * (0.1 * 2.5 + 0.001 * 10), rel=0.01)  # dollars for a million tokens
    assert client.map(["x"], model="nobody-knows-this").estimate().cost is None


@pytest.mark.parametrize(
    ("price", "options", "told"),
    [
        (None, {}, "no price known; give price=(P, A)"),
        ((0.15, 0.6), {}, "about $0.015 for the prompts only: max_tokens= limits the answers"),
        ((0.15, 0.6), {"max_tokens": 50_000}, "about $0.075"),
        ((0, 0), {}, "costs nothing"),
    ],
)
def test_an_estimate_is_shown_with_the_model_and_its_price(
    price: tuple[float, float] | None, options: dict[str, Any], told: str
) -> None:
    provider = OpenAICompatible("http://127.0.0.1:9/v1", model="shop-1", price=price)
    text = str(Client(provider).map(["x" * 199_999] * 2, **options).estimate())
    assert text.startswith("2 prompts to send (1 of them repeated), 0 answers stored; about 100,000 tokens of prompts")
    assert text.endswith(f"; shop-1: {told}")


def test_an_estimate_names_no_model_that_the_server_chooses_and_no_price_of_nothing() -> None:
    client = Client(OpenAICompatible("http://127.0.0.1:9/v1"))
    assert str(client.map(["x"]).estimate()) == (
        "1 prompt to send, 0 answers stored; about 1 token of prompts; no price known; give price=(P, A)"
    )
    assert str(Estimate(0, 3, 0, None, 0.0)) == "0 prompts to send, 3 answers stored; about 0 tokens of prompts"


HOSTED = OpenAICompatible.preset("openai", model="shop-1", price=(1, 2))
SERVER = OpenAICompatible("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("chain", "model", "models", "told"),
    [
        ([HOSTED, "ollama"], None, ("shop-1",), "shop-1 of OpenAI, asked first: about $0.1 for the prompts only"),
        (["ollama:big", HOSTED], None, ("big",), "big of Ollama, asked first: costs nothing"),
        ([SERVER, "ollama"], None, (), "OpenAICompatible, asked first: no price known"),
        ([SERVER, "ollama"], "shop-2", ("shop-2",), "shop-2 of OpenAICompatible, asked first: no price known"),
        ([Fallback([HOSTED, SERVER]), "ollama"], None, ("shop-1",), "shop-1 of OpenAI, asked first: about $0.1"),
    ],
)
def test_an_estimate_of_a_chain_is_of_the_one_that_is_asked_first(
    chain: list[Any], model: str | None, models: tuple[str, ...], told: str
) -> None:
    estimate = Client(chain, model=model).map(["x" * 399_999]).estimate()
    assert estimate.models == models
    assert f"; {told}" in str(estimate)


def test_a_member_that_lacks_the_model_is_not_asked_first() -> None:
    assert Fallback(["local", HOSTED]).first_member("shop-2").provider is HOSTED
    assert Fallback([HOSTED, "local"]).first_member(None).provider is HOSTED


@dataclass
class Review:
    """What a review says."""

    stars: int
    mood: Literal["good", "bad"]


FORMAT = {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object", "description": "x" * 4000}}}
TOOL = {"type": "function", "function": {"name": "look", "description": "x" * 4000}}


@pytest.mark.parametrize(
    ("provider", "options", "least", "most"),
    [
        ("openai", {}, 3, 3),
        ("openai", {"output": Review}, 60, 130),  # in strict form, beside the messages
        ("ollama", {"output": Review}, 60, 130),  # in the messages, with an instruction
        ("openai", {"response_format": FORMAT}, 1000, 1050),
        ("ollama", {"response_format": FORMAT}, 1000, 1050),
        ("openai", {"tools": [TOOL]}, 1000, 1050),
    ],
)
def test_an_estimate_counts_the_schema_that_goes_with_each_prompt(
    provider: str, options: dict[str, Any], least: int, most: int
) -> None:
    results: Any = Client(provider, api_key="sk-none", model="m").map(["a" * 8, "b" * 8], **options)
    estimate = results.estimate()
    assert least <= estimate.largest <= most
    assert estimate.prompt_tokens == 2 * estimate.largest


def test_an_estimate_counts_a_schema_that_the_client_puts_into_the_prompt(client: Client) -> None:
    assert 60 <= client.map(["a" * 8], output=Review).estimate().largest <= 130
    assert 1000 <= client.map(["a" * 8], response_format=FORMAT).estimate().largest <= 1050


def test_a_hosted_batch_counts_the_schema_too(tmp_path: Any) -> None:
    provider = OpenAICompatible("http://127.0.0.1:9/v1", model="m")
    batch = Client(provider).batch(["a" * 8], output=Review, path=tmp_path / "run.json")
    assert 60 <= batch.estimate().largest <= 130


def test_a_chain_of_what_costs_nothing_costs_nothing() -> None:
    assert Client(["ollama:qwen3", "local"]).map(["one"]).estimate().cost == 0
