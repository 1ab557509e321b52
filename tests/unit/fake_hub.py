"""Hugging Face's hub, as far as a download needs it: an API, files that are on another host, and faults."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "owner/name-GGUF"


@dataclass
class Received:
    """A request that came."""

    path: str
    headers: dict[str, str]


@dataclass
class Fault:
    """What goes wrong with one request for a file.

    :param status: is answered instead of the file
    :param headers: go with it
    :param cut: so many bytes of the body are sent, and the connection is closed
    :param ignores_range: the whole file is sent
    :param tells_length: whether the answer says how long it is
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    ignores_range: bool = False
    tells_length: bool = True


@dataclass
class FakeHub:
    """A hub with one repository, and the host that its files are on.

    :ivar files: the repository's, by their paths
    :ivar commits: what branches stand for
    :ivar token: is needed, where it is not empty
    :ivar faults: of the next requests for a file
    :ivar received: the requests that came to the hub;  :ivar delivered: those that came to the other host
    """

    files: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    licence: str = "apache-2.0"
    token: str = ""
    faults: list[Fault] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    delivered: list[Received] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    url: str = ""
    cdn: str = ""

    def ranges(self) -> list[str | None]:
        """List the ranges that were asked for."""
        return [request.headers.get("Range") for request in self.delivered]

    def api(self, revision: str) -> tuple[int, Any]:
        commit = self.commits.get(revision, revision if revision in self.commits.values() else None)
        if commit is None:
            return 404, {"error": "Revision Not Found"}
        siblings = [
            {"rfilename": name, "size": len(data), "lfs": {"sha256": self.hash_of(name), "size": len(data)}}
            for name, data in self.files.items()
        ]
        siblings.append({"rfilename": "README.md", "size": 3})
        return 200, {"sha": commit, "siblings": siblings, "cardData": {"license": self.licence}}

    def hash_of(self, name: str) -> str:
        return self.hashes.get(name) or hashlib.sha256(self.files[name]).hexdigest()


@contextmanager
def serving(hub: FakeHub, context: ssl.SSLContext | None = None) -> Iterator[FakeHub]:
    """Let a hub and its other host listen.

    :param context: for https, as the hub has it
    """

    class Hub(_Handler):
        def do_GET(self) -> None:
            hub.received.append(Received(self.path, dict(self.headers)))
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self.give_json(401, {"error": "Access to this repository is restricted"})
                return
            parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
            if parts[:2] == ["api", "models"] and "/".join(parts[2:4]) == REPOSITORY:
                self.give_json(*hub.api(parts[5]))
            elif "/".join(parts[:2]) == REPOSITORY and parts[2] == "resolve" and "/".join(parts[4:]) in hub.files:
                self.give(302, b"", {"Location": f"{hub.cdn}/{'/'.join(parts[4:])}?Signature=very-secret"})
            else:
                self.give_json(404, {"error": "Repository Not Found"})

    class Other(_Handler):
        def do_GET(self) -> None:
            hub.delivered.append(Received(self.path, dict(self.headers)))
            fault = hub.faults.pop(0) if hub.faults else Fault()
            if fault.status is not None:
                self.give(fault.status, b"{}", fault.headers)
                return
            data = hub.files[unquote(urlsplit(self.path).path).strip("/")]
            self.give_file(data, fault)

    with _server(Hub, context) as hub.url, _server(Other, context) as hub.cdn:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def give(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def give_json(self, status: int, value: Any) -> None:
        self.give(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def give_file(self, data: bytes, fault: Fault) -> None:
        wanted = self.headers.get("Range", "")
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not fault.ignores_range else 0
        if begin and begin >= len(data):
            self.give(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        if fault.tells_length:
            self.send_header("Content-Length", str(len(data) - begin))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        rest = data[begin:]
        self.wfile.write(rest if fault.cut is None else rest[: fault.cut])
        if fault.cut is not None or not fault.tells_length:
            self.close_connection = True


@contextmanager
def _server(handler: type[_Handler], context: ssl.SSLContext | None) -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Say nothing of clients that hang up."""

    server = Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
