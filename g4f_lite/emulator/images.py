"""The images of the services, and their addresses."""

from __future__ import annotations

import re
import threading

from .exchange import Exchange
from .png import draw_png
from .record import ReceivedRequest
from .reply import Reply, bytes_reply, html_reply
from .service import FailureKind, Service, Step
from .settings import Settings

_PATH = re.compile(r"/images/([0-9]{1,9})\.png")


class Images(Service):
    """Remember each prompt under a number and draw it when ``/images/N.png`` is fetched."""

    name = "images"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prompts: list[str] = []

    def add(self, exchange: Exchange, prompt: str) -> str:
        """Remember a prompt, and give the URL of its image."""
        with self._lock:
            self._prompts.append(prompt)
            return exchange.url(f"/images/{len(self._prompts)}.png")

    def draw(self, number: int) -> bytes | None:
        """Draw image ``number``; ``None`` if there is no such image."""
        with self._lock:
            if not 0 < number <= len(self._prompts):
                return None
            prompt = self._prompts[number - 1]
        return draw_png(prompt)

    def step(self, request: ReceivedRequest, settings: Settings) -> Step | None:
        found = request.method == "GET" and _PATH.fullmatch(request.path)
        return "image" if found else None

    def reply(self, exchange: Exchange) -> Reply:
        found = _PATH.fullmatch(exchange.request.path)
        image = self.draw(int(found.group(1))) if found else None
        if image is None:
            return html_reply(404, "<h1>Not Found</h1>")
        return bytes_reply(200, "image/png", image)

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        return html_reply(status or 500, f"<p>{message or 'Internal Server Error'}</p>")

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        return (message or "Internal Server Error").encode()

    def token_refused(self, exchange: Exchange) -> Reply:
        return html_reply(403, "<h1>Forbidden</h1>")

    def wrong_types(self, exchange: Exchange) -> bytes:
        return b"GIF89a, but not a PNG"
