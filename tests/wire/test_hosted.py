"""Batches that a service answers in its own time: from the upload to the results, over real sockets."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import g4f_lite
from g4f_lite import (
    Answer,
    AuthenticationError,
    BaseProvider,
    Client,
    EmptyResponseError,
    ModelNotSupportedError,
    OpenAICompatible,
    OutputError,
    Pace,
    ResponseStatusError,
    ServiceError,
    StoreError,
)
from g4f_lite.answers.interruption import BatchInterrupted
from g4f_lite.batch import hosted_requests
from g4f_lite.batch.pace import LocalMeter
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Scripted

from .hosted import KEY, PROMPTS, batch_of, errors_of, sent

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


@pytest.fixture
def client(emulator: Emulator) -> Client:
    emulator.configure(api_key=KEY)
    return Client(OpenAICompatible(f"{emulator.url}/v1", api_key=KEY, model="gpt-4o-mini", retry=None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


def test_prompts_are_answered_in_their_order(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.configure(batch_polls=3)
    batch = batch_of(client, path, system="Be brief.", temperature=0)
    assert (sent(emulator), len(batch), batch.status, path.exists()) == ([], 4, "not submitted", False)
    assert [(result.index, result.input, result.text, result.error) for result in batch] == [
        (0, "one", "one", None),
        (1, "two", "two", None),
        (2, "one", "one", None),
        (3, "three", "three", None),
    ]
    assert batch.status == "completed"
    assert sent(emulator) == ["POST files", "POST batches", "GET files"]
    assert batch[0].usage is not None
    assert (batch[0].provider, batch[0].finish_reason) == ("OpenAICompatible", "stop")
    assert (batch.usage.calls, batch.usage.stored, batch.usage.completion_tokens) == (4, 0, 4)
    line = json.loads(emulator.requests[0].body.split(b"\r\n\r\n")[2].splitlines()[0])
    assert line == {
        "custom_id": "request-0",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "gpt-4o-mini",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one"}],
            "temperature": 0,
        },
    }


def test_another_process_goes_on_where_one_ended(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.configure(batch_polls=2)
    assert batch_of(client, path).submit().status == "validating"
    assert batch_of(client, path).done is False
    second = batch_of(client, path)
    assert second.done is True
    seen = len(emulator.requests)
    third = batch_of(client, path)
    assert (third.done, third.texts(), third.estimate().stored) == (True, PROMPTS, 4)
    assert (third.usage.stored, third.usage.calls) == (4, 0)
    assert len(emulator.requests) == seen
    assert Counter(sent(emulator)) == {"POST files": 1, "POST batches": 1, "GET files": 1}


@pytest.mark.parametrize(
    ("settings", "texts", "errors"),
    [
        ({"batch_end": "expired", "batch_done": 1}, ["one", None, None, None], ["", *["completion window"] * 3]),
        ({"batch_end": "expired", "batch_missing": (0, 1, 2, 3)}, [None] * 4, ["expired before this prompt"] * 4),
        ({"batch_end": "cancelled", "batch_done": 3}, ["one", "two", "one", None], ["", "", "", "was cancelled"]),
        ({"batch_end": "failed"}, [None] * 4, ["The batch failed."] * 4),
        ({"batch_failed": (1, 2)}, ["one", None, None, "three"], ["", "status 500", "status 500", ""]),
        ({"batch_missing": (2,)}, ["one", "two", None, "three"], ["", "", "lack this prompt's result", ""]),
    ],
    ids=["expired", "expired without lines", "cancelled", "failed", "partly failed", "missing lines"],
)
def test_what_is_not_answered_is_a_failure_and_can_be_asked_live(
    client: Client, emulator: Emulator, path: Path, settings: dict[str, Any], texts: list[Any], errors: list[str]
) -> None:
    emulator.configure(**settings)
    for _ in range(2):  # also from the files
        batch = batch_of(client, path)
        assert batch.texts() == texts
        found = errors_of(batch)
        assert all(said in error and bool(said) == bool(error) for said, error in zip(errors, found, strict=True)), (
            found
        )
        assert len(batch.failed) == texts.count(None)
        assert all(isinstance(failed.error, (ServiceError, ResponseStatusError)) for failed in batch.failed)
    failures = len(batch.failed)
    assert len(batch.so_far) == len(PROMPTS)
    assert batch.retry_failed().estimate().calls == failures
    assert len(batch.so_far) == len(PROMPTS) - failures
    assert batch.texts() == PROMPTS
    live = [request for request in emulator.requests if request.step == "prompt"]
    assert len(live) == texts.count(None)
    assert batch_of(client, path).texts() == PROMPTS  # live answers are kept too
    assert Counter(sent(emulator))["POST batches"] == 1


def test_the_client_counts_each_prompt_once_and_no_price(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def price_of(priced_at: str | None, *_: Any) -> Decimal | None:
        return None if priced_at is None else Decimal(1)

    monkeypatch.setattr("g4f_lite.answers.cost.price_of", price_of)
    monkeypatch.setattr("g4f_lite.answers.cost.check_installed", lambda: None)
    emulator.configure(batch_failed=(1,), batch_missing=(2,))
    batch = batch_of(client, path)
    assert client.usage.calls == 0
    for _ in range(2):
        assert batch.texts() == ["one", None, None, "three"]
        usage = client.usage
        assert (usage.calls, usage.failures, usage.unpriced, usage.cost) == (4, 2, 2, None)
        assert usage.completion_tokens == batch.usage.completion_tokens == 2
    assert batch_of(client, path).texts() == ["one", None, None, "three"]  # from the file
    assert client.usage.calls == 4
    batch.retry_failed().texts()  # live, and at the price of the list
    assert (client.usage.calls, client.usage.unpriced, client.usage.known_cost) == (6, 2, 2)


@pytest.mark.parametrize(
    ("price", "costs"),
    [
        ((2, 10), [12e-6, 12e-6, 12e-6, 12e-6]),
        ({"gpt-4o-mini": (2, 10)}, [12e-6, 12e-6, 12e-6, 12e-6]),
        ({"other": (2, 10)}, [None, None, None, None]),
        (None, [None, None, None, None]),
    ],
)
def test_what_an_answer_cost_is_known_by_the_price_of_the_caller(
    emulator: Emulator, path: Path, price: Any, costs: list[float | None]
) -> None:
    emulator.configure(api_key=KEY)
    client = Client(OpenAICompatible(f"{emulator.url}/v1", api_key=KEY, model="gpt-4o-mini", price=price))
    for expected in (costs, [0.0] * 4):  # the second time from the files
        batch = batch_of(client, path)
        for _ in range(2):
            assert [result.answer and result.answer.cost for result in batch] == expected
    assert client.usage.unpriced == costs.count(None)
    assert client.usage.known_cost == pytest.approx(sum(filter(None, costs)))


def test_a_pace_is_for_what_is_sent_live(client: Client, emulator: Emulator, path: Path) -> None:
    reserved: list[int] = []

    class Counting(LocalMeter):
        def reserve(self, tokens: int, longest: float = 0.0) -> float:
            reserved.append(tokens)
            return 0.0

    pace = Pace(rpm=60)
    pace._meter = Counting()
    emulator.configure(batch_failed=(1,))
    batch = batch_of(Client(client.provider, pace=pace), path)
    assert batch.texts() == ["one", None, "one", "three"]
    assert reserved == []
    assert batch.retry_failed().texts() == PROMPTS
    assert reserved == [1]


def test_what_fails_live_fails_again(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.configure(batch_failed=(0,))
    emulator.fail("status", status=400)
    batch = batch_of(client, path).retry_failed()
    assert [result.error is None for result in batch] == [False, True, True, True]
    assert batch.retry_failed().texts() == PROMPTS


def test_a_batch_can_be_cancelled(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.configure(batch_polls=99, batch_done=2)
    batch = batch_of(client, path).submit()
    assert batch.done is False
    batch.cancel()
    assert batch.status == "cancelling"
    assert batch.texts() == ["one", "two", None, None]
    batch.cancel()  # which is over
    assert Counter(request.path.rpartition("/")[2] for request in emulator.requests)["cancel"] == 1


def test_cancelling_a_batch_that_has_ended_meanwhile_leaves_it_as_it_is(
    client: Client, emulator: Emulator, path: Path
) -> None:
    batch = batch_of(client, path).submit()
    assert batch_of(client, path).done
    batch._state.parts[0].status = "in_progress"
    batch._state.save()
    batch.cancel()
    assert (batch.status, batch.texts()) == ("completed", PROMPTS)


def test_cancelling_what_was_not_submitted_sends_nothing(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path)
    batch.cancel()
    assert all("was cancelled before this prompt was answered" in error for error in errors_of(batch))
    assert (len(batch.failed), emulator.requests) == (4, [])


def test_a_batch_is_divided_as_the_service_wants_it(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_requests, "MOST_REQUESTS", 2)
    prompts = ["1", {"prompt": "2", "model": "gpt-4"}, "3", "4", {"prompt": "5", "model": "gpt-4"}]
    assert batch_of(client, path, prompts).texts() == ["1", "2", "3", "4", "5"]
    sizes = [request.body.count(b"custom_id") for request in emulator.requests if request.method == "POST"]
    assert [size for size in sizes if size] == [2, 2, 1]


def test_files_stay_below_the_limit_of_bytes(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_requests, "MOST_BYTES", 300)
    assert batch_of(client, path).texts() == PROMPTS
    sizes = [request.body.count(b"custom_id") for request in emulator.requests if request.method == "POST"]
    assert [size for size in sizes if size] == [2, 2]
    with pytest.raises(ValueError, match=r"prompts\[1\] has [0-9,]+ bytes, and a batch takes 300"):
        batch_of(client, path.with_name("other.json"), ["one", "long" * 100])


@dataclass
class Sum:
    total: int


def test_typed_answers(client: Client, emulator: Emulator, path: Path) -> None:
    pytest.importorskip("msgspec")
    for text in ('{"total": 5}', '{"total": "many"}', '{"total": 7}'):
        emulator.answer(text)
    batch = batch_of(client, path, ["2 + 3", "3 + 3"], output=Sum)
    assert batch.outputs() == [Sum(5), None]
    assert isinstance(batch.failed[0].error, OutputError)
    assert batch.failed[0].error.text == '{"total": "many"}'
    assert b'"json_schema"' in emulator.requests[0].body
    assert batch.retry_failed().outputs() == [Sum(5), Sum(7)]
    assert batch_of(client, path, ["2 + 3", "3 + 3"], output=Sum).outputs() == [Sum(5), Sum(7)]


def test_an_unknown_model_and_an_empty_answer_are_errors_as_in_a_call(
    client: Client, emulator: Emulator, path: Path
) -> None:
    emulator.configure(refuse_unknown_models=True)
    batch = batch_of(client, path, ["one"], model="gpt-6")
    assert isinstance(batch[0].error, ModelNotSupportedError)
    emulator.answer([])
    batch = batch_of(client, path.with_name("other.json"), ["one"])
    assert isinstance(batch[0].error, EmptyResponseError)


def test_a_wrong_key_is_an_error_at_once(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.configure(api_key="another")
    with pytest.raises(AuthenticationError):
        batch_of(client, path).texts()
    assert len(emulator.requests) == 1


def test_a_server_without_a_batch_api_says_what_to_use(emulator: Emulator, path: Path) -> None:
    client = Client(OpenAICompatible(f"{emulator.url}/other/v1", model="m"))
    with pytest.raises(g4f_lite.ProviderError, match=r"no Batch API: client.map\(\)"):
        batch_of(client, path).submit()


def test_arguments_are_checked_at_the_call(client: Client, emulator: Emulator, path: Path) -> None:
    nameless = Client(OpenAICompatible(f"{emulator.url}/v1", api_key=KEY))
    wrong: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
        (client, "one", {}, TypeError, "prompts is a str"),
        (client, [], {}, ValueError, "prompts is empty, and a Batch API takes at least one"),
        (client, ["one", 5], {}, TypeError, r"prompts\[1\]"),
        (client, ["one"], {"poll": 0}, ValueError, "poll must be"),
        (client, ["one"], {"poll": "1"}, TypeError, "poll must be"),
        (client, ["one"], {"path": 5}, TypeError, "path must be"),
        (client, ["one"], {"tools": [print]}, TypeError, "tools= contains"),
        (client, ["one"], {"extra_headers": {"a": "b"}}, TypeError, "extra_headers cannot be sent"),
        (client, ["one"], {"unknown": 1}, TypeError, "unknown"),
        (client, ["one"], {"repairs": -1}, ValueError, "repairs"),
        (client, ["one"], {"path": path.parent / "none" / "run.json"}, StoreError, "no folder"),
        (client, ["one"], {"path": path.parent}, StoreError, "cannot be read"),
        (nameless, ["one"], {}, ValueError, "needs the name of a model"),
        (Client(Scripted("x")), ["one"], {}, TypeError, "Scripted has no Batch API"),
    ]
    for which, prompts, options, kind, words in wrong:
        with pytest.raises(kind, match=words):
            which.batch(prompts, **{"path": path, **options})
    assert emulator.requests == []
    assert not path.exists()


def test_prompts_of_several_providers_go_to_each(client: Client, emulator: Emulator, path: Path) -> None:
    with Emulator(lambda messages: iter(["other"])) as other:
        second: BaseProvider = OpenAICompatible(f"{other.url}/v1", model="m")
        prompts = ["one", {"prompt": "two", "provider": second}, "three"]
        assert batch_of(client, path, prompts).texts() == ["one", "other", "three"]


def test_a_generator_of_prompts_is_read_whole(client: Client, path: Path) -> None:
    batch = batch_of(client, path, (text for text in PROMPTS))
    assert (len(batch), batch[1].text, isinstance(batch[1].answer, Answer)) == (4, "two", True)


@pytest.mark.parametrize("moment", ["g4f_lite.batch.hosted.time.sleep", "requests.Session.send"])
def test_an_interrupt_in_a_notebook_is_one_line_and_the_service_goes_on(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    emulator.configure(batch_polls=20)
    batch = batch_of(client, path).submit()
    monkeypatch.setattr("g4f_lite.batch.hosted.time", SimpleNamespace(sleep=time.sleep))  # of this module alone
    for show in (batch.wait, batch.texts):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
            patch.setattr(moment, interrupted)
            with pytest.raises(BatchInterrupted) as caught:
                show()
        (line,) = caught.value._render_traceback_()
        told = "BatchInterrupted: the batch was interrupted after 0 of 4 results, and the service goes on; "
        assert line.startswith(told)
    with monkeypatch.context() as patch:
        patch.setattr(moment, interrupted)
        with pytest.raises(KeyboardInterrupt) as plain:
            batch.wait()
    assert type(plain.value) is KeyboardInterrupt
    assert caught.value.results.texts() == PROMPTS
