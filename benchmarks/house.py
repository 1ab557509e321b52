"""What an import costs."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from .clients import BARE, G4F, HTTPX, LITELLM, OPENAI, OURS, SETTINGS
from .table import Numbers

WITH_TENACITY, NOTHING = "requests + tenacity", "no import"
STATEMENTS = {  # as scripts really write them
    BARE: "import requests",
    OURS: "from g4f_lite import Client, Chatgpt4Online",
    HTTPX: "import httpx, httpx_sse",
    OPENAI: "from openai import OpenAI",
    LITELLM: "from litellm import completion",
    G4F: "from g4f.client import Client",
    WITH_TENACITY: "import requests, tenacity",
    NOTHING: "import sys",
}


def imports(client: str, python: str) -> Numbers:
    """Time by the clock, in milliseconds, of a whole process that imports the client and does nothing else.

    It runs outside the checkout, whose code may not be compiled yet: each client is imported as it is installed.
    """
    place, settings = Path(python).parent, {**os.environ, **SETTINGS}
    began = time.perf_counter()
    process = subprocess.run([python, "-c", STATEMENTS[client]], cwd=place, env=settings, check=False)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"the import ended with {process.returncode}")
    return {"ms": seconds * 1000}
