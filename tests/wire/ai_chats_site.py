"""A site like ai-chats.org that writes the very bytes that a test gives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import AiChats, AuthenticationError, G4FLiteError, ProviderError, RetryPolicy

from .raw_server import Connection, RawServer, length

PAGE = "/chat/"
PROMPT = "/chat/send2/"
AT_ONCE = RetryPolicy(backoff=0)


def data(*lines: bytes) -> bytes:
    """Write each line as an event."""
    return b"".join(b"data: " + line + b"\n\n" for line in lines)


def answering(answer: bytes, picture: bytes = b"") -> RawServer:
    """Serve the page, each prompt with this answer, and this picture for everything else.

    Where the answer is empty, it is two addresses of the picture.
    """

    def serve(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1]
            if path == PAGE:
                connection.send(length(b"<html>Chat</html>", "Set-Cookie: _csrf-front=abcdef; path=/"))
            elif path == PROMPT:
                rows = [{"url": connection.server.url + path} for path in ("/1", "/2")]
                connection.send(answer or length(json.dumps({"data": rows}).encode()))
            else:
                connection.send(length(picture, "Content-Type: text/plain"))

    return RawServer(serve)


def asked(server: RawServer) -> list[str]:
    return [request.line.split()[1] for request in server.requests]


def failure(answer: bytes, ask: Callable[..., object], model: str = "gpt-4", **settings: Any) -> ProviderError:
    """Ask a server with this answer, once, and give the error."""
    with answering(answer) as server, AiChats(base_url=server.url, **{"retry": AT_ONCE, **settings}) as service:
        with pytest.raises(G4FLiteError) as caught:
            ask(service, "Hello", model)
        prompts = asked(server).count(PROMPT)
    assert isinstance(caught.value, ProviderError)
    assert prompts == 1 + isinstance(caught.value, AuthenticationError)
    return caught.value
