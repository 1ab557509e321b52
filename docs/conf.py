"""How Sphinx builds these pages."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of

project = "g4f_lite"
author = "The g4f_lite maintainers"
copyright = "2026, The g4f_lite maintainers"
version = release = version_of("g4f-lite")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"g4f_lite {version}"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True


def _as_restructuredtext(app, what, name, obj, options, lines):
    """Read docstrings as they are written: an indented block is code, and `;  :param` begins a new field."""
    text = re.sub(r";\s+:(?=\w+ ?[\w.]*: ?)", "\n:", "\n".join(lines))
    shown: list[str] = []
    in_code = False
    for line in text.split("\n"):
        indented = line.startswith("    ")
        last = next((above for above in reversed(shown) if above), "")
        if indented and not in_code and shown and not shown[-1] and not last.startswith((" ", ":", "..")):
            shown += ["::", ""]
            in_code = True
        elif line and not indented:
            in_code = False
        shown.append(line)
    lines[:] = shown


def setup(app):
    app.connect("autodoc-process-docstring", _as_restructuredtext)
