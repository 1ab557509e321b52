"""Errors as a caller sees them: with the caller's own lines, and one line for the cause."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from ..errors import G4FLiteError, HookError
from .display import in_ipython

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


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
    """Let a function raise our errors and Ctrl-C without the lines of this library, and notebooks show others so."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except G4FLiteError as error:
            raise shortened(error)  # noqa: B904  it is the same one
        except KeyboardInterrupt as error:
            leave_out_frames(error)
            raise error  # not a bare raise, which restores the traceback on Python 3.10
        except (TypeError, ValueError) as error:
            if in_ipython() and not hasattr(error, "_render_traceback_"):
                error._render_traceback_ = partial(G4FLiteError._render_traceback_, error)  # type: ignore[union-attr]
            raise

    return cast(F, called)
