"""The Python interpreter for processes of our own."""

from __future__ import annotations

import os
import re
import shutil
import sys
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
        if not (found := shutil.which(named)):
            raise ProviderNotConfiguredError(
                f"{VARIABLE} names {named}, which cannot be run; set it to the path of a Python interpreter",
                provider="Local",
            )
        return os.path.abspath(found)
    frozen = getattr(sys, "frozen", False)
    if not frozen and NAME.fullmatch(Path(sys.executable or "").name):
        return sys.executable
    folder, suffix = (Path(sys.prefix), ".exe") if os.name == "nt" else (Path(sys.prefix, "bin"), "")
    for name in () if frozen else (f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3", "python"):
        if os.access(path := folder / f"{name}{suffix}", os.X_OK):
            return str(path)
    program = sys.executable or "this program"
    raise ProviderNotConfiguredError(
        f"the embedded model runs in a process of its own, which needs a Python interpreter, and {program} is not one; "
        f"set {VARIABLE} to the path of one, version 3.10 or newer",
        provider="Local",
    )
