"""Downloads of weights that a notebook's user interrupts."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4f_lite import Local
from g4f_lite.answers.interruption import Interrupted
from g4f_lite.providers.local.download import Download

from .notebook_cell import Notebook, open_notebook  # noqa: F401  a fixture
from .weights_fixtures import give_cache  # noqa: F401  a fixture


def test_an_interrupted_download_from_an_address_is_one_line(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(download: Download, web: object) -> None:
        assert download.progress is not None
        download.progress(50_000_000, 100_000_000)
        raise KeyboardInterrupt

    monkeypatch.setattr(Download, "run", run)
    with pytest.raises(Interrupted):
        Local.pull("https://models.test/model.gguf", sha256="0" * 64)
    assert notebook.drawn == [
        (1, "Downloading the model: 50 of 100 MB"),
        (1, "Downloading the model: interrupted"),
    ]


def test_an_interrupt_while_another_process_downloads_is_one_line(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("g4f_lite.providers.local.store.locked", locked)
    with pytest.raises(Interrupted):
        Local.pull("https://models.test/model.gguf", sha256="0" * 64)
