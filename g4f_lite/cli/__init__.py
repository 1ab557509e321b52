"""The command-line interface, ``g4f-lite``."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from .keyboard import silent_keyboard

NEEDS_CLICK = 'The command line needs the package click: pip install "g4f-lite[cli]"'


def main() -> None:
    """Run the command line and exit: 0, 1 for an error, 2 for wrong usage, or 3 for an error that may pass by itself.

    Ctrl-C ends it as a signal does.
    """
    try:
        with silent_keyboard():  # what is typed this early would stand before the answer
            from .app import run
        sys.exit(run())
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit(NEEDS_CLICK)
    except KeyboardInterrupt:
        _end_interrupted()


def _end_interrupted() -> NoReturn:
    """End by the signal itself, which stops a shell's loop as well; an exit code does not.

    :raises KeyboardInterrupt: for Python, which cleans up and then sends itself the signal
    """
    if os.name == "nt" or hasattr(sys, "frozen"):  # there is no such signal, or no Python that knows it
        sys.exit(128 + signal.SIGINT)
    sys.excepthook = lambda *_: None
    raise KeyboardInterrupt
