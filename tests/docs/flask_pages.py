"""The files that the pages about Flask print, and how their events are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("flask.md", "flask-in-production.md")]
BLOCKS = [block for page in PAGES for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)]
FILES = {name[1]: block for block in BLOCKS if (name := re.match(r"# (\w+)\.py\n", block))}
README = (ROOT / "README.md").read_text(encoding="utf-8")
(VIEW,) = re.findall(r"^## In a Flask view\n\n```python\n(.*?)^```$", README, re.M | re.S)
FILES["readme"] = f"import g4f_lite\n{VIEW}"

Load = Callable[[str], ModuleType]


def events(body: bytes) -> list[tuple[str, Any]]:
    found = re.findall(r"(?:event: (\w+)\n)?data: (.*)\n\n", body.decode())
    return [(name or "message", json.loads(data)) for name, data in found]
