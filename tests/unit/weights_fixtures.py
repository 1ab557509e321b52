"""A machine without weights, and a hub that has some."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from g4f_lite.http.deadline import Deadline

from .fake_hub import REPOSITORY, FakeHub, serving
from .gguf_files import SMOLLM2, gguf

platformdirs = pytest.importorskip("platformdirs", reason="the extra `local` is not installed")

MODEL = gguf(SMOLLM2) + bytes(range(256)) * 2000  # more than one read
SHA256 = hashlib.sha256(MODEL).hexdigest()
Q4, Q8 = "name-Q4_K_M.gguf", "name-Q8_0.gguf"
NAME = f"hf:{REPOSITORY}"


@pytest.fixture(autouse=True, name="cache")
def give_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give our folder; other programs' are empty."""
    directory = tmp_path / "cache" / "g4f-lite"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *args, **kwargs: directory)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    for name in ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return directory


@pytest.fixture(autouse=True, name="waits")
def note_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the seconds that would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr(Deadline, "sleep", lambda self, seconds: waited.append(seconds))
    return waited


@pytest.fixture(name="hub")
def serve_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving(FakeHub({Q4: MODEL, Q8: b"GGUF" + MODEL})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture(name="secure")
def serve_secure_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """Give a hub that speaks https, with a certificate that is trusted."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("G4F_LITE_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with serving(FakeHub({Q4: MODEL}), context) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def files_in(cache: Path) -> set[str]:
    """List what is in our folder, without locks and records."""
    return {path.name for path in cache.rglob("*") if path.is_file() and path.suffix not in (".lock", ".json")}
