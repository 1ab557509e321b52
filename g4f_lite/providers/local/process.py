"""Starts the process that an engine runs in."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

from ...errors import MissingDependencyError, ProviderNotConfiguredError
from .python import interpreter

PROVIDER = "Local"
CODE = Path(__file__).with_name("child.py")
#: Variables that would have the engine load code, or change how its threads wait.
NOT_PASSED_ON = ("PYTHON", "GGML_BACKEND", "LLAMA_ARG", "GOMP_", "OMP_", "KMP_")
#: A debugger is not started after a crash; threads that wait for each other spin for a moment, and then sleep.
PASSED_ON = {"GGML_NO_BACKTRACE": "1", "GOMP_SPINCOUNT": "300"}


class Process(subprocess.Popen[bytes]):
    """A process that nobody waits for at exit: it ends with its pipe.

    :ivar python: the interpreter that runs in it
    """

    python = ""

    def __del__(self) -> None:
        """Do nothing; else Python warns that it still runs."""


def start_process() -> Process:
    """Start the process; it waits for its settings.

    :raises MissingDependencyError: xllamacpp is not installed
    :raises ProviderNotConfiguredError: if there is no Python interpreter to run it with, or it cannot be started
    """
    if not CODE.is_file():
        raise ProviderNotConfiguredError(
            f"the embedded model needs {CODE.name} as a file; a frozen program has it with --collect-all g4f_lite "
            "--collect-all xllamacpp",
            provider=PROVIDER,
        )
    python = interpreter()
    kind: Any = Process
    if not issubclass(kind, subprocess.Popen):  # gevent has replaced it since, and the old one does not work any more
        kind = type("Process", (subprocess.Popen,), {"__del__": Process.__del__})
    try:
        process: Process = kind(
            [python, "-I", "-S", str(CODE), str(folder_of_xllamacpp())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=CODE.parent,
            env=_environment(),
            start_new_session=True,  # Ctrl-C at a terminal is for the program
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            | getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ProviderNotConfiguredError(
            f"cannot start a process for the embedded model with {python}: {error.strerror}", provider=PROVIDER
        ) from error
    process.python = python
    return process


def check_installed() -> None:
    """Raise unless llama.cpp is there; it is not loaded.

    :raises MissingDependencyError: xllamacpp is not installed
    """
    folder_of_xllamacpp()


def folder_of_xllamacpp() -> Path:
    """Return the folder that its package is in.

    :raises MissingDependencyError: xllamacpp is not installed
    """
    spec = importlib.util.find_spec("xllamacpp")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            'the embedded model needs xllamacpp: pip install "g4f-lite[local]"', provider=PROVIDER
        )
    return Path(spec.submodule_search_locations[0]).absolute().parent


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(NOT_PASSED_ON)}
    return {**kept, **PASSED_ON}
