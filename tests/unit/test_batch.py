"""Batches: results in order, failures, what stops one, and what leaving a loop means."""

from __future__ import annotations

import itertools
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import (
    AuthenticationError,
    BaseProvider,
    BatchStoppedError,
    Client,
    Finish,
    G4FLiteError,
    Prompt,
    QuotaExceededError,
    Result,
    ServiceError,
)
from g4f_lite.answers.interruption import BatchInterrupted
from g4f_lite.messages import last_user_message

from .batch_providers import Shout, numbered

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


@pytest.fixture
def shout() -> Shout:
    return Shout()


@pytest.fixture
def client(shout: Shout) -> Client:
    return Client(shout)


def test_results_are_in_the_order_of_the_prompts(client: Client) -> None:
    results = client.map(numbered(100), workers=8)
    assert len(results) == 100
    assert [result.text for result in results] == [f"PROMPT {number}" for number in range(100)]
    assert [result.index for result in results] == list(range(100))
    assert results[7].input == "prompt 7"
    assert results[-1].text == "PROMPT 99"


def test_a_batch_goes_on_with_the_threads_that_the_system_has(monkeypatch: pytest.MonkeyPatch) -> None:
    start, most = threading.Thread.start, 0
    started: list[threading.Thread] = []
    is_refused = threading.Event()

    class Patient(Shout):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            assert is_refused.wait(10)
            yield from super().begin(prompt)

    def start_few(thread: threading.Thread) -> None:
        if len(started) == most:
            is_refused.set()
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    results = Client(Patient()).map(numbered(20))
    with pytest.raises(G4FLiteError, match="can't start new thread"):
        results.texts()
    is_refused.clear()
    most = 2
    assert results.texts() == [text.upper() for text in numbered(20)]


def test_nothing_is_sent_before_the_results_are_read(client: Client, shout: Shout) -> None:
    results = client.map(numbered(3))
    assert shout.asked == []
    assert results.estimate() == (3, 0, 9, None, None, True, 0, 0, 3, 0, ("m",), "", {})
    assert client.map(numbered(3), max_tokens=10).estimate() == (3, 0, 9, 30, None, False, 0, 0, 3, 0, ("m",), "", {})
    assert shout.asked == []
    assert repr(results) == "<BatchResults: 0 of 3 done, 0 failed>"


def test_reading_again_asks_nothing_again(client: Client, shout: Shout) -> None:
    results = client.map(numbered(5))
    assert results.texts() == results.texts()
    assert len(shout.asked) == 5


def test_one_result_asks_one_prompt(client: Client, shout: Shout) -> None:
    results = client.map(numbered(50), workers=4)
    assert results[20].text == "PROMPT 20"
    assert [result.text for result in results.head(3)] == ["PROMPT 0", "PROMPT 1", "PROMPT 2"]
    assert sorted(shout.asked) == ["prompt 0", "prompt 1", "prompt 2", "prompt 20"]
    assert len(results.texts()) == 50
    assert len(shout.asked) == 50


def test_prompts_may_be_messages_and_dicts_with_options(client: Client, shout: Shout) -> None:
    results = client.map(
        [
            "text",
            [{"role": "user", "content": "first"}, {"role": "user", "content": "last"}],
            {"prompt": "with options", "model": "other", "system": "Be brief."},
            {"messages": [{"role": "user", "content": "messages in a dict"}]},
        ],
        system="Be loud.",
    )
    assert results.texts() == ["TEXT", "LAST", "WITH OPTIONS", "MESSAGES IN A DICT"]
    assert [result.answer.model for result in results if result.answer] == ["m", "m", "other", "m"]


def test_an_iterator_is_read_as_far_ahead_as_is_needed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.reading._MOST_UNTAKEN", 0)  # however long an answer takes on a busy machine
    read = []

    def prompts() -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield f"prompt {number}"

    results = client.map(prompts(), workers=2)
    assert read == []
    for result in results:
        if result.index == 9:
            break
    assert result.text == "PROMPT 9"
    assert 10 <= len(read) <= 10 + 64
    with pytest.raises(TypeError, match="nobody knows how many"):
        len(results)


def test_the_generator_runs_in_the_thread_of_the_caller(client: Client) -> None:
    def prompts() -> Iterator[str]:
        for _ in range(20):
            yield threading.current_thread().name

    assert set(client.map(prompts()).texts()) == {threading.current_thread().name.upper()}


def test_iterating_again_goes_on(client: Client, shout: Shout) -> None:
    results = client.map((f"prompt {number}" for number in range(100)), workers=4)
    first = [result.index for result in itertools.islice(results, 10)]
    rest = [result.index for result in results]
    assert first + rest == list(range(100))
    assert set(shout.asked) == set(numbered(100))


def test_leaving_a_loop_over_a_list_keeps_what_came(client: Client, shout: Shout) -> None:
    results = client.map(numbered(100), workers=4)
    for result in results:
        if result.index == 10:
            break
    assert results.texts() == [text.upper() for text in numbered(100)]
    assert len(shout.asked) <= 100 + 4  # only those that were in progress are asked again


def test_two_loops_over_the_same_results_ask_once(client: Client, shout: Shout) -> None:
    results = client.map(numbered(30), workers=4)
    pairs = [(one.index, other.index, results[20].index) for one, other in zip(results, results, strict=True)]
    assert pairs == [(number, number, 20) for number in range(30)]
    assert len(shout.asked) == 30


def test_a_failure_is_a_result(client: Client, shout: Shout) -> None:
    results = client.map(["one", "fail", "three"])
    assert results.texts() == ["ONE", None, "THREE"]
    assert isinstance(results[1].error, ServiceError)
    assert [result.input for result in results.failed] == ["fail"]
    assert repr(results) == "<BatchResults: 3 of 3 done, 1 failed>"
    assert shout.asked.count("fail") == 1


def test_failures_are_sent_again_when_that_is_wished(client: Client, shout: Shout) -> None:
    results = client.map(["one", "fail", "three"])
    list(results)
    assert results.retry_failed() is results
    assert results.failed == []
    assert results.texts() == ["ONE", None, "THREE"]
    assert sorted(shout.asked) == ["fail", "fail", "one", "three"]
    of_iterator = client.map(iter(["one", "fail"]))
    list(of_iterator)
    assert [result.input for result in of_iterator.retry_failed()] == ["fail"]


def test_usage_is_counted(client: Client) -> None:
    results = client.map(["one", "fail", "cut off"])
    list(results)
    usage = results.usage.to_dict()
    assert usage == {
        "done": 3,
        "calls": 3,
        "stored": 0,
        "elsewhere": 0,
        "twice": 0,
        "failures": 1,
        "retries": 0,
        "cut": 1,
        "empty": 0,
        "refused": 0,
        "prompt_tokens": 6,
        "completion_tokens": 4,
        "total_tokens": 10,
        "answered_by": {"Shout": 2},
    }
    assert ([result.is_cut for result in results], repr(results[2])[-12:]) == ([False, False, True], "is_cut=True)")


@pytest.mark.parametrize("bad", ["key", "quota"])
@pytest.mark.parametrize("kind", [list, iter])
def test_what_cannot_get_better_stops_the_batch(client: Client, shout: Shout, bad: str, kind: Any) -> None:
    results = client.map(kind([*numbered(10), bad, *numbered(500)]), workers=1)
    seen: list[Any] = []
    with pytest.raises(BatchStoppedError, match="the batch stopped after 10 answers: ") as caught:
        seen.extend(result.text for result in results)
    assert seen == [text.upper() for text in numbered(10)]
    assert caught.value.results is results
    assert isinstance(caught.value.error, AuthenticationError if bad == "key" else QuotaExceededError)
    assert shout.asked == [*numbered(10), bad]
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.results is None
    assert type(copy.error) is type(caught.value.error)


@pytest.mark.parametrize("kind", [list, iter])
def test_a_batch_that_stopped_goes_on_with_the_same_prompt(kind: Any) -> None:
    class Locked(Shout):
        is_open = False

        def begin(self, prompt: Prompt) -> Iterator[Any]:
            if not self.is_open and last_user_message(prompt.messages) == "prompt 5":
                raise AuthenticationError("a wrong key")
            yield from super().begin(prompt)

    provider = Locked()
    results = Client(provider).map(kind(numbered(20)), workers=3)
    seen: list[Any] = []
    with pytest.raises(BatchStoppedError):
        seen.extend(result.text for result in results)
    provider.is_open = True
    if kind is iter:
        seen.extend(result.text for result in results)
    else:
        seen = results.texts()
    assert seen == [text.upper() for text in numbered(20)]
    assert sorted(provider.asked) == sorted(numbered(20))


def test_many_failures_in_a_row_stop_the_batch(client: Client) -> None:
    results = client.map(["one", *["down"] * 100], workers=1, max_failures_in_a_row=5)
    seen: list[Result[Any]] = []
    with pytest.raises(BatchStoppedError, match=r"the batch stopped after 1 answer: .*down; it stops after 5"):
        seen.extend(results)
    assert [result.error is None for result in seen] == [True]  # the others would have been sent once more


def test_failures_between_answers_do_not_stop_it(client: Client) -> None:
    results = client.map(["down", "one"] * 20, workers=1, max_failures_in_a_row=2, retry=None)
    assert len(results.failed) == 0
    assert len(list(results)) == 40
    assert len(results.failed) == 20


def test_a_defect_of_a_provider_is_a_failure_too() -> None:
    class Broken(BaseProvider):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            raise KeyError("a defect")
            yield ""

    result = Client(Broken()).map(["one"])[0]
    assert isinstance(result.error, KeyError)


class Waits(BaseProvider):
    """A provider whose answers begin, and go on when they are let."""

    def __init__(self) -> None:
        self.going = threading.Semaphore(0)
        self.go = threading.Event()

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        text = last_user_message(prompt.messages)
        if text == "slow":
            self.going.release()
            self.go.wait()
        yield text
        yield Finish()


def test_a_slow_answer_does_not_hold_up_others() -> None:
    provider = Waits()
    results = Client(provider).map(["slow", *numbered(40)], workers=2)

    def let_go() -> None:
        provider.going.acquire()
        while results.usage.done < 40:
            pass
        provider.go.set()

    threading.Thread(target=let_go).start()
    assert results.texts()[0] == "slow"


def test_results_say_that_they_cannot_be_pickled(client: Client) -> None:
    with pytest.raises(TypeError, match=r"pickle list\(results\)"):
        pickle.dumps(client.map(["one"]))
    assert pickle.loads(pickle.dumps(list(client.map(["one"]))))[0].text == "ONE"


def test_a_notebook_shows_a_summary_without_what_a_browser_would_obey(client: Client) -> None:
    results = client.map(["one", *[f"fail <script>{number}</script>" for number in range(7)]])
    list(results)
    html = results._repr_html_()
    assert "<td>8 of 8</td>" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "… and 2 more" in html
    assert "iterate over" not in html


def test_a_notebook_shows_how_results_are_read(client: Client) -> None:
    results = client.map(["one", "two"])
    assert "before the results are read: call <code>.texts()</code>" in results._repr_html_()
    results.head(1)
    assert "The rest is sent when it is read: call <code>.texts()</code>" in results._repr_html_()


def test_a_notebook_shows_why_a_batch_stopped_until_it_goes_on(client: Client) -> None:
    results = client.map(["key", "one"], workers=1)
    with pytest.raises(BatchStoppedError):
        results.texts()
    assert "<p>Stopped: " in results._repr_html_()
    assert results[1].text == "ONE"
    assert "Stopped" not in results._repr_html_()


@pytest.mark.parametrize("kind", [list, iter])
@pytest.mark.parametrize("store", [None, "kept.db"])
def test_an_interrupt_in_a_notebook_is_one_line_with_the_results(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Any, store: str | None
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    path = store and tmp_path / store
    results = client.map(kind(["one", "two", "three"]), store=path)
    results.head(1)
    with monkeypatch.context() as patch:
        patch.setattr("g4f_lite.batch.run.Run.result", interrupted)
        with pytest.raises(BatchInterrupted) as caught:
            results.texts()
    (line,) = caught.value._render_traceback_()
    kept = f", kept in {path}" if store else ""
    done = "1 of 3 results" if kind is list else "1 result"
    assert line.startswith(f"BatchInterrupted: the batch was interrupted after {done}; ")
    assert f"_interrupted.so_far is what has come{kept}, and reading" in line
    assert caught.value.results.texts()[-2:] == ["TWO", "THREE"]


@pytest.mark.parametrize("kind", [list, iter])
def test_threads_may_read_the_same_results(shout: Shout, client: Client, kind: Any) -> None:
    results = client.map(kind(numbered(200)), workers=4)
    seen: list[list[int]] = []

    def read() -> None:
        seen.append([result.index for result in results])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    each = list(range(200))
    assert (sorted(itertools.chain(*seen)) == each) if kind is iter else (seen == [each] * 4)
    assert sorted(shout.asked) == sorted(numbered(200))


def test_a_batch_may_be_made_of_another(client: Client) -> None:
    outer = client.map(result.text for result in client.map(["one", "two"]))
    assert outer.texts() == ["ONE", "TWO"]


def test_results_that_nobody_reads_on_leave_no_thread(client: Client) -> None:
    rest = iter(client.map(numbered(500), workers=4))
    next(rest)
    del rest
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("g4f_lite batch")]


def test_an_error_is_told_with_its_kind_if_it_is_not_ours() -> None:
    assert Result(0, "x", error=KeyError("seq")).error_text == "KeyError: 'seq'"
    assert Result(0, "x", error=ServiceError("busy", provider="Quill")).error_text == "Quill: busy"
    assert Result(0, "x").error_text == ""
