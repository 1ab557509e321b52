"""``g4f-lite image``: which images are asked for, and where they are kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator
from g4f_lite.messages import image_type

from .command import SECONDS, asked, assert_failed, assert_refused, call, start


def draw(emulator: Emulator, target: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """Have a lighthouse drawn by the emulated ai-chats.org."""
    return call(
        "image", "A lighthouse", "--provider", "AiChats", "--base-url", emulator.url, "-o", str(target), *options
    )


def test_ai_chats_draws_with_its_model_for_images(emulator: Emulator, tmp_path: Path) -> None:
    done = draw(emulator, tmp_path / "light.png")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'light.png'}\n", "")
    assert image_type((tmp_path / "light.png").read_bytes()) == "image/png"
    assert asked(emulator)["type"] == "image"
    assert asked(emulator)["messagesHistory"][-1]["content"] == "A lighthouse"


def test_an_openai_compatible_server_draws(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    done = call("image", "-o", str(tmp_path / "cat"), "--size", "64x64", *here, stdin="A cat")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'cat.png'}\n"), done.stderr
    assert image_type((tmp_path / "cat.png").read_bytes()) == "image/png"
    (request,) = [request for request in emulator.requests if request.path == "/v1/images/generations"]
    assert request.json() == {"prompt": "A cat", "model": "echo", "size": "64x64"}


def test_the_suffix_is_what_the_image_is(emulator: Emulator, tmp_path: Path) -> None:
    assert draw(emulator, tmp_path / "light.jpg").stdout == f"{tmp_path / 'light.png'}\n"


def test_in_a_folder_it_gets_a_name(emulator: Emulator, tmp_path: Path) -> None:
    for _ in range(3):
        assert draw(emulator, tmp_path).returncode == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"] * 3


def test_a_folder_that_takes_no_files_is_told_before_anything_is_sent(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))  # root may write anywhere
    for target in (tmp_path, tmp_path / "light.png"):
        assert_refused(draw(emulator, target), f"cannot write to the directory {tmp_path}: Permission denied")
    assert emulator.requests == []


def test_a_file_that_is_there_is_told_before_anything_is_sent(emulator: Emulator, tmp_path: Path) -> None:
    target = tmp_path / "light.png"
    target.write_text("mine")
    assert_refused(draw(emulator, target), "light.png", "--force")
    assert_refused(draw(emulator, tmp_path / "nowhere" / "light.png"), "nowhere")
    assert (target.read_text(), emulator.requests) == ("mine", [])
    assert draw(emulator, target, "--force").returncode == 0
    assert image_type(target.read_bytes()) == "image/png"


def test_an_image_that_is_paid_for_is_kept_though_its_right_name_is_taken(emulator: Emulator, tmp_path: Path) -> None:
    for name in ("light.png", "light-2.png"):
        (tmp_path / name).write_text("mine")
    assert draw(emulator, tmp_path / "light.jpg").stdout == f"{tmp_path / 'light-3.png'}\n"
    assert (tmp_path / "light.png").read_text() == "mine"


def test_standard_output(emulator: Emulator) -> None:
    options = ["image", "A cat", "-p", "AiChats", "--base-url", emulator.url, "-o", "-"]
    with start(*options) as child:
        image, _ = child.communicate(timeout=SECONDS)
    assert child.returncode == 0
    assert image_type(image) == "image/png"


def test_of_several_each_is_tried(tmp_path: Path) -> None:
    target = tmp_path / "cat.png"
    done = call("image", "A cat", "-p", "echo,local", "-o", str(target))
    assert_failed(done, "Echo: ", "Local: ", "no provider generated an image")


def test_who_does_not_draw_says_so(emulator: Emulator, tmp_path: Path) -> None:
    target = ["-o", str(tmp_path / "cat.png")]
    assert_failed(call("image", "A cat", *target), "Local", "generates no images")
    assert_failed(call("image", "A cat", "-p", "echo", *target), "Echo", "expected an image, got text")
    assert_refused(call("image", "A cat", "-p", "echo", "--size", "9x9", *target), "size")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["A cat"], ["-o", "cat.png"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert call("image", *arguments).returncode == 2


def test_a_refused_image(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fail("challenge")
    assert_failed(draw(emulator, tmp_path / "light.png"), "AiChats")
    assert list(tmp_path.iterdir()) == []
