"""``%load_ext g4f_lite``: the magics ``%%chat`` and ``%chat``, in notebooks and in IPython's terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(shell: InteractiveShell) -> None:
    """Add the magics and their completion to a shell."""
    from .completion import Completer
    from .magics import ChatMagics

    magics = ChatMagics(shell)
    shell.register_magics(magics)
    completer = Completer(magics)
    for name in ("%%chat", "%chat"):
        shell.set_hook("complete_command", completer.complete, str_key=name)
