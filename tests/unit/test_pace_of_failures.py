"""What keeps one call from taking a client's pace from all others: numbers that cannot be, and failures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from g4f_lite import Client, Pace, ServiceError
from g4f_lite.batch.pace import LocalMeter, count_tokens
from g4f_lite.testing import Scripted

Ask = Callable[[Client], object]


def test_a_number_of_tokens_that_cannot_be_holds_nobody_up_for_ever() -> None:
    meter = LocalMeter(tpm=600, clock=lambda: 100.0)
    meter.correct(2**62)
    assert meter.reserve(1) == 600
    meter = LocalMeter(tpm=600, clock=lambda: 100.0)
    meter.reserve(2**62)
    assert meter.reserve(1) == 590  # a hundred were there


def test_what_a_call_gives_back_is_what_it_took() -> None:
    meter = LocalMeter(tpm=600, clock=lambda: 100.0)  # ten a second, a hundred at once
    meter.reserve(3000)
    meter.reserve(10**8)
    count_tokens(meter, None, 10**8, has_failed=True)
    assert meter.reserve(1) == 290


@pytest.mark.parametrize(
    "ask",
    [lambda client: client.ask("hi", max_tokens=10**8), lambda client: list(client.map(["hi"], max_tokens=10**8))],
)
def test_a_call_that_is_refused_gives_its_tokens_back(ask: Ask) -> None:
    pace = Pace(tpm=600)
    with suppress(ServiceError):
        ask(Client(Scripted(ServiceError("max_tokens is too large", status=400)), pace=pace))
    assert pace.meter.reserve(1) == 0


@pytest.mark.parametrize(
    "ask", [lambda client: client.ask("hi", max_tokens=700), lambda client: list(client.map(["hi"], max_tokens=700))]
)
def test_one_that_is_cut_does_not(ask: Ask) -> None:
    pace = Pace(tpm=600)
    with suppress(ServiceError):
        ask(Client(Scripted(["Hello", ServiceError("broken", status=500)]), pace=pace))
    assert pace.meter.reserve(1) > 0
