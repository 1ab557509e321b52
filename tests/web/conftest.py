"""What the tests on real servers share.  They need packages that the extra `test` does not bring: `tox -e flask3`."""

from __future__ import annotations

import importlib.util
import os

collect_ignore_glob: list[str] = []
if os.name == "nt" or importlib.util.find_spec("waitress") is None or importlib.util.find_spec("gunicorn") is None:
    collect_ignore_glob.append("test_*")
