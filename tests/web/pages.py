"""The files that the pages about Flask print."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
TEXT = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("flask.md", "flask-in-production.md"))
FILES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", TEXT, re.M | re.S))
NGINX = re.search(r"^    location / \{\n.*?^    \}\n", TEXT, re.M | re.S)


def write(name: str, folder: Path) -> None:
    """Write one of the files into a folder."""
    (folder / f"{name}.py").write_text(FILES[name], encoding="utf-8")
