"""The pages about Flask do as they are printed: a chat app, a legacy app, jobs, and gunicorn with one engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from g4f_lite import Conversations, RateLimitError, TransportError
from g4f_lite.testing import Scripted

ROOT = Path(__file__).parents[2]
PAGES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("flask.md", "flask-in-production.md")]
BLOCKS = [block for page in PAGES for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)]
FILES = {name[1]: block for block in BLOCKS if (name := re.match(r"# (\w+)\.py\n", block))}

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Give a function that runs a file of the pages in an empty folder, and gives its names."""
    monkeypatch.chdir(tmp_path)

    def load(name: str) -> ModuleType:
        module = ModuleType(name)
        exec(compile(FILES[name], f"{name}.py", "exec"), vars(module))
        return module

    return load


def events(body: bytes) -> list[tuple[str, Any]]:
    found = re.findall(r"(?:event: (\w+)\n)?data: (.*)\n\n", body.decode())
    return [(name or "message", json.loads(data)) for name, data in found]


def test_the_pages_have_these_files() -> None:
    assert list(FILES) == ["legacy", "app", "preloaded", "story", "jobs"]
    assert len(BLOCKS) == len(FILES) + 1


def test_the_chat_app_has_40_lines() -> None:
    lines = [line for line in FILES["app"].splitlines()[1:] if line]
    assert len(lines) <= 40


def test_the_chat_app(load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("Light is\n\nscattered.", TransportError("down"), "It is dark.")
    app = load("app").app
    app.config["TESTING"] = True
    ada, bob = app.test_client(), app.test_client()
    for browser in (ada, bob):
        assert b"EventSource" in browser.get("/").data
    assert ada.post("/messages", data={"text": "Why is the sky blue?"}).status_code == 204
    assert events(ada.get("/answer").data)[-1] == ("done", {"text": "Light is\n\nscattered.", "finish_reason": "stop"})
    assert ada.get("/answer", headers={"Last-Event-ID": "4"}).status_code == 204
    bob.post("/messages", data={"text": "Hello."})
    assert bob.get("/answer").status_code == 502
    ada.post("/messages", data={"text": "And at night?"})
    assert events(ada.get("/answer").data)[-1][0] == "done"
    assert [message["content"] for message in g4f_scripted.calls[2].messages] == [
        "Answer briefly.",
        "Why is the sky blue?",
        "Light is\n\nscattered.",
        "And at night?",
    ]
    stored = Conversations("conversations.sqlite")
    assert sorted((info.title, info.messages) for info in stored.list()) == [("Hello.", 2), ("Why is the sky blue?", 5)]
    stored.delete(next(info.id for info in stored.list() if info.title == "Hello."))
    assert bob.get("/answer").status_code == 404
    nobody = app.test_client()  # without the cookie of the page
    assert nobody.post("/messages", data={"text": "Hello."}).status_code == 404
    assert nobody.get("/answer").status_code == 404


def test_a_legacy_app(load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("A short summary.")
    response = load("legacy").app.test_client().post("/summary", data={"text": "A long text."})
    assert response.get_json() == {"summary": "A short summary."}


def test_a_stored_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (script,) = [block for block in BLOCKS if not block.startswith("# ")]
    exec(script, {})
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "system Answer briefly.",
        "user Why is the sky blue?",
        "assistant Light is scattered.",
    ]


def test_an_error_before_the_first_piece(load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("Once upon a time.", RateLimitError("slow down", retry_after=7))
    browser = load("story").app.test_client()
    assert browser.get("/story").data == b"Once upon a time."
    assert browser.get("/story").status_code == 503
