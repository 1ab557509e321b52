"""What the pages about Flask print, under the programs that they name: gunicorn, Huey, nginx."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from g4f_lite.emulator import Emulator

from . import pages
from .browser import events, getting, within
from .servers import PATIENCE, listens, running
from .test_workers import need_the_model

pytestmark = pytest.mark.long

KEY = "sk-not-a-real-one"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # of what nginx keeps in folders of root


@contextmanager
def program(command: list[str], folder: Path, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def post(port: int, path: str, **form: str) -> tuple[int, Any]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urlencode(form), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def test_jobs_of_huey(tmp_path: Path) -> None:
    """The page starts a job and asks for its result, and no request waits for the answer."""
    pytest.importorskip("huey")
    pages.write("jobs", tmp_path)
    with Emulator() as emulator:
        environment = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1"}
        consumer = [sys.executable, "-m", "huey.bin.huey_consumer", "jobs.huey", "--workers", "2"]
        with (
            running("gunicorn gthread", app="jobs:app", cwd=tmp_path, **environment) as port,
            program(consumer, tmp_path, **environment),
        ):

            def run(text: str) -> Any:
                status, job = post(port, "/summaries", text=text)
                assert status == 202

                def result() -> Any:
                    with getting(port, f"/summaries/{job['job']}") as response:
                        found = json.loads(response.read())
                        return found if response.status == 200 else None

                found = within(PATIENCE, result)
                assert result() == found, "it can be read again"
                return found

            assert run("A long text.") == {"summary": "A long text."}
            emulator.fail("rate_limit", retry_after=3600)
            assert run("Another one.") == {"error": "There is no summary. Please try again later."}


def test_an_app_that_starts_the_engine_before_the_fork(tmp_path: Path) -> None:
    need_the_model()
    pages.write("preloaded", tmp_path)
    with (
        running("gunicorn gthread --preload", app="preloaded:app", cwd=tmp_path) as port,
        getting(port, "/") as response,
    ):
        assert response.status == 200
        assert json.load(response)["answer"]


@pytest.mark.parametrize("server", ["gunicorn sync", "gunicorn gthread", "waitress", "development"])
def test_why_there_is_no_answer_is_in_the_log(server: str, tmp_path: Path) -> None:
    """Of an app that configures no log, without the key."""
    log = tmp_path / "log"
    with Emulator() as emulator:
        environment = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "G4F_LITE_API_KEY": KEY}
        with running(server, log=log, NOTES=str(tmp_path / "notes"), **environment) as port:
            faults: list[dict[str, Any]] = [
                {"fault": "status", "status": 401, "body": f'{{"error": {{"message": "a wrong key: {KEY}"}}}}'},
                {"fault": "rate_limit", "retry_after": 3600},
                {"fault": "error", "message": "an overload", "after": 2},
                {"fault": "cut", "after": 2},
            ]
            for fault in faults:
                emulator.fail(**fault)
                with getting(port, "/stream?prompt=a+b+c") as response:
                    response.read()
    found = log.read_text(encoding="utf-8")
    for level, what, text in [
        ("ERROR", "no", "a wrong key: ***"),
        ("WARNING", "no", "too many requests"),
        ("WARNING", "incomplete", "an overload"),
        ("WARNING", "incomplete", "the answer was cut"),
    ]:
        line = f"{level}.*g4f_lite: {what} answer to GET /stream: .*{re.escape(text)}"
        assert len(re.findall(line, found)) == 1, found
    assert KEY not in found


def test_behind_nginx(tmp_path: Path) -> None:
    """Pieces arrive at once, and a browser that leaves is noticed through it."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        pytest.skip("nginx is not installed")
    assert pages.NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    notes = tmp_path / "notes"
    with (
        Emulator() as emulator,
        running("gunicorn gthread", G4F_LITE_BASE_URL=f"{emulator.url}/v1", NOTES=str(notes)) as behind,
    ):
        location = pages.NGINX[0].replace("127.0.0.1:8000", f"127.0.0.1:{behind}")
        paths = "".join(
            f"{name}_temp_path {tmp_path}; " for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port};\n{location} }} }}\n"
        )
        command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        with program(command, tmp_path):
            assert within(PATIENCE, lambda: listens(port))
            emulator.fail("stall", after=2)
            with getting(port, "/stream?prompt=a+b+c") as response:
                found = events(response)
                assert [next(found)[1]["text"] for _ in range(2)] == ["a", " b"]
                prompt = emulator.requests[-1]
                assert prompt.ended is None
            left = time.monotonic()
            assert within(PATIENCE, lambda: prompt.ended)
            assert prompt.ended - left < 1.0
