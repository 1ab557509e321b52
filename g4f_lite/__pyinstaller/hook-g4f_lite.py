"""PyInstaller's hook: the modules that are imported by their names, which it does not see in the code."""

from __future__ import annotations

import re

from PyInstaller.utils.hooks import collect_submodules

_NOT_FOR_APPS = re.compile(r"g4f_lite\.(cli|testing\.pytest_plugin|__pyinstaller)\b")

hiddenimports = collect_submodules("g4f_lite", filter=lambda name: _NOT_FOR_APPS.match(name) is None)
