"""What a notebook and IPython show when their user interrupts an answer or a batch."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any, Protocol, TypeVar, cast

from ..errors import ResponseFormatError
from .answer import Answer
from .ipython import bind, in_ipython
from .short_traceback import leave_out_frames

F = TypeVar("F", bound=Callable[..., Any])

NAME = "_interrupted"  # of what had come, among the user's variables: sys.last_value changes with the next error


class Interrupted(KeyboardInterrupt):
    """The user's interrupt, in one line, without where in the library it happened.

    :ivar came: what had come, if anything did
    """

    came: Any = None

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython and notebooks show, and give what had come its name."""
        if self.came is not None:
            bind(NAME, self.came)
        return [f"{type(self).__name__}: {self}"]


class AnswerInterrupted(Interrupted):
    """The user's interrupt, with the part of the answer that had arrived.

    :param partial: what had arrived
    :param name: the name that it was bound to, if it was
    """

    def __init__(self, partial: Answer, name: str | None = None) -> None:
        place = f"; what had arrived is in {name or NAME}" if partial else ""
        super().__init__(f"the answer was interrupted{place}")
        self.partial = self.came = partial


class BatchInterrupted(Interrupted):
    """The user's interrupt of a batch.

    :param results: the results of the batch, which keep what has come, and go on when they are read again
    :param done: how many there are, and what goes on without the user
    :param store: the file that keeps them; None if there is none
    """

    def __init__(self, results: Any, done: str, store: object = None) -> None:
        kept = f", kept in {store}" if store else ""
        hint = f"{NAME}.so_far is what has come{kept}, and reading {NAME} again goes on"
        super().__init__(f"the batch was interrupted after {done}; {hint}")
        self.results = self.came = results


def interrupt_of_batch(error: KeyboardInterrupt, results: Any, done: str, store: object) -> KeyboardInterrupt:
    """Return the interrupt of a batch: in IPython a BatchInterrupted, elsewhere the same one, which says how far it is.

    :param results: the results of the batch
    :param done: how many there are, and what goes on without the user
    :param store: the file that keeps them; None if there is none
    """
    if in_ipython():
        return BatchInterrupted(results, done, store)
    leave_out_frames(error)
    kept = f", kept in {store}; the same program goes on from there" if store else ""
    error.args = error.args or (f"the batch was interrupted after {done}{kept}",)
    return error


def hear_interrupts() -> None:
    """Let an interrupt of a notebook's cell with ``await`` be raised at once, until the cell ends.

    For such a cell ipykernel keeps an interrupt until the cell awaits again, which a call that blocks does not do.
    Other tasks than the cell's own still need that: of an interrupt raised in one, asyncio would end the whole kernel.
    """
    if "ipykernel" not in sys.modules or threading.current_thread() is not threading.main_thread():
        return
    import signal  # which few programs need

    keep = signal.getsignal(signal.SIGINT)
    if not str(getattr(keep, "__module__", "")).startswith("ipykernel."):
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if _in_code_of_cell(frame):
            raise KeyboardInterrupt
        cast(Callable[..., object], keep)(number, frame)

    if _in_code_of_cell(sys._getframe()):
        signal.signal(signal.SIGINT, interrupt)  # ipykernel puts another in its place after each cell


def _in_code_of_cell(frame: FrameType | None) -> bool:
    """Return whether a frame runs for the code of a cell, where IPython handles a KeyboardInterrupt."""
    while frame is not None:
        if frame.f_code.co_name == "run_code" and frame.f_globals.get("__name__", "").startswith("IPython."):
            return True
        frame = frame.f_back
    return False


class HasAnswer(Protocol):
    """A stream."""

    @property
    def answer(self) -> Answer: ...


def part_of(stream: HasAnswer) -> Answer:
    """Return what has arrived of an answer, or its beginning if it is too long."""
    try:
        return stream.answer
    except ResponseFormatError as error:
        return Answer(error.partial)


def short_interrupt(function: F) -> F:
    """Let a function raise a KeyboardInterrupt without the lines of this library, and Interrupted in IPython."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except KeyboardInterrupt as error:
            if in_ipython() and not isinstance(error, Interrupted):
                raise Interrupted("the call was interrupted") from error
            leave_out_frames(error)
            raise error

    return cast(F, called)


def raise_interrupt(error: BaseException, stream: HasAnswer) -> None:
    """Raise a KeyboardInterrupt with a short traceback, and as AnswerInterrupted in IPython; else do nothing."""
    if not isinstance(error, KeyboardInterrupt):
        return
    if in_ipython():
        raise AnswerInterrupted(part_of(stream)) from error
    leave_out_frames(error)
    raise error
