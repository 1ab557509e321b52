"""How Sphinx builds these pages."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import prepared_answers

project = "g4f_lite"
author = "The g4f_lite maintainers"
copyright = "2026, The g4f_lite maintainers"
version = release = version_of("g4f-lite")

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"g4f_lite {version}"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# The example notebook is executed; a cell that fails ends the build.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 60

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True


def setup(app: Any) -> None:
    """Let the notebook ask a server on loopback while the pages are built."""
    emulator = prepared_answers.emulator().start()
    os.environ.update(prepared_answers.environment_for(emulator))
    app.connect("build-finished", lambda *_: emulator.close())
