"""A hostile answer in a notebook that nbconvert exports, as a browser shows it: nothing is fetched, nothing runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite import Answer

from . import hostile

nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture
def fetched() -> Iterator[tuple[str, list[str]]]:
    with hostile.listening() as server:
        yield server


def shown(markdown: str, folder: Path) -> str:
    """Export a notebook that shows the Markdown, open it in the browser, and give the page that it makes of it."""
    output = nbformat.v4.new_output("execute_result", data={"text/markdown": markdown}, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("answer", outputs=[output])])
    page = folder / "notebook.html"
    page.write_text(nbconvert.HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    only_loopback = (
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # the page also names scripts of Jupyter's
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", only_loopback]
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *options, "--virtual-time-budget=3000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout


def test_a_hostile_answer_fetches_nothing_and_runs_nothing(fetched: tuple[str, list[str]], tmp_path: Path) -> None:
    host, paths = fetched
    answer = Answer(hostile.answer(host))
    page = shown(answer._repr_markdown_(), tmp_path)
    assert "<title>RAN</title>" not in page
    assert paths == []
    assert f'href="{host}/image?q=said"' in page
    assert re.search('<a [^>]*href="javascript:', page) is None


def test_the_same_answer_as_it_came_does_both(fetched: tuple[str, list[str]], tmp_path: Path) -> None:
    """This test's own test."""
    host, paths = fetched
    page = shown(hostile.answer(host), tmp_path)
    assert "<title>RAN</title>" in page
    assert {"/image?q=said", "/tag"} <= set(paths)
