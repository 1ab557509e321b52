"""``g4f-lite cache``."""

from __future__ import annotations

from pathlib import Path

from g4f_lite import Client
from g4f_lite.emulator import Emulator

from .command import assert_failed, call


def test_the_cache_is_shown_and_cleared(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with Client(base_url=f"{emulator.url}/v1", model="m", cache=path) as client:
        client.ask("one")
    assert call("cache", "info", "--path", str(path)).stdout.startswith(f"{path}: 1 stored, ")
    assert call("cache", "clear", "--path", str(path)).stdout == "1 removed\n"
    assert call("cache", "info", "--path", str(path)).stdout == f"{path}: 0 stored, 0 bytes\n"
    for option in ("info", "clear"):
        done = call("cache", option, XDG_CACHE_HOME=str(tmp_path), HOME=str(tmp_path), LOCALAPPDATA=str(tmp_path))
        assert (done.returncode, done.stdout.rpartition(": ")[2]) == (
            0,
            {"info": "0 stored, 0 bytes\n", "clear": "0 removed\n"}[option],
        )
    assert_failed(call("cache", "info", "--path", str(tmp_path / "none.db")), "there is no cache at")
