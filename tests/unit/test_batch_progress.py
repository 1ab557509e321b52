"""The progress of batches, in a notebook's cell and in a terminal."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import Client, MissingDependencyError, Result
from g4f_lite.batch.progress import Progress

from .batch_providers import People, ask_people, make_people  # noqa: F401  fixtures
from .notebook_cell import Notebook, open_notebook  # noqa: F401  a fixture

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_where_somebody_looks(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    for stream, progress, shows in [(Terminal(), None, True), (Terminal(), False, False), (io.StringIO(), None, False)]:
        monkeypatch.setattr(sys, "stderr", stream)
        list(client.map(["Ada 1", "fail", "Alan 2"], progress=progress))
        assert ("3/3" in stream.getvalue()) is shows
        assert ("failed=1" in stream.getvalue()) is shows
        assert ("tokens/min=" in stream.getvalue()) is shows
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    list(client.map(["Ada 1"], progress=True))
    assert "1/1" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_progress_without_tqdm(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert len(list(client.map(["Ada 1"]))) == 1
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[batch\]"'):
        list(client.map(["Ada 1"], progress=True))


def test_progress_in_a_notebook_is_one_output_that_grows(
    notebook: Notebook,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def begin(prompt: Any) -> Any:
        notebook.advance(3)
        return people(prompt)

    provider = People()
    people = provider.begin
    monkeypatch.setattr(provider, "begin", begin)
    monkeypatch.setattr("g4f_lite.batch.progress.time", SimpleNamespace(monotonic=lambda: notebook.now))
    monkeypatch.setattr(Progress, "tick", lambda *_: None)
    texts = Client(provider).map(["Ada 1", "fail", "Alan 2", "Grace 3"], workers=1).texts()
    assert len(texts) == 4
    bar, times = "`█████░░░░░░░░░░░░░░░`", "0:00:03 so far, 0:00:09 left"
    drawn = [text for _, text in notebook.drawn]
    assert {number for number, _ in notebook.drawn} == {1}
    assert drawn[:2] == [f"`{'░' * 20}` 0 of 4 prompts", f"{bar} 1 of 4 prompts, tokens/min=120, {times}"]
    assert drawn[-1] == f"`{'█' * 20}` 4 of 4 prompts, failed=1, tokens/min=90"
    assert capsys.readouterr() == ("", "")


def test_progress_in_a_notebook_of_prompts_that_nobody_has_counted(notebook: Notebook) -> None:
    Client(People()).map(iter(["Ada 1", "fail"])).texts()
    drawn = [str(text) for _, text in notebook.drawn]
    assert drawn[0] == "0 prompts"
    assert drawn[-1].startswith("2 prompts, failed=1, ")
    results = Client(People()).map(iter(["Ada 1"]))
    assert len(list(results)) == 1
    drawn = [text for _, text in notebook.drawn]
    assert list(results) == []
    list(Client(People()).map(["Ada 1"], progress=False))
    assert len(notebook.drawn) == len(drawn)


def test_a_pause_is_shown_in_a_notebook_instead_of_the_time_left(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.batch.progress.time", SimpleNamespace(monotonic=lambda: notebook.now))
    progress = Progress(None, 4)
    for step in (lambda: progress.add(Result(0, "one")), lambda: progress.tick(58), lambda: progress.tick(0)):
        notebook.advance(3)
        step()
    bar = "`█████░░░░░░░░░░░░░░░` 1 of 4 prompts"
    assert [text for _, text in notebook.drawn[1:]] == [
        f"{bar}, 0:00:03 so far, 0:00:09 left",
        f"{bar}, paused by the service for 58 s, 0:00:06 so far",
        f"{bar}, 0:00:09 so far, 0:00:03 left",
    ]


def test_a_notebook_shows_the_time_and_what_is_in_progress_while_no_answer_comes(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.batch.progress.time", SimpleNamespace(monotonic=lambda: notebook.now))
    progress = Progress(None, 6)
    for seconds in (0.5, 0.5, 0.5, 0.5):
        notebook.advance(seconds)
        progress.tick(0.0, 0.0, 2)
    notebook.advance(14.9)
    progress.add(Result(0, "one"))
    notebook.advance(0.1)
    progress.add(Result(1, "two"))
    for seconds in (4, 36):
        notebook.advance(seconds)
        progress.tick(0.0, 0.0, 2)
    progress.tick(0.0, 0.0, 0)
    progress.close()
    empty, third = "`░░░░░░░░░░░░░░░░░░░░` 0 of 6 prompts", "`██████░░░░░░░░░░░░░░` 2 of 6 prompts"
    assert [text for _, text in notebook.drawn] == [
        empty,
        f"{empty}, 2 in progress, 0:00:01 so far",
        f"{empty}, 2 in progress, 0:00:02 so far",
        # The first of two workers alone would make it 85 seconds.
        "`███░░░░░░░░░░░░░░░░░` 1 of 6 prompts, 2 in progress, 0:00:16 so far",
        f"{third}, 2 in progress, 0:00:17 so far, 0:00:34 left",
        f"{third}, 2 in progress, 0:00:21 so far, 0:00:30 left",
        f"{third}, 2 in progress, 0:00:57 so far",
        third,
    ]


def test_a_terminal_shows_the_time_and_what_is_in_progress_while_no_answer_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tqdm")
    now = [100.0]
    monkeypatch.setattr("g4f_lite.batch.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    for screen, drawn in ((Terminal(), 2), (io.StringIO(), 0)):  # a log has no line for each second
        monkeypatch.setattr(sys, "stderr", screen)
        progress = Progress(True, 6)
        for _ in range(4):
            now[0] += 0.5
            progress.tick(0.0, 0.0, 2)
        states = screen.getvalue().split("\r")
        assert sum(state.endswith(", 2 in progress]") and "/s" not in state for state in states) == drawn
        progress.add(Result(0, "one"))
        progress.add(Result(1, "two"))
        progress.close()
        assert any(rate in screen.getvalue() for rate in ("prompt/s]", "s/prompt]"))


def test_progress_in_a_notebook_needs_no_tqdm(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    Client(People()).map(["Ada 1"], progress=True).texts()
    assert str(notebook.drawn[-1][1]).startswith(f"`{'█' * 20}` 1 of 1 prompt, ")
