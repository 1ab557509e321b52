"""Images for the embedded model, without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4f_lite import Local, ModelNotSupportedError
from g4f_lite.providers.selection import default_provider

from .gguf_files import SMOLLM2, gguf

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a model's file, whose name is not that of a known model."""
    file = tmp_path / "copy.gguf"
    file.write_bytes(gguf(SMOLLM2))
    monkeypatch.setattr("g4f_lite.providers.local.runner.check_installed", lambda: None)
    return file


@pytest.fixture
def provider(path: Path) -> Local:
    return Local(path)


@pytest.fixture
def projector(tmp_path: Path) -> Path:
    file = tmp_path / "mmproj.gguf"
    file.write_bytes(gguf({"general.architecture": "clip"}))
    return file


@pytest.fixture
def seeing(path: Path, projector: Path) -> Local:
    return Local(path, mmproj=projector)


def test_images_are_taken_with_a_projector(seeing: Local, provider: Local) -> None:
    seeing.create_generator(messages="What is this?", images=PNG)
    with pytest.raises(ValueError, match="Local accepts only text") as caught:
        provider.create_generator(messages="What is this?", images=PNG)
    advice = "leave out images=, or give the model's projector with mmproj=: mmproj.gguf, beside the model, may be it"
    assert str(caught.value) == f"Local accepts only text, and a message contains an image; {advice}"


def test_where_the_projector_is_depends_on_the_model(provider: Local) -> None:
    with pytest.raises(ValueError, match=r"with mmproj=: a second file, with mmproj in its name, published with the"):
        provider.create_generator(messages="What is this?", images=PNG)
    with pytest.raises(
        ValueError, match=r"or use a model that can see, with its projector in mmproj=; smollm2 sees none$"
    ):
        Local(download=False).create_generator(messages="What is this?", images=PNG)


def test_an_image_that_llama_cpp_cannot_read_is_told_at_the_call(seeing: Local) -> None:
    with pytest.raises(ValueError, match="Local reads PNG, JPEG, GIF and BMP, and an image is WebP; convert it"):
        seeing.create_generator(messages="What is this?", images=b"RIFF\0\0\0\0WEBPVP8 ")


def test_images_are_not_downloaded(seeing: Local) -> None:
    with pytest.raises(ValueError, match="Local downloads no images: give the bytes or the path"):
        seeing.create_generator(messages="What is this?", images="http://127.0.0.1:9/secret")


def test_nothing_else_but_text_is_taken(seeing: Local) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    with pytest.raises(ValueError, match="accepts text and images, and a message contains 'input_audio'"):
        seeing.create_generator(messages=[{"role": "user", "content": [sound]}])


def test_the_environment_names_the_projector_of_its_model_alone(
    path: Path, tmp_path: Path, projector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(path.read_bytes())
    monkeypatch.setenv("G4F_LITE_MODEL", str(path))
    monkeypatch.setenv("G4F_LITE_MMPROJ", str(projector))
    for mine in (default_provider(), Local(str(path))):
        assert isinstance(mine, Local)
        assert mine.runner.projector(str(path)) == projector
        assert mine.runner.projector(str(other)) is None
    assert Local(other).runner.projector(str(other)) is None
    with pytest.raises(ValueError, match=r"mmproj=: G4F_LITE_MMPROJ is set, but only for the model in G4F_LITE_MODEL$"):
        Local(other).create_generator(messages="What is this?", images=PNG)
    monkeypatch.delenv("G4F_LITE_MODEL")
    assert Local().runner.projector("smollm2") is None
    monkeypatch.setenv("G4F_LITE_MODEL", str(path))
    monkeypatch.setenv("G4F_LITE_MMPROJ", "missing.gguf")
    with pytest.raises(ModelNotSupportedError, match=r"missing\.gguf.* \(the projector is from G4F_LITE_MMPROJ\)$"):
        default_provider()


def test_a_projector_that_cannot_be_one_is_told_at_once(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotSupportedError, match=r"no file .*none\.gguf.* \(the projector is from mmproj=\)$"):
        Local(path, mmproj=tmp_path / "none.gguf")
    with pytest.raises(ModelNotSupportedError, match="is not a file on the hub"):
        Local(path, mmproj="hf:owner")
    with pytest.raises(TypeError):
        Local(path, mmproj=1)  # type: ignore[arg-type]


def test_a_model_and_its_projector_the_wrong_way_round_are_told_apart(path: Path, projector: Path) -> None:
    with pytest.raises(ModelNotSupportedError, match=r"copy\.gguf is a model, not a projector; the projector of"):
        Local(path, mmproj=path).create_generator(messages="Hello")
    with pytest.raises(ModelNotSupportedError, match=r"mmproj\.gguf is a projector, not a model; .* with mmproj=$"):
        Local(projector).create_generator(messages="Hello")
