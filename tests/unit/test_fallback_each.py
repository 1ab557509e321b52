"""What ``each`` of a chain limits: a number how long an answer may take to begin, a Timeout all of a member's time."""

from __future__ import annotations

import pytest

from g4f_lite import AllProvidersFailedError, DeadlineExceededError, Fallback, OpenAICompatible, Timeout, TransportError
from g4f_lite.emulator import Emulator
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN
from g4f_lite.testing import Scripted


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_is_the_time_until_an_answer_begins_where_another_member_is_left() -> None:
    asked = []

    class Noting(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            asked.append((prompt.allowance.share, prompt.timeout))
            return super().begin(prompt)

    members = [Noting(TransportError("down")), Noting(TransportError("down")), Noting("ok")]
    assert Fallback(members, each=5, clock=Clock()).create(messages="Hello", timeout=60) == "ok"
    assert asked == [(5, Timeout.of(60)), (5, Timeout.of(60)), (60, Timeout.of(60))]
    asked.clear()
    inner = Fallback([Noting(TransportError("down"))], each=5, clock=Clock())
    assert Fallback([inner, Noting("ok")], each=4, clock=Clock()).create(messages="Hello", timeout=6) == "ok"
    assert [share for share, _ in asked] == [3, 6]


@pytest.mark.parametrize("skipped", [False, True])
def test_a_member_is_not_asked_when_no_time_is_left(skipped: bool) -> None:
    """Be it the next one, or one that was skipped for a while."""
    clock = Clock()

    class Late(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            clock.now += prompt.timeout.total if prompt.timeout.total <= 33 else 0
            return super().begin(prompt)

    before = ["in time"] * (FAILURES_TO_OPEN if skipped else 0)
    late = Late(*before, DeadlineExceededError("late", limit="total"))
    other = Scripted(*[TransportError("down")] * len(before), "never")
    chain = Fallback([other, late] if skipped else [late, other], clock=clock)
    for answer in before:
        assert chain.create(messages="Hello") == answer
    sent = len(other.calls)
    with pytest.raises(AllProvidersFailedError, match=r"Scripted: skipped, because (it failed|no time is left)") as no:
        chain.create(messages="Hello", timeout=33)
    assert ([error.skipped for error in no.value.errors], len(other.calls)) == ([skipped, not skipped], sent)


@pytest.mark.parametrize("each", [0, -1, float("nan"), True])
def test_each_is_a_positive_number(each: float) -> None:
    with pytest.raises(ValueError, match="timeout must be"):
        Fallback([Scripted()], each=each)


@pytest.mark.parametrize(
    ("own", "each", "timeout", "held"),
    [
        (Timeout(1, 2, 3, 4), None, 60, Timeout(1, 2, 3, 4)),
        (Timeout(1, 90, None, 4), None, 60, Timeout(1, 60, 60, 4)),
        (Timeout(1, 2, 3, 4), Timeout(2, 2, 2, 2), None, Timeout(1, 2, 2, 2)),
        (Timeout(), Timeout(2, 2, 2, 2), 60, Timeout(2, 2, 2, 2)),
        (Timeout(), None, Timeout(read=120), Timeout(read=120)),  # a default is nobody's wish
    ],
)
def test_the_shortest_of_the_limits_that_were_given_holds(
    own: Timeout, each: object, timeout: object, held: Timeout
) -> None:
    class Noting(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            self.held = prompt.timeout
            return super().begin(prompt)

    member = Noting()
    member.timeout = own
    Fallback([member], each=each, clock=Clock()).create(messages="Hello", timeout=timeout)  # type: ignore[arg-type]
    assert member.held == held


@pytest.mark.parametrize("said", [[], ["one "]])
def test_the_limit_of_a_member_is_named_as_such(said: list[str]) -> None:
    late = DeadlineExceededError("the total time limit of 2 s passed", limit="total")
    chain = Fallback([Scripted([*said, late])], each=Timeout(total=2), clock=Clock())
    with pytest.raises((AllProvidersFailedError, DeadlineExceededError), match="the member's own limit of 2 s passed"):
        chain.create(messages="Hello", timeout=60)


def test_a_member_that_says_nothing_is_left_for_the_next_one(g4f_emulator: Emulator) -> None:
    g4f_emulator.fail("stall")
    chain = Fallback([OpenAICompatible(f"{g4f_emulator.url}/v1"), Scripted(["It ", "is."])], each=0.2)
    told: list[str] = []
    chain.on_fallback = lambda errors, answering: told.extend(map(str, [*errors, answering]))
    assert list(chain.stream("Hello")) == ["It ", "is."]
    assert "nothing of the answer came within 0.2 s; give a longer timeout=, or the chain a longer each=," in told[0]
