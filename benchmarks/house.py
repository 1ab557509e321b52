"""What an import costs."""

from __future__ import annotations

import os
import subprocess
import sys

from .table import BARE, OURS, Figures

MODULES = {
    BARE: "requests, tenacity",
    OURS: "g4f_lite",
    "httpx-sse": "httpx_sse",
    "openai": "openai",
    "litellm": "litellm",
    "g4f": "g4f.client",
}


def imports(rounds: int, clients: dict[str, str] | None = None) -> Figures:
    """Milliseconds of CPU time that a process takes to start and import the client; bare: requests and tenacity."""
    clients = clients or {BARE: sys.executable, OURS: sys.executable}
    figures = Figures()
    for _ in range(max(rounds, 5)):
        for client, python in clients.items():
            process = subprocess.Popen([python, "-c", f"import {MODULES[client]}"])
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, client
            figures.add(client, {"ms": (usage.ru_utime + usage.ru_stime) * 1000})
    return figures
