"""Each extra alone, in an environment of its own: what it is for works there, and the core works with none."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parent.glob("use_*.py"))

pytestmark = pytest.mark.once


def requirement(extra: str) -> str:
    """Give what installs the package once more, from where it was installed, with one extra or, for "core", none."""
    installed = importlib.metadata.distribution("g4f-lite")
    origin = installed.read_text("direct_url.json")
    name = "g4f-lite" if extra == "core" else f"g4f-lite[{extra}]"
    return f"{name} @ {json.loads(origin)['url']}" if origin else f"{name}=={installed.version}"


@pytest.fixture(scope="module")
def install() -> Callable[[Path, str], Path]:
    """Give a function that makes an environment in a folder, installs the package there, and gives the Python."""
    uv = pytest.importorskip("uv").find_uv_bin()
    environment = dict(os.environ)  # uv may need the proxy and the certificates, which tests do not see

    def run(*arguments: str | Path) -> None:
        subprocess.run([uv, "--quiet", *arguments], env=environment, check=True)

    def install(folder: Path, extra: str) -> Path:
        run("venv", "--python", sys.executable, folder)
        python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
        run("pip", "install", "--python", python, requirement(extra))
        return python

    return install


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_extra_needs_no_other(
    script: Path, install: Callable[[Path, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = install(tmp_path / "environment", script.stem.removeprefix("use_"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # IPython warns in any environment but that one
    # In isolated mode, which does not find the sources in this folder.
    done = subprocess.run([python, "-I", "-W", "error", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
