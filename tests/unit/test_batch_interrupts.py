"""What a signal handler raises while a batch is read comes out as it is, and the results can be read after it."""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite import Client
from g4f_lite.testing import Echo

from .test_forks import interrupted_at


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hear nothing of what garbage collections close, such as a connection that was interrupted while it was opened."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    yield
    gc.collect()


@pytest.mark.parametrize("is_stored", [pytest.param(False, marks=pytest.mark.once), True])
def test_an_exception_at_any_step_comes_out_and_the_results_can_be_read(tmp_path: Path, is_stored: bool) -> None:
    for step in itertools.count(step=7):
        store = tmp_path / f"{step}.db" if is_stored else None
        results = Client(Echo(), timeout=5).map(["a", "b", "c"], progress=False, workers=2, store=store)

        def read(results: object = results) -> None:
            list(results)  # type: ignore[call-overload]

        place = interrupted_at(step, read)
        assert results.texts() == ["a", "b", "c"], place
        if not place:
            break
    assert step > 100
