"""The page on conformance: it has a row for each dialect of answers, and its column of ours is what is kept today."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .test_benchmarks import ROOT, module


def kept(course: Any) -> set[str]:
    worker = module("conformance_worker")
    with Emulator() as emulator:
        course.set_up(emulator)
        found: set[str] = course.kept(worker.kept_of(worker.ours(), f"{emulator.url}/v1", course.stream))
        return found


@pytest.mark.once
def test_our_column_is_what_is_kept_today() -> None:
    conformance = module("conformance")
    today = list(conformance.table({course: {"g4f_lite": kept(course)} for course in conformance.courses()}))
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8").splitlines()
    ours = ["|".join(line.split("|")[:3]) + "|" for line in page if line.startswith("|")]
    assert ours == today, "run: python -m benchmarks.conformance"
