"""What has come of a batch, which is read without sending anything."""

from __future__ import annotations

import itertools
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Finish, Prompt, Reasoning, Refusal
from g4f_lite.batch.run import Run
from g4f_lite.messages import last_user_message

from .batch_providers import Holding, Shout, numbered

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


@pytest.fixture
def holding() -> Iterator[Holding]:
    provider = Holding()
    yield provider
    provider.let_go.set()


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch, holding: Holding) -> Callable[[Callable[[], Any]], None]:
    """Give a function that interrupts what reads a batch, when all results but that of "prompt 2" have come."""

    def result(run: Run, index: int) -> Any:
        if index != 2 or holding.let_go.is_set():
            return plain(run, index)
        run._read_ahead(index)
        while len(run._running) > 1 or run._waiting:
            time.sleep(0.001)  # nobody is told of a result that is not awaited
        raise KeyboardInterrupt

    plain = Run.result
    monkeypatch.setattr(Run, "result", result)
    monkeypatch.setattr("g4f_lite.batch.run._END_SECONDS", 0.0)  # "prompt 2" does not end before it is let go

    def interrupted(read: Callable[[], Any]) -> None:
        with pytest.raises(KeyboardInterrupt):
            read()

    return interrupted


def test_what_came_before_an_interrupt_is_read_without_sending(holding: Holding, interrupt: Any) -> None:
    results = Client(holding).map(numbered(6), workers=2)
    assert results.so_far == []
    interrupt(results.texts)
    sent = len(holding.asked)
    assert sent == 5
    assert [result.index for result in results.so_far] == [0, 1, 3, 4, 5]
    assert results.so_far.texts() == results.so_far.outputs() == [f"PROMPT {number}" for number in (0, 1, 3, 4, 5)]
    assert "<code>.so_far</code> has what has come, and sends nothing." in results._repr_html_()
    assert len(holding.asked) == sent
    holding.let_go.set()
    assert len(results.texts()) == len(results.so_far) == 6
    assert sorted(holding.asked_before_it) == ["prompt 0", "prompt 1", "prompt 3", "prompt 4", "prompt 5"]


@pytest.mark.once
def test_a_table_of_what_came_has_the_labels_of_the_prompts(holding: Holding, interrupt: Any) -> None:
    pandas = pytest.importorskip("pandas")
    labels = ["a", "b", "c", "d", "e"]
    results = Client(holding).map(pandas.Series(numbered(5), index=labels), workers=2)
    interrupt(results.to_frame)
    assert results.so_far.to_frame(meta=False).to_dict() == {
        "text": {"a": "PROMPT 0", "b": "PROMPT 1", "d": "PROMPT 3", "e": "PROMPT 4"}
    }
    frame = pandas.DataFrame({"text": numbered(5)}, index=labels)
    frame["answer"] = results.so_far.texts()
    assert frame["answer"].isna().tolist() == [False, False, True, False, False]
    assert len(holding.asked) == 4


@pytest.mark.once
def test_a_table_of_what_came_has_positions_where_the_prompts_have_no_labels(holding: Holding, interrupt: Any) -> None:
    pytest.importorskip("pandas")
    results = Client(holding).map(numbered(4), workers=2)
    assert results.so_far.to_frame().empty
    interrupt(results.to_frame)
    assert list(results.so_far.to_frame().index) == [0, 1, 3]


@pytest.mark.once
def test_a_table_of_what_came_in_polars(holding: Holding, interrupt: Any) -> None:
    polars = pytest.importorskip("polars")
    results = Client(holding).map(polars.Series(numbered(4)), workers=2)
    interrupt(results.to_frame)
    assert results.so_far.to_frame(meta=False)["text"].to_list() == ["PROMPT 0", "PROMPT 1", "PROMPT 3"]


def test_answers_in_the_store_have_come(tmp_path: Path) -> None:
    shout = Shout()
    client = Client(shout)
    client.map(numbered(3)[1:], store=tmp_path / "s.db").texts()
    results = client.map(numbered(4), store=tmp_path / "s.db")
    assert [(result.index, result.text) for result in results.so_far] == [(1, "PROMPT 1"), (2, "PROMPT 2")]
    assert (len(shout.asked), results.usage.done) == (2, 0)
    assert (len(results.texts()), results.usage.stored) == (4, 2)


def test_a_loop_sees_what_has_come_before_its_turn(holding: Holding) -> None:
    results = Client(holding).map(numbered(4), workers=2)
    reading = iter(results)  # kept until the provider is let go, for its end waits for what still runs
    for _ in itertools.islice(reading, 2):
        while len(results.so_far) < 3:
            time.sleep(0.001)
        assert [result.index for result in results.so_far] == [0, 1, 3]
    holding.let_go.set()


def test_an_iterator_gives_again_what_an_interrupted_call_had_read(holding: Holding, interrupt: Any) -> None:
    results = Client(holding).map(iter(numbered(5)), workers=2)
    assert results.head(1).texts() == ["PROMPT 0"]
    interrupt(results.texts)
    assert results.so_far.texts() == ["PROMPT 1", "PROMPT 3", "PROMPT 4"]
    holding.let_go.set()
    assert results.texts() == ["PROMPT 1", "PROMPT 2", "PROMPT 3", "PROMPT 4"]
    assert sorted(holding.asked_before_it) == ["prompt 0", "prompt 1", "prompt 3", "prompt 4"]
    assert results.so_far == []


def test_some_results_can_be_a_table_too() -> None:
    results = Client(Shout()).map(["one", "fail", "two"])
    assert results.head(2).texts() == ["ONE", None]
    assert results.failed.outputs() == [None]
    results.texts()
    assert pickle.loads(pickle.dumps(results.so_far)).texts() == ["ONE", None, "TWO"]


def test_no_call_is_made_for_results_that_have_come() -> None:
    shout = Shout()
    results = Client(shout).map(numbered(200), workers=2)
    results.head(20)
    before = len(shout.asked)
    assert before == 20
    assert len(results.head(20)) == 20
    for result in results:
        if result.index == 19:
            break
    assert len(shout.asked) == before


@pytest.mark.parametrize("stored", [False, True])
def test_results_of_a_series_have_its_labels(tmp_path: Path, stored: bool) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    texts = pandas.Series(["one", "fail", "cut"], index=[1017, 1018, 2])
    options = {"store": tmp_path / "answers.db"} if stored else {}
    for _ in range(2):
        results = Client(Shout()).map(texts, **options)
        assert [(result.index, result.label) for result in results] == [(0, 1017), (1, 1018), (2, 2)]
        assert repr(results.failed) == "[Result(1, label=1018, error=ServiceError('fail'))]"
        assert repr(results[2]) == "Result(2, text='CUT', is_cut=True)"
        assert "<li>1018: Shout, stream: fail</li>" in results._repr_html_()


def test_labels_are_no_html() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    results = Client(Shout()).map(pandas.Series(["fail"], index=["<b>"]))
    assert results[0].label == "<b>"
    assert "<li>&lt;b&gt;: Shout, stream: fail</li>" in results._repr_html_()


def test_the_label_of_a_prompt_in_a_list_is_its_position() -> None:
    results = Client(Shout()).map(["one", "fail"])
    assert [result.label for result in results] == [0, 1]
    assert "<li>1: Shout, stream: fail</li>" in results._repr_html_()


@pytest.mark.parametrize("is_stored", [True, False])
def test_an_interrupt_of_a_program_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_stored: bool
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    store = tmp_path / "answers.db"
    results = Client(Shout()).map(["one", "two", "three"], store=store if is_stored else None)
    results.head(1)
    monkeypatch.setattr("g4f_lite.batch.run.Run.result", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        results.texts()
    assert type(caught.value) is KeyboardInterrupt
    kept = f", kept in {store}; the same program goes on from there" if is_stored else ""
    assert str(caught.value) == f"the batch was interrupted after 1 of 3 results{kept}"


class Odd(Shout):
    """Refuses what a prompt says that it shall."""

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        if last_user_message(prompt.messages) == "refuse":
            yield Refusal("I cannot do that.")
        if last_user_message(prompt.messages) == "think":
            yield from (Reasoning("hm"), Finish("stop"))
            return
        yield from super().begin(prompt)


def test_refusals_and_cut_texts_among_the_answers_are_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    Client(Odd()).map(["one", "refuse", "cut 1", "cut 2"], workers=1).texts()
    Client(Odd()).map(["one", "cut 1", "think"], workers=1).texts()
    end = "; result.refusal and result.is_cut tell these texts from others"
    told = [
        f"the model refused 1 prompt and 2 answers were cut{end}",
        f"1 answer was cut and 1 answer has no text{end}",
    ]
    assert [str(warning.message) for warning in recwarn] == told
