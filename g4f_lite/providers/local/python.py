"""The Python interpreter for processes of our own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ...errors import ProviderNotConfiguredError

VARIABLE = "G4F_LITE_PYTHON"
NAME = re.compile(r"(python|pypy)[\d.]*w?(\.exe)?", re.IGNORECASE)


def interpreter() -> str:
    """Return the path of a Python that can run a file of ours.

    ``sys.executable`` is the program itself where that is frozen, the server under uWSGI, and empty
    or a guess where Python is embedded; the environment variable ``G4F_LITE_PYTHON`` can name one there.

    :raises ProviderNotConfiguredError: if there is none
    """
    if named := os.environ.get(VARIABLE):
        if not (found := shutil.which(named) if os.path.dirname(named) else find_program(named)):
            raise ProviderNotConfiguredError(
                f"{VARIABLE} names {named}, which cannot be run; set it to the path of a Python interpreter",
                provider="Local",
            )
        return os.path.abspath(found)
    frozen = getattr(sys, "frozen", False)
    if not frozen and NAME.fullmatch(Path(sys.executable or "").name):
        return sys.executable
    for path in () if frozen else _usual_places():
        if os.access(path, os.X_OK):
            return str(path)
    program = sys.executable or "this program"
    raise ProviderNotConfiguredError(
        f"the embedded model runs in a process of its own, which needs a Python interpreter, and {program} is not one; "
        f"set {VARIABLE} to the path of one, version 3.10 or newer",
        provider="Local",
    )


def find_program(name: str) -> str | None:
    """Return the path of a program in the folders of ``PATH``.

    Unlike ``shutil.which`` never one in the current directory, which Windows searches before all others: whoever put
    files there, from an archive for instance, would have them run.
    """
    names = (name, f"{name}.exe") if os.name == "nt" else (name,)
    folders = filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    paths = (os.path.join(folder, each) for folder in folders for each in names)
    return next(filter(None, map(shutil.which, paths)), None)


def _usual_places() -> Iterator[Path]:
    """Return the paths that Python has in an environment, or where it is installed."""
    names = f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3", "python"
    if os.name == "nt":
        yield from (Path(sys.prefix, folder, f"{name}.exe") for folder in ("Scripts", "") for name in names)
    else:
        yield from (Path(sys.prefix, "bin", name) for name in names)
