"""Connections of waitress that end with a request that comes too slowly; by itself, each byte gives it more time."""

from __future__ import annotations

from waitress.channel import HTTPChannel

SLOWEST = 10_000  # bytes a second, at which a request may come for as long as it takes


class Channel(HTTPChannel):
    """A connection that counts as idle while a request comes at less than ``SLOWEST`` bytes a second."""

    _enough_until = 0.0  # the time at which what has come of the request would have come at that pace

    def received(self, data: bytes) -> bool:
        """Take what has come; ``last_activity`` is now, and decides when waitress closes the connection as idle."""
        if self.request is None:
            self._enough_until = self.last_activity
        else:
            self._enough_until += len(data) / SLOWEST
            self.last_activity = min(self.last_activity, self._enough_until)
        return super().received(data)
