"""IPython's shell with the magics, without a kernel."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from g4f_lite.testing import Scripted


@pytest.fixture(name="one_shell", scope="module")
def start_shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    yield shell
    InteractiveShell.clear_instance()
    atexit.unregister(shell.atexit_operations)


@pytest.fixture(name="shell")
def shell_with_magics(one_shell: InteractiveShell, g4f_scripted: Scripted) -> InteractiveShell:
    one_shell.reset()
    one_shell.extension_manager.loaded.discard("g4f_lite")
    one_shell.run_line_magic("load_ext", "g4f_lite")
    return one_shell


def run(shell: InteractiveShell, cell: str) -> Any:
    """Run a cell, and give its value."""
    result = shell.run_cell(cell, store_history=True)
    if result.error_in_exec is not None:
        raise result.error_in_exec
    return result.result


def sent(provider: Scripted) -> list[list[str]]:
    return [[message["content"] for message in call.messages] for call in provider.calls]
