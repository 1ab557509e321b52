"""Notes on standard error: what a user may want to know beside an answer, and the option ``--quiet``."""

from __future__ import annotations

import click

from ..errors import without_double_marks
from .failure import tell

_QUIET = f"{__name__}.quiet"


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[_QUIET] = value


quiet_option = click.option(
    "--quiet",
    "-q",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Write no notes and no progress, only errors.",
)


def note(text: str) -> None:
    """Write a note to standard error, unless ``--quiet`` is given."""
    if not is_quiet():
        tell(f"Note: {without_double_marks(text)}")


def is_quiet() -> bool:
    """Return whether the command that runs is to write no notes."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_QUIET))
