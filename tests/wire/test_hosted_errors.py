"""The failures of a hosted batch: each is that of its prompt alone, and the same one whenever it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    Client,
    ContextLengthExceededError,
    EmptyResponseError,
    ModelNotSupportedError,
    OpenAICompatible,
    OutputError,
    OutputTruncatedError,
    RateLimitError,
    RefusalError,
    ServiceError,
    StoreError,
)
from g4f_lite.emulator import Emulator

from .hosted import KEY, USAGE, answer_line, answered_by, batch_of, errors_of, failed_line

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")
TWO = ["one", "two"]
ROME = '{"name": "Rome"}'


@dataclass
class City:
    name: str
    allowed = ("Rome",)  # of no field: the same schema, whatever it is

    def __post_init__(self) -> None:
        if self.name not in City.allowed:
            raise ValueError(f"the name must be one of {City.allowed}")


@pytest.fixture
def client(emulator: Emulator) -> Client:
    pytest.importorskip("msgspec")
    emulator.configure(api_key=KEY)
    return Client(OpenAICompatible(f"{emulator.url}/v1", api_key=KEY, model="gpt-4o-mini", retry=None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.json"


def name_schema(rule: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"name": {"type": "string", **rule}}, "required": ["name"]}


@pytest.mark.parametrize("rule", [{"maxLength": 6}, {"enum": ["***", "Rome"]}], ids=str)
def test_an_answer_that_fits_without_the_key_in_it_stays_a_failure(
    client: Client, emulator: Emulator, path: Path, rule: dict[str, Any]
) -> None:
    pytest.importorskip("jsonschema")
    lines = [answer_line(0, f'{{"name": "{KEY}"}}'), answer_line(1, ROME)]
    answered_by(lines, client, emulator, path, TWO, output=name_schema(rule))
    for _ in range(2):  # also from the file
        batch = batch_of(client, path, TWO, output=name_schema(rule))
        assert batch.outputs() == [None, {"name": "Rome"}]
        assert isinstance(batch[0].error, OutputError)
        assert batch[0].error.partial == '{"name": "***"}'
    assert KEY not in path.read_text()


def test_a_failure_that_a_mended_type_would_take_stays_one_until_it_is_sent_again(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered_by([answer_line(0, '{"name": "Oslo"}'), answer_line(1, ROME)], client, emulator, path, TWO, output=City)
    batch_of(client, path, TWO, output=City).wait()
    monkeypatch.setattr(City, "allowed", ("Oslo", "Rome"))
    batch = batch_of(client, path, TWO, output=City)
    assert batch.outputs() == [None, City("Rome")]
    assert isinstance(batch[0].error, OutputError)
    assert "the name must be one of ('Rome',)" in str(batch[0].error)
    assert batch[0].error.partial == '{"name": "Oslo"}'
    emulator.answer('{"name": "Oslo"}')
    assert batch.retry_failed().outputs() == [City("Oslo"), City("Rome")]


def test_a_stored_answer_that_a_stricter_type_does_not_take_is_the_failure_of_its_prompt(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(City, "allowed", ("Oslo", "Rome"))
    lines = [answer_line(0, f'{{"name": "Oslo", "more": "{KEY}"}}'), answer_line(1, ROME)]
    answered_by(lines, client, emulator, path, TWO, output=City)
    assert batch_of(client, path, TWO, output=City).outputs() == [City("Oslo"), City("Rome")]
    monkeypatch.setattr(City, "allowed", ("Rome",))
    batch = batch_of(client, path, TWO, output=City)
    assert batch.outputs() == [None, City("Rome")]
    error = batch[0].error
    assert type(error) is OutputError
    assert str(error) == "OpenAICompatible, stream: the answer is not a valid City: the name must be one of ('Rome',)"
    assert error.partial == '{"name": "Oslo", "more": "***"}'
    assert error.usage is not None
    assert error.usage.total_tokens == 12
    emulator.answer(ROME)
    assert batch.retry_failed().outputs() == [City("Rome")] * 2
    assert batch_of(client, path, TWO, output=City).outputs() == [City("Rome")] * 2  # the new answer is kept


KINDS: list[tuple[dict[str, Any], type[Exception], dict[str, Any]]] = [
    (answer_line(0, '{"name": 5'), OutputError, {"partial": '{"name": 5'}),
    (
        answer_line(0, '{"name": ', finish_reason="length"),
        OutputTruncatedError,
        {"partial": '{"name": ', "finish_reason": "length"},
    ),
    (answer_line(0, "", message={"content": None, "refusal": "No."}), RefusalError, {"partial": "No."}),
    (answer_line(0, "", finish_reason="stop"), EmptyResponseError, {"finish_reason": "stop"}),
    (failed_line(0, 429, {"message": "Try again in 20s."}), RateLimitError, {"status": 429}),
    (failed_line(0, 404, {"message": "no such model", "code": "model_not_found"}), ModelNotSupportedError, {}),
    (
        failed_line(0, 400, {"message": "long", "code": "context_length_exceeded"}),
        ContextLengthExceededError,
        {"status": 400, "may_retry": False},
    ),
]


@pytest.mark.parametrize(("line", "kind", "fields"), KINDS, ids=[kind.__name__ for _, kind, _ in KINDS])
def test_an_error_is_the_same_in_every_program(
    client: Client, emulator: Emulator, path: Path, line: dict[str, Any], kind: type[Exception], fields: dict[str, Any]
) -> None:
    answered_by([line, answer_line(1, ROME)], client, emulator, path, TWO, output=City)
    told = []
    for _ in range(2):
        batch = batch_of(client, path, TWO, output=City)
        failed, answered = batch
        assert type(failed.error) is kind
        assert {name: getattr(failed.error, name) for name in fields} == fields
        if "choices" in line["response"]["body"]:
            assert failed.usage is not None
            assert {name: getattr(failed.usage, name) for name in USAGE} == USAGE
        assert answered.output == City("Rome")
        told.append((str(failed.error), vars(failed.error)))
    assert told[0] == told[1]


def test_lines_that_an_earlier_version_kept_are_failures(
    client: Client, emulator: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = ["zero", "one", "two", "three"]
    answered_by([answer_line(3, ROME)], client, emulator, path, prompts, output=City)
    batch_of(client, path, prompts, output=City).wait()
    value = json.loads(path.read_text())
    value["failures"] = {
        "0": {**answer_line(0, '{"name": "Oslo"}'), "kind": "batch.result"},
        "1": failed_line(1, 400, {"message": "bad request"}),
        "2": {"error": {"message": "an image cannot be fetched"}},
    }
    path.write_text(json.dumps(value))
    assert errors_of(batch_of(client, path, prompts, output=City)) == [
        "OpenAICompatible, stream: the answer is not a valid City: the name must be one of ('Rome',)",
        "OpenAICompatible, stream: bad request",
        "OpenAICompatible, stream: an image cannot be fetched",
        "",
    ]
    monkeypatch.setattr(City, "allowed", ("Oslo", "Rome"))
    error = batch_of(client, path, prompts, output=City)[0].error
    assert isinstance(error, OutputError)
    assert "did not fit when it came, and does now" in str(error)
    assert error.partial == '{"name": "Oslo"}'


@pytest.mark.sampled(3)
@pytest.mark.product
@pytest.mark.parametrize("letter", ["x", "\x00", "é", "\N{GRINNING FACE}"], ids=ascii)
@pytest.mark.parametrize(
    "line_of",
    [lambda text: failed_line(0, 400, {"message": text}), lambda text: answer_line(0, text)],
    ids=["refused", "does not fit"],
)
def test_little_is_kept_of_each_of_many_long_failures(
    client: Client, emulator: Emulator, path: Path, letter: str, line_of: Callable[[str], Any]
) -> None:
    prompts = [str(number) for number in range(20)]
    lines = [{**line_of(letter * 30_000), "custom_id": f"request-{number}"} for number in range(20)]
    answered_by(lines, client, emulator, path, prompts, output=City)
    for _ in range(2):
        found = list(batch_of(client, path, prompts, output=City))
        assert {type(result.error) for result in found} <= {ServiceError, OutputError}
        texts = [text for result in found for text in vars(result.error).values() if isinstance(text, str)]
        assert max(map(len, texts)) <= 4097
        assert all(text.endswith("…") for text in texts if len(text) > 1000)
    assert path.stat().st_size < 20 * 10_000


@pytest.mark.parametrize(
    "kept",
    [
        {"kind": "ServiceError"},
        {"kind": "NoSuchError", "message": "a"},
        {"kind": "sanitize", "message": "a"},
        {"kind": 5, "message": "a"},
        {"kind": "ServiceError", "message": 5},
        {"kind": "ServiceError", "message": "a", "status": [400]},
        {"kind": "RateLimitError", "message": "a", "retry_after": "soon"},
        {"kind": "OutputError", "message": "a", "text": "b"},
    ],
    ids=str,
)
def test_a_file_whose_errors_are_none_is_damaged(
    client: Client, emulator: Emulator, path: Path, kept: dict[str, Any]
) -> None:
    answered_by([answer_line(0, "one")], client, emulator, path, TWO)
    batch_of(client, path, TWO).wait()
    value = json.loads(path.read_text())
    value["failures"]["1"] = kept
    path.write_text(json.dumps(value))
    with pytest.raises(StoreError, match="is damaged"):
        batch_of(client, path, TWO)
