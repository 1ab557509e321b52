"""The names of models that the server lists, and those that clients send: none is that of a file on its machine."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    G4FLiteError,
    Local,
    ModelNotSupportedError,
    OpenAICompatible,
    ServiceError,
    TransportError,
)
from g4f_lite.contrib.server import create_app
from g4f_lite.providers.local import weights
from g4f_lite.providers.local.catalogue import WEIGHTS
from g4f_lite.testing import Scripted

from .gguf_files import SMOLLM2, gguf

RELATIVE = ["text", "no", "folder/weights", "folder/no", "folder", "./text", " text", "m"]


def ask(app: Any, model: str, path: str = "/v1/chat/completions", **fields: Any) -> tuple[int, str]:
    """Send a prompt, and give the status and the body."""
    body = json.dumps({"model": model, **(fields or {"messages": [{"role": "user", "content": "Hello"}]})}).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    statuses: list[str] = []
    answer = b"".join(app(environ, lambda status, headers: statuses.append(status)))
    return int(statuses[0][:3]), answer.decode()


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str, **options: Any) -> Path:
        raise AssertionError(name)

    monkeypatch.setattr(weights, "fetch", fetch)


@pytest.mark.parametrize(
    "name",
    [
        "hf:owner/name",
        "HF.co/owner/name",
        f"https://x.example/m.gguf#sha256={'0' * 64}",
        "{here}/m.gguf",
        "{here}/text",
        "{here}/no",
        *RELATIVE,
    ],
)
@pytest.mark.parametrize("is_chain", [False, True])
def test_a_file_is_neither_read_nor_downloaded(
    name: str, is_chain: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for each in ("m.gguf", "text", "folder/weights"):
        (tmp_path / each).write_bytes(b"GGUF\3\0\0\0")
    local = Local(download=True)
    app = create_app([local, Scripted("an answer")] if is_chain else local)
    name = name.format(here=tmp_path)
    status, body = ask(app, name)
    if is_chain:  # to whose other members the name is one of theirs
        assert (status, "an answer" in body) == (200, True)
        return
    assert status == 404
    message, _, hint = json.loads(body)["error"]["message"].partition("; ")
    assert message == f"Local: it has no model {name!r}"  # and not whether it is there
    assert str(tmp_path) not in hint.replace(name, "")
    assert "--any-model" in hint


@pytest.mark.parametrize("name", RELATIVE)
def test_no_file_gives_vectors(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_bytes(b"GGUF\3\0\0\0")
    status, body = ask(create_app(Local(download=True)), name, "/v1/embeddings", input="Hello")
    assert status == 404
    assert f"it has no model {name!r}; " in json.loads(body)["error"]["message"]


def test_known_models_and_its_own_may_be_named(tmp_path: Path) -> None:
    own = tmp_path / "mine.gguf"
    own.write_bytes(gguf(SMOLLM2))
    for name in ("smollm2", Path(WEIGHTS["qwen3-0.6b"].file_name).stem, str(own), "mine"):
        Local(own).check_known(name)
    with pytest.raises(ModelNotSupportedError):
        Local().check_known("mine")


def test_the_program_may_map_a_name_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf(SMOLLM2)[:100])  # so that no engine begins
    app = create_app(Local(), models={"mine": str(tmp_path / "m.gguf")})
    said = ask(app, "mine")[1]
    assert "m.gguf" in said
    assert "it has no model" not in said


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_what_no_path_can_be_is_an_unknown_name(name: str) -> None:
    assert ask(create_app(Local()), name)[0] == 404


def test_names_of_services_and_those_that_the_program_maps_may_be_paths() -> None:
    app = create_app([Local(), Scripted("an answer")], models={"/models/x": Scripted("another")})
    assert "an answer" in ask(app, "owner/name")[1]
    assert "another" in ask(app, "/models/x")[1]


class Small(Scripted):
    """A provider that knows its models."""

    models = ("small",)

    def get_model(self, name: str | None = None) -> str | None:
        if name not in (None, "small"):
            raise ModelNotSupportedError(f"it has no model {name!r}")
        return "small"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelNotSupportedError("no such model", status=404), 404),
        (TransportError("it is down"), 404),
        (ServiceError("it is broken"), 502),
    ],
)
def test_a_chain_that_lacks_a_model_names_the_option_that_answers_every_name(
    error: G4FLiteError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "g4f_lite.server")
    chain = [Scripted(error, "Hello"), Small("Hi")]
    found, body = ask(create_app(chain), "large")
    assert (found, "g4f-lite serve --any-model" in json.loads(body)["error"]["message"]) == (status, True)
    (line,) = caplog.messages
    assert line.endswith(
        "; a provider lacks the model that the client named: g4f-lite serve --any-model answers every name"
    )
    caplog.clear()
    assert ask(create_app(chain, models={"*": None}), "large")[0] == 200
    assert "--any-model" not in caplog.messages[0]


def test_a_model_of_a_chain_is_owned_by_the_members_that_have_it() -> None:
    app = create_app([Scripted(model="large"), Small()])
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/models", "HTTP_HOST": "localhost"}
    body = b"".join(app(environ, lambda status, headers: None))
    owners = {row["id"]: row["owned_by"] for row in json.loads(body)["data"]}
    assert owners == {"large": "Scripted", "small": "Small"}


LISTED = ["nomic-embed-text", "llama3.2", "qwen2.5:7b"]


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (None, ["llama3.2", "gpt-4", "nomic-embed-text", "qwen2.5:7b"]),  # not the first, which is not for chats
        ("qwen2.5:7b", ["qwen2.5:7b", "gpt-4", "nomic-embed-text", "llama3.2"]),
        ("tuned", ["tuned", "gpt-4", *LISTED]),
    ],
)
def test_the_model_that_is_served_is_listed_first(model: str | None, names: list[str]) -> None:
    class Listing(OpenAICompatible):
        def get_models(self) -> list[str]:
            return LISTED

    app = create_app(Listing("http://127.0.0.1:9/v1", model=model), models={"gpt-4": None})
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/models", "HTTP_HOST": "localhost"}
    body = b"".join(app(environ, lambda status, headers: None))
    assert [row["id"] for row in json.loads(body)["data"]] == names
