"""The keyboard of the terminal while an answer is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_keyboard() -> Iterator[None]:
    """Do not show what is typed within a ``with`` block: it would stand in the middle of the answer.

    The keys are kept for whoever reads them next, and Ctrl-C works as before.
    """
    try:
        import termios
    except ImportError:  # Windows shows keys only when they are read
        yield
        return
    try:
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
        is_ours = os.tcgetpgrp(keyboard) == os.getpgrp()  # a job in the background that changes a terminal is stopped
    except (OSError, ValueError, termios.error):  # not a terminal
        is_ours = False
    if not is_ours:
        yield
        return
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(keyboard, termios.TCSANOW, silent)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
