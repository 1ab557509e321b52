"""A client of an emulated site with AI Engine."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import requests

from g4f_lite.emulator import Emulator

REJECTED = "Sorry, your query has been rejected."
HELLO: dict[str, Any] = {"botId": "default", "newMessage": "Hello there"}
JSON = "application/json; charset=UTF-8"
SSE = "text/event-stream;charset=UTF-8"
LOGIN = {"Cookie": "wordpress_logged_in_0123456789abcdef=ann%7C1893456000%7Ctoken"}


class SiteClient:
    """A browser's worth of client: one session, and the nonce that it holds."""

    def __init__(self, emulator: Emulator) -> None:
        self.url = emulator.url
        self.session = requests.Session()
        self.nonce = ""

    def start(self, path: str = "/wp-json/mwai/v1/start_session", **headers: str) -> requests.Response:
        response = self.session.post(self.url + path, headers=headers)
        if response.ok:
            self.nonce = response.json()["restNonce"]
        return response

    def submit(self, body: str | dict[str, Any] = HELLO, **changes: Any) -> requests.Response:
        """Send a prompt; ``headers`` replace the usual ones, with None left out."""
        headers = {"X-WP-Nonce": self.nonce, "Content-Type": "application/json"} | changes.pop("headers", {})
        path = changes.pop("path", "/wp-json/mwai-ui/v1/chats/submit")
        if isinstance(body, dict):
            body = json.dumps(body | changes)
        return self.session.post(self.url + path, data=body, headers=headers)


def open_site(version: str = "3.6.2", **settings: Any) -> Emulator:
    return Emulator(plugin_version=version, **settings)


def client_of(site: Emulator) -> SiteClient:
    """Give a client with a nonce, from wherever this version has it."""
    client = SiteClient(site)
    if not client.start().ok:
        client.nonce = page_value(requests.get(site.url + "/").text, "restNonce")
    return client


def page_value(page: str, name: str) -> str:
    (value,) = re.findall(f'"{name}":("[^"]*"|null)', html.unescape(page))
    return str(json.loads(value))


def events(response: requests.Response) -> list[dict[str, Any]]:
    """Read the events, each of which must be one ``data:`` line and a blank one."""
    *blocks, rest = response.text.split("\n\n")
    assert rest == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def is_modern(emulator: Emulator) -> bool:
    return emulator.settings.plugin_version == "3.6.2"
