"""What becomes of a call when a fault strikes beside a prompt: before it, in a bootstrap, or around a picture.

The rules are those of ``matrix_rows``, with what follows from them here:

* a bootstrap and a picture come before the first piece, so that what may pass is tried again;
* a bootstrap that is refused says nothing of the token, and is not tried again;
* AiChats wants its page's cookies alone, and takes a page that is cut or damaged behind them.
"""

from __future__ import annotations

from typing import Any

from g4f_lite.errors import AuthenticationError, ChallengeError, ResponseStatusError, TransportError

from .matrix_rows import (
    ANSWER,
    FORMAT,
    LATE,
    LIMIT,
    LOST,
    PLACES,
    QUOTA,
    REFUSED,
    SERVICE,
    SILENCE,
    STATUS,
    THINKING,
    KiB,
    MiB,
    Outcome,
    Outcomes,
    Row,
    at_once,
    each,
)

UNCHANGED = Outcome(AuthenticationError, refreshed=True)
NOT_AUTHENTICATED = at_once(AuthenticationError)


def but_chats(outcome: Outcome, of_chats: Outcome = ANSWER) -> Outcomes:
    """Tell AiChats, whose bootstrap is a page, from the others, where it is an object."""
    return outcome, outcome, of_chats, outcome


def drawn(outcome: Outcome, of_chats: Outcome | None = None) -> Outcomes:
    """Say it for the two that the emulator has pictures of: OpenAICompatible and AiChats."""
    return outcome, None, of_chats or outcome, None


def _place(fault: str, settings: dict[str, Any]) -> str:
    """Say where a fault strikes that is not told where to."""
    places = {"trailing": PLACES["end"], "endless_line": PLACES[0], "endless_headers": PLACES["headers"]}
    return f"in the {settings['part']}" if fault == "drip" else places.get(fault, "instead of the answer")


def _bootstraps() -> list[Row]:
    def row(fault: str, outcomes: Outcomes, after: Any = ..., *, limits: str = "long", **settings: Any) -> Row:
        place = _place(fault, settings) if after is ... else PLACES[after]
        settings |= {} if after is ... else {"after": after}
        return Row(fault, place, outcomes, settings, limits=limits, step="bootstrap")

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
        row("drip", but_chats(LATE), limits="total", part="body", interval=0.1),
        *(row("status", each(STATUS), status=status) for status in (408, 425, 500, 502, 504)),
        *(row("status", each(at_once(ResponseStatusError)), status=status) for status in (400, 418, 501)),
        *(row("status", each(NOT_AUTHENTICATED), status=status) for status in (401, 403)),
        row("status", each(QUOTA), status=402),
        row("status", each(at_once(TransportError)), status=407),
        row("page", but_chats(FORMAT, UNCHANGED)),
        row("server_error", each(STATUS), retry_after=0.05),
        row("server_error", each(at_once(ResponseStatusError, retry_after=30.0)), retry_after=30),
        row("rate_limit", each(LIMIT)),
        row("redirect", each(at_once(ResponseStatusError)), status=302),
        *(row("challenge", each(at_once(ChallengeError)), status=status) for status in (200, 403, 503)),
        row("error", (STATUS, SERVICE, SERVICE, SERVICE)),
        row("limit", (LIMIT, QUOTA, SERVICE, LIMIT)),
        row("quota", but_chats(QUOTA, SERVICE)),
        row("success_false", each(SERVICE)),
        row("token", each(NOT_AUTHENTICATED)),
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


def _pictures(step: str) -> list[Row]:
    """Give the rows for the request to draw one, or for fetching it from where it is."""

    def row(fault: str, outcomes: Outcomes, after: Any = ..., *, limits: str = "long", **settings: Any) -> Row:
        place = _place(fault, settings) if after is ... else PLACES[after]
        settings |= {} if after is ... else {"after": after}
        closed = fault in ("reset", "cut") and after is None
        return Row(fault, place, outcomes, settings, limits=limits, closed=closed, step=step, asks="picture")

    rows = [row(fault, drawn(LOST), after) for fault in ("reset", "cut") for after in (None, "headers", 0, "end")]
    for limits, outcome in (("read", THINKING if step == "prompt" else SILENCE), ("total", LATE)):
        rows += [row("stall", drawn(outcome), after, limits=limits) for after in (None, 0)]
    rows += [
        row("drip", drawn(LATE), limits="total", part="headers"),
        row("status", drawn(STATUS), status=500),
        row("status", drawn(at_once(ResponseStatusError)), status=404),
        row("status", drawn(QUOTA), status=402),
        row("server_error", drawn(STATUS), retry_after=0.05),
        row("rate_limit", drawn(LIMIT)),
        row("redirect", drawn(at_once(ResponseStatusError)), status=302),
        *(row("challenge", drawn(at_once(ChallengeError)), status=status) for status in (200, 403, 503)),
        row("page", drawn(FORMAT)),
        row("no_body", drawn(FORMAT)),
        row("truncate", drawn(FORMAT), 0),
        row("endless_headers", drawn(FORMAT), size=256 * KiB),
        row("bomb", drawn(FORMAT), size=8 * MiB),
    ]
    if step == "image":
        rows += [row("status", drawn(NOT_AUTHENTICATED), status=status) for status in (401, 403)]
        rows += [row("endless_line", drawn(FORMAT), size=33 * MiB)]
    else:
        rows += [
            *(row("status", (REFUSED[0], None, REFUSED[2], None), status=status) for status in (401, 403)),
            row("token", (REFUSED[0], None, REFUSED[2], None)),
            row("error", drawn(STATUS, SERVICE)),
            row("limit", drawn(LIMIT, SERVICE)),
            row("quota", drawn(QUOTA, SERVICE)),
            row("success_false", drawn(SERVICE)),
            row("empty", drawn(FORMAT)),
            row("not_json", drawn(FORMAT), 0),
            row("wrong_types", drawn(FORMAT), 0),
            row("endless_line", drawn(LOST, FORMAT), size=2 * MiB),
        ]
    return rows


BOOTSTRAP_ROWS = _bootstraps()
DRAWING_ROWS = _pictures("prompt")
PICTURE_ROWS = _pictures("image")
