"""Why a model is not loaded, by the words of llama.cpp."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4f_lite import EngineError, ModelNotSupportedError
from g4f_lite.cli.diagnosis import diagnose
from g4f_lite.providers.local import engine, load_failure
from g4f_lite.providers.local.load_failure import not_loaded, out_of_memory

LAST = b"0.00.041.322 E srv          init: exiting due to model loading error\n"


@pytest.mark.parametrize(
    ("words", "context", "expected"),
    [
        (
            b"0.00.040.311 E ggml_aligned_malloc: insufficient memory (attempted to allocate 360.00 MB)\n",
            4096,
            (
                "there is too little memory for m.gguf with a context of 4096; make it smaller with Local(context=1024)"
                ", or use a smaller model (ggml_aligned_malloc: insufficient memory (attempted to allocate 360.00 MB))"
            ),
        ),
        (
            b"0.1 E llama_model_load: error loading model: mmap failed: Cannot allocate memory\n",
            512,
            (
                "there is too little memory for m.gguf with a context of 512; use a smaller model "
                "(llama_model_load: error loading model: mmap failed: Cannot allocate memory)"
            ),
        ),
    ],
)
def test_too_little_memory_is_an_error_of_the_engine(words: bytes, context: int, expected: str) -> None:
    error = not_loaded("m.gguf", context, b"something else\n" + words + LAST)
    assert isinstance(error, EngineError)
    assert error.message == expected
    assert error.last_words.startswith("something else\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            b"0.1 E load: tensor 'a' data is not within the file bounds\n",
            "m.gguf is cut or damaged; download it again (load: tensor 'a' data is not within the file bounds)",
        ),
        (
            b"0.1 E gguf: this GGUF file is version 9 but this software only supports up to version 3\nfailed to read",
            (
                "m.gguf is of a kind that this version of llama.cpp does not know; upgrade xllamacpp, or use another "
                "model (gguf: this GGUF file is version 9 but this software only supports up to version 3)"
            ),
        ),
        (
            b"0.1 E mtmd_init_from_file: error: mismatch between text model (n_embd = 32) and mmproj (n_embd = 64)\n",
            (
                "llama.cpp cannot load m.gguf: the projector is of another model, or damaged; give the one that is "
                "published with the model (mtmd_init_from_file: error: mismatch between text model (n_embd = 32) and "
                "mmproj (n_embd = 64))"
            ),
        ),
        (
            b"0.1 E nobody has seen this\n",
            (
                "llama.cpp cannot load m.gguf: it is cut or damaged, or is of a kind that this version does not know; "
                "download it again, or upgrade xllamacpp (nobody has seen this)"
            ),
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_a_model_that_is_not_supported(words: bytes, expected: str) -> None:
    error = not_loaded("m.gguf", 4096, words + b"\n" + LAST)
    assert isinstance(error, ModelNotSupportedError)
    assert error.message == expected


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (b"terminate called\n  what():  std::bad_alloc\n", -6, "what():  std::bad_alloc"),
        (b"terminate called\n  what():  Resource temporarily unavailable\n", -6, "Resource temporarily unavailable"),
        (b"", -9, "signal 9"),
    ],
)
def test_a_process_that_ends_without_memory_says_so(words: bytes, code: int, reason: str) -> None:
    error = out_of_memory("m.gguf", 4096, words, code)
    assert error is not None
    assert error.message.startswith("there is too little memory for m.gguf with a context of 4096; ")
    assert error.message.endswith(f"{reason})")


def test_another_crash_is_not_for_the_memory() -> None:
    assert out_of_memory("m.gguf", 4096, b"Segmentation fault\n", -11) is None


@pytest.mark.parametrize(
    ("most", "helps"),
    [
        (1_000_000, "make it smaller with Local(context=1000000), or use a smaller model"),
        (16_000_000, "make it smaller with Local(context=4000000), or use a smaller model"),
        (511, "use a smaller model"),
    ],
)
def test_a_smaller_context_is_one_that_there_is_memory_for(most: int, helps: str) -> None:
    error = not_loaded("m.gguf", 16_000_000, b"insufficient memory\n", lambda context: context <= most)
    assert error.message.endswith(f" for m.gguf with a context of 16000000; {helps} (insufficient memory)")


@pytest.mark.parametrize(("total", "refused"), [(10**8, True), (2 * 10**8, False), (None, False)])
def test_a_model_larger_than_all_the_memory_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int | None, refused: bool
) -> None:
    class Started(Exception):
        pass

    def start() -> None:
        raise Started

    monkeypatch.setattr(load_failure, "total_memory", lambda: total)
    monkeypatch.setattr(engine, "start_process", start)
    path = tmp_path / "large.gguf"
    with path.open("wb") as file:
        file.truncate(2 * 10**8)  # without a byte on the disk
    with pytest.raises(EngineError if refused else Started) as caught:
        engine.Engine(engine.EngineSettings(path, 256), 0)
    if refused:
        expected = "large.gguf has more bytes than the memory of this machine: 0.2 GB of 0.1 GB; use a smaller model"
        assert str(caught.value).endswith(expected)
        assert diagnose(caught.value, None) == ("there is too little memory", "use a smaller model")  # type: ignore[arg-type]
