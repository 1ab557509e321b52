"""Several providers as one: who is asked, who is left alone, and what is said when nobody answers."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from g4f_lite import (
    AllProvidersFailedError,
    DeadlineExceededError,
    Fallback,
    OpenAICompatible,
    RateLimitError,
    ServiceError,
    StreamInterruptedError,
    Timeout,
    TransportError,
)
from g4f_lite.providers.chain import FAIR_SECONDS
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN, MAX_OPEN_SECONDS, OPEN_SECONDS
from g4f_lite.testing import Scripted

from .services import PIXEL


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched(Scripted):
    """A provider that does something while it is asked."""

    asked: Callable[[], object] | None = None

    def begin(self, prompt):  # type: ignore[no-untyped-def]
        if self.asked is not None:
            self.asked()
        yield from super().begin(prompt)


def test_the_first_that_answers_is_named() -> None:
    second = Scripted("from the second", model="small")
    answer = Fallback([Scripted(TransportError("down")), second]).create(messages="Hello")
    assert answer == "from the second"
    assert answer.provider == "Scripted (model 'small')"
    assert answer.model == "small"
    assert second.calls[0].prompt == "Hello"


def test_what_g4fs_scripts_ask_of_a_chain() -> None:
    members = [Scripted("one"), Scripted("two")]
    chain = Fallback(members, shuffle=False, single_provider_retry=False, max_retries=3)
    assert chain.create(messages="Hello") == "one"
    with pytest.raises(TypeError, match=r"shuffle=True is not supported; pass random\.sample"):
        Fallback(members, shuffle=True)
    with pytest.raises(TypeError, match=r"create the member with retry=RetryPolicy\(attempts=5\)"):
        Fallback(members, single_provider_retry=True, max_retries=5)
    with pytest.raises(TypeError, match="Fallback does not accept shufle=; try shuffle="):
        Fallback(members, shufle=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [["groq", "ollama"], ["groq"], [Scripted(), Scripted()], [Scripted()], [["groq"], 10]]
)
def test_members_that_are_not_in_a_list_are_refused_with_how_to_write_it(given: list[object]) -> None:
    with pytest.raises(TypeError, match=r'needs a list of providers, as in Fallback\(\["groq", "ollama"\], each=10\)$'):
        Fallback(*given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["timeout", "model", "retry"])
def test_what_a_chain_does_not_take_is_for_its_members_or_a_call(name: str) -> None:
    with pytest.raises(TypeError, match=f"^Fallback does not accept {name}=: pass it to the members, or to the call$"):
        Fallback([Scripted()], **{name: 1})  # type: ignore[arg-type]


def test_an_answer_that_began_is_not_begun_again_elsewhere() -> None:
    second = Scripted("never")
    stream = Fallback([Scripted(["one ", StreamInterruptedError("cut")]), second]).create_generator(messages="Hello")
    assert next(stream) == "one "
    with pytest.raises(StreamInterruptedError) as caught:
        next(stream)
    assert caught.value.partial == "one "
    assert second.calls == []


def test_who_keeps_failing_is_left_alone_and_then_tried_by_one_call() -> None:
    clock = Clock()
    failing = Watched(*[TransportError("down")] * FAILURES_TO_OPEN, "back again", "and again")
    chain = Fallback([failing, Scripted(*["second"] * 9)], clock=clock)
    for _ in range(FAILURES_TO_OPEN + 2):
        assert chain.create(messages="Hello") == "second"
    assert len(failing.calls) == FAILURES_TO_OPEN
    clock.now += OPEN_SECONDS
    trial = chain.create_generator(messages="Hello")
    during_trial = []
    failing.asked = lambda: during_trial.append(chain.create(messages="Hello"))
    assert next(trial) == "back"
    assert during_trial == ["second"]
    failing.asked = None
    trial.close()  # it has answered
    assert chain.create(messages="Hello") == "and again"


def test_answers_that_are_left_early_are_answers() -> None:
    down = TransportError("down")
    failing = Scripted(*[down] * (FAILURES_TO_OPEN - 1), ["one ", "two"], down, "still asked")
    chain = Fallback([failing, Scripted(*["second"] * FAILURES_TO_OPEN)])
    for _ in range(FAILURES_TO_OPEN - 1):
        chain.create(messages="Hello")
    for _ in chain.create_generator(messages="Hello"):
        break
    assert chain.create(messages="Hello") == "second"
    assert chain.create(messages="Hello") == "still asked"


def test_retry_after_is_a_pause() -> None:
    clock = Clock()
    limited = Scripted(RateLimitError("slow down", retry_after=7), "first again")
    chain = Fallback([limited, Scripted("second", "second")], clock=clock)
    assert [chain.create(messages="Hello") for _ in range(2)] == ["second", "second"]
    clock.now += 7
    assert chain.create(messages="Hello") == "first again"


def test_where_all_pause_the_error_says_when_the_first_goes_on() -> None:
    chain = Fallback([Scripted(RateLimitError("slow", retry_after=wait)) for wait in (9, 7)], clock=Clock())
    for _ in range(2):  # the second time, both are skipped
        with pytest.raises(AllProvidersFailedError) as caught:
            chain.create(messages="Hello", retry=None)
        assert caught.value.retry_after == 7


def test_no_service_shuts_itself_out_for_ever() -> None:
    clock = Clock()
    limited = Scripted(RateLimitError("slow down", retry_after=float("inf")), "first again")
    chain = Fallback([limited, Scripted(*["second"] * 3)], clock=clock)
    assert chain.create(messages="Hello") == "second"
    clock.now += MAX_OPEN_SECONDS - 1
    assert chain.create(messages="Hello") == "second"
    clock.now += 1
    assert chain.create(messages="Hello") == "first again"


def test_a_refusal_is_no_failure_of_the_provider() -> None:
    refusing = Scripted(*[ServiceError("no such thing")] * 5)
    chain = Fallback([refusing, Scripted(*["second"] * 5)])
    for _ in range(5):
        chain.create(messages="Hello")
    assert len(refusing.calls) == 5


def test_the_time_is_shared_so_that_the_last_one_is_reached() -> None:
    limits = []

    class Noting(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            limits.append(prompt)
            return super().begin(prompt)

    clock = Clock()
    chain = Fallback([Noting(TransportError("down")), Noting(TransportError("down")), Noting("ok")], clock=clock)
    assert chain.create(messages="Hello", timeout=30) == "ok"
    assert [prompt.allowance.share for prompt in limits] == [10, 15, 30]
    assert {prompt.timeout.total for prompt in limits} == {30}  # so that an answer that began may take all of it
    assert limits[0].timeout.connect == 10


def test_the_calls_other_limits_hold_for_each() -> None:
    limits = []

    class Noting(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            limits.append((prompt.timeout, prompt.allowance.share))
            return super().begin(prompt)

    chain = Fallback([Noting(), Noting()], clock=Clock())
    chain.create(messages="Hello", timeout=(1, 2))
    assert limits[-1] == (Timeout(1, 2, 600, 2), 300)
    chain.create(messages="Hello", timeout=Timeout(1, 2, None))
    assert limits[-1] == (Timeout(1, 2, None), None)
    chain.create(messages="Hello", timeout=Timeout(first=20))
    assert limits[-1] == (Timeout(first=20), 300)


def test_a_call_without_limits_has_those_of_the_members_and_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []

    class Noting(Scripted):
        timeout = Timeout(1, 2, 3)

        def begin(self, prompt):  # type: ignore[no-untyped-def]
            limits.append((prompt.timeout, prompt.allowance.share))
            return super().begin(prompt)

    Fallback([Noting(), Scripted()], clock=Clock()).create(messages="Hello")
    assert limits[-1] == (Timeout(1, 2, 3), 300)
    monkeypatch.setenv("G4F_LITE_TIMEOUT", "2")
    Fallback([Noting(), Scripted()], clock=Clock()).create(messages="Hello")
    assert limits[-1] == (Timeout(1, 2, 2), 1)


@pytest.mark.parametrize(
    ("each", "timeout", "seconds", "left_alone"),
    [
        (None, 0.1, 0.05, False),
        (None, (0.1, 0.1), 0.3, False),
        (None, None, 60, True),
        (None, 30, FAIR_SECONDS, True),
        (2, 30, 2, True),
        (2, 0.1, 0.05, False),
    ],
)
def test_a_caller_in_a_hurry_does_not_shut_a_provider_out(
    each: object, timeout: object, seconds: float, left_alone: bool
) -> None:
    def pass_time() -> None:
        clock.now += seconds

    clock = Clock()
    slow = Watched(*[DeadlineExceededError("late", limit="total")] * FAILURES_TO_OPEN, "in time")
    slow.asked = pass_time
    chain = Fallback([slow, Scripted(*["second"] * 4)], each=each, clock=clock)  # type: ignore[arg-type]
    for _ in range(FAILURES_TO_OPEN):
        assert chain.create(messages="Hello", timeout=timeout) == "second"  # type: ignore[arg-type]
    assert (chain.create(messages="Hello") == "second") is left_alone


def test_the_limit_that_a_chain_names_is_the_one_that_was_given() -> None:
    clock = Clock()
    second = Scripted(["one ", DeadlineExceededError("the total time limit of 2 s passed", limit="total")])
    chain = Fallback([Scripted(TransportError("down")), second], clock=clock)
    stream = chain.create_generator(messages="Hello", timeout=3).start()
    clock.now += 3
    with pytest.raises(DeadlineExceededError, match="total time limit of 3 s"):
        stream.text()


def test_callers_whose_time_ends_after_the_first_piece_do_not_shut_a_provider_out() -> None:
    late = DeadlineExceededError("late", limit="total")
    chain = Fallback([Scripted(*[["one ", late]] * FAILURES_TO_OPEN, "whole"), Scripted("never")])
    streams = [chain.create_generator(messages="Hello").start() for _ in range(FAILURES_TO_OPEN)]
    for stream in streams:
        with pytest.raises(DeadlineExceededError):
            stream.text()
    assert chain.create(messages="Hello") == "whole"


class Blind(Scripted):
    """A provider that sees no images and knows one option."""

    known_options = frozenset({"seed"})

    def check(self, prompt):  # type: ignore[no-untyped-def]
        prompt.check_text_only(self.name)
        if prompt.options.keys() - {"seed"}:
            raise TypeError("Blind has no such option")


def test_who_does_not_take_a_prompt_is_passed_over() -> None:
    blind = Blind("words")
    chain = Fallback([blind, Scripted(*["a cat"] * (FAILURES_TO_OPEN + 1), TransportError("down"))])
    for _ in range(FAILURES_TO_OPEN + 1):
        assert chain.create(messages="What is this?", images=PIXEL) == "a cat"
    with pytest.raises(AllProvidersFailedError, match=r"Blind: skipped: Blind accepts only text.*\n  Scripted: down"):
        chain.create(messages="What is this?", images=PIXEL)
    assert blind.calls == []
    assert chain.create(messages="Hello") == "words"  # it has not failed


def test_what_nobody_takes_is_refused_at_the_call_as_by_the_first() -> None:
    class Other(Blind):
        pass

    with pytest.raises(ValueError, match="Blind accepts only text"):
        Fallback([Blind(), Other()]).create_generator(messages="What is this?", images=PIXEL)
    with pytest.raises(TypeError, match="Blind has no such option"):
        Fallback([Blind()]).create_generator(messages="Hello", temperature=0)


@pytest.mark.parametrize("wrong", [{"model": " "}, {"proxy": "nonsense"}, {"timeout": 0}, {"messages": None}], ids=str)
def test_what_makes_no_sense_is_refused_at_the_call_whoever_is_asked(wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Fallback([Scripted()]).create_generator(**{"messages": "Hello", **wrong})


def test_who_has_not_an_option_is_passed_over_although_another_was_asked_before() -> None:
    down, blind = Scripted(TransportError("down")), Blind("never")
    chain = Fallback([down, blind, Scripted("seen")])
    assert chain.create(messages="Hello", temperature=0) == "seen"
    assert len(down.calls) == 1
    assert blind.calls == []


def test_a_mistake_in_a_provider_is_no_refusal() -> None:
    chain = Fallback([Scripted(ValueError("a mistake")), Scripted("never")])
    with pytest.raises(ValueError, match="a mistake"):
        chain.create(messages="Hello")


def test_closing_it_does_not_ask_the_next() -> None:
    second = Scripted("never")
    stream = Fallback([Scripted(["one ", "two"]), second]).create_generator(messages="Hello")
    assert next(stream) == "one "
    stream.close()
    with pytest.raises(StreamInterruptedError):
        next(stream)
    assert second.calls == []


def test_closing_it_while_the_next_is_prepared_does_not_ask_that_one() -> None:
    class Preparing(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            stream.close()  # as from another thread
            return super().begin(prompt)

    second = Preparing("never")
    stream = Fallback([Scripted(TransportError("down")), second]).create_generator(messages="Hello")
    with pytest.raises(StreamInterruptedError):
        next(stream)
    assert second.calls == []


def test_members_are_what_a_client_takes() -> None:
    own = Scripted()
    chain = Fallback(["ollama", "groq:llama-3.3-70b", Scripted, own])
    assert [provider.name for provider in chain.providers] == ["Ollama", "Groq", "Scripted", "Scripted"]
    assert chain.providers[1].model == "llama-3.3-70b"
    assert chain.providers[3] is own


@pytest.mark.parametrize(
    ("providers", "kind"), [([], ValueError), (["no such"], ValueError), ([int], TypeError), ([None], TypeError)]
)
def test_wrong_members_are_refused_at_once(providers: list[object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Fallback(providers)  # type: ignore[arg-type]


def test_a_chain_pickles_with_its_members() -> None:
    chain = Fallback([OpenAICompatible("http://127.0.0.1:1/v1"), OpenAICompatible("http://127.0.0.1:2/v1")], each=3)
    copy = pickle.loads(pickle.dumps(chain))
    assert [provider.base_url for provider in copy.providers] == ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"]
    assert copy.each == chain.each
