"""What an import costs."""

from __future__ import annotations

import os
import subprocess

from .background import ROOT
from .clients import BARE, G4F, HTTPX, LITELLM, OPENAI, OURS, SETTINGS
from .table import Numbers

WITH_TENACITY, NOTHING = "requests + tenacity", "no import"
MODULES = {
    BARE: "requests",
    OURS: "g4f_lite",
    HTTPX: "httpx, httpx_sse",
    OPENAI: "openai",
    LITELLM: "litellm",
    G4F: "g4f.client",
    WITH_TENACITY: "requests, tenacity",
    NOTHING: "sys",
}


def imports(client: str, python: str) -> Numbers:
    """Processor time, in milliseconds, of a process that imports the client and does nothing else."""
    process = subprocess.Popen([python, "-c", f"import {MODULES[client]}"], cwd=ROOT, env={**os.environ, **SETTINGS})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the import ended with {process.returncode}")
    return {"ms": (usage.ru_utime + usage.ru_stime) * 1000}
