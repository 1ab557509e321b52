"""An environment of its own for each client, because some of their requirements exclude each other's."""

from __future__ import annotations

import configparser
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .background import ROOT
from .clients import BARE, CLIENTS, G4F, HTTPX, LITELLM, OPENAI, OURS
from .table import Numbers

PACKAGES = {BARE: ["requests"], HTTPX: ["httpx", "httpx-sse"], OPENAI: ["openai"], LITELLM: ["litellm"], G4F: ["g4f"]}
# Not in the extra: it wants openai 2, and the extra has openai 3.
BESIDE_THE_EXTRA = ["litellm==1.106.*"]
LISTING = """
import importlib.metadata as metadata, json
print(json.dumps({found.name.lower().replace("_", "-"): found.version for found in metadata.distributions()}))
"""
TOOLS = {"pip", "setuptools", "wheel"}


class NotInstalledError(Exception):
    """A client's environment cannot be made; it says why."""


def python_for(client: str, folder: Path, *, newest: bool = False) -> str:
    """Give the Python of a client's environment below ``folder``; make it where it is missing or out of date.

    :param newest: whether to install the newest version of a peer, and not the one that the extra names
    :raises NotInstalledError: pip failed
    """
    home = folder / client.replace(" ", "-")
    python = str(home / ("Scripts" if os.name == "nt" else "bin") / "python")
    wanted = PACKAGES[client] if newest and client != OURS else _requirements(client)
    made_for = home / "requirements.json"
    contents = json.dumps([sys.version, wanted])
    is_current = made_for.exists() and made_for.read_text(encoding="utf-8") == contents
    if client == OURS or not is_current:  # the sources of ours may have changed
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        if client == OURS:
            with tempfile.TemporaryDirectory() as copy:  # pip would leave a folder "build" beside the sources
                _run(python, "-m", "pip", "install", _copy_of_sources(Path(copy)))
        else:
            _run(python, "-m", "pip", "install", *wanted)
        made_for.write_text(contents, encoding="utf-8")
    return python


def distributions(client: str, python: str) -> Numbers:
    """Distributions that a plain install puts into an empty environment, itself included, pip and setuptools not."""
    return {"distributions": len(installed(python).keys() - TOOLS)}


def installed(python: str) -> dict[str, str]:
    """Give the versions of what an environment holds, by name."""
    done = subprocess.run([python, "-c", LISTING], capture_output=True, text=True, check=True, cwd=Path(python).parent)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def machine(pythons: dict[str, str]) -> str:
    """Say on what, and with which versions, the figures were taken."""
    versions = []
    for client, python in pythons.items():
        found = installed(python)
        names = ["g4f-lite", "requests", "urllib3", "tenacity"] if client == OURS else PACKAGES[client]
        versions.append(f"{client}: {', '.join(f'{name} {found[name]}' for name in names)}")
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {os.cpu_count()} cores{_processor()}, {system}.\n\nVersions: {'; '.join(versions)}."


def _requirements(client: str) -> list[str]:
    """List what is installed for a client: of ours, what its own installation asks for."""
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    if client == OURS:
        return config["options"]["install_requires"].split()
    lines = [*config["options.extras_require"]["bench"].splitlines(), *BESIDE_THE_EXTRA]
    pinned = {line.partition("==")[0].strip(): line.strip() for line in lines}
    return [pinned.get(name, name) for name in PACKAGES[client]]


def _copy_of_sources(folder: Path) -> str:
    shutil.copytree(ROOT / "g4f_lite", folder / "g4f_lite", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder)
    return str(folder)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f" ({names[0]})" if names else ""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise NotInstalledError((done.stderr or done.stdout).strip().rpartition("\n")[2])


assert set(CLIENTS) == {OURS, *PACKAGES}
