"""Errors as a caller sees them: with the caller's own lines, and one line for the cause."""

# ruff: noqa: B904  it is the same error that is raised again, and a traceback shows that line
from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial, wraps
from types import TracebackType
from typing import Any, TypeVar, cast

from ..errors import G4FLiteError, HookError
from .ipython import in_ipython

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_OWN = __name__.partition(".")[0] + "."
_OF_ARGUMENTS = (TypeError, ValueError, IndexError, OSError)  # the last for a file that an argument names


def shortened(error: G4FLiteError) -> G4FLiteError:
    """Return an error without the traceback of what this library called, to raise it where the caller's call begins.

    Its cause stays as its ``__cause__`` and prints as one line.  What led to the cause is in the ``__context__`` of
    that, and in the log with all tracebacks, at the level DEBUG.
    """
    leave_out_frames(error)
    cause = error.__cause__
    if cause is not None and not isinstance(error, HookError):  # whose cause is in the code that has to be mended
        cause.__traceback__ = None
        inner = cause.__cause__
        if inner is not None:
            cause.__context__ = inner
        cause.__cause__ = None  # which also keeps the context out of a printed traceback
    return error


def leave_out_frames(error: BaseException) -> None:
    """Take out of an error the traceback of what this library called; the log has it, at the level DEBUG."""
    if error.__traceback__ is not None and logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s, raised from here:", type(error).__name__, exc_info=error)
    error.__traceback__ = None


def with_short_errors(function: F) -> F:
    """Let a function, or a generator, raise errors and Ctrl-C with few lines of this library."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        __tracebackhide__ = True  # from pytest, which would show all of this function
        try:
            return function(*arguments, **named)
        except (G4FLiteError, KeyboardInterrupt, *_OF_ARGUMENTS) as error:
            raise _short(error)

    @wraps(function)
    def iterated(*arguments: Any, **named: Any) -> Any:
        try:
            yield from function(*arguments, **named)
        except (G4FLiteError, KeyboardInterrupt, *_OF_ARGUMENTS) as error:
            raise _short(error)

    return cast(F, iterated if inspect.isgeneratorfunction(function) else called)


def _short(error: BaseException) -> BaseException:
    if isinstance(error, G4FLiteError):
        return shortened(error)
    steps = error.__traceback__
    leave_out_frames(error)
    if isinstance(error, _OF_ARGUMENTS):  # or of a function that the caller gave, whose lines are left
        error.__traceback__ = last = _last_own(steps)
        if last is None and str(error).endswith(" were given"):
            error.args = (f"{error}; write all but the first by name, such as model= or system=",)
        if in_ipython() and not hasattr(error, "_render_traceback_"):
            error._render_traceback_ = partial(G4FLiteError._render_traceback_, error)  # type: ignore[union-attr]
    return error  # not for a bare raise, which restores the traceback on Python 3.10


def _last_own(steps: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the last line of this library on; None for one of a single line."""
    last = steps and steps.tb_next
    while last is not None and (step := last.tb_next) is not None and _is_own(step):
        last = step
    return last


def _is_own(step: TracebackType) -> bool:
    return str(step.tb_frame.f_globals.get("__name__")).startswith(_OWN)
