"""A site that runs AI Engine and writes the very bytes that a test gives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from g4f_lite import AiEngine, RetryPolicy
from g4f_lite.emulator import Emulator

from .raw_server import PATIENCE, Connection, RawServer, length

SESSION = "/wp-json/mwai/v1/start_session"
SUBMIT = "/wp-json/mwai-ui/v1/chats/submit"
REJECTED = "Sorry, your query has been rejected."
JSON = "Content-Type: application/json; charset=UTF-8"
OLD_SESSION = {"success": True, "sessionId": "N/A", "restNonce": "0000000000"}
AT_ONCE = RetryPolicy(backoff=0)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


class Site(AiEngine):
    """The provider for such a site, with what the site was asked."""

    server: RawServer

    @property
    def asked(self) -> list[str]:
        """List the paths that were asked, in order."""
        return [request.line.split()[1] for request in self.server.requests]


@contextmanager
def site_of(*answers: bytes, session: bytes | None = None, **settings: Any) -> Iterator[Site]:
    """Serve prompts with the next of these answers; the last one goes on for ever.

    :param session: start_session's answer
    """
    first = whole(OLD_SESSION) if session is None else session
    prompts = 0

    def answer(connection: Connection) -> None:
        nonlocal prompts
        while (request := connection.request()) is not None:
            if SESSION in request.line:
                connection.send(first)
            else:
                prompts += 1
                connection.send(answers[min(prompts, len(answers)) - 1])

    with (
        RawServer(answer) as server,
        Site(server.url, **{"retry": None, "timeout": PATIENCE, **settings}) as provider,
    ):
        provider.server = server
        yield provider


def event(kind: str, data: object) -> bytes:
    """Write one event."""
    return b"data: " + json.dumps({"type": kind, "data": data}).encode() + b"\n\n"


def end(reply: str | None, **more: object) -> bytes:
    """Write the event that ends a stream."""
    return event("end", json.dumps({"success": True, "reply": reply, "images": None, **more}))


def whole(answer: object, *fields: str, status: str = "200 OK") -> bytes:
    """Write an answer that is one JSON value."""
    return length(json.dumps(answer).encode(), JSON, *fields, status=status)


def wordpress_error(code: str, message: str, status: str) -> bytes:
    """Write an error of WordPress's own; ``status`` is the status line's."""
    return whole({"code": code, "message": message, "data": {"status": int(status[:3])}}, status=status)


def paths(emulator: Emulator) -> list[str]:
    """List the paths that an emulator was asked, in order."""
    return [request.path for request in emulator.requests]
