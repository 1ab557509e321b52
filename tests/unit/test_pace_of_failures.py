"""What a call that fails takes of a client's pace: nothing, where nothing of an answer came."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from g4f_lite import Client, Pace, ServiceError
from g4f_lite.testing import Scripted

Ask = Callable[[Client], object]


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
