"""A batch whose calls may cost so much: what is sent until then, what is kept, and how it goes on."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import (
    BaseProvider,
    BatchResults,
    BatchStoppedError,
    Client,
    CostLimitError,
    Fallback,
    Finish,
    Identity,
    MissingDependencyError,
    ModelNotSupportedError,
    OpenAICompatible,
    Prompt,
    ServiceError,
    Usage,
)
from g4f_lite.answers.call_usage import CallUsage
from g4f_lite.answers.price import PricedAt, check_price
from g4f_lite.batch.cost_limit import CostLimit, told_limit
from g4f_lite.messages import last_user_message

from .batch_providers import numbered

A_DOLLAR = check_price((0, 1_000_000))  # for an answer of one token
OWN = "http://127.0.0.1:9/v1"
UNKNOWN = r"prompts\[{}\]: max_cost cannot hold, as no price is known for {}; give price=\(P, A\)"


class Costs(BaseProvider):
    """A provider whose answers have one token each; a prompt may say otherwise.

    :param priced_at: what its tokens cost
    """

    def __init__(self, priced_at: PricedAt = A_DOLLAR, name: str = "Costs") -> None:
        self.priced_at, self.name = priced_at, name
        self.asked: list[str] = []

    def begin(self, prompt: Prompt) -> Any:
        return Call(self, last_user_message(prompt.messages))

    def get_model(self, name: str | None = None) -> str | None:
        if name == "missing":
            raise ModelNotSupportedError("there is no such model")
        return name


class Call:
    def __init__(self, provider: Costs, text: str) -> None:
        self.priced_at = provider.priced_at
        self._provider, self._text = provider, text

    def __iter__(self) -> Iterator[Any]:
        self._provider.asked.append(self._text)
        if "cheap" in self._text:
            raise ServiceError("too busy")  # before a model can have begun
        yield Identity(model="small" if "small" in self._text else "big")
        yield self._text.upper()
        if "no tokens" not in self._text:
            yield Usage(0, 1, 1)
        if "cut" in self._text:
            raise ServiceError("cut")
        yield Finish()

    def close(self) -> None:
        pass


def batch(provider: Any, prompts: Any, **settings: Any) -> BatchResults[Any]:
    return Client(provider).map(prompts, **{"workers": 1, "progress": False, **settings})


def test_nothing_is_sent_after_the_calls_have_cost_so_much() -> None:
    provider = Costs()
    results = batch(provider, numbered(9), max_cost=2.5)
    with pytest.raises(BatchStoppedError) as caught:
        results.texts()
    assert str(caught.value) == "the batch stopped after 3 answers: the max_cost of $2.5 is reached"
    assert isinstance(caught.value.error, CostLimitError)
    assert caught.value.error.max_cost == pickle.loads(pickle.dumps(caught.value.error)).max_cost == 2.5
    assert results.so_far.texts() == ["PROMPT 0", "PROMPT 1", "PROMPT 2"]
    with pytest.raises(BatchStoppedError):  # reading goes on, for as much once more
        results.texts()
    assert provider.asked == numbered(6)
    assert results.failed == []


def test_the_same_batch_goes_on_from_its_store(tmp_path: Path) -> None:
    for run in range(1, 4):
        provider = Costs()
        results = batch(provider, numbered(5), max_cost=2, store=tmp_path / "answers.db")
        if run < 3:
            with pytest.raises(BatchStoppedError):
                results.texts()
        assert provider.asked == (numbered(5)[2 * run - 2 : 2 * run] if run < 3 else [])
    assert results.texts() == [text.upper() for text in numbered(5)]
    assert provider.asked == ["prompt 4"]


def test_a_reading_that_was_left_goes_on_with_what_is_left() -> None:
    provider = Costs()
    results = batch(provider, numbered(9), max_cost=3)
    assert [results[index].text for index in range(2)] == ["PROMPT 0", "PROMPT 1"]
    with pytest.raises(BatchStoppedError):
        results.texts()
    assert provider.asked == numbered(3)


def test_a_limit_in_cents_is_reached_by_as_many_cents() -> None:
    provider = Costs(check_price((0, 50_000)))
    with pytest.raises(BatchStoppedError, match="after 2 answers"):
        batch(provider, numbered(9), max_cost=0.1).texts()


def test_the_calls_in_progress_are_finished_and_kept() -> None:
    all_asked = threading.Barrier(3)

    class Together(Costs):
        def begin(self, prompt: Prompt) -> Any:
            all_asked.wait(30)
            return super().begin(prompt)

    provider = Together()
    results = batch(provider, numbered(9), max_cost=0.5, workers=3)
    with pytest.raises(BatchStoppedError, match=r"after 3 answers: the max_cost of \$0.5 is reached"):
        results.texts()
    assert sorted(provider.asked) == numbered(3)


def test_other_calls_of_the_client_do_not_count_but_it_counts_those_of_the_batch() -> None:
    client = Client(Costs())
    results = client.map(numbered(2), max_cost=5, workers=1, progress=False)
    for _ in range(9):
        client.ask("something else")
    assert len(results.texts()) == 2
    assert (client.usage.calls, client.usage.cost) == (11, 11.0)


def test_what_failed_counts_as_far_as_it_is_known() -> None:
    provider = Costs()
    prompts = ["cheap 1", "cut 2", "cut 3, no tokens", "4", "5"]
    results = batch(provider, prompts, max_cost=2)
    with pytest.raises(BatchStoppedError, match="after 1 answer and 3 failures"):
        results.texts()
    assert provider.asked == prompts[:4]


@pytest.mark.parametrize("prompts", [numbered(3), iter(numbered(3))], ids=["a list", "an iterator"])
def test_a_batch_that_has_sent_all_does_not_stop(prompts: Any) -> None:
    assert len(batch(Costs(), prompts, max_cost=2.5).texts()) == 3


def test_the_calls_of_an_executor_count_one_by_one() -> None:
    provider = Costs()
    with ThreadPoolExecutor(1) as executor, pytest.raises(BatchStoppedError, match="after 20 answers"):
        batch(provider, numbered(99), max_cost=20, executor=executor).texts()
    assert len(provider.asked) == 20


def test_what_is_free_is_never_stopped_and_what_is_cached_costs_nothing(tmp_path: Path) -> None:
    assert len(batch(Costs(""), numbered(5), max_cost=0.01).texts()) == 5
    client = Client(Costs(), cache=tmp_path / "cache.db")
    for _ in range(2):
        assert len(client.map(numbered(2), max_cost=2.5, progress=False).texts()) == 2


@pytest.mark.parametrize(
    ("provider", "prompt", "message"),
    [
        (Costs(None), "a", UNKNOWN.format(0, "Costs")),
        (Costs(None), {"prompt": "a", "model": "big"}, UNKNOWN.format(0, "'big' of Costs")),
        (Fallback([Costs(), Fallback([Costs(""), Costs(None, "Other")])]), "a", UNKNOWN.format(0, "Other")),
    ],
)
def test_a_price_that_is_not_known_before_is_refused_at_once(provider: Any, prompt: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        batch(provider, [prompt], max_cost=1)


def test_the_list_of_prices_counts_where_no_price_is_given() -> None:
    pytest.importorskip("genai_prices")
    listed = OpenAICompatible("https://api.openai.com/v1", api_key="k")
    assert len(Client(listed).map(["a"], model="gpt-4o-mini", max_cost=1)) == 1
    assert len(Client(listed).map(["a"], max_cost=1)) == 1  # which the service may name
    with pytest.raises(ValueError, match=UNKNOWN.format(0, "'gpt-4o-mni' of OpenAICompatible")):
        Client(listed).map(["a"], model="gpt-4o-mni", max_cost=1)
    for named in ({}, {"model": "big"}):
        with pytest.raises(ValueError, match="no price is known for"):
            Client(base_url=OWN).map(["a"], max_cost=1, **named)
    assert len(Client(base_url=OWN, price=(1, 2)).map(["a"], max_cost=1)) == 1


def test_a_list_of_prices_that_is_missing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    for named in ({}, {"model": "big"}):
        with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[prices\]"'):
            Client(base_url=OWN).map(["a"], max_cost=1, **named)
    assert len(Client(base_url=OWN, price=(1, 2)).map(["a"], max_cost=1)) == 1


@pytest.mark.filterwarnings("ignore:Other will be skipped")
def test_a_member_of_a_chain_that_lacks_the_model_needs_no_price() -> None:
    class Lacking(Costs):
        def get_model(self, name: str | None = None) -> str | None:
            raise ModelNotSupportedError("there is no such model")

    chain = Fallback([Costs(), Lacking(None, "Other")])
    assert len(batch(chain, ["a"], model="big", max_cost=1)) == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("small", r"no price is known for 'small' of Costs; give price=\(P, A\)$"),
        ("no tokens", "Costs did not report the tokens of an answer; go on without it$"),
    ],
)
def test_an_answer_whose_price_is_not_known_stops_the_batch(second: str, message: str) -> None:
    provider = Costs(check_price({"big": (0, 1)}))
    results = batch(provider, ["big", second, "big"], max_cost=1)
    with pytest.raises(
        BatchStoppedError, match=f"^the batch stopped after 2 answers: max_cost cannot hold, as {message}"
    ):
        results.texts()
    assert provider.asked == ["big", second]
    assert results.so_far.texts() == ["BIG", second.upper()]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("$5", TypeError, "max_cost must be dollars, not str"),
        (True, TypeError, "max_cost must be dollars, not bool"),
        (0, ValueError, "max_cost must be above 0 dollars, not 0"),
        (float("nan"), ValueError, "max_cost must be above 0 dollars, not nan"),
    ],
)
def test_a_cost_that_is_none_is_refused_at_once(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        Client(Costs()).map(["a"], max_cost=given)


@pytest.mark.parametrize(
    ("limit", "told"), [(5, "$5"), (0.05, "$0.05"), (1500, "$1,500"), (0.1 + 0.2, "$0.3"), (1e-05, "$0.00001")]
)
def test_a_limit_is_told_as_it_was_given(limit: float, told: str) -> None:
    assert told_limit(limit) == told


def test_what_a_member_of_a_chain_took_in_vain_counts_as_far_as_it_is_known() -> None:
    took = [
        CallUsage("m", A_DOLLAR, Usage(0, 1, 1), is_part=True),
        CallUsage("m", A_DOLLAR, is_part=True),  # it was silent until its time ran out
        CallUsage("m", A_DOLLAR, Usage(0, 1, 1)),
    ]
    calls: Any = SimpleNamespace(keep_used=lambda: None, used=lambda: [took.pop(0)])
    limit = CostLimit(2, calls)
    assert [limit.reason_to_stop() for _ in range(2)] == [None, None]
    assert isinstance(limit.reason_to_stop(), CostLimitError)
