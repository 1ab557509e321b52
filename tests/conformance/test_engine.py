"""The embedded engine, with the real weights."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from g4f_lite import errors
from g4f_lite.providers.local import engine, weights

if importlib.util.find_spec("xllamacpp") is None:  # imported here, it would miss the engine's thread policy
    pytest.skip("the extra `local` is not installed", allow_module_level=True)

PROMPT = [{"role": "user", "content": "Count from one to ten."}]


@pytest.fixture(scope="module")
def model() -> Path:
    try:
        return weights.fetch(download=True)
    except errors.G4FLiteError as error:
        pytest.skip(f"the weights are not here: {error}")


@pytest.fixture(scope="module")
def running(model: Path) -> engine.Engine:
    return engine.engine_for(model)


def post(running: engine.Engine, **body: Any) -> requests.Response:
    return requests.post(
        f"{running.base_url}/chat/completions",
        json={"messages": PROMPT, "temperature": 0, "max_tokens": 8, **body},
        stream=body.get("stream", False),
        timeout=60,
    )


def events(response: requests.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith(b"data: {"):
            yield json.loads(line[len(b"data: ") :])


def test_it_answers(running: engine.Engine, model: Path) -> None:
    answer = post(running).json()
    assert answer["choices"][0]["message"]["content"]
    assert answer["model"] == model.stem


def test_a_file_has_one_engine_however_it_is_named(
    running: engine.Engine, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    monkeypatch.chdir(model.parent)
    assert engine.engine_for(link) is engine.engine_for(model.name) is running


def test_threads_that_come_at_once_start_one(model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    copy = tmp_path / "copy.gguf"
    try:
        copy.hardlink_to(model)
    except OSError:  # another file system
        shutil.copy(model, copy)
    caplog.set_level(logging.INFO, logger=engine.__name__)
    barrier = threading.Barrier(4)

    def start() -> engine.Engine:
        barrier.wait()
        return engine.engine_for(copy, engine.EngineSettings(context=256))

    with ThreadPoolExecutor(4) as threads:
        found = {future.result() for future in [threads.submit(start) for _ in range(4)]}
    assert len(found) == 1
    assert [record for record in caplog.records if "loaded" in record.message] == caplog.records[:1]
    assert post(found.pop(), max_tokens=1).ok


def test_four_are_answered_at_the_same_time(running: engine.Engine) -> None:
    def times(number: int) -> tuple[float, float]:
        with post(running, stream=True, max_tokens=24, ignore_eos=True) as answer:
            at = [time.monotonic() for _ in events(answer)]
        return at[0], at[-1]

    with ThreadPoolExecutor(4) as threads:
        began, ended = zip(*threads.map(times, range(4)), strict=True)
    assert max(began) < min(ended)


def test_settings_that_disagree_are_an_error(running: engine.Engine, model: Path) -> None:
    with pytest.raises(ValueError, match="already loaded with EngineSettings"):
        engine.engine_for(model, engine.EngineSettings(parallel=2))


def test_only_the_loopback_interface_is_served(running: engine.Engine) -> None:
    port = int(running.base_url.split(":")[2].partition("/")[0])
    assert running.base_url == f"http://127.0.0.1:{port}/v1"
    with socket.socket() as same_port:  # taken on every address, were the engine listening on all of them
        same_port.bind(("127.0.0.2", port))


def test_a_page_in_a_browser_reads_nothing(running: engine.Engine) -> None:
    answer = requests.get(f"{running.base_url}/models", headers={"Origin": "http://evil.example"}, timeout=10)
    assert answer.headers["Access-Control-Allow-Origin"] not in ("*", "http://evil.example")


@pytest.mark.parametrize("page", ["/", "/slots"])
def test_what_nobody_needs_is_not_served(running: engine.Engine, page: str) -> None:
    assert not requests.get(running.base_url.removesuffix("/v1") + page, timeout=10).ok


def test_every_slot_has_its_own_context(running: engine.Engine) -> None:
    properties = requests.get(running.base_url.removesuffix("/v1") + "/props", timeout=10).json()
    assert properties["total_slots"] == running.settings.parallel
    assert properties["default_generation_settings"]["n_ctx"] == running.settings.context


def test_other_programs_keep_their_own_thread_policy(running: engine.Engine) -> None:
    assert "OMP_WAIT_POLICY" not in os.environ


def test_a_prompt_that_is_too_long_is_refused(running: engine.Engine) -> None:
    refusal = post(running, messages=[{"role": "user", "content": "long " * 5000}], stream=True)
    assert refusal.status_code == 400
    assert refusal.json()["error"]["type"] == "exceed_context_size_error"


class TestBadFiles:
    @pytest.mark.parametrize(
        ("make", "match"),
        [
            pytest.param(lambda path: None, "there is no file .*model.gguf", id="missing"),
            pytest.param(lambda path: path.mkdir(), "model.gguf is a directory", id="a directory"),
            pytest.param(lambda path: path.write_bytes(b""), "does not begin as a .gguf", id="empty"),
            pytest.param(lambda path: path.write_bytes(b"GGUF\3\0\0\0"), "does not begin as a .gguf", id="cut at once"),
            pytest.param(lambda path: path.write_bytes(b"<html>" * 99), "does not begin as a .gguf", id="another kind"),
        ],
    )
    def test_are_told_at_the_call(self, tmp_path: Path, make: Any, match: str) -> None:
        path = tmp_path / "model.gguf"
        make(path)
        with pytest.raises(errors.ModelNotSupportedError, match=match):
            engine.check_gguf(path)

    def test_a_path_that_the_system_refuses(self, tmp_path: Path) -> None:
        with pytest.raises(errors.ModelNotSupportedError, match=r"cannot read .*File name too long"):
            engine.check_gguf(tmp_path / ("x" * 300 + ".gguf"))

    @pytest.mark.parametrize(
        ("begin", "rest"),
        [
            pytest.param(50_000_000, b"", id="cut in the middle"),
            pytest.param(98_362_400, b"", id="cut at the end"),
            pytest.param(1_000, b"", id="cut in the header"),
            pytest.param(4, b"\3\0\0\0" + b"\xff" * 9_000, id="huge counts"),
            pytest.param(24, b"garbage " * 9_000, id="garbage after the header's first line"),
            pytest.param(5_000, bytes(9_000), id="zeros"),
        ],
    )
    def test_are_told_when_llama_cpp_refuses_them(
        self, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], begin: int, rest: bytes
    ) -> None:
        path = tmp_path / "damaged.gguf"
        with model.open("rb") as source:
            path.write_bytes(source.read(begin) + rest)
        with pytest.raises(errors.ModelNotSupportedError, match=r"llama\.cpp cannot load .*damaged\.gguf.*download it"):
            engine.engine_for(path)
        assert capfd.readouterr() == ("", "")

    def test_do_not_harm_the_engine_that_runs(self, running: engine.Engine, tmp_path: Path) -> None:
        path = tmp_path / "damaged.gguf"
        path.write_bytes(b"GGUF" + bytes(100))
        with pytest.raises(errors.ModelNotSupportedError):
            engine.engine_for(path)
        assert post(running).ok


def test_without_xllamacpp_the_extra_is_named(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(errors.MissingDependencyError, match=r"g4f-lite\[local\]"):
        engine.engine_for(path)


def test_a_library_that_xllamacpp_misses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(b"GGUF" + bytes(100))

    def fail(name: str) -> None:
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(errors.MissingDependencyError, match=r"libgomp\.so\.1.*apt install libgomp1"):
        engine.engine_for(path)


def test_an_import_starts_nothing() -> None:
    code = """
import os, sys, threading
from g4f_lite.providers.local import engine
print(threading.active_count(), "xllamacpp" in sys.modules, len(os.listdir("/proc/self/task")))
"""
    if not Path("/proc/self/task").exists():
        pytest.skip("needs /proc")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert printed.stdout.split() == ["1", "False", "1"]
