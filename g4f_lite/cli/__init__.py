"""The command-line interface, ``g4f-lite``."""

from __future__ import annotations

import sys

NEEDS_CLICK = 'The command line needs the package click: pip install "g4f-lite[cli]"'


def main() -> None:
    """Run the command line and exit: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit(NEEDS_CLICK)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run())
