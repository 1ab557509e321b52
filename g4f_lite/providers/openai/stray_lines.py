"""Lines in an event stream that are not of one, and that say something all the same."""

from __future__ import annotations

import re

from ...errors import G4FLiteError, ResponseFormatError, ServiceError
from ...http.body import parse_json
from ...http.checks import ERROR_BODY_BYTES, shorten
from ...http.events import Event
from .errors import failure_in, tells_of_failure, with_body


class StrayLines:
    """Reads the lines that the standard of event streams does not know.

    llama.cpp reports a failure as a line ``error: {…}``.  Gateways write an error as JSON without ``data:`` before
    it, in one line or in many, or end an answer with a few words of plain text.

    :ivar lost: a line that may have been a piece of the answer, as it is no field, or one of an unknown name that holds
        JSON; "" where there was none
    """

    def __init__(self) -> None:
        self.lost = ""
        self._kept: list[str] = []
        self._room = ERROR_BODY_BYTES

    def __call__(self, line: bytes) -> Event | None:
        """Return the event that a line stands for; a line that stands for none is kept."""
        line = line.strip(b" \t")
        name, _, value = line.partition(b":")
        if name in (b"data", b"error"):
            return Event("message" if name == b"data" else "error", value.decode("utf-8", "replace").strip(), "")
        if line.startswith(b"{") and line.endswith(b"}"):
            return Event("message", line.decode("utf-8", "replace"), "")
        is_field = re.match(rb"[\w-]+:", line) is not None  # which further versions of the standard may know
        if not is_field or name.lower() == b"data" or value.lstrip().startswith(b"{"):
            self.lost = self.lost or line[:ERROR_BODY_BYTES].decode("utf-8", "replace")
        if self._room > 0:
            self._kept.append(line[: self._room].decode("utf-8", "replace"))
            self._room -= len(line)
        return None

    def failure(self) -> G4FLiteError | None:
        """Make the error for an answer without an end: what the lines say; None where there were none."""
        text = "\n".join(self._kept).strip()
        if not text:
            return None
        try:
            value = parse_json(text)
        except ResponseFormatError:
            value = None
        failure = failure_in(value, whole=True) if isinstance(value, dict) else None
        if failure is None and tells_of_failure(text):
            failure = ServiceError(shorten(text))
        return with_body(failure or ResponseFormatError(f"expected events, got {shorten(text, 200)!r}"), text)
