"""Which of an engine's slots a conversation gets, so that what it has computed already is not computed again.

llama.cpp keeps in each slot what it computed last, and goes on from as much of it as a new prompt begins
with.  Left to choose, it lets conversations that begin alike overwrite each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...messages import Messages, text_of

LEAST_SHARED = 256  # characters: fewer are computed in an instant


@dataclass
class Slot:
    """A slot, and the messages of the prompt that it had last."""

    number: int
    messages: Messages = field(default_factory=list)

    def knows(self, messages: Messages) -> int:
        """Return how many messages a conversation has in common with this slot; 0 where it is another one.

        It is the same if it goes on from here, or has another last message, as when one is asked again.
        """
        known = self.messages
        if messages[: len(known)] == known:
            return len(known)
        known = known[:-1]
        has_turn = any(message["role"] == "user" for message in known)
        return len(known) if has_turn and messages[: len(known)] == known else 0

    def shares(self, messages: Messages) -> int:
        """Return how many characters this slot has of the beginning of another prompt, such as the same document.

        0 where that is little, or less than half of what the slot has, and where a conversation has gone on in it.
        """
        if any(message["role"] == "assistant" for message in self.messages):
            return 0
        mine, new = ("\n".join(text_of(one.get("content")) for one in some) for some in (self.messages, messages))
        pairs = enumerate(zip(mine, new, strict=False))
        shared = next((index for index, (one, other) in pairs if one != other), min(len(mine), len(new)))
        return shared if shared >= max(LEAST_SHARED, len(mine) / 2) else 0


class Slots:
    """The slots of an engine.

    :param count: how many there are
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = [Slot(number) for number in range(count)]  # the one that was used last is at the end
        self._lock = threading.RLock()  # reentrant: the garbage collector may close an answer in any line

    @contextmanager
    def lend(self, messages: Messages) -> Iterator[int | None]:
        """Lend a slot for an answer to messages; None where all are in use: the engine takes the next free one."""
        with self._lock:
            # Where none has any of them, the first.
            slot = max(self._free, key=lambda free: (free.knows(messages), free.shares(messages)), default=None)
            if slot is not None:
                self._free.remove(slot)
        try:
            yield slot.number if slot is not None else None
        finally:
            if slot is not None:
                slot.messages = messages
                with self._lock:
                    self._free.append(slot)
