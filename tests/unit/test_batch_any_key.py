"""Answers that were stored with another API key, which count if the caller says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import responses

from g4f_lite import Client, Fallback, OpenAICompatible
from g4f_lite.store.answers import AnswerStore
from g4f_lite.store.database import Database
from g4f_lite.testing import Echo

URL = "https://one.test/v1"


@pytest.fixture
def server() -> Any:
    """Give a service that numbers its answers."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:

        def answer(request: Any) -> tuple[int, dict[str, str], str]:
            text = f"answer {len(mock.calls) + 1}"
            return 200, {}, f'{{"choices": [{{"message": {{"content": "{text}"}}, "finish_reason": "stop"}}]}}'

        mock.add_callback("POST", f"{URL}/chat/completions", answer, content_type="application/json")
        yield mock


def texts(key: str, path: Path, prompts: list[str] | None = None, *, chain: bool = False, **settings: Any) -> list[str]:
    headers = settings.pop("default_headers", None)
    one = OpenAICompatible(URL, api_key=key, model=settings.pop("model", "m"), default_headers=headers)
    results = Client(Fallback([one, Echo()]) if chain else one).map(
        prompts or ["a", "b", "a"], store=path, workers=1, **{"progress": False, **settings}
    )
    return list(results.texts())


OLD = ["answer 1", "answer 2", "answer 3"]


@pytest.mark.parametrize("chain", [False, True])
def test_answers_by_another_key_are_used_if_that_is_said(server: Any, tmp_path: Path, chain: bool) -> None:
    path = tmp_path / "answers.db"
    assert texts("sk-old", path, chain=chain) == OLD
    assert texts("sk-new", path, chain=chain, any_key=True) == OLD
    assert len(server.calls) == 3
    assert texts("sk-new", path, chain=chain) == ["answer 4", "answer 5", "answer 6"]
    assert texts("sk-third", path, ["a", "c"], chain=chain, any_key=True)[1] == "answer 7"
    assert texts("sk-old", path, ["c"], chain=chain, any_key=True) == ["answer 7"]
    assert b"sk-" not in path.read_bytes()


def test_what_one_provider_gave_is_used_by_a_chain_that_begins_with_it(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    assert texts("sk-old", path) == OLD
    chain = Fallback([OpenAICompatible(url, api_key="sk-new", model="m") for url in (URL, "https://two.test/v1")])
    results = Client(chain).map(["a", "b", "a"], store=path, any_key=True, progress=False)
    assert results.texts() == OLD
    assert {result.provider for result in results} == {"OpenAICompatible (one.test)"}


def test_a_key_in_a_header_is_a_key_too(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    assert texts("sk-1", path, default_headers={"X-Api-Key": "old-secret-1"}) == OLD
    assert texts("sk-1", path, default_headers={"X-Api-Key": "new-secret-2"}, any_key=True) == OLD


@pytest.mark.parametrize("changed", [{"model": "n"}, {"temperature": 0.5}, {"default_headers": {"X-Team": "blue"}}])
def test_what_else_differs_makes_another_question(server: Any, tmp_path: Path, changed: dict[str, Any]) -> None:
    path = tmp_path / "answers.db"
    assert texts("sk-old", path) == OLD
    assert texts("sk-new", path, any_key=True, **changed) == ["answer 4", "answer 5", "answer 6"]


def test_a_warning_and_the_estimate_say_how_many_answers_that_would_be(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    texts("sk-old", path)
    new = Client(OpenAICompatible(URL, api_key="sk-new", model="m"))
    told = r"3 prompts will be sent; 2 of them have an answer there by another key, which any_key=True uses$"
    with pytest.warns(UserWarning, match=told):
        new.map(["a", "b", "c"], store=path, workers=1).head(1)
    prompts = ["b", "c", "a", "a"]
    assert new.map(prompts, store=path).estimate()[:2] == (3, 1)
    assert new.map(prompts, store=path).estimate().of_other_keys == 2
    estimate = new.map(prompts, store=path, any_key=True).estimate()
    assert (estimate.calls, estimate.stored, estimate.of_other_keys) == (1, 3, 0)


def test_two_programs_that_begin_at_once_are_both_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one has read before the other wrote does not count."""
    stores = [AnswerStore(tmp_path / "answers.db") for _ in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(Database, "rows", lambda *_: [])
        for store, key in zip(stores, "ab", strict=False):
            store.note_scope(f"url {key}", "url")
            store.note_scope(f"url {key}", "url")
    assert len(stores[2].other_scopes("url c", "url")) == 2
    assert len(stores[2].other_scopes("url a", "url")) == 1
    assert stores[2].other_scopes("url a", "another url") == []


def test_a_rejected_answer_by_another_key_is_asked_for_again(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    texts("sk-old", path)
    client = Client(OpenAICompatible(URL, api_key="sk-new", model="m"))
    for expected in (["answer 1", "answer 4", "answer 3"], ["answer 1", "answer 4", "answer 3"]):
        results = client.map(["a", "b", "a"], store=path, any_key=True, workers=1, progress=False)
        assert results.reject(lambda result: result.text == "answer 2").texts() == expected


def test_it_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="any_key must be True or False, not str"):
        Client(Echo()).map(["a"], any_key="sk-old")  # type: ignore[call-overload]
