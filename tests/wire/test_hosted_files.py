"""How a hosted batch survives: lost requests, cut files, ends of the process, and what else may be in its files."""

from __future__ import annotations

import json
import stat
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import g4f_lite
from g4f_lite import (
    Client,
    OpenAICompatible,
    ResponseStatusError,
    ServiceError,
    StoreError,
    TransportError,
)
from g4f_lite.batch import hosted_requests
from g4f_lite.emulator import Emulator
from g4f_lite.providers.openai import batches
from g4f_lite.store.answers import AnswerStore, Kept

from .hosted import KEY, PROMPTS, batch_of, errors_of, sent

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


@pytest.fixture
def client(emulator: Emulator) -> Client:
    emulator.configure(api_key=KEY)
    return Client(OpenAICompatible(f"{emulator.url}/v1", api_key=KEY, model="gpt-4o-mini", retry=None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


def test_a_batch_whose_creation_was_not_confirmed_is_found(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_LISTED", 1)  # on a page
    emulator.fail("cut", after=0, path="/v1/batches")
    with pytest.raises(TransportError):
        batch_of(client, path).submit()
    batch_of(client, path.with_name("newer.json"), ["another"]).submit()
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 2, "POST batches": 2, "GET files": 1}


@pytest.mark.parametrize("added", [{"region": "eu"}, {"labels": ["a", {"b": None}]}], ids=["a text", "a list"])
def test_a_batch_is_found_beside_metadata_of_the_service(
    client: Client, emulator: Emulator, path: Path, added: dict[str, Any]
) -> None:
    emulator.fail("cut", after=0, path="/v1/batches")
    with pytest.raises(TransportError):
        batch_of(client, path).submit()
    for batch in emulator._openai.batches._batches.values():
        batch["metadata"] |= added
    of_others: list[Any] = [None, [], "g4f_lite", {}, {"g4f_lite": None, **added}]
    for metadata in of_others:
        emulator._openai.batches._batches[repr(metadata)] = {
            "id": repr(metadata),
            "status": "failed",
            "metadata": metadata,
        }
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 1, "POST batches": 1, "GET files": 1}


def test_a_batch_that_was_not_created_is_created_later(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.fail("reset", path="/v1/batches")
    with pytest.raises(TransportError):
        batch_of(client, path).submit()
    batch_of(client, path.with_name("newer.json"), ["another"]).submit()
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 2, "POST batches": 3, "GET files": 1}


def test_an_uploaded_file_that_is_gone_is_uploaded_again(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.fail("reset", path="/v1/batches")
    with pytest.raises(TransportError):
        batch_of(client, path).submit()
    emulator._openai.files.clear()
    with pytest.raises(ServiceError, match="No such File"):
        batch_of(client, path).submit()
    assert batch_of(client, path).texts() == PROMPTS


def test_only_a_part_that_was_not_created_is_created_later(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_requests, "MOST_REQUESTS", 2)
    emulator.fail("rate_limit", path="/v1/batches", nth=2)
    with pytest.raises(g4f_lite.RateLimitError):
        batch_of(client, path).submit()
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 2, "POST batches": 3, "GET files": 2}


def test_no_key_and_no_prompt_is_in_the_state(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.configure(batch_failed=(1,))
    list(batch_of(client, path, ["a secret prompt", "another one"]))
    assert KEY not in path.read_text()
    assert "prompt" not in path.read_text()
    assert "another" not in path.read_text()
    if sys.platform != "win32":
        for file in (path, Path(f"{path}.store")):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    names = {each.name.removesuffix("-wal").removesuffix("-shm") for each in path.parent.iterdir()}
    assert names == {"run.json", "run.json.store"}


def test_the_state_of_other_prompts_is_not_taken(client: Client, emulator: Emulator, path: Path) -> None:
    list(batch_of(client, path))
    for more in ({"prompts": ["one"]}, {"temperature": 1}, {"model": "gpt-4"}):
        with pytest.raises(ValueError, match="belongs to a batch of other prompts"):
            batch_of(client, path, **more)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not JSON", "foreign"),
        ("[]", "foreign"),
        ('{"format": "x", "version": 1}', "foreign"),
        ('{"format": "g4f_lite hosted batch", "version": 2}', "newer"),
        ('{"format": "g4f_lite hosted batch", "version": 1, "parts": 5}', "damaged"),
        (
            '{"format": "g4f_lite hosted batch", "version": 1, "run": "", "failures": {}, "parts": [{"batch_id": 5}]}',
            "damaged",
        ),
    ],
)
def test_a_file_that_is_no_state_is_not_touched(client: Client, path: Path, text: str, reason: str) -> None:
    path.write_text(text)
    with pytest.raises(StoreError) as raised:
        batch_of(client, path)
    assert (raised.value.reason, path.read_text()) == (reason, text)


def test_a_store_that_is_gone_is_filled_again(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path)
    list(batch)
    batch.close()
    for file in path.parent.glob("run.json.store*"):
        file.unlink()
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 1, "POST batches": 1, "GET files": 2}


@pytest.mark.product
@pytest.mark.parametrize("prompts", [PROMPTS, ["a", "a long one", "another"]], ids=["after a line", "in a line"])
@pytest.mark.parametrize("fault", [("truncate", {}), ("cut", {"after": "end"}), ("cut", {"after": 0})], ids=str)
def test_a_download_that_is_cut_is_begun_again(
    client: Client, emulator: Emulator, path: Path, prompts: list[str], fault: Any
) -> None:
    emulator.fail(fault[0], path="/v1/files/*/content", **fault[1])
    assert batch_of(client, path, prompts).texts() == prompts
    assert Counter(sent(emulator)) == {"POST files": 1, "POST batches": 1, "GET files": 2}


@pytest.mark.once
@pytest.mark.parametrize("fault", [None, ("cut", {"after": "end"})], ids=str)
def test_what_is_done_with_answers_is_not_the_downloads_time_and_not_done_twice(
    emulator: Emulator, path: Path, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []
    keep = AnswerStore.keep

    def slow(store: AnswerStore, key: bytes, answer: Kept) -> Any:
        time.sleep(0.4)
        kept.append(key)
        return keep(store, key, answer)

    monkeypatch.setattr(AnswerStore, "keep", slow)
    if fault is not None:
        emulator.fail(fault[0], path="/v1/files/*/content", **fault[1])
    with Client(base_url=f"{emulator.url}/v1", model="m", timeout=1) as client:
        assert batch_of(client, path).texts() == PROMPTS
    assert len(kept) == len(set(kept)) == 4


def test_what_each_download_lacked_is_fetched_by_the_next_program(
    client: Client, emulator: Emulator, path: Path
) -> None:
    emulator.fail("truncate", path="/v1/files/*/content", times=2)
    batch = batch_of(client, path)
    texts = batch.texts()
    assert None in texts
    assert batch.texts() == texts
    assert batch_of(client, path).texts() == PROMPTS
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 1, "POST batches": 1, "GET files": 3}


@pytest.mark.parametrize("fault", [("truncate", {}), ("cut", {"after": "end"})], ids=str)
def test_a_failure_that_is_downloaded_twice_counts_once(
    client: Client, emulator: Emulator, path: Path, fault: Any
) -> None:
    emulator.configure(batch_failed=(0, 1, 2, 3))
    emulator.fail(fault[0], path="/v1/files/*/content", **fault[1])
    assert batch_of(client, path).texts() == [None] * 4
    assert Counter(sent(emulator))["GET files"] == 2
    assert (client.usage.calls, client.usage.failures) == (4, 4)


def test_waiting_survives_what_passes(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path).submit()
    emulator.fail("status", status=503, step="batches", times=5)
    assert batch.wait().status == "completed"
    other = batch_of(client, path.with_name("other.json")).submit()
    emulator.fail("status", status=503, step="batches", times=None)
    with pytest.raises(ResponseStatusError):
        other.wait()
    assert Counter(request.status for request in emulator.requests)[503] == 5 + 10


@pytest.mark.parametrize(("late", "programs"), [(1, 1), (2, 1), (4, 2)])
def test_a_file_of_answers_that_is_named_late_is_waited_for(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch, late: int, programs: int
) -> None:
    get, unnamed = batches.BatchAPI.get, [None] * late

    def get_late(api: batches.BatchAPI, batch_id: str) -> dict[str, Any]:
        batch = get(api, batch_id)
        return {**batch, "output_file_id": unnamed.pop()} if unnamed else batch

    monkeypatch.setattr(batches.BatchAPI, "get", get_late)
    for _ in range(1, programs):
        assert batch_of(client, path).texts() == [None] * 4  # after a few looks the program gets what there is
    assert batch_of(client, path).texts() == PROMPTS
    assert Counter(sent(emulator)) == {"POST files": 1, "POST batches": 1, "GET files": 1}


def test_threads_that_submit_at_once_create_one_batch(client: Client, emulator: Emulator, path: Path) -> None:
    several = [batch_of(client, path) for _ in range(4)]
    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(lambda batch: batch.texts(), several))
    assert found == [PROMPTS] * 4
    assert Counter(sent(emulator))["POST batches"] == 1


LINES = [
    b"null",
    b"not JSON",
    b'{"custom_id": ["request-0"]}',
    b'{"custom_id": "request-99999999999999999999"}',
    b'{"custom_id": "request-5", "error": {"message": "not one of these"}}',
    b'{"custom_id": "request-0", "response": {"status_code": 200, "body": null}}',
    b'{"custom_id": "request-1", "response": [1], "error": "broken"}',
    b'{"custom_id": "request-2", "response": null, "error": {"message": "no key sk-a-secret-that-nobody-shall-see"}}',
    b'{"custom_id": "request-3", "error": {"message": "no file at \\"https://a.test/?sig=0123456789\\"."}}',
    b'{"custom_id": "request-4", "response": ' + b"[" * 5000 + b"]" * 5000 + b"}",
]


def test_lines_that_no_service_should_send(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path, [*PROMPTS, "four"]).submit()
    assert batch_of(client, path, [*PROMPTS, "four"]).done
    file_id = batch._state.path.read_text().split('"output_file_id": "')[1].split('"')[0]
    emulator._openai.files._files[file_id] = ({}, b"\n".join(LINES))
    for file in path.parent.glob("run.json.store*"):
        file.unlink()
    assert errors_of(batch_of(client, path, [*PROMPTS, "four"])) == [
        "OpenAICompatible, stream: expected an object of an answer, got null",
        "OpenAICompatible, stream: broken",
        "OpenAICompatible, stream: no key ***",
        'OpenAICompatible, stream: no file at "https://a.test/?sig=***".',
        "OpenAICompatible, stream: the service's files lack this prompt's result",
    ]


@pytest.mark.once
def test_little_is_kept_of_a_very_long_failure(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path, ["zero", "one"]).submit()
    assert batch_of(client, path, ["zero", "one"]).done
    file_id = batch._state.path.read_text().split('"output_file_id": "')[1].split('"')[0]
    body = json.dumps({"more": "\x00 sk-a-secret " * 100_000})
    lines = [
        f'{{"custom_id": "request-0", "response": {{"status_code": 503, "body": {body}}}}}',
        f'{{"custom_id": "request-1", "error": {body}}}',
    ]
    emulator._openai.files._files[file_id] = ({}, "\n".join(lines).encode())
    for file in path.parent.glob("run.json.store*"):
        file.unlink()
    for _ in range(2):
        zero, one = batch_of(client, path, ["zero", "one"])
        assert isinstance(zero.error, ServiceError)
        assert zero.error.status == 503
        assert str(zero.error).startswith("OpenAICompatible, stream: the request failed: {")
        assert isinstance(one.error, ServiceError)
        assert str(one.error).startswith('OpenAICompatible, stream: {"more": "')
    assert path.stat().st_size < 20_000


def test_lines_of_a_prompt_that_come_again_and_again_are_not_all_read(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = batch_of(client, path, ["zero"]).submit()
    assert batch_of(client, path, ["zero"]).done
    file_id = batch._state.path.read_text().split('"output_file_id": "')[1].split('"')[0]
    line = '{"custom_id": "request-0", "error": {"message": "no"}}\n'
    emulator._openai.files._files[file_id] = ({}, line.encode() * 100)
    for file in path.parent.glob("run.json.store*"):
        file.unlink()
    read: list[object] = []
    errors = batches.BatchAPI.answer
    monkeypatch.setattr(batches.BatchAPI, "answer", lambda api, line: read.append(line) or errors(api, line))
    (zero,) = batch_of(client, path, ["zero"])
    assert str(zero.error) == "OpenAICompatible, stream: no"
    assert len(read) <= 7


def test_an_id_with_half_a_character_can_be_asked_for() -> None:
    assert batches._in_path("a\ud800/b") == "a%3F%2Fb"


def test_an_image_that_cannot_be_fetched_fails_its_own_line_only(
    client: Client, emulator: Emulator, path: Path
) -> None:
    batch = batch_of(client, path, ["zero", "one"]).submit()
    image = {"type": "image_url", "image_url": {"url": "http://10.0.0.1/cat.png"}}
    messages = [{"role": "assistant", "content": "Here:", "images": [image]}, {"role": "assistant", "content": "Hello"}]
    lines = [
        {
            "custom_id": f"request-{index}",
            "response": {"status_code": 200, "body": {"choices": [{"message": message, "finish_reason": "stop"}]}},
        }
        for index, message in enumerate(messages)
    ]
    assert batch_of(client, path, ["zero", "one"]).done
    file_id = batch._state.path.read_text().split('"output_file_id": "')[1].split('"')[0]
    emulator._openai.files._files[file_id] = ({}, "\n".join(map(json.dumps, lines)).encode())
    for file in path.parent.glob("run.json.store*"):
        file.unlink()
    for _ in range(2):  # the second time nothing is fetched
        failed, whole = batch_of(client, path, ["zero", "one"])
        assert "10.0.0.1, which is not a public address" in str(failed.error)
        assert whole.text == "Hello"


def test_the_prompts_of_a_batch_have_one_proxy(client: Client, emulator: Emulator, path: Path) -> None:
    prompts = ["zero", {"prompt": "one", "proxy": "http://127.0.0.1:3128"}]
    with pytest.raises(TypeError, match="proxy= must be the same for all prompts of a batch"):
        client.batch(prompts, path=path)
    assert emulator.requests == []
