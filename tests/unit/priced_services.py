"""A scripted service whose calls have a price."""

from __future__ import annotations

from typing import Any

from g4f_lite.testing import Scripted


class At(Scripted):
    """A scripted service.

    :param priced_at: the address whose prices count, "" for one that is free, a Price, or None
    """

    def __init__(self, priced_at: Any, *answers: Any, name: str = "At") -> None:
        super().__init__(*answers)
        self.priced_at = priced_at
        self.name = name

    def begin(self, prompt: Any) -> Any:
        return _Source(super().begin(prompt), self.priced_at)


class _Source:
    def __init__(self, deltas: Any, priced_at: Any) -> None:
        self._deltas, self.priced_at = deltas, priced_at

    def __iter__(self) -> Any:
        return self._deltas

    def close(self) -> None:
        self._deltas.close()
