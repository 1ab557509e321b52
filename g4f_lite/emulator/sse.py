"""Server-sent events in every form that the specification allows."""

from __future__ import annotations

from .settings import Settings

CONTENT_TYPE = "text/event-stream;charset=UTF-8"


def sse_event(
    data: str, settings: Settings, *, event: str | None = None, field: str = "data", last: bool = False
) -> bytes:
    """Write one event.

    :param data: one line
    :param field: the name of the line, which is ``data`` in nearly all servers
    :param last: whether the stream ends here
    """
    blank = " " if settings.sse_space else ""
    lines = [": keep-alive", ""] if settings.sse_comments else []
    if event is not None:
        lines.append(f"event:{blank}{event}")
    lines.append(f"{field}:{blank}{data}")
    if settings.sse_last_blank or not last:
        lines.append("")
    return "".join(line + settings.newline for line in lines).encode()
