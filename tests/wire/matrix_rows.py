"""What becomes of a call under each fault of the emulator: the promise, a line a fault and place.

The rows are written from the rules, not from what the code does:

* nothing of the answer has come → what may pass is tried again, all else is raised at once;
* a prompt was taken whole, and nothing comes → it may be thought about, so it is not sent again;
* a piece has come → nothing is sent again, and the error keeps the text;
* the protocol's own end has come → the answer is whole, whatever follows;
* a token that is refused is fetched again, once;
* a kept connection that is closed before a byte of the answer is replaced, besides all tries.

``docs/reliability.md`` prints them, and ``test_matrix.py`` holds every provider to them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from g4f_lite.errors import (
    ContentFilterError,
    DeadlineExceededError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ServiceError,
)

from .matrix_outcomes import (
    ANSWER,
    BROKEN,
    BROKEN_END,
    CHALLENGE,
    CUT,
    DROPPED,
    EMPTY,
    FILTERED,
    FIRST,
    FOLLOWED,
    FORMAT,
    LATE,
    LIMIT,
    LOST,
    PROXY,
    QUOTA,
    REFUSED,
    RENEWED,
    SERVICE,
    SOUGHT,
    STATUS,
    STATUS_AT_ONCE,
    STATUS_LATER,
    STATUS_SOON,
    THINKING,
    UNREACHED,
    Outcome,
    kept,
    raised,
    repeated,
)

KiB, MiB = 1024, 1024 * 1024
FAMILIES = ("openai", "engine", "chats", "online")
PLACES = {
    None: "before the headers",
    "headers": "in the headers",
    0: "after the headers",
    1: "after the first piece",
    "end": "at the end",
}
Outcomes = tuple[Outcome | None, Outcome | None, Outcome | None, Outcome | None]


@dataclass(frozen=True)
class Row:
    """One fault in one place.

    :param outcomes: one for each of FAMILIES; None where there is nothing that it could strike
    :param settings: the fault's own
    :param server: the emulator's
    :param limits: the call's: ``"long"``, or short ones for ``"read"`` or ``"total"``
    :param struck: which request: that for a ``"text"``, the ``"bootstrap"`` before it, that for ``"drawing"`` an
        image, or the ``"image"``'s own
    """

    fault: str
    place: str
    outcomes: Outcomes
    settings: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    limits: str = "long"
    struck: str = "text"

    @property
    def parts(self) -> tuple[str, str, str]:
        """What is struck and where, the fault with its settings, and the limits of the call."""
        shown = {key: value for key, value in {**self.settings, **self.server}.items() if key != "after"}
        fault = self.fault + "".join(f" {key}={value}" for key, value in shown.items())
        return f"{self.struck} {self.place}", fault, self.limits

    @functools.cached_property
    def name(self) -> str:
        """Its fault, place and limits, with what else tells it from the others."""
        _, fault, _ = self.parts
        limits = () if self.limits == "long" else (self.limits,)
        return "-".join((self.struck, fault, self.place, *limits))


def each(outcome: Outcome) -> Outcomes:
    return outcome, outcome, outcome, outcome


def by_end(marked: Outcome, unmarked: Outcome) -> Outcomes:
    """Tell services whose answers have an end marker from those whose answers just end."""
    return marked, marked, unmarked, unmarked


REFUSALS = (REFUSED, SOUGHT, RENEWED, RENEWED)


def _row(fault: str, after: Any, outcomes: Outcomes, **more: Any) -> Row:
    settings = {"after": after, **more.pop("settings", {})}
    return Row(fault, PLACES[after], outcomes, settings, **more)


def _instead(fault: str, outcomes: Outcomes, *, server: dict[str, Any] | None = None, **settings: Any) -> Row:
    return Row(fault, "instead of the answer", outcomes, settings, server or {})


def _connections() -> list[Row]:
    rows = [
        Row("closed port", "before the request", each(UNREACHED)),
        Row("refuse", "before the request", each(UNREACHED)),
    ]
    for fault in ("reset", "cut"):
        rows += [
            _row(fault, None, each(DROPPED)),
            _row(fault, "headers", each(LOST)),
            _row(fault, 0, each(LOST)),
            _row(fault, 1, each(BROKEN)),
            _row(fault, "end", by_end(ANSWER, BROKEN_END)),
        ]
    close = {"framing": "close"}  # where a cut is an end like any other
    rows += [
        _row("cut", 0, each(EMPTY), server=close),
        _row("cut", 1, by_end(BROKEN, FIRST), server=close),
        _row("cut", "end", each(ANSWER), server=close),
        _row("reset", 1, each(BROKEN), server=close),
        _row("cut", 1, each(BROKEN), server={"framing": "length"}),
        _row("cut", 1, each(BROKEN), server={"encoding": "gzip"}),
    ]
    return rows


def _time() -> list[Row]:
    total = kept(DeadlineExceededError, limit="total")
    rows = []
    for after in (None, "headers", 0):
        rows += [_row("stall", after, each(THINKING), limits="read"), _row("stall", after, each(LATE), limits="total")]
    rows += [
        _row("stall", 1, each(kept(DeadlineExceededError, limit="read")), limits="read"),
        _row("stall", 1, each(total), limits="total"),
        _row("stall", "end", by_end(ANSWER, kept(DeadlineExceededError, "all", limit="read")), limits="read"),
        _row("stall", "end", by_end(ANSWER, kept(DeadlineExceededError, "all", limit="total")), limits="total"),
        *(_row("stall", after, each(ANSWER), settings={"seconds": 0.02}) for after in PLACES),
        Row("drip", PLACES["headers"], each(LATE), {"part": "headers"}, limits="total"),
        Row("drip", "in the body", each(LATE), {"part": "body", "interval": 0.5}, limits="total"),
        Row("drip", PLACES["headers"], each(ANSWER), {"part": "headers", "interval": 0.001}),
    ]
    return rows


def _endings() -> list[Row]:
    return [
        Row("end", PLACES["end"], by_end(BROKEN_END, ANSWER)),
        _row("end", 0, each(EMPTY)),
        _row("end", 1, by_end(BROKEN, FIRST)),
        _row("truncate", 0, (EMPTY, EMPTY, CUT, EMPTY)),
        _row("truncate", 1, (BROKEN, BROKEN, CUT, BROKEN)),
        _instead("empty", each(EMPTY)),
        _instead("no_body", each(EMPTY)),
        Row("trailing", PLACES["end"], each(ANSWER)),
    ]


def _statuses() -> list[Row]:
    rows = [_instead("status", each(STATUS), status=status) for status in (408, 425, 500, 502, 504)]
    rows += [_instead("status", each(STATUS_AT_ONCE), status=status) for status in (400, 404, 418, 501)]
    rows += [_instead("status", REFUSALS, status=status) for status in (401, 403)]
    rows += [
        _instead("status", each(QUOTA), status=402),
        _instead("status", each(PROXY), status=407),
        _instead("server_error", each(STATUS_SOON), retry_after=0.02),
        _instead("server_error", each(STATUS_LATER), retry_after=30),
        _instead("rate_limit", each(LIMIT)),
        _instead("rate_limit", each(repeated(RateLimitError, retry_after=0.02)), retry_after=0.02),
        _instead("rate_limit", each(repeated(RateLimitError, retry_after=0.0)), retry_after=0, date=True),
        _instead("rate_limit", each(raised(RateLimitError, retry_after=30.0)), retry_after=30),
        *(_instead("redirect", each(STATUS_AT_ONCE), status=status) for status in (301, 302)),
        _instead("redirect", each(FOLLOWED), status=307),
        *(_instead("challenge", each(CHALLENGE), status=status) for status in (200, 403, 503)),
    ]
    return rows


def _own_errors() -> list[Row]:
    return [
        _instead("error", (STATUS, SERVICE, SERVICE, SERVICE)),
        _instead("limit", (LIMIT, QUOTA, QUOTA, LIMIT)),
        _instead("quota", each(QUOTA)),
        _instead("success_false", (FILTERED, SERVICE, SERVICE, SERVICE)),
        _instead("token", REFUSALS),
        _row("error", 1, each(kept(ServiceError))),
        _row("limit", 1, (kept(RateLimitError), *2 * (kept(QuotaExceededError),), kept(RateLimitError))),
        _row("quota", 1, each(kept(QuotaExceededError))),
        _row("success_false", 1, (kept(ContentFilterError), *3 * (kept(ServiceError),))),
    ]


def _formats() -> list[Row]:
    late = kept(ResponseFormatError)
    return [
        _row("not_json", 0, (FORMAT, FORMAT, ANSWER, FORMAT)),  # AiChats sends raw text: nothing there to damage
        _row("not_json", 1, (late, late, ANSWER, late)),
        _row("wrong_types", 0, each(FORMAT)),
        _row("wrong_types", 1, each(late)),
        _row("endless_line", 0, (None, FORMAT, FORMAT, FORMAT), settings={"size": 2 * MiB}),
        _row("endless_line", 1, (None, late, late, late), settings={"size": 2 * MiB}),
        _row("endless_line", 0, (FORMAT, None, None, None), settings={"size": 33 * MiB}),
        _row("endless_line", 1, (late, None, None, None), settings={"size": 33 * MiB}),
        Row("endless_headers", PLACES["headers"], each(FORMAT), {"size": 256 * KiB}),
        _instead("bomb", (EMPTY, FORMAT, FORMAT, FORMAT), size=8 * MiB),  # a line may be longer where it holds an image
    ]


ROWS = [*_connections(), *_time(), *_endings(), *_statuses(), *_own_errors(), *_formats()]
