"""What a hosted batch keeps and shows of a service's words: no secret, no control characters, and not all of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from g4f_lite import AuthenticationError, Client, HostedBatch, OpenAICompatible, ResponseFormatError, TransportError
from g4f_lite.emulator import Emulator

from .hosted import answer_line, answered_by, batch_of

KEY = "Zq9secretVALUE77xyz"  # which looks like none, so that it has to be known


def with_key(url: str) -> OpenAICompatible:
    return OpenAICompatible(url, api_key=KEY, model="m", retry=None)


def with_function(url: str) -> OpenAICompatible:
    return OpenAICompatible(url, api_key=lambda: KEY, model="m", retry=None)


def with_session(url: str) -> OpenAICompatible:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {KEY}"
    return OpenAICompatible(url, session=session, model="m", retry=None)


@pytest.fixture(params=[with_key, with_function, with_session])
def client(request: pytest.FixtureRequest, emulator: Emulator) -> Client:
    emulator.configure(api_key=KEY)
    provider: Callable[[str], OpenAICompatible] = request.param
    return Client(provider(f"{emulator.url}/v1"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


def say(emulator: Emulator, **words: Any) -> None:
    """Have the service say something else of its only batch."""
    (batch,) = emulator._openai.batches._batches.values()
    batch |= words


def shown_by(batch: HostedBatch[Any]) -> str:
    errors = [(str(result.error), repr(result.error), vars(result.error)) for result in batch]
    return f"{batch!r} {batch.status} {errors} {list(batch)}"


def test_the_reason_to_refuse_a_batch_is_told_without_the_key(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path, ["one"]).submit()
    reason = {"message": f"\x1b[31mIncorrect API key provided: {KEY}. " + "x" * 1000, "line": 1}
    say(emulator, status="failed", errors={"data": [reason]})
    for each in (batch, batch_of(client, path, ["one"])):  # also from the file
        error = each[0].error
        assert error is not None
        told = str(error).partition("line 1: ")[2]
        assert told.startswith("\N{REPLACEMENT CHARACTER}[31mIncorrect API key provided: ***. xxx")
        assert len(told) < 350
        assert KEY not in shown_by(each)
    assert KEY not in path.read_text()
    (part,) = json.loads(path.read_text())["parts"]
    assert [len(text) for text in part["errors"]] == [300]
    assert "\x1b" not in part["errors"][0]


def test_a_line_with_an_error_is_told_without_the_key(
    client: Client, emulator: Emulator, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="g4f_lite")
    emulator.configure(batch_failed=(0,))
    batch = batch_of(client, path, ["one"]).submit()
    refusal = {"status_code": 401, "body": {"error": {"message": f"bad key {KEY}"}}}
    line = json.dumps({"custom_id": "request-0", "response": refusal, "error": None})
    emulator._openai.files._files["file-errors"] = ({}, line.encode())
    say(emulator, status="completed", error_file_id="file-errors", request_counts={"failed": 1})
    for each in (batch, batch_of(client, path, ["one"])):
        assert isinstance(each[0].error, AuthenticationError)
        assert "bad key ***" in str(each[0].error)
        assert KEY not in shown_by(each)
    assert KEY not in path.read_text()
    assert "bad key ***" in caplog.text
    assert KEY not in caplog.text


def test_an_image_that_cannot_be_fetched_is_told_without_the_key(
    client: Client, emulator: Emulator, path: Path
) -> None:
    image = {"type": "image_url", "image_url": {"url": f"{emulator.url}/cat.png"}}
    emulator.fail("status", path="/cat.png", status=404, body=f"no image for {KEY}", times=None)
    answered_by([answer_line(0, "", message={"images": [image]})], client, emulator, path, ["one"])
    for _ in range(2):
        assert "no image for ***" in str(batch_of(client, path, ["one"])[0].error)
    assert KEY not in path.read_text()


def test_the_status_is_shown_without_the_key(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.fail("cut", after=0, path="/v1/batches")
    batch = batch_of(client, path, ["one"])
    with pytest.raises(TransportError):
        batch.submit()
    say(emulator, status=f"Validating \x1b[2J{KEY} " + "x" * 1000)
    shown = batch.submit().status
    assert shown.startswith("validating \N{REPLACEMENT CHARACTER}[2j*** xxx")
    assert len(shown) == 300
    assert KEY.lower() not in path.read_text().lower()


@pytest.mark.parametrize("name", ["id", "output_file_id", "error_file_id"])
def test_an_id_that_is_the_key_is_not_kept(client: Client, emulator: Emulator, path: Path, name: str) -> None:
    emulator.fail("cut", after=0, path="/v1/batches")
    batch = batch_of(client, path, ["one"])
    with pytest.raises(TransportError):
        batch.submit()
    say(emulator, **{name: f"batch_{KEY}"})
    with pytest.raises(ResponseFormatError, match="expected an id, got one with the key or another secret") as caught:
        batch.submit()
    assert KEY not in f"{caught.value} {vars(caught.value)}"
    assert {KEY in file.read_text(errors="replace") for file in path.parent.iterdir()} == {False}


def test_an_uploaded_file_whose_id_is_the_key_is_not_kept(client: Client, emulator: Emulator, path: Path) -> None:
    emulator.fail("status", path="/v1/files", status=200, body=json.dumps({"id": KEY}))
    with pytest.raises(ResponseFormatError, match="expected an id, got one with the key"):
        batch_of(client, path, ["one"]).submit()
    assert not path.exists()


def test_a_short_key_may_be_a_part_of_an_id(emulator: Emulator, path: Path) -> None:
    client = Client(OpenAICompatible(f"{emulator.url}/v1", api_key="atch_", model="m"))
    assert [result.text for result in batch_of(client, path, ["one"])] == ["one"]


@pytest.mark.parametrize("client", [with_key], indirect=True)
def test_numbers_that_no_service_should_send(client: Client, emulator: Emulator, path: Path) -> None:
    batch = batch_of(client, path, ["one"]).submit()
    reasons = [{"message": "a", "line": 10**50}, {"message": "b", "line": True}, {"code": {"x": "y" * 999}}, {}]
    say(emulator, status="failed", errors={"data": reasons}, request_counts={"completed": True, "failed": 10**50})
    assert batch.wait().status == "failed"
    (part,) = json.loads(path.read_text())["parts"]
    assert ([text[:20] for text in part["errors"]], part["completed"], part["failed"]) == (
        ["a", "b", "{'x': 'yyyyyyyyyyyyy"],
        0,
        0,
    )
