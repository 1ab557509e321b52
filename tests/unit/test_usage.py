"""What the calls of a client took: counted once each, whatever their end, in any thread."""

from __future__ import annotations

import gc
import itertools
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    AllProvidersFailedError,
    Attached,
    BaseProvider,
    Client,
    DeadlineExceededError,
    Fallback,
    Finish,
    G4FLiteError,
    Identity,
    Prompt,
    RateLimitError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.answers.call_usage import CallUsage
from g4f_lite.answers.cost import _further
from g4f_lite.answers.price import Price
from g4f_lite.cli.spending import told_usage
from g4f_lite.client import usage as usage_module
from g4f_lite.client.usage import MOST_MODELS, ClientUsage
from g4f_lite.testing import Scripted

from .priced_services import At

COUNTED = Usage(10, 5, 15, 4, 3)


def counts(usage: Any) -> tuple[int, ...]:
    return (usage.calls, usage.failures, usage.prompt_tokens, usage.completion_tokens)


def test_a_new_client_has_used_nothing() -> None:
    assert counts(Client(Scripted()).usage) == (0, 0, 0, 0)
    assert Client(Scripted()).usage.by_model == {}


def test_the_sum_of_both_may_be_left_out() -> None:
    assert Usage(7, 9) == Usage(7, 9, 16)
    assert Usage(7, 9, cached_tokens=3) == Usage(7, 9, 16, 3)
    assert Usage(0, 0).total_tokens == 0
    assert Usage(7, 9, 20).total_tokens == 20


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


@pytest.mark.parametrize(
    "read",
    [
        lambda client: client.ask("x"),
        lambda client: list(client.stream("x")),
        lambda client: list(client.stream("x").deltas()),
        lambda client: client.stream("x").text(),
        lambda client: client.stream("x").show(),
        lambda client: client.conversation(keep_interrupted=True).ask("x"),
        lambda client: client.chat.completions.create("x"),
    ],
)
@pytest.mark.parametrize("arrived", [[], ["a", "b"]])
def test_an_interrupted_answer_counts_at_once(read: Callable[[Client], object], arrived: list[str]) -> None:
    client = Client(Scripted([*arrived, KeyboardInterrupt()]))
    with pytest.raises(KeyboardInterrupt) as caught:
        read(client)
    assert counts(client.usage) == (1, 0, 0, 0)
    assert caught.value.__traceback__ is not None  # which may keep the answer from being garbage-collected


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


def test_a_model_of_two_providers_is_told_apart_by_provider() -> None:
    free = At("", ["a", COUNTED], ["b", COUNTED], G4FLiteError("no"), name="mine")
    paid = At(Price(1, 2), ["c", COUNTED], name="hosted")
    client = Client(Fallback([free, paid]), model="llama")
    for provider in ("mine", "mine", "hosted"):
        assert client.ask("x").provider == provider
    usage = client.usage
    assert {name: (*counts(each), each.cost) for name, each in usage.by_provider.items()} == {
        "mine": (2, 0, 20, 10, 0.0),
        "hosted": (1, 0, 10, 5, 2e-05),
    }
    assert {name: (*counts(each), each.cost) for name, each in usage.by_model.items()} == {
        "llama": (3, 0, 30, 15, 2e-05)
    }
    usage.reset()
    assert usage.by_provider == {}


def test_a_member_that_did_not_answer_counts_with_what_it_took() -> None:
    limited = RateLimitError("no", attempts=3)
    members = [At("", limited, name="limited"), At(Price(1, 2), [COUNTED], name="empty"), At("", ["a"], name="good")]
    client = Client(Fallback(members))
    client.ask("x")
    usage = client.usage
    assert (usage.retries, *counts(usage), usage.cost) == (2, 1, 0, 10, 5, 2e-05)
    assert {name: (each.retries, *counts(each)) for name, each in usage.by_provider.items()} == {
        "limited": (2, 0, 0, 0, 0),
        "empty": (0, 0, 0, 10, 5),
        "good": (0, 1, 0, 0, 0),
    }


def test_a_member_that_fails_after_it_has_begun_counts_once() -> None:
    client = Client(Fallback([At(Price(1, 2), [COUNTED, G4FLiteError("cut", attempts=3)]), At("", "never asked")]))
    with pytest.raises(G4FLiteError, match="cut"):
        client.ask("x")
    usage = client.usage
    assert (usage.retries, *counts(usage), usage.cost) == (2, 1, 1, 10, 5, 2e-05)


@pytest.mark.parametrize(
    ("error", "unpriced"),
    [
        (DeadlineExceededError("late", limit="first", step="prompt"), 1),
        (DeadlineExceededError("late", limit="total", step="prompt"), 1),
        (DeadlineExceededError("late", limit="connect", step="prompt"), 0),
        (DeadlineExceededError("late", limit="total", step="bootstrap"), 0),
        (RateLimitError("no"), 0),
    ],
)
@pytest.mark.parametrize("chain", [False, True])
def test_a_service_that_was_silent_about_a_prompt_may_have_begun(
    error: G4FLiteError, unpriced: int, *, chain: bool
) -> None:
    paid = At(Price(1, 2), error)
    client = Client(Fallback([paid, At("", ["a"])]) if chain else paid)
    with suppress(type(error)):
        client.ask("x")
    assert (client.usage.calls, client.usage.failures, client.usage.unpriced) == (1, not chain, unpriced)


def test_reset_begins_again() -> None:
    client = Client(Scripted(["a", COUNTED], ["b", COUNTED]))
    client.ask("x")
    client.usage.reset()
    assert counts(client.usage) == (0, 0, 0, 0)
    client.ask("x")
    assert counts(client.usage) == (1, 0, 10, 5)


def test_answers_of_a_cache_took_nothing() -> None:
    usage = ClientUsage()
    usage.add(CallUsage("m", cached=True))
    usage.add(CallUsage("", cached=True))
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
    usage, plain = ClientUsage(), usage_module.UsagePart.add
    later = [CallUsage("m", usage=Usage(1, 1, 2))]

    def add(self: Any, call: CallUsage) -> None:
        if later:
            usage.add(later.pop())
        plain(self, call)

    monkeypatch.setattr(usage_module.UsagePart, "add", add)
    usage.add(CallUsage("m", usage=Usage(1, 1, 2)))
    assert counts(usage) == (2, 0, 2, 2)


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


@pytest.mark.once
def test_what_a_service_reports_takes_little_room() -> None:
    """A service may name another model in each answer, and add anything to its counts."""
    usage = Usage(
        1, 1, 2, extra={"prompt_tokens_details": {"audio_tokens": 3, "more": "x" * 1000}, "more": ["x"] * 1000}
    )

    class Names(BaseProvider):
        names = itertools.count()

        def begin(self, prompt: Prompt) -> Iterator[Any]:
            yield Identity(model=f"{next(self.names)} " + "x" * 1000, extra={"service_tier": "x" * 1000})
            yield from ("yes", usage, Finish())

    client = Client(Names())
    for _ in range(MOST_MODELS + 3):
        client.ask("Hello")
    models = client.usage.by_model
    assert len(models) == MOST_MODELS + 1
    assert max(map(len, models)) == 200
    assert models["…"].calls == 3
    assert client.usage.calls == MOST_MODELS + 3
    kept = models["…"]._to_price[0]
    assert (len(kept.service_tier), kept.usage.extra) == (200, {"prompt_tokens_details": {"audio_tokens": 3}})


@pytest.mark.parametrize("details", [None, [], "x", {"audio_tokens": "3"}, {"audio_tokens": -1}])
def test_counts_of_a_wrong_kind_have_no_price(details: Any) -> None:
    assert _further(Usage(1, 1, 2, extra={"prompt_tokens_details": details})) == {}


def test_a_command_tells_the_cost_that_is_known() -> None:
    usage = ClientUsage()
    for model, priced_at in (("dear", Price(1, 2)), ("unknown", None)):
        usage.add(CallUsage(model, priced_at, Usage(1_000_000, 0), False, 0, False, None))
    assert told_usage(usage).endswith("; about $1.00, without 1 call whose price is not known")


@pytest.mark.parametrize(
    ("used", "told"), [(COUNTED, "; cost not known; give --price P,A"), (None, "; cost not known")]
)
def test_a_command_says_how_to_learn_a_cost(used: Usage | None, told: str) -> None:
    usage = ClientUsage()
    usage.add(CallUsage("m", None, used))
    assert told_usage(usage).endswith(told)


@pytest.mark.once
def test_a_program_may_end_before_an_answer() -> None:
    code = "import g4f_lite, g4f_lite.testing as t; s = g4f_lite.Client(t.Scripted('one two')).stream('x'); next(s)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
