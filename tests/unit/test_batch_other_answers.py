"""Batches with a store whose answers are to other questions: a warning, before all is paid for once more."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Fallback

from .batch_providers import Counts

OTHERS = (
    " has 2 answers to other questions than these: .* key, model, type or option makes .*, and 3 prompts will be sent$"
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give a store with the answers to a and b."""
    path = tmp_path / "answers.db"
    Client(Counts()).map(["a", "b"], store=path).texts()
    return path


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    ("provider", "prompts"), [(Fallback([Counts("B"), Counts()]), ["a", "b", "c"]), (Counts(), ["d", "e", "f"])]
)
def test_a_store_with_answers_to_other_questions_only_is_a_warning(provider: Any, prompts: Any, store: Path) -> None:
    results = Client(provider).map(prompts, store=store)
    results.estimate()  # sends nothing
    with pytest.warns(UserWarning, match=OTHERS) as told:
        assert (len(results.head(1)), len(results.texts())) == (1, 3)
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("prompts", "options"),
    [
        (["c", "a", "d"], {}),
        ([], {}),
        (["c"], {"fresh": True}),
        (["c"], {"progress": False}),
        (iter(["c"]), {}),
    ],
)
def test_other_stores_are_none(prompts: Any, options: Any, store: Path) -> None:
    assert None not in Client(Counts()).map(prompts, store=store, **options).texts()


@pytest.mark.usefixtures("quiet")
def test_what_is_asked_of_an_empty_store_and_again_is_none(tmp_path: Path) -> None:
    results = Client(Counts()).map(["a", "fail"], store=tmp_path / "answers.db")
    assert results[0].text == "a 1"
    assert [result.error is None for result in results] == [True, False]
    assert [result.error is None for result in results.retry_failed()] == [True, False]
    once = Client(Counts()).map(iter(["a", "fail"]), store=tmp_path / "answers.db")
    assert [result.error is None for result in once] == [True, False]
    assert [result.error is None for result in once.retry_failed()] == [False]
