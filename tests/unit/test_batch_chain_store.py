"""Stored answers of a chain: what its first member gave is found by both, and what another one gave by the chain."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import BaseProvider, Client, Fallback, Finish, ModelNotSupportedError, Prompt, ServiceError
from g4f_lite.batch.results import BatchResults
from g4f_lite.messages import last_user_message
from g4f_lite.store.answers import AnswerStore


class Member(BaseProvider):
    """A member of a chain that numbers its answers, and refuses some prompts.

    :param name: its name, and the begin of its answers
    :param refused: the prompts
    """

    def __init__(self, name: str, refused: tuple[str, ...] = ()) -> None:
        self.name = name
        self.refused = refused
        self.asked: list[str] = []

    def identity(self) -> Any:
        return self.name

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        text = last_user_message(prompt.messages)
        if text in self.refused:
            raise ServiceError(f"no answer to {text}", provider=self.name)
        self.asked.append(text)
        yield f"{self.name} {text} {len(self.asked)}"
        yield Finish()


class Limited(Member):
    known_options = frozenset({"temperature"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


def ask(provider: Any, prompts: Any, store: Path, **options: Any) -> BatchResults[Any]:
    results = Client(provider).map(prompts, store=store, workers=1, progress=False, **options)
    results.texts()
    return results


def texts(provider: Any, prompts: Any, store: Path, **options: Any) -> list[str | None]:
    return [*ask(provider, prompts, store, **options).texts()]


@pytest.mark.parametrize(
    "chain",
    [
        lambda first: Fallback([first, Member("B")]),
        lambda first: Fallback([Fallback([first, Member("B")]), Member("C")]),
        lambda first: Fallback([first]),
    ],
)
@pytest.mark.parametrize("kind", [list, iter])
@pytest.mark.filterwarnings("error")
def test_what_the_first_member_gave_alone_is_an_answer_of_the_chain(chain: Any, kind: Any, store: Path) -> None:
    first = Member("A")
    texts(first, ["a", "b"], store)
    results = Client(chain(first)).map(kind(["a", "b", "c"]), store=store, workers=1)
    assert [(result.text, result.is_stored) for result in results] == [
        ("A a 1", True),
        ("A b 2", True),
        ("A c 3", False),
    ]


@pytest.mark.parametrize("further", [(), (Member("C"),)])
def test_what_the_first_member_gave_in_a_chain_is_its_own_answer(further: tuple[Member, ...], store: Path) -> None:
    chain = Fallback([Member("A", refused=("b",)), Member("B")])
    assert texts(Fallback([chain, *further]), ["a", "b"], store) == ["A a 1", "B b 1"]
    assert texts(Member("A"), ["a", "b"], store) == ["A a 1", "A b 1"]  # B's is none of A's


def test_a_member_that_is_put_behind_leaves_what_the_first_one_gave(store: Path) -> None:
    first = Member("A", refused=("b",))
    texts(Fallback([first, Member("B")]), ["a", "b"], store)
    longer = ask(Fallback([first, Member("B"), Member("C")]), ["a", "b"], store)
    assert [(result.text, result.is_stored) for result in longer] == [("A a 1", True), ("B b 1", False)]
    assert longer.estimate().by_others == {"B": 1}


@pytest.mark.parametrize("first", [Member("B"), Fallback([Member("B"), Member("A")])])
def test_what_a_later_member_gave_alone_is_no_answer_of_the_chain(first: Any, store: Path) -> None:
    texts(Member("A"), ["a"], store)
    assert texts(Fallback([first, Member("A")]), ["a"], store) == ["B a 1"]


def test_what_the_chain_has_counts_before_what_its_first_member_gave_since(store: Path) -> None:
    chain = Fallback([Member("A", refused=("a",)), Member("B")])
    texts(chain, ["a"], store)
    assert texts(Member("A"), ["a"], store) == ["A a 1"]
    assert texts(chain, ["a"], store) == ["B a 1"]


def test_answers_under_the_key_of_the_chain_are_found(store: Path) -> None:
    """As stores have them in which the chain's first member never was the only one."""
    chain = Fallback([Member("A"), Member("B")])
    results = Client(chain).map(["a"], store=store)
    results._plan.keep = lambda place, kept: AnswerStore(store).keep(place.key, kept) and False  # type: ignore[method-assign]
    results.texts()
    again = ask(chain, ["a"], store)
    assert (again[0].is_stored, again[0].text) == (True, "A a 1")


@pytest.mark.parametrize("settings", [{"fresh": True}, {}])
def test_an_answer_of_the_first_member_takes_the_place_of_another_ones(settings: Any, store: Path) -> None:
    chain = Fallback([first := Member("A", refused=("a",)), Member("B")])
    assert texts(chain, ["a"], store) == ["B a 1"]
    first.refused = ()
    results = Client(chain).map(["a"], store=store, **settings).reject(lambda result: result.provider == "B")
    assert results.texts() == ["A a 1"]
    assert (texts(chain, ["a"], store), texts(first, ["a"], store)) == (["A a 1"], ["A a 1"])
    kept = AnswerStore(store)
    assert kept.count() == 1
    assert kept.bytes() == kept.database.rows("SELECT total(size) FROM answers")[0][0]


def test_an_answer_in_the_place_of_the_first_members_leaves_that_to_it(store: Path) -> None:
    texts(first := Member("A"), ["a"], store)
    first.refused = ("a",)
    chain = Fallback([first, Member("B")])
    results = Client(chain).map(["a"], store=store, progress=False).reject(lambda result: result.provider == "A")
    assert results.texts() == ["B a 1"]
    assert (texts(chain, ["a"], store), texts(first, ["a"], store)) == (["B a 1"], ["A a 1"])


def test_equal_prompts_have_an_answer_each(store: Path) -> None:
    first = Member("A")
    chain = Fallback([first, Member("B")])
    assert texts(first, ["a", "a"], store) == ["A a 1", "A a 2"]
    assert texts(chain, ["a", "a", "a"], store) == ["A a 1", "A a 2", "A a 3"]
    both = [{"prompt": "a", "provider": first}, {"prompt": "a", "provider": chain}]
    assert texts(chain, both, store) == ["A a 1", "A a 2"]


def test_an_estimate_counts_what_the_first_member_gave(store: Path) -> None:
    texts(Member("A"), ["a", "b"], store)
    estimate = Client(Fallback([Member("A"), Member("B")])).map(["a", "c"], store=store).estimate()
    assert (estimate.calls, estimate.stored, estimate.unused, estimate.by_others) == (1, 1, 1, {})


def look(place: str) -> str:
    """Return what is there."""
    return "a tree"


@pytest.mark.parametrize(
    ("second", "options"),
    [
        (Limited("B"), {"max_tokens": 1}),
        (Limited("B"), {"stop": ["x"]}),
        (Member("B"), {"tools": [look]}),
    ],
)
def test_what_the_chain_asks_in_another_way_is_no_answer_of_its_first_member(
    second: Any, options: Any, store: Path
) -> None:
    """It cuts answers itself where a member cannot, and each call of a loop of tools may be another member's."""
    chain = Fallback([first := Member("A"), second])
    ask(chain, ["a"], store, **options)
    assert ask(chain, ["a"], store, **options)[0].is_stored
    assert not ask(first, ["a"], store, **options)[0].is_stored
    ask(first, ["b"], store, **options)
    assert ask(chain, ["b"], store, **options)[0].is_stored


@pytest.mark.parametrize("second", [Limited("B"), Member("B")])
def test_an_option_that_all_members_support_is_asked_for_in_the_same_way(second: Any, store: Path) -> None:
    ask(Fallback([first := Member("A"), second]), ["a"], store, temperature=0)
    assert ask(first, ["a"], store, temperature=0)[0].is_stored


class JSON(Member):
    """A member that writes numbers, of which the first is none if its name says so."""

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        self.asked.append("")
        yield '"none"' if self.name == "A later" and len(self.asked) == 1 else f'{{"value": {len(self.asked)}}}'
        yield Finish()


class Schemas(JSON):
    reads_schema = True
    known_options = frozenset({"response_format"})


@dataclass
class Count:
    value: int

    def __post_init__(self) -> None:
        if self.value in unknown:
            raise ValueError("no such number")


unknown: set[int] = set()


@pytest.fixture
def of_a_type() -> Iterator[None]:
    pytest.importorskip("msgspec")
    yield
    unknown.clear()


@pytest.mark.usefixtures("of_a_type")
def test_a_new_answer_takes_the_place_of_one_of_the_first_member_that_fits_its_type_no_more(store: Path) -> None:
    chain = Fallback([first := JSON("A"), JSON("B")])
    assert ask(first, ["a"], store, output=Count).outputs() == [Count(1)]
    unknown.add(1)
    for provider in (chain, chain, first):
        assert ask(provider, ["a"], store, output=Count).outputs() == [Count(2)]


@pytest.mark.usefixtures("of_a_type")
def test_an_answer_of_the_first_member_is_used_where_that_of_the_chain_fits_its_type_no_more(store: Path) -> None:
    chain = Fallback([first := JSON("A later"), JSON("B")])
    assert ask(chain, ["a"], store, output=Count).outputs() == [Count(2)]  # asked twice, which is the chain's own
    assert ask(first, ["a"], store, output=Count).outputs() == [Count(3)]
    unknown.add(2)
    assert ask(chain, ["a"], store, output=Count).outputs() == [Count(3)]
    assert len(first.asked) == 3


@pytest.mark.parametrize(
    ("first", "second", "is_found"),
    [
        (JSON("A"), JSON("B"), True),
        (JSON("A later"), JSON("B"), False),
        (Schemas("A"), Schemas("B"), True),
        (Schemas("A"), JSON("B"), False),
    ],
)
def test_an_answer_of_a_type_is_the_first_members_if_it_was_asked_once_as_alone(
    first: Any, second: Any, is_found: bool, store: Path
) -> None:
    pytest.importorskip("msgspec")
    chain = Fallback([first, second])
    assert ask(chain, ["a"], store, output=dict[str, int]).outputs() == [{"value": len(first.asked)}]
    assert ask(chain, ["a"], store, output=dict[str, int])[0].is_stored
    assert ask(first, ["a"], store, output=dict[str, int])[0].is_stored is is_found


def test_the_answer_of_a_member_with_the_name_of_the_first_is_its_own(store: Path) -> None:
    class Keyed(Member):
        def identity(self) -> Any:
            return id(self)

    first, second = Keyed("A", refused=("a",)), Keyed("A")
    ask(Fallback([first, second]), ["a"], store)
    first.refused = ()
    assert not ask(first, ["a"], store)[0].is_stored


def test_what_a_cache_gave_the_chain_is_not_its_first_members(store: Path, tmp_path: Path) -> None:
    chain = Fallback([first := Member("A", refused=("a",)), Member("A")])
    client = Client(chain, cache=tmp_path / "cache.db")
    assert client.ask("a") == "A a 1"
    assert client.map(["a"], store=store, progress=False).texts() == ["A a 1"]
    first.refused = ()
    assert not ask(first, ["a"], store)[0].is_stored


def test_a_cache_keeps_the_answers_of_a_chain_apart(tmp_path: Path) -> None:
    first = Member("A")
    Client(first, cache=tmp_path / "cache.db").ask("a")
    Client(Fallback([first, Member("B")]), cache=tmp_path / "cache.db").ask("a")
    assert first.asked == ["a", "a"]


def test_an_executor_tells_who_answered(store: Path) -> None:
    first = Member("A")
    with ThreadPoolExecutor(1) as executor:
        texts(Fallback([first, Member("B")]), ["a"], store, executor=executor)
    assert ask(first, ["a"], store)[0].is_stored


def test_an_answer_of_the_first_member_is_used_where_that_of_the_chain_is_not_wanted(store: Path) -> None:
    chain = Fallback([first := Member("A", refused=("a",)), Member("B")])
    texts(chain, ["a"], store)
    first.refused = ()
    texts(first, ["a"], store)
    results = Client(chain).map(["a"], store=store).reject(lambda result: result.provider == "B")
    assert (results.texts(), first.asked) == (["A a 1"], ["a"])


def test_a_new_answer_leaves_a_good_one_that_has_come_since(store: Path) -> None:
    chain = Fallback([first := Member("A", refused=("a",)), Member("B")])
    texts(chain, ["a"], store)
    first.refused = ()
    results = Client(chain).map(["a"], store=store, progress=False).reject(lambda result: result.provider == "B")
    found, sends = results._plan.stored, iter([False, True])  # looked up once more before it is sent

    def stored(*of: Any) -> Any:
        result = found(*of)
        if next(sends):
            texts(Member("A"), ["a"], store)
        return result

    first.asked.append("before")
    results._plan.stored = stored  # type: ignore[method-assign]
    assert results.texts() == ["A a 2"]
    assert texts(first, ["a"], store) == texts(chain, ["a"], store) == ["A a 1"]
    kept = AnswerStore(store)
    assert kept.bytes() == kept.database.rows("SELECT total(size) FROM answers")[0][0]


class Listing(Member):
    """A member that may come to know that it does not have a model."""

    has_model = True

    def get_model(self, name: str | None = None) -> str | None:
        if not self.has_model:
            raise ModelNotSupportedError("no such model", provider=self.name)
        return name

    def identity(self) -> Any:
        return id(self)

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        self.get_model(prompt.model)
        return super().begin(prompt)


@pytest.mark.filterwarnings("ignore:A will be skipped for lack")
@pytest.mark.parametrize("other", ["A", "B"])
def test_a_member_that_has_become_the_first_leaves_what_the_first_one_gives(other: str, store: Path) -> None:
    chain = Fallback([first := Listing("A"), Listing(other)])
    results = Client(chain).map(["a"], store=store, model="m", progress=False)
    first.has_model = False
    assert results.texts() == [f"{other} a 1"]
    first.has_model = True
    assert ask(chain, ["a"], store, model="m")[0].is_stored
    assert not ask(first, ["a"], store, model="m")[0].is_stored
