"""Only regular files are opened, and nothing is waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from g4f_lite import Conversation, ConversationFileError, Local, ModelNotSupportedError
from g4f_lite.messages import image_part
from g4f_lite.providers.regular_file import NotRegularError, open_regular

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some\r\nbytes")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"some\r\nbytes"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_nothing_else_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    for path in (tmp_path, *(Path("/dev", name) for name in ("null", "zero") if Path("/dev", name).exists())):
        with pytest.raises(NotRegularError):
            open_regular(path)


@needs_pipes
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = tmp_path / "file", []
    os.mkfifo(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda _: os.stat_result((stat.S_IFREG, *[0] * 9)))  # as it was a moment ago
        patch.setattr(os, "open", lambda *how, really=os.open: opened.append(really(*how)) or opened[0])
        with pytest.raises(NotRegularError):
            open_regular(path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


@needs_pipes
@pytest.mark.parametrize("which", ["model", "projector"])
def test_a_pipe_is_not_a_model_and_not_waited_for(tmp_path: Path, which: str) -> None:
    path = tmp_path / "pipe.gguf"
    os.mkfifo(path)
    with pytest.raises(ModelNotSupportedError, match=r"pipe\.gguf is a pipe or a device, and not a \.gguf file; give"):
        Local(path) if which == "model" else Local(mmproj=path)


@needs_pipes
def test_a_pipe_is_not_an_image_nor_a_conversation_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file; read it yourself, and give the bytes"):
        image_part(path)
    with pytest.raises(ConversationFileError, match=r"pipe is not a regular file$"):
        Conversation.load(path)
    with pytest.raises(IsADirectoryError):
        image_part(tmp_path)
