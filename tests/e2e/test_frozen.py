"""A program that PyInstaller makes of an app with this library, and one that looks like it."""

from __future__ import annotations

import configparser
import importlib.util
import pkgutil
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import g4f_lite
from g4f_lite import MissingDependencyError
from g4f_lite.__pyinstaller import get_hook_dirs
from g4f_lite.providers import registry

HOOK = Path(get_hook_dirs()[0], "hook-g4f_lite.py")
APP = """
from g4f_lite import Client, Conversation, G4FLiteError, OpenAICompatible
print(Client("echo").ask("hello"))
print(Client("groq", api_key="x").provider.name, OpenAICompatible("http://127.0.0.1:9/v1").name)
try:
    OpenAICompatible("http://127.0.0.1:9/v1", model="m", proxy="socks5h://127.0.0.1:9").create(messages="x")
except G4FLiteError as error:
    print(error)
"""


def test_pyinstaller_is_told_where_the_hook_is() -> None:
    setup = configparser.RawConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    declared = "hook-dirs = g4f_lite.__pyinstaller:get_hook_dirs"
    assert setup["options.entry_points"]["pyinstaller40"].strip() == declared
    assert HOOK.is_file()


def test_the_hook_has_all_modules_that_are_imported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def collect(package: str, filter: object) -> list[str]:
        found = pkgutil.walk_packages(g4f_lite.__path__, f"{package}.")
        return [name for _, name, _ in found if filter(name)]  # type: ignore[operator]

    hooks = ModuleType("PyInstaller.utils.hooks")
    hooks.collect_submodules = collect  # type: ignore[attr-defined]
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", hooks)
    hidden = set(runpy.run_path(str(HOOK))["hiddenimports"])
    assert {f"g4f_lite{module}" for module in g4f_lite._NAMES} <= hidden
    assert {f"g4f_lite.providers.{module}" for module in registry._BUILT_IN.values()} <= hidden
    assert {"g4f_lite.client.chat", "g4f_lite.client.images", "g4f_lite.client.models"} <= hidden
    assert [name for name in hidden if "cli" in name.split(".") or "pytest" in name] == []


def test_a_frozen_program_is_not_told_to_use_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a proxy that speaks SOCKS needs PySocks: pip install "g4f-lite[socks]"'
    assert str(MissingDependencyError(text)) == text
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert str(MissingDependencyError(text)) == (
        "a proxy that speaks SOCKS needs PySocks, which this program was built without"
    )


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("PyInstaller") is None, reason="PyInstaller is not installed")
def test_a_program_that_pyinstaller_makes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    options = ["-y", "--log-level", "ERROR", "--onedir", "--exclude-module", "socks", "app.py"]
    subprocess.run([sys.executable, "-m", "PyInstaller", *options], cwd=tmp_path, check=True, timeout=110)
    done = subprocess.run([tmp_path / "dist" / "app" / "app"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    first, names, missing = done.stdout.splitlines()
    assert (first, names) == ("hello", "Groq OpenAICompatible")
    assert missing.endswith("needs PySocks, which this program was built without")
