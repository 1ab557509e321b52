"""What becomes of a call when a fault strikes beside a prompt: before it, in a bootstrap, or around an image.

The rules are those of ``matrix_rows``, with what follows from them here:

* a bootstrap and an image come before the first piece, so that what may pass is tried again;
* a bootstrap that is refused says nothing of the token, and is not tried again;
* AiChats wants its page's cookies alone, and takes a page that is cut or damaged behind them.
"""

from __future__ import annotations

from typing import Any

from g4f_lite.errors import ResponseStatusError

from .matrix_outcomes import (
    ANSWER,
    CHALLENGE,
    DROPPED,
    FILTERED,
    FOLLOWED,
    FORMAT,
    LATE,
    LIMIT,
    LOST,
    NO_TOKEN,
    PROXY,
    QUOTA,
    REFUSED,
    RENEWED,
    SERVICE,
    SILENCE,
    STATUS,
    STATUS_AT_ONCE,
    STATUS_LATER,
    STATUS_SOON,
    THINKING,
    Outcome,
)
from .matrix_rows import PLACES, KiB, MiB, Outcomes, Row, each

NO_LIST = Outcome(ResponseStatusError, "second address")


def but_chats(outcome: Outcome, of_chats: Outcome = ANSWER) -> Outcomes:
    """Tell AiChats, whose bootstrap is a page, from the others, where it is an object."""
    return outcome, outcome, of_chats, outcome


def drawn(outcome: Outcome, of_chats: Outcome | None = None) -> Outcomes:
    """Say it for the two that the emulator has images of: OpenAICompatible and AiChats."""
    return outcome, None, of_chats or outcome, None


def _place(fault: str, settings: dict[str, Any]) -> str:
    """Say where a fault strikes that is not told where to."""
    places = {"trailing": PLACES["end"], "endless_line": PLACES[0], "endless_headers": PLACES["headers"]}
    return f"in the {settings['part']}" if fault == "drip" else places.get(fault, "instead of the answer")


def _row(
    struck: str, fault: str, outcomes: Outcomes, after: Any = ..., *, limits: str = "long", **settings: Any
) -> Row:
    place = _place(fault, settings) if after is ... else PLACES[after]
    settings |= {} if after is ... else {"after": after}
    return Row(fault, place, outcomes, settings, limits=limits, struck=struck)


def _bootstraps() -> list[Row]:
    def row(*what: Any, **more: Any) -> Row:
        return _row("bootstrap", *what, **more)

    rows = []
    for fault in ("reset", "cut"):
        rows += [row(fault, each(LOST), None), row(fault, each(LOST), "headers")]
        rows += [row(fault, but_chats(LOST), 0), row(fault, but_chats(LOST), "end")]
    for limits, outcome in (("read", SILENCE), ("total", LATE)):
        rows += [
            row("stall", each(outcome), None, limits=limits),
            row("stall", each(outcome), "headers", limits=limits),
        ]
        rows += [row("stall", but_chats(outcome), 0, limits=limits)]
    rows += [
        row("drip", each(LATE), limits="total", part="headers"),
        row("drip", but_chats(LATE), limits="total", part="body", interval=0.5),
        *(row("status", each(STATUS), status=status) for status in (408, 425, 500, 502, 504)),
        *(row("status", each(STATUS_AT_ONCE), status=status) for status in (400, 418)),
        row("status", each(NO_LIST), status=501),
        *(row("status", each(REFUSED), status=status) for status in (401, 403)),
        row("status", each(QUOTA), status=402),
        row("status", each(PROXY), status=407),
        row("page", (FORMAT, NO_TOKEN, RENEWED, FORMAT)),
        row("server_error", each(STATUS_SOON), retry_after=0.02),
        row("server_error", each(STATUS_LATER), retry_after=30),
        row("rate_limit", each(LIMIT)),
        row("redirect", (FOLLOWED, STATUS_AT_ONCE, STATUS_AT_ONCE, FOLLOWED), status=302),
        *(row("challenge", each(CHALLENGE), status=status) for status in (200, 403, 503)),
        row("error", (STATUS, SERVICE, SERVICE, SERVICE)),
        row("limit", (LIMIT, QUOTA, SERVICE, LIMIT)),
        row("quota", but_chats(QUOTA, SERVICE)),
        row("success_false", (FILTERED, SERVICE, SERVICE, SERVICE)),
        row("token", each(REFUSED)),
        row("no_body", but_chats(FORMAT)),
        row("not_json", but_chats(FORMAT), 0),
        row("wrong_types", but_chats(FORMAT), 0),
        row("truncate", but_chats(FORMAT), 0),
        row("trailing", each(ANSWER)),
        row("endless_line", but_chats(LOST), size=2 * MiB),
        row("endless_headers", each(FORMAT), size=256 * KiB),
        row("bomb", but_chats(FORMAT), size=8 * MiB),
    ]
    return rows


def _images(struck: str) -> list[Row]:
    """Give what the request to draw an image and that for the image have in common."""

    def row(*what: Any, **more: Any) -> Row:
        return _row(struck, *what, **more)

    rows = []
    for fault in ("reset", "cut"):
        rows += [row(fault, drawn(DROPPED), None)]
        rows += [row(fault, drawn(LOST), after) for after in ("headers", 0, "end")]
    for limits, outcome in (("read", THINKING if struck == "drawing" else SILENCE), ("total", LATE)):
        rows += [row("stall", drawn(outcome), after, limits=limits) for after in (None, 0)]
    return [
        *rows,
        row("drip", drawn(LATE), limits="total", part="headers"),
        row("status", drawn(STATUS), status=500),
        row("status", drawn(STATUS_AT_ONCE), status=404),
        row("status", drawn(QUOTA), status=402),
        row("server_error", drawn(STATUS_SOON), retry_after=0.02),
        row("rate_limit", drawn(LIMIT)),
        *(row("challenge", drawn(CHALLENGE), status=status) for status in (200, 403, 503)),
        row("page", drawn(FORMAT)),
        row("no_body", drawn(FORMAT)),
        row("truncate", drawn(FORMAT), 0),
        row("endless_headers", drawn(FORMAT), size=256 * KiB),
        row("bomb", drawn(FORMAT), size=8 * MiB),
    ]


BOOTSTRAP_ROWS = _bootstraps()
DRAWING_ROWS = [
    *_images("drawing"),
    _row("drawing", "redirect", drawn(STATUS_AT_ONCE), status=302),
    *(_row("drawing", "status", drawn(REFUSED, RENEWED), status=status) for status in (401, 403)),
    _row("drawing", "token", drawn(REFUSED, RENEWED)),
    _row("drawing", "error", drawn(STATUS, SERVICE)),
    _row("drawing", "limit", drawn(LIMIT, SERVICE)),
    _row("drawing", "quota", drawn(QUOTA, SERVICE)),
    _row("drawing", "success_false", drawn(FILTERED, SERVICE)),
    _row("drawing", "empty", drawn(FORMAT)),
    _row("drawing", "not_json", drawn(FORMAT), 0),
    _row("drawing", "wrong_types", drawn(FORMAT), 0),
    _row("drawing", "endless_line", drawn(LOST, FORMAT), size=2 * MiB),
]
IMAGE_ROWS = [
    *_images("image"),
    _row("image", "redirect", drawn(FOLLOWED), status=302),
    *(_row("image", "status", drawn(REFUSED), status=status) for status in (401, 403)),
    _row("image", "endless_line", drawn(FORMAT), size=33 * MiB),
]
