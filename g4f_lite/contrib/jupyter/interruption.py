"""What a notebook shows when its user interrupts an answer."""

from __future__ import annotations

from ...answers.answer import Answer


class AnswerInterrupted(KeyboardInterrupt):
    """The user's interrupt, with the part of the answer that had arrived.

    :param partial: what had arrived
    :param name: the name that it was bound to, if it was
    """

    def __init__(self, partial: Answer, name: str | None) -> None:
        where = f"; what had arrived is in {name}" if name else ""
        super().__init__(f"the answer was interrupted{where}")
        self.partial = partial

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython and notebooks show, instead of where in the library it happened."""
        return [f"{type(self).__name__}: {self}"]
