"""The cache of a client: which answers are kept, for how long, and how they come back."""

from __future__ import annotations

import itertools
import pickle
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    Cache,
    Client,
    Finish,
    OpenAICompatible,
    OutputError,
    Prompt,
    ServiceError,
    StoreError,
)
from g4f_lite.answers.buffer import MAX_BYTES
from g4f_lite.store.answers import CACHE
from g4f_lite.store.database import Database
from g4f_lite.testing import Scripted

from .batch_providers import DELTAS, Counts


def test_a_cached_answer_is_the_same_answer(tmp_path: Path) -> None:
    class Everything(Counts):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            self.asked.append("x")
            yield from DELTAS

    provider = Everything()
    with Client(provider, cache=tmp_path / "cache.db") as client:
        first, second = client.stream("a"), client.stream("a")
        of_call = {"seconds": 0, "took": ()}
        assert vars(first.text()) | of_call == vars(second.text()) | of_call
        assert str(first.text()) == str(second.text())
        assert second.identity == DELTAS[0]
        assert second.other_choices == first.other_choices
        assert client.chat.completions.create("a", model="x").choices[0].finish_reason == "length"
        assert client.ask("a", fresh=True).finish_reason == "length"
    assert len(provider.asked) == 3


def test_only_whole_answers_are_cached(tmp_path: Path) -> None:
    provider = Counts()
    with Client(provider, cache=str(tmp_path / "cache.db")) as client:
        with client.stream("a") as stream:
            next(stream)
        with pytest.raises(ServiceError):
            client.ask("fail")
        assert client.ask("a") == "a 3"
        assert client.ask("a") == "a 3"
        with pytest.raises(ServiceError):
            client.ask("fail")


def test_cached_answers_that_fit_no_type_are_asked_for_once_more(tmp_path: Path) -> None:
    """Otherwise the same question would fail for ever, and nothing would be sent."""
    service = Scripted("no number", "none either", "no number", "5", "never asked")
    client = Client(service, cache=tmp_path / "answers.db")
    with pytest.raises(OutputError, match="2 attempts"):
        client.ask("How many?", output=int)
    assert [client.ask("How many?", output=int) for _ in range(2)] == [5, 5]
    assert len(service.calls) == 4
    with pytest.raises(OutputError):  # which is asked for anew as well, and fits no better
        client.ask("How many?", output=int, repairs=0)
    assert len(service.calls) == 5


def test_a_cached_answer_of_a_chain_names_its_member(tmp_path: Path) -> None:
    with Client([Counts("First"), Counts("Second")], cache=tmp_path / "cache.db") as client:
        assert [client.ask("a").provider for _ in range(2)] == ["First", "First"]


def test_a_limit_that_the_client_keeps_is_part_of_the_key(tmp_path: Path) -> None:
    provider = OpenAICompatible("http://127.0.0.1:9/v1", model="m")
    assert provider.known_options
    counts = Counts()
    type(counts).known_options = frozenset()  # type: ignore[assignment, misc]
    try:
        with Client(counts, cache=tmp_path / "cache.db") as client:
            assert client.ask("one two", stop="two") == "one "
            assert client.ask("one two") == "one two 2"
            assert client.ask("one two", stop="two") == "one "
    finally:
        del type(counts).known_options


def test_an_old_answer_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("g4f_lite.store.answers.time.time", lambda: now)
    with Client(Counts(), cache=Cache(tmp_path / "cache.db", max_age=60)) as client:
        assert client.ask("a") == "a 1"
        now += 59
        assert client.ask("a") == "a 1"
        now += 2
        assert client.ask("a") == "a 2"
        now += 59
        assert client.ask("a") == "a 2"
        now -= 3600  # the clock was ahead
        assert [client.ask("a"), client.ask("a")] == ["a 3", "a 3"]


def test_what_was_not_used_for_longest_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(1_000_000, 10_000)
    monkeypatch.setattr("g4f_lite.store.answers.time.time", lambda: float(next(clock)))
    cache = Cache(tmp_path / "cache.db", max_bytes=2000)
    provider = Counts()
    with Client(provider, cache=cache) as client:
        for text in ("a", "b", "c", "d"):
            client.ask(text)
        client.ask("a")  # used last
        for text in ("e", "f", "g", "h", "i", "j"):
            client.ask(text)
        assert cache.info().bytes <= 2000
        assert client.ask("a") == "a 1"
        assert client.ask("b").startswith("b 1")
        assert provider.asked.count("b") == 2


def test_info_and_clear(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.db")
    with Client(Counts(), cache=cache) as client:
        client.ask("a")
        assert cache.info()[:2] == (tmp_path / "cache.db", 1)
        assert cache.info().bytes > 200
        assert cache.clear() == 1
        assert cache.info()[1:] == (0, 0)
        assert client.ask("a") == "a 2"


def test_an_answer_that_cannot_be_cached_is_given_with_a_warning(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.db")
    with Client(Counts(), cache=cache) as client:
        client.ask("a")
        pages = cache._store().database.rows("PRAGMA page_count")[0][0]
        cache._store().database._idle.connections[-1].execute(f"PRAGMA max_page_count={pages}")
        with pytest.warns(UserWarning, match="the answer was not cached: .*the disk is full"):
            assert client.ask("x" * 50_000) == "x" * 50_000 + " 2"


def test_an_answer_that_is_longer_than_what_a_stream_keeps_is_not_cached(tmp_path: Path) -> None:
    class Long(Counts):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            self.asked.append("x")
            yield from ("x" * MAX_BYTES, "x", Finish())

    provider = Long()
    with Client(provider, cache=tmp_path / "cache.db") as client:
        assert [sum(map(len, client.stream("a"))) for _ in range(2)] == [MAX_BYTES + 1] * 2
    assert len(provider.asked) == 2


def test_the_default_cache_is_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    client = Client(Counts(), cache=True)
    assert list(tmp_path.iterdir()) == []
    assert [client.ask("a"), client.ask("a")] == ["a 1", "a 1"]
    client.close()
    assert [path.name for path in tmp_path.rglob("answers.db")] == ["answers.db"]


def test_a_client_with_a_cache_can_be_pickled(tmp_path: Path) -> None:
    client = Client(OpenAICompatible("http://127.0.0.1:9/v1", model="m"), cache=tmp_path / "cache.db")
    assert pickle.loads(pickle.dumps(client))._router.cache.path == tmp_path / "cache.db"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Client(Counts(), cache=5), TypeError, "cache must be True, False, a path or a Cache, not int"),  # type: ignore[arg-type]
        (lambda: Client(Counts(), pace=5), TypeError, "pace must be a Pace such as"),  # type: ignore[arg-type]
        (lambda: Cache(5), TypeError, "path must be a path, not int"),  # type: ignore[arg-type]
        (lambda: Cache(max_age="1d"), TypeError, "max_age must be seconds, not str"),  # type: ignore[arg-type]
        (lambda: Cache(max_age=0), ValueError, "max_age must be a number of seconds above 0"),
        (lambda: Cache(max_bytes=0), ValueError, "max_bytes must be at least 1"),
    ],
)
def test_bad_settings_of_a_cache_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with warnings.catch_warnings(), pytest.raises(error, match=message):
        make()


def test_who_has_no_home_is_told_to_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the user of a container."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("g4f_lite.store.cache.default_path", lambda: tmp_path / "file" / "g4f-lite" / "answers.db")
    with pytest.raises(StoreError, match=r'cannot be made: .*; name a file, as in Cache\("answers.db"\)'):
        Client(Counts(), cache=True).ask("a")
    monkeypatch.undo()

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(StoreError, match=r"there is no folder for the cache: .*; name a file"):
        Cache()


def test_an_answer_is_given_while_another_process_keeps_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CACHE.busy_seconds == 1  # which is waited within a call
    monkeypatch.setattr("g4f_lite.store.cache.CACHE", CACHE._replace(busy_seconds=0.01))
    monkeypatch.setattr("g4f_lite.store.cache._USE_SECONDS", -1)  # so that each use is written
    provider, path = Counts(), tmp_path / "cache.db"
    cache = Cache(path)
    with Client(provider, cache=cache) as client, Database(path, CACHE) as other:
        first = client.ask("a")
        with other.transaction():
            with pytest.warns(UserWarning, match="the answer was not cached: .* another process keeps writing to it"):
                assert client.ask("b")
            assert client.ask("a") == first
        warned = pytest.warns(UserWarning, match="the answer was not cached: .* another process keeps writing to it")
        with cache._store()._writing.held(), ThreadPoolExecutor(1) as thread, warned:
            assert thread.submit(client.ask, "c").result()
        assert client.ask("b")
    assert provider.asked == ["a", "b", "c", "b"]
