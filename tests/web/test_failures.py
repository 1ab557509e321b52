"""What visitors and the log are told of calls that fail, under a real server, whose workers know different things."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from . import pages
from .browser import getting
from .servers import PATIENCE, running

pytestmark = pytest.mark.long

TOO_LONG = "The question, or the chat before it, is too long. Please shorten the question, or start a new chat."
SCRIPT = re.search(r"<script>(.*?)</script>", pages.FILES["app"], re.S)
# As much of a page as the script of the chat app uses; what it says is printed when the form may be sent again.
PAGE = """
const [url, cookie] = process.argv.slice(2), said = [], text = "Why?";
const end = () => {
  console.log(JSON.stringify([said.map(part => part.textContent).filter(Boolean), form.text.value]));
  process.exit();
};
const elements = {
  form: {text: {value: text}, reset() { this.text.value = ""; }},
  button: {set disabled(is) { if (!is) end(); }},
};
const part = () => ({textContent: "", append(text) { this.textContent += text; }});
const document = {forms: [elements.form], querySelector: name => elements[name], createElement: () => part()};
const talk = {appendChild: part => (said.push(part), part)};
const addEventListener = () => {};
const fetch = (path, {signal, method}) =>
  globalThis.fetch(url + path, {signal, method, headers: {cookie}, body: new URLSearchParams({text})});
class FormData { get() { return text; } }
%s
form.onsubmit({preventDefault() {}});
"""


def get(port: int, path: str) -> tuple[int, str | None, Any]:
    with getting(port, path) as response:
        return response.status, response.headers["Retry-After"], json.loads(response.read())


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def test_an_outage_has_one_status_be_its_members_asked_or_skipped(tmp_path: Path) -> None:
    """Each worker learns by itself which members to skip."""
    log = tmp_path / "log"
    with ExitStack() as bound:  # to ports at which nobody listens
        sockets = [bound.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        members = ",".join(f"http://127.0.0.1:{each.getsockname()[1]}/v1:m" for each in sockets)
        with (
            running("gunicorn gthread", "--workers", "2", log=log, G4F_LITE_PROVIDER=members) as port,
            ThreadPoolExecutor(8) as visitors,
        ):
            told = list(visitors.map(lambda _: get(port, "/inline?prompt=Why"), range(16)))
            told += [get(port, "/inline?prompt=Why") for _ in range(8)]
    assert {status for status, _, _ in told} == {503}
    assert {json.dumps(body) for _, _, body in told} == {json.dumps({"error": told[0][2]["error"]})}
    assert all(1 <= int(wait or 0) <= 30 for _, wait, _ in told)
    lines = re.findall(r"WARNING in failed_calls: g4f_lite: no answer to GET /inline: (.*)", log.read_text())
    assert len(lines) == len(told)
    assert {"skipped" in line for line in lines} == {True, False}


def test_a_prompt_that_is_too_long_and_a_limit_of_the_app_are_told_as_such(emulator: Emulator, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "NOTES": str(tmp_path / "notes")}
    with running("gunicorn gthread", log=log, G4F_LITE_STREAM_TIMEOUT="0.5", **environment) as port:
        for path in ("/inline?prompt=Why", "/stream?prompt=Why"):
            emulator.fail("error", message="prompt is too long: 9 tokens > 8 maximum", status=400)
            assert get(port, path) == (413, None, {"error": TOO_LONG})
        emulator.fail("stall", after=0)
        assert get(port, "/stream?prompt=Why")[0] == 504
    *too_long, late = [line for line in log.read_text().splitlines() if "g4f_lite: " in line]
    assert all(re.search(r"WARNING .* OpenAICompatible: the prompt is too long; .*9 tokens", line) for line in too_long)
    assert late.endswith("; G4F_LITE_STREAM_TIMEOUT sets 0.5 s")
    assert "Traceback" not in log.read_text()


def run_script(port: int, folder: Path) -> Any:
    """Return what the script of the chat app says, and what it leaves in the form, on a page that notes both."""
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    assert SCRIPT is not None
    (folder / "page.mjs").write_text(PAGE % SCRIPT[1], encoding="utf-8")
    with getting(port, "/") as response:
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    command = [node, "page.mjs", f"http://127.0.0.1:{port}/", cookie]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"finish_reason": "length"}, [["Why?", "Light ", "The answer was cut off."], ""]),
        ({"finish_reason": "content_filter"}, [["Why?", "Light ", "The answer was cut off."], ""]),
        ({"finish_reason": "stop"}, [["Why?", "Light "], ""]),
        (None, [["Why?", TOO_LONG], "Why?"]),
    ],
)
def test_the_page_of_the_chat_app_says_that_an_answer_was_cut(
    fault: dict[str, str] | None, said: list[Any], emulator: Emulator, tmp_path: Path
) -> None:
    """Of an answer that failed, the question is in the form again."""
    pages.write("app", tmp_path)
    if fault is None:
        emulator.fail("error", message="prompt is too long", status=400)
    else:
        emulator.answer(["Light ", fault])
    with running("gunicorn gthread", app="app:app", cwd=tmp_path, G4F_LITE_BASE_URL=f"{emulator.url}/v1") as port:
        assert run_script(port, tmp_path) == said


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ('"<!doctype html><title>Bad Request</title>", 400', "Refused with status 400."),
        ('{"message": "no"}, 403', "Refused with status 403."),
        ('{"error": "Please log in again."}, 401', "Please log in again."),
        ('"<!doctype html><title>Login</title>"', "The connection was lost."),
    ],
)
def test_the_page_tells_a_refusal_from_a_lost_connection(returned: str, said: str, tmp_path: Path) -> None:
    """Also one that is a page, as those of Flask and Flask-WTF are."""
    pages.write("app", tmp_path)
    with (tmp_path / "app.py").open("a", encoding="utf-8") as app:
        app.write(
            f"\n\n@app.before_request\ndef refuse():\n    if request.method == 'POST':\n        return {returned}\n"
        )
    with running("gunicorn gthread", app="app:app", cwd=tmp_path) as port:
        assert run_script(port, tmp_path) == [["Why?", said], "Why?"]
