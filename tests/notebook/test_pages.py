"""The example notebook has the outputs that executing it gives; the cells on the page on notebooks run."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .kernels import Kernel, nbclient, nbformat

DOCS = Path(__file__).parents[2] / "docs"
CELL = re.compile(r"^```ipython\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Start the server that the pages are built with; give the environment of a kernel that asks it."""
    monkeypatch.syspath_prepend(DOCS)
    import prepared_answers

    with prepared_answers.emulator() as emulator:
        yield {**os.environ, **prepared_answers.environment_for(emulator)}
    del sys.modules["prepared_answers"]


def outputs(notebook: Any) -> list[list[Any]]:
    """Give what each cell shows."""
    return [
        [output.get("text") or output.get("data") or output for output in cell.get("outputs", ())]
        for cell in notebook.cells
    ]


def test_the_notebook_has_its_outputs(environment: dict[str, str], tmp_path: Path) -> None:
    kept = nbformat.read(DOCS / "first-notebook.ipynb", as_version=4)
    executed = copy.deepcopy(kept)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(executed, kernel_name="python3", timeout=60, resources=folder).execute(env=environment)
    assert outputs(executed) == outputs(kept)
    assert [cell.get("execution_count") for cell in executed.cells] == [
        cell.get("execution_count") for cell in kept.cells
    ]


def test_the_cells_of_the_page_run(environment: dict[str, str], tmp_path: Path) -> None:
    cells = CELL.findall((DOCS / "notebooks.md").read_text(encoding="utf-8"))
    assert len(cells) > 5
    kernel = Kernel()
    with kernel.client.setup_kernel(env=environment, cwd=str(tmp_path)):
        for source in cells:
            executed = kernel.run(source)
            wrong = [output for output in executed.outputs if output.get("name") == "stderr" or "ename" in output]
            assert wrong == [], source
            if source == "client.usage\n":
                assert "ClientUsage(calls=1," in str(outputs(kernel.notebook)[-1])
            elif ".load(" in source:
                assert "talk answers the next cells" in str(outputs(kernel.notebook)[-1])
    saved = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert saved[-2]["content"] == "What is a geyser?"
