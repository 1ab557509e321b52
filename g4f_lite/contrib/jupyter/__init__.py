"""``%load_ext g4f_lite``: the magics ``%%chat`` and ``%chat``, in notebooks and in IPython's terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_QUESTION = re.compile(r"^%chat[ \t]+(\S.*\?)[ \t]*$", re.MULTILINE)


def load(shell: InteractiveShell) -> None:
    """Add the magics and their completion to a shell."""
    from .completion import Completer
    from .magics import ChatMagics

    magics = ChatMagics(shell)
    shell.register_magics(magics)
    completer = Completer(magics)
    for name in ("%%chat", "%chat"):
        shell.set_hook("complete_command", completer.complete, str_key=name)
    shell.input_transformers_cleanup.append(keep_question_marks)


def keep_question_marks(lines: list[str]) -> list[str]:
    """Keep IPython from taking ``%chat system Can you see this?`` for a call for help on ``this``."""
    if lines[:1] and lines[0].startswith("%%"):  # a prompt, whose lines are its own
        return lines
    return [_QUESTION.sub(lambda found: f"get_ipython().run_line_magic('chat', {found[1]!r})", line) for line in lines]
