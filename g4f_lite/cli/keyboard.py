"""The keyboard of the terminal while an answer is written."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def silent_keyboard(resumed: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Do not show what is typed within a ``with`` block: it would stand in the middle of the answer.

    The keys are kept for whoever reads them next, and Ctrl-C and Ctrl-Z work as before.

    :param resumed: called when the program goes on after Ctrl-Z
    """
    try:
        import termios
    except ImportError:  # Windows shows keys only when they are read
        yield
        return
    try:
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
    except (AttributeError, OSError, ValueError, termios.error):  # none, or not a terminal
        yield
        return

    def switch(attributes: list[Any]) -> None:
        with suppress(OSError, termios.error):  # not this program's own terminal, or closed meanwhile
            if os.tcgetpgrp(keyboard) == os.getpgrp():  # a job in the background that changes a terminal is stopped
                termios.tcsetattr(keyboard, termios.TCSANOW, attributes)

    def go_on(*_: object) -> None:
        switch(silent)  # the shell has switched it back
        resumed()

    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    switch(silent)
    handler = signal.signal(signal.SIGCONT, go_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, handler)
        switch(before)
