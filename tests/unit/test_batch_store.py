"""Batches on disk: what is asked again, what is not, and a store that cannot be used."""

from __future__ import annotations

import gc
import itertools
import pickle
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    BaseProvider,
    BatchStoppedError,
    Client,
    Fallback,
    Finish,
    Identity,
    ImageResponse,
    OpenAICompatible,
    OtherChoice,
    Prompt,
    ResponseFormatError,
    StoreError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.answers.images import FetchLimit
from g4f_lite.messages import last_user_message
from g4f_lite.providers.identity import identity_of
from g4f_lite.store.answers import AnswerStore
from g4f_lite.store.database import Database
from g4f_lite.store.delta_json import from_json, to_json
from g4f_lite.testing import Scripted

from .batch_providers import DELTAS, PNG, Counts

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


def texts(provider: BaseProvider, prompts: Any, store: Path, **options: Any) -> list[str | None]:
    found: list[str | None] = Client(provider).map(prompts, store=store, workers=1, **options).texts()
    return found


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    assert texts(provider, ["a", "b"], path) == ["a 1", "b 2"]
    assert texts(provider, ["a", "b"], path) == ["a 1", "b 2"]
    results = Client(provider).map(["a", "b", "c"], store=path)
    assert results.estimate() == (1, 2, 1, None, None, True, 0, 0, 1, 0, (), "", {})
    assert [(result.text, result.is_stored) for result in results] == [("a 1", True), ("b 2", True), ("c 3", False)]
    assert (results.usage.calls, results.usage.stored) == (1, 2)


@pytest.mark.filterwarnings("ignore:another program asks the same prompts:UserWarning")
def test_what_another_program_has_stored_meanwhile_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"

    class Beside(Counts):
        def begin(self, prompt: Prompt) -> Any:
            if last_user_message(prompt.messages) == "a":
                texts(self, ["b"], path)  # by now the other batch has read all three
            return super().begin(prompt)

    results = Client(provider := Beside()).map(["a", "b", "c"], store=path, workers=1)
    assert [(result.text, result.is_stored) for result in results] == [("a 2", False), ("b 1", True), ("c 3", False)]
    assert (len(provider.asked), results.usage.calls, results.usage.stored) == (3, 2, 1)


def test_changed_prompts_are_asked_and_old_answers_stay(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    texts(provider, ["a", "b", "c"], path)
    assert texts(provider, ["c", "x", "a"], path) == ["c 3", "x 4", "a 1"]
    assert texts(provider, ["b"], path) == ["b 2"]


def test_an_estimate_counts_the_answers_to_other_questions(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    texts(Counts(), ["a", "b", "c"], path)
    others = Client(Counts("Other")).map(["a", "b", "c"], store=path).estimate()
    assert others.unused == 3
    assert "; the store has 3 answers more: to other prompts, or of another provider, URL, " in str(others)
    results = Client(Counts()).map(["c", "d"], store=path)
    assert (results.estimate().stored, results.estimate().unused) == (1, 2)
    results.texts()
    assert (results.estimate().calls, results.estimate().unused) == (0, 2)


@pytest.mark.parametrize("fresh", [False, True])
def test_an_estimate_counts_the_answers_that_have_been_stored_since(tmp_path: Path, fresh: bool) -> None:
    results = Client(Counts()).map(["a", "b", "c"], store=tmp_path / "answers.db", fresh=fresh, workers=1)
    results.head(2)
    assert str(results.estimate()).startswith("1 prompt to send, 2 answers stored; about 1 token")
    without_store = Client(Counts()).map(["a", "b", "c"], workers=1)
    without_store.head(2)
    assert str(without_store.estimate()).startswith("1 prompt to send, 0 answers stored; about 1 token")


@pytest.mark.parametrize("settings", [{}, {"fresh": True}])
def test_answers_that_are_asked_again_are_none_to_other_questions(tmp_path: Path, settings: dict[str, Any]) -> None:
    path = tmp_path / "answers.db"
    texts(Counts(), ["a", "b", "c"], path)
    results = Client(Counts()).map(["a", "b"], store=path, **settings).reject(lambda result: True)
    assert (results.estimate().calls, results.estimate().unused) == (2, 1)


@pytest.mark.parametrize(
    "changed", [{"model": "other"}, {"temperature": 0.5}, {"system": "Be brief."}, {"max_tokens": 5}, {"fresh": True}]
)
@pytest.mark.filterwarnings("ignore:.* to other questions than these:UserWarning")
def test_another_question_about_the_same_prompt_is_asked(tmp_path: Path, changed: dict[str, Any]) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    texts(provider, ["a"], path)
    assert texts(provider, ["a"], path, timeout=5) == ["a 1"]
    assert texts(provider, ["a"], path, **changed) == ["a 2"]


def test_fresh_replaces_what_is_stored(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    texts(provider, ["a"], path)
    texts(provider, ["a"], path, fresh=True)
    assert texts(provider, ["a"], path) == ["a 2"]


def test_stored_answers_that_are_not_wanted_are_asked_again_and_replaced(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    texts(provider, ["a", "b", "b"], path)
    results = Client(provider).map(["a", "b", "b"], store=path).reject(lambda result: result.text == "b 2")
    assert (results.estimate().calls, results.estimate().stored) == (1, 2)
    assert results.texts() == ["a 1", "b 4", "b 3"]
    assert texts(provider, ["a", "b", "b"], path) == ["a 1", "b 4", "b 3"]


def test_stored_answers_that_fit_the_type_no_more_are_asked_again_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("msgspec")

    @dataclass
    class City:
        name: str

        def __post_init__(self) -> None:
            if self.name in unknown:
                raise ValueError("no such city")

    unknown: set[str] = set()
    scripted = Scripted('{"name": "Oslo"}', '{"name": "Rome"}')
    client, path = Client(scripted), tmp_path / "answers.db"
    assert client.map(["a"], output=City, store=path).outputs() == [City("Oslo")]
    unknown.add("Oslo")
    for _ in range(2):
        assert client.map(["a"], output=City, store=path).outputs() == [City("Rome")]
    assert len(scripted.calls) == 2


def test_equal_prompts_are_asked_each_and_stored_each(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    assert texts(provider, ["a", "a", "b", "a"], path) == ["a 1", "a 2", "b 3", "a 4"]
    assert texts(provider, iter(["a", "b", "a", "a", "a"]), path) == ["a 1", "b 3", "a 2", "a 4", "a 5"]


def test_answers_that_another_program_adds_meanwhile_are_none_to_other_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.db"
    Client(Counts()).map(["one"], store=path).texts()
    other = Client(Counts()).map(["one", "two", "three"], store=path)
    read, reads = Database.rows, itertools.count()

    def rows(database: Database, *query: Any) -> list[Any]:
        found = read(database, *query)
        if database is not other._plan.store.database and next(reads) == 0:  # type: ignore[union-attr]
            other.texts()  # after the first look of the estimate
        return found

    results = Client(Counts()).map(["one", "two", "three"], store=path)
    monkeypatch.setattr(Database, "rows", rows)
    assert results.estimate().unused == 0


def test_a_failure_is_not_stored(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    assert texts(provider, ["fail", "a"], path) == [None, "a 2"]
    assert texts(provider, ["fail", "a"], path) == [None, "a 2"]
    assert provider.asked == ["fail", "a", "fail"]


def test_nobody_can_read_prompts_or_keys_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    store = AnswerStore(path)
    scope = identity_of(OpenAICompatible("https://x.example/v1", api_key="sk-very-secret", model="m"), None)
    keys = {store.key(scope, Prompt.of("m", text)) for text in ("a", "b", "a")}
    assert {len(key) for key in keys} == {16}
    assert len(keys) == 2
    store.close()
    assert b"sk-very" not in path.read_bytes()
    assert AnswerStore(tmp_path / "other.db").key(scope, Prompt.of("m", "a")) not in keys


def test_what_tells_providers_apart() -> None:
    def openai(url: str = "https://x.example/v1", key: str = "sk-1", model: str = "m") -> OpenAICompatible:
        return OpenAICompatible(url, api_key=key, model=model)

    different = [
        identity_of(openai(), None),
        identity_of(openai(url="https://y.example/v1"), None),
        identity_of(openai(url="https://x.example/v1?api-version=1"), None),
        identity_of(openai(key="sk-2"), None),
        identity_of(openai(model="n"), None),
        identity_of(Counts(), None),
        identity_of(Counts("Other"), None),
        identity_of(Fallback([openai(), Counts()]), None),
        identity_of(Fallback([Counts(), openai()]), None),
    ]
    assert len(set(different)) == len(different)
    assert identity_of(openai(), None) == identity_of(openai(model="other"), "m")


@pytest.mark.parametrize("name", ["folder", "text", "foreign", "cache"])
def test_a_store_that_cannot_be_used_is_an_error_at_the_call(tmp_path: Path, name: str) -> None:
    path, provider = tmp_path / name, Counts()
    if name == "folder":
        path.mkdir()
    elif name == "text":
        path.write_text("a,b\n" * 50)
    elif name == "foreign":
        sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    else:
        Client(provider, cache=path).ask("a")
    with pytest.raises(StoreError, match=re.escape(str(path))):
        Client(provider).map(["a"], store=path)


def test_a_full_disk_stops_the_batch_and_loses_nothing(tmp_path: Path) -> None:
    class Long(Counts):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            yield from super().begin(prompt)
            yield "x" * 20_000
            yield Finish()

    provider, path = Long(), tmp_path / "answers.db"
    prompts = [f"prompt {number}" for number in range(30)]
    results = Client(provider).map(prompts, store=path, workers=1)
    store = results._plan.store
    assert store is not None
    connect = store.database._open

    def small() -> sqlite3.Connection:
        connection = connect()
        connection.execute("PRAGMA max_page_count=60")
        return connection

    store.database.close()
    store.database._open = small  # type: ignore[method-assign]
    seen = []
    with pytest.raises(BatchStoppedError, match="the disk is full") as caught:
        seen.extend(result.index for result in results)
    assert isinstance(caught.value.error, StoreError)
    assert seen == list(range(len(provider.asked)))  # also the one that could not be stored
    assert 2 < len(seen) < 20
    again = Client(provider).map(prompts, store=path, workers=1)
    assert [result.index for result in again if result.is_stored] == seen[:-1]


def test_two_batches_on_one_store_ask_together_hardly_more_than_one(tmp_path: Path) -> None:
    provider, path = Counts(), tmp_path / "answers.db"
    prompts = [f"prompt {number}" for number in range(50)]
    one = Client(provider).map(prompts, store=path, workers=1)
    other = Client(provider).map(prompts, store=path, workers=1)
    both = [(a.text, b.text) for a, b in zip(one, other, strict=True)]
    assert len(both) == 50
    store = AnswerStore(path)
    assert store.count() == 50
    store.close()


def test_every_delta_survives_its_json() -> None:
    assert from_json(to_json(DELTAS)) == DELTAS
    (finish,) = from_json(to_json([Finish(None)]))
    assert finish == Finish(None)


def test_an_image_keeps_its_bytes() -> None:
    image = ImageResponse("https://x.example/a.png", "a cat", fetch=lambda url: PNG, revised_prompts=["a black cat"])
    (copy,) = from_json(to_json([image]))
    assert isinstance(copy, ImageResponse)
    assert (copy.urls, copy.alt, copy.revised_prompts, copy.bytes()) == (image.urls, "a cat", ["a black cat"], PNG)


@pytest.mark.parametrize("url", ["data:image/svg+xml;base64,PHN2Zy8+", "data:image/png;base64,?", "data:"])
def test_what_is_in_an_url_and_is_not_an_image_is_as_it_was(url: str) -> None:
    """Otherwise one such answer would make those around it in a store unreadable."""
    image = ImageResponse([url, "https://x.example/a.png"], "a cat", fetch=lambda url: PNG)
    _, copy = from_json(to_json(["text", image]))
    assert isinstance(copy, ImageResponse)
    assert (copy.urls, pickle.loads(pickle.dumps(copy)).bytes(1)) == (image.urls, PNG)
    for each in (image, copy):
        with pytest.raises(ResponseFormatError, match="data: URI that"):
            each.bytes()


def test_images_without_an_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return PNG

    first, other = (ImageResponse([f"https://x.example/{name}.png"] * 2, fetch=fetch) for name in "ab")
    monkeypatch.setattr("g4f_lite.store.delta_json.FetchLimit", lambda: FetchLimit(size=2 * len(PNG)))
    with pytest.raises(ResponseFormatError, match="its images have more than"):
        to_json(["text", first, OtherChoice(1, other), other, other])
    assert len(fetched) == 2


@pytest.mark.parametrize("change", ["DELETE FROM facts", "UPDATE facts SET value = 1", "UPDATE facts SET value = NULL"])
def test_a_store_without_its_salt_is_damaged(tmp_path: Path, change: str) -> None:
    path = tmp_path / "answers.db"
    texts(Counts(), ["a"], path)
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        texts(Counts(), ["a"], path)


def test_half_of_a_character_in_any_delta_is_stored() -> None:
    for delta in (
        Identity(model="m\ud800"),
        ToolCallDelta(0, "id", "f\ud800", "{}"),
        Usage(1, 1, 2, extra={"\ud800": 1}),
    ):
        text = to_json([delta])
        assert "\ufffd" in text
        assert text.encode()
        from_json(text)


def test_providers_that_prompts_name_are_told_apart_when_they_are_gone(tmp_path: Path) -> None:
    """The address of an object that is gone is soon that of another."""
    provider, path = Counts(), tmp_path / "answers.db"

    def prompts() -> Iterator[dict[str, Any]]:
        for number in range(100):
            gc.collect()
            yield {"prompt": "a", "provider": Fallback([Counts(f"Counts {number % 2}")])}

    results = Client(provider).map(prompts(), store=path, workers=1)
    plan, scopes = results._plan, []
    key = plan.store.key
    plan.store.key = lambda scope, *rest: scopes.append(scope) or key(scope, *rest)
    for _ in results:
        pass
    names = [f"Counts {number % 2}" for number in range(100) for _ in ("the chain", "its first member")]
    assert [name in scope for name, scope in zip(names, scopes, strict=True)] == [True] * 200


@pytest.mark.parametrize(
    "text",
    [
        *("null", "[", "{}", '"s"', "[5]", '[{"text": "x"}]', '[{"is": "unknown"}]', '[{"is": "usage"}]'),
        *('[{"is": "reasoning", "text": 3}]', '[{"is": "choice", "index": [], "delta": "x"}]'),
    ],
)
def test_json_that_is_not_deltas_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"not the deltas|Expecting"):
        from_json(text)


# The cache
