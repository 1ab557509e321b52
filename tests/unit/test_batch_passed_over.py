"""Why the members of a chain that were asked before did not answer, in the results of a batch and in its store."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    BaseProvider,
    BatchResults,
    Client,
    Fallback,
    OpenAICompatible,
    Prompt,
    StoreError,
    TransportError,
)
from g4f_lite.testing import Scripted

from .batch_providers import Counts


class Down(BaseProvider):
    """A provider that is down."""

    def __init__(self, name: str = "Down") -> None:
        self.name = name

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        raise TransportError(f"{self.name} is down")
        yield


def look() -> str:
    """Look."""
    return "seen"


def test_a_result_and_the_store_know_why_others_did_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    for is_stored in (False, True):
        client = Client(Fallback([Down("Two"), Down("One"), Counts()]))
        results = client.map(["a", {"prompt": "b", "provider": Counts()}], store=path, workers=1)
        assert [(result.is_stored, [*result.passed_over.items()]) for result in results] == [
            (is_stored, [("Two", "Two is down"), ("One", "One is down")]),
            (is_stored, []),
        ]


@pytest.mark.once
@pytest.mark.parametrize("read", [BatchResults.texts, lambda results: results.to_frame(meta=False)])
def test_a_column_warns_of_answers_of_others(read: Any, tmp_path: Path) -> None:
    if read is not BatchResults.texts:
        pytest.importorskip("pandas")
    client, other = (Client(Fallback([Down("One"), Counts()])) for _ in range(2))
    told = "providers other than One gave 2 of 2 answers: One is down; result.provider says who"
    with pytest.warns(UserWarning, match=f"^{told}$"):
        read(client.map(["a", "b"]))
    again = re.escape("; .reject(lambda result: result.passed_over) asks those prompts again")
    with pytest.warns(UserWarning, match=f"^{told}{again}$"):
        read(other.map(["a", "b"], store=tmp_path / "answers.db"))
    client.map(["a", "b"], progress=False).texts()
    Client(Counts()).map(["a", "b"]).texts()


def test_the_members_of_a_chain_in_a_chain_are_known_too() -> None:
    chain = Fallback([Down("One"), Fallback([Down("Two"), Counts()])])
    assert Client(chain).map(["a"])[0].passed_over == {"One": "One is down", "Two": "Two is down"}


def test_they_are_known_of_an_answer_with_tools() -> None:
    chain = Fallback([Down(), Scripted("yes")])
    assert Client(chain).map(["a"], tools=[look])[0].passed_over == {"Down": "Down is down"}


@pytest.mark.parametrize("tools", [None, [look]])
def test_they_are_known_of_an_answer_from_a_cache(tools: Any, tmp_path: Path) -> None:
    for is_cached in (0, 1):
        client = Client(Fallback([Down(), Scripted("yes")]), cache=tmp_path / "cache.db")
        results = client.map(["a"], tools=tools, store=tmp_path / f"answers-{is_cached}.db")
        for result in (results[0], client.map(["a"], tools=tools, store=tmp_path / f"answers-{is_cached}.db")[0]):
            assert result.passed_over == {"Down": "Down is down"}
        assert client.usage.cached == is_cached


def test_an_estimate_counts_what_others_gave(tmp_path: Path) -> None:
    def results(*members: BaseProvider) -> BatchResults[Any]:
        return Client(Fallback(members)).map(["a", "b", "c"], store=tmp_path / "answers.db", workers=1)

    results(Down(), Counts()).head(2)
    told = str(results(Down(), Counts()).estimate())
    assert told.startswith("1 prompt to send, 2 answers stored (2 by Counts); ")
    list(results(Down(), Counts()))
    estimate = results(Down(), Counts()).estimate()
    assert (estimate.calls, estimate.stored, estimate.by_others) == (0, 3, {"Counts": 3})
    rejected = results(Down(), Counts()).reject(lambda result: result.text == "a 1")
    assert rejected.estimate().by_others == {"Counts": 2}
    alone = Client(Counts()).map(["a"], store=tmp_path / "alone.db")
    assert (alone.texts(), alone.estimate().by_others) == (["a 1"], {})


def test_servers_of_one_name_are_told_apart_in_an_estimate() -> None:
    chain = Fallback([OpenAICompatible("http://127.0.0.1:9/v1"), OpenAICompatible("http://127.0.0.1:8/v1")])
    assert Client(chain).map(["a"]).estimate().first == "OpenAICompatible (127.0.0.1:9)"


def test_a_store_of_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    Client(Counts()).map(["a"], store=path).texts()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE answers DROP COLUMN passed_over")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    old, new = Client(Counts()).map(["a", "b"], store=path, workers=1)
    assert [(old.text, old.is_stored, old.passed_over), (new.text, new.is_stored)] == [
        ("a 1", True, {}),
        ("b 1", False),
    ]


def test_reasons_that_something_else_has_written_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    Client(Counts()).map(["a"], store=path).texts()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE answers SET passed_over = '[1]'")
    connection.close()
    with pytest.raises(StoreError, match="it is damaged"):
        Client(Counts()).map(["a"], store=path).texts()
