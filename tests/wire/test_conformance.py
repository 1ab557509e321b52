"""The cases of conformance: ours keeps all of each, and the page says what a peer keeps more of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from .test_benchmarks import ROOT, module

FLAT = module("conformance").FLAT


@pytest.fixture(scope="module")
def servers() -> Iterator[Any]:
    with module("conformance").Servers() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("number", range(len(FLAT)), ids=[case.name for case in FLAT])
def test_ours_keeps_all(number: int, servers: Any) -> None:
    case = FLAT[number]
    base_url = f"http://127.0.0.1:{servers.server_port}/{number}{case.address}"
    seen = module("conformance_clients").ask("g4f_lite", case, base_url)
    assert module("conformance").kept_of(case, seen, servers.requests[number]) == list(case.facts), seen


def test_a_failure_that_passes_for_an_answer_keeps_nothing() -> None:
    conformance, cases = module("conformance"), module("conformance_cases")
    failure = next(case for case in cases.FAILURES if case.name == "an error object")
    assert conformance.kept_of(failure, {"text": "Once upon"}, ["/"]) == []
    assert conformance.kept_of(failure, {"text": "", "error": "Provider disconnected"}, ["/"]) == ["error"]
    answer = cases.EVENTS[0]
    assert conformance.kept_of(answer, {"text": "Hello", "error": "IndexError"}, ["/"]) == []


def test_the_page_names_what_a_peer_keeps_more_of() -> None:
    conformance = module("conformance")
    whole = [list(case.facts) for case in FLAT]
    less = [whole[0][1:], *whole[1:]]
    assert "No peer keeps more" in conformance.page({"g4f_lite": whole, "openai": less}, "")
    assert f"more than ours of: {FLAT[0].name}." in conformance.page({"g4f_lite": less, "openai": whole}, "")


def test_the_documentation_has_every_case_and_no_peer_that_keeps_more() -> None:
    text = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    for case in FLAT:
        assert f"\n| {case.name} | {case.who} | all |" in text
    assert text.endswith("No peer keeps more of any of these.\n")
