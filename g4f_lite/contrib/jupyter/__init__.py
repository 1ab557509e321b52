"""``%load_ext g4f_lite``: the magics ``%%chat`` and ``%chat``, in notebooks and in IPython's terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LINE = re.compile(r"^(?P<magic>%chat(?=.*\?\s*$)|%%chat)(?:[ \t]+(?P<rest>\S.*?))?[ \t]*$", re.MULTILINE)


def load(shell: InteractiveShell) -> None:
    """Add the magics and their completion to a shell."""
    from .completion import Completer
    from .magics import ChatMagics

    magics = ChatMagics(shell)
    shell.register_magics(magics)
    others = shell.Completer.custom_matchers
    others[:] = [matcher for matcher in others if not isinstance(getattr(matcher, "__self__", None), Completer)]
    others.append(Completer(magics).complete)
    if keep_prompts not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(keep_prompts)


def keep_prompts(lines: list[str]) -> list[str]:
    """Keep IPython from taking ``%chat system Do you see this?`` for a call for help on ``this``.

    A ``%%chat`` without a cell below is left to the magic as well, which says where the prompt belongs.
    """
    if not lines or (lines[0].startswith("%%") and len(lines) > 1):  # the lines of a prompt are its own
        return lines
    if not any(map(_LINE.match, lines)):
        return lines
    from IPython.core.inputtransformer2 import make_tokens_by_line

    begun = {tokens[0].start[0] for tokens in make_tokens_by_line(lines) if tokens}  # not those within a string
    return [_LINE.sub(_call, line) if number in begun else line for number, line in enumerate(lines, start=1)]


def _call(found: re.Match[str]) -> str:
    if found["magic"] == "%chat":
        return f"get_ipython().run_line_magic('chat', {found['rest']!r})"
    return f"get_ipython().run_cell_magic('chat', {found['rest'] or ''!r}, '\\n')"
