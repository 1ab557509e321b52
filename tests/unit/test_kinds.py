"""Files in the format .gguf that hold no whole model for chats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Local, ModelNotSupportedError

from .gguf_files import SMOLLM2, gguf

MADE_FOR_EMBEDDINGS = "is a model for embeddings, which writes no answers; use it with embed(), and another for chats"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.providers.local.runner.check_installed", lambda: None)


def refusal(path: Path) -> str:
    """Give what a call with a file says is wrong with it."""
    with pytest.raises(ModelNotSupportedError) as caught:
        Local(path).create_generator(messages="Hello")
    return caught.value.message.removeprefix(f"{path.resolve()} ")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"general.type": "adapter"}, "is not a model, but an adapter (LoRA) for a model; name the model itself"),
        ({"general.type": "imatrix"}, "is not a model, but what a model is quantized with; name the model itself"),
        ({"general.architecture": "qwen3", "qwen3.pooling_type": 3}, MADE_FOR_EMBEDDINGS),
        ({"general.architecture": "bert", "bert.attention.causal": False}, MADE_FOR_EMBEDDINGS),
    ],
)
def test_a_file_that_does_not_answer_says_what_it_is(metadata: dict[str, Any], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(gguf(metadata))
    assert refusal(path) == expected


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("m-00002-of-00003.gguf", 2, "; give the path of the first, which ends in -00001-of-00003.gguf"),
        ("m-00001-of-00003.gguf", 1, ", and m-00003-of-00003.gguf is not beside it; download all parts"),
        ("renamed.gguf", 1, "; its name must end in -00001-of-00003.gguf"),
    ],
)
def test_a_part_of_a_model_says_which_files_are_needed(name: str, number: int, expected: str, tmp_path: Path) -> None:
    for other in ("m-00001-of-00003.gguf", "m-00002-of-00003.gguf"):
        (tmp_path / other).write_bytes(b"")
    (tmp_path / name).write_bytes(gguf({**SMOLLM2, "split.no": number - 1, "split.count": 3}))
    assert refusal(tmp_path / name) == f"is part {number} of 3 of a model{expected}"


def test_the_first_part_is_taken_where_the_others_are_beside_it(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(gguf({**SMOLLM2, "split.no": 0, "split.count": 2}))
    Local(tmp_path / "m-00001-of-00002.gguf").create_generator(messages="Hello")


def test_a_model_for_embeddings_is_refused_for_answers_only(tmp_path: Path) -> None:
    path = tmp_path / "e.gguf"
    path.write_bytes(gguf({**SMOLLM2, "llama.pooling_type": 1}))
    assert Local(path).runner.metadata(str(path)).get("pooling_type") == 1
    assert refusal(path) == MADE_FOR_EMBEDDINGS


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("{path}", "there is no file {path}; did you mean {path}.gguf?"),
        (" {path}.gguf", "there is no file  {path}.gguf; leave out the blank"),
        ("'{path}.gguf'", "there is no file '{path}.gguf'; leave out the quotes"),
        ("file://{path}.gguf", "there is no file file://{path}.gguf; leave out file://"),
        ("{path}-Q4.gguf", "there is no file {path}-Q4.gguf; did you mean {path}.gguf?"),
        ("{folder}modl.gguf", "there is no file {folder}modl.gguf; did you mean {path}.gguf?"),
        ("{folder}other.gguf", "there is no file {folder}other.gguf; give the path of a .gguf file"),
        ("{folder}no{sep}model.gguf", "there is no file {folder}no{sep}model.gguf; give the path of a .gguf file"),
        ("{path}.GGUF-1", "there is no file {path}.GGUF-1; did you mean {path}.gguf?"),
    ],
)
def test_a_path_that_is_nearly_right_says_what_is_wrong_with_it(name: str, advice: str, tmp_path: Path) -> None:
    path = tmp_path.resolve() / "model"
    places = {"path": path, "folder": f"{path.parent}{os.sep}", "sep": os.sep}
    (tmp_path / "model.gguf").write_bytes(gguf(SMOLLM2))
    with pytest.raises(ModelNotSupportedError) as caught:
        Local(name.format(**places))
    assert caught.value.message == advice.format(**places)
