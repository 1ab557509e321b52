"""The emulated Batch API."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator


def line(id_: str, **changes: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": f"answer {id_}"}]}
    return {"custom_id": id_, "method": "POST", "url": "/v1/chat/completions", "body": body, **changes}


def upload(emulator: Emulator, lines: list[Any]) -> str:
    content = "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines)
    files = {"file": ("in.jsonl", content.encode(), "application/jsonl")}
    answer = requests.post(f"{emulator.url}/v1/files", files=files, data={"purpose": "batch"}).json()
    assert (answer["filename"], answer["bytes"], answer["purpose"]) == ("in.jsonl", len(content), "batch")
    return str(answer["id"])


def create(emulator: Emulator, lines: list[Any], **more: Any) -> str:
    body = {"input_file_id": upload(emulator, lines), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    answer = requests.post(f"{emulator.url}/v1/batches", json={**body, **more}).json()
    assert (answer["status"], answer["metadata"]) == ("validating", more.get("metadata"))
    return str(answer["id"])


def get(emulator: Emulator, path: str) -> requests.Response:
    return requests.get(f"{emulator.url}/v1/{path}")


def contents(emulator: Emulator, file_id: str | None) -> list[dict[str, Any]]:
    return (
        [] if file_id is None else [json.loads(each) for each in get(emulator, f"files/{file_id}/content").iter_lines()]
    )


def test_a_batch_is_answered_when_it_was_asked_for_often_enough(emulator: Emulator) -> None:
    emulator.configure(batch_polls=2)
    id_ = create(emulator, [line("a"), line("b")], metadata={"run": "x"})
    assert get(emulator, f"batches/{id_}").json()["status"] == "in_progress"
    batch = get(emulator, f"batches/{id_}").json()
    assert (batch["status"], batch["request_counts"]) == ("completed", {"total": 2, "completed": 2, "failed": 0})
    texts = {
        each["custom_id"]: each["response"]["body"]["choices"][0]["message"]["content"]
        for each in contents(emulator, batch["output_file_id"])
    }
    assert texts == {"a": "answer a", "b": "answer b"}
    assert batch["error_file_id"] is None
    assert {request.step for request in emulator.requests} == {"files", "batches"}


@pytest.mark.parametrize(
    ("settings", "answered", "failed"),
    [
        ({"batch_end": "expired", "batch_done": 1}, ["a"], {"b": "batch_expired", "c": "batch_expired"}),
        ({"batch_end": "cancelled"}, [], {"a": "batch_cancelled", "b": "batch_cancelled", "c": "batch_cancelled"}),
        ({"batch_failed": (1,)}, ["a", "c"], {"b": 500}),
        ({"batch_missing": (0,)}, ["b", "c"], {}),
    ],
    ids=str,
)
def test_faults_of_a_batch(
    emulator: Emulator, settings: dict[str, Any], answered: list[str], failed: dict[str, Any]
) -> None:
    emulator.configure(**settings)
    batch = get(emulator, "batches/" + create(emulator, [line("a"), line("b"), line("c")])).json()
    assert batch["status"] == settings.get("batch_end", "completed")
    assert sorted(each["custom_id"] for each in contents(emulator, batch["output_file_id"])) == answered
    found = {
        each["custom_id"]: each["error"]["code"] if each["error"] else each["response"]["status_code"]
        for each in contents(emulator, batch["error_file_id"])
    }
    assert found == failed


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "empty_file"),
        (["{"], "invalid_json_line"),
        ([line("a"), line("a")], "duplicate_custom_id"),
        ([line("a", url="/v1/embeddings")], "invalid_request"),
        ([line("a"), line("b", body={"model": "other", "messages": []})], "mismatched_model"),
    ],
    ids=["empty", "not JSON", "twice", "other endpoint", "two models"],
)
def test_a_file_that_is_not_one_of_requests_fails_the_whole_batch(
    emulator: Emulator, lines: list[Any], code: str
) -> None:
    batch = get(emulator, "batches/" + create(emulator, lines)).json()
    assert (batch["status"], batch["errors"]["data"][0]["code"], batch["output_file_id"]) == ("failed", code, None)


def test_a_batch_that_is_cancelled_says_so_when_it_is_asked_for(emulator: Emulator) -> None:
    emulator.configure(batch_polls=9)
    id_ = create(emulator, [line("a")])
    assert requests.post(f"{emulator.url}/v1/batches/{id_}/cancel").json()["status"] == "cancelling"
    assert get(emulator, f"batches/{id_}").json()["status"] == "cancelled"
    assert requests.post(f"{emulator.url}/v1/batches/{id_}/cancel").status_code == 409


def test_batches_are_listed_the_newest_first(emulator: Emulator) -> None:
    first, second = create(emulator, [line("a")]), create(emulator, [line("b")])
    page = get(emulator, "batches?limit=1").json()
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([second], True)
    page = get(emulator, f"batches?limit=1&after={second}").json()
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([first], False)


def test_what_is_not_there_is_refused(emulator: Emulator) -> None:
    file = upload(emulator, [line("a")])
    assert get(emulator, f"files/{file}").json()["status"] == "processed"
    assert requests.delete(f"{emulator.url}/v1/files/{file}").json()["deleted"] is True
    assert [get(emulator, path).status_code for path in (f"files/{file}", "batches/none")] == [404, 404]
    wrong = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    for body in (wrong, {**wrong, "input_file_id": upload(emulator, [line("a")]), "endpoint": "/v1/other"}, [1]):
        assert requests.post(f"{emulator.url}/v1/batches", json=body).status_code == 400
    assert requests.post(f"{emulator.url}/v1/files", data={"purpose": "batch"}).status_code == 400
    other = {"file": ("a", b"a")}
    assert requests.post(f"{emulator.url}/v1/files", files=other, data={"purpose": "x"}).status_code == 400
