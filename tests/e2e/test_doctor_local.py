"""``g4f-lite doctor`` and the embedded model: what is wrong with its file, and with what it answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4f_lite import DeadlineExceededError, ModelNotSupportedError
from g4f_lite.cli.diagnosis import diagnose
from g4f_lite.providers.local.load_failure import not_loaded
from g4f_lite.testing import Scripted

from .command import call
from .test_doctor import examine


@pytest.mark.parametrize(
    ("error", "verdict", "remedy"),
    [
        (not_loaded("m.gguf", 4096, b"insufficient memory"), "too little memory", "a smaller context with --context"),
        (not_loaded("m.gguf", 4096, b"data is not within the file bounds"), "cut or damaged", "download"),
        (not_loaded("m.gguf", 4096, b"unknown model architecture: 'x'"), "know this kind", "upgrade xllamacpp"),
        (not_loaded("m.gguf", 4096, b"what?"), "cannot load its file", "download"),
        (not_loaded("m.gguf", 4096, b"mtmd_init_from_file: error: mismatch"), "its projector", "with the model"),
        (DeadlineExceededError("the total limit passed", provider="Local"), "too slow", "or use a smaller model"),
        (ModelNotSupportedError("m.gguf is a part", provider="Local"), "cannot use", "what the message above says"),
    ],
)
def test_why_a_model_is_not_loaded(error: Exception, verdict: str, remedy: str) -> None:
    found = diagnose(error, None)
    assert verdict in found[0]
    assert remedy in found[1]


@pytest.mark.parametrize(
    ("content", "verdict", "remedy"),
    [
        (None, "its file is not there", "give the path of a .gguf file"),
        ("my notes", "its file is of another kind", "give the path of a .gguf file"),
        ("GGUF", "its file is cut or damaged", "download the file again"),
    ],
)
def test_a_file_that_is_no_model(tmp_path: Path, content: str | None, verdict: str, remedy: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_text(content)
    done = call("doctor", "local", "-m", str(path))
    assert f"\nLocal (named): {verdict}\n" in done.stdout
    assert done.stdout.endswith(f"  To do: {remedy}.\n")


def test_a_model_that_nobody_has() -> None:
    done = call("doctor", "local", "-m", "nosuch")
    assert "Local (named): it has no such model\n" in done.stdout
    assert "To do: choose one of `g4f-lite local list`, or the path of a .gguf file.\n" in done.stdout


@pytest.mark.parametrize(
    ("answer", "verdict", "shown"),
    [
        ("The capital of France\nis Paris.", "it works", ': "The capital of France is Paris."'),
        ("6" * 64, "it works, but its answer has no 'Paris' in it", f': "{"6" * 60}…"'),
    ],
)
def test_an_answer_without_sense_of_the_embedded_model_is_pointed_out(answer: str, verdict: str, shown: str) -> None:
    class Local(Scripted):
        """Stands for the embedded model."""

    local = Local(answer)
    found = examine(lambda: local)
    assert (found.works, found.verdict) == (True, verdict)
    assert found.steps[-1].detail.endswith(shown)
    assert ("makes no sense" in (found.remedy or "")) == ("6" in answer)
    assert local.calls[0].options["max_tokens"] == 64
