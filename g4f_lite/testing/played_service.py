"""A server on loopback that plays the part of a service: it gives a reply for each path, in any pieces."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from ..errors import AuthenticationError, G4FLiteError


@dataclass(frozen=True)
class Reply:
    """A response of the service that :func:`~g4f_lite.testing.check_provider` plays.

    :param body: its body
    :param status: its HTTP status
    :param headers: its headers
    :param cookies: the cookies that it sets; the prompt has to come with them
    """

    body: str | bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        return self.body.encode() if isinstance(self.body, str) else self.body


REFUSAL = Reply(status=401)
CALLERS_HEADER = "X-Headers-Of-The-Caller"
ReplyLike = str | bytes | Reply
Replies = Mapping[str, "ReplyLike | Sequence[ReplyLike]"]
Refusals = Mapping[str, "ReplyLike | tuple[ReplyLike, type[G4FLiteError]]"]


def reply_of(value: Any, what: str) -> Reply:
    """Return the reply for a body, or a reply as it is.

    :param what: what it is, for errors
    :raises TypeError: if it is neither
    """
    if isinstance(value, Reply):
        return value
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"{what} must be a str, bytes or a Reply, not {type(value).__name__}")
    return Reply(value)


def replies_of(replies: Replies) -> dict[str, list[Reply]]:
    """Return the replies of each path as a list.

    :raises TypeError: if one is not a reply
    :raises ValueError: if there is none, or a path is not one of a service
    """
    if not replies:
        raise ValueError("replies is empty; give at least the reply to a prompt, by its path")
    made = {}
    for path, given in replies.items():
        if not path.startswith("/"):
            raise ValueError(f"a path of replies begins with a slash, as in '/chat', not {path!r}")
        several = given if isinstance(given, (list, tuple)) else [given]
        if not several:
            raise ValueError(f"the replies of {path} are an empty list")
        made[path] = [reply_of(each, f"a reply of {path}") for each in several]
    return made


def refusals_of(refusal: ReplyLike | Refusals, paths: Sequence[str]) -> dict[str, tuple[Reply, type[G4FLiteError]]]:
    """Return the reply of each path to a request that is refused, and the class of the error that it has to be.

    :param refusal: that to the prompt, or some by their paths; the others are ``REFUSAL``
    :param paths: all paths, that of the prompt last
    :raises TypeError: if one is not a reply, or its class is not one of an error
    :raises ValueError: if a path has no replies
    """
    given = refusal if isinstance(refusal, Mapping) else {paths[-1]: refusal}
    for path in given:
        if path not in paths:
            raise ValueError(f"refusal has the path {path!r}, which has no reply; the paths are {', '.join(paths)}")
    made = {}
    for path in paths:
        each: Any = given.get(path, REFUSAL)
        reply, kind = each if isinstance(each, tuple) and len(each) == 2 else (each, AuthenticationError)
        if not isinstance(kind, type) or not issubclass(kind, G4FLiteError):
            raise TypeError(f"the refusal of {path} has {kind!r:.80} in the place of an error such as RateLimitError")
        made[path] = reply_of(reply, f"the refusal of {path}"), kind
    return made


class PlayedService:
    """A server that gives the replies of each path in turn, and then begins again with the first.

    :param replies: the replies of each path, that of the prompt last
    :param refusals: the reply of each path to a request that is refused
    :ivar way: how it sends the answer: ``"whole"``, ``"in single bytes"``, ``"cut"``, or ``"ended early"``
    :ivar length: how many bytes of it, if it is ended early
    :ivar refused_path: the path whose requests it refuses
    :ivar refused: how many of them it still refuses
    :ivar prompts: how many prompts it has got
    :ivar missing: the cookies that a prompt came without
    :ivar lacks_headers: whether a prompt came without the header ``CALLERS_HEADER``
    :ivar sent: the target, the headers and the body of each request
    :ivar unknown: the paths of requests that have no replies
    :ivar asked: the paths of requests that have
    """

    def __init__(self, replies: Mapping[str, list[Reply]], refusals: Mapping[str, Reply]) -> None:
        self.replies = replies
        self.refusals = refusals
        self.way = "whole"
        self.length = 0
        self.refused = self.prompts = 0
        self.missing: list[str] = []
        self.lacks_headers = False
        self.sent: list[bytes] = []
        self.unknown: list[str] = []
        self.asked: list[str] = []
        self.prompt_path = self.refused_path = list(replies)[-1]
        self.answer = replies[self.prompt_path][-1]
        self._given = dict.fromkeys(replies, 0)
        self._cookies: dict[str, str] = {}
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> PlayedService:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def without_url(self, answer: str) -> str:
        """Return the text of an answer with the paths of images of this service in place of their URLs."""
        return answer.replace(self.url, "")

    def begin_again(self) -> None:
        """Forget what was sent, and give the first reply of each path next."""
        self.sent.clear()
        self._given = dict.fromkeys(self.replies, 0)

    def reply_to(self, path: str, headers: Message) -> Reply:
        """Return the reply to a request."""
        if path not in self.replies:
            self.unknown.append(path)
            return Reply(status=404)
        self.asked.append(path)
        if path == self.prompt_path:
            sent = {name: morsel.value for name, morsel in SimpleCookie(headers.get("Cookie") or "").items()}
            self.missing += [name for name, value in self._cookies.items() if sent.get(name) != value]
            self.lacks_headers = self.lacks_headers or CALLERS_HEADER not in headers
            self.prompts += 1
        if self.refused and path == self.refused_path:
            self.refused -= 1
            return self.refusals[path]
        several, given = self.replies[path], self._given[path]
        self._given[path] = (given + 1) % len(several)
        if path != self.prompt_path:
            self._cookies.update(several[given].cookies)
        return several[given]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing where a client closes its connection before it has read all."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: PlayedService

    def do_POST(self) -> None:
        service = self.service
        head = "".join((self.path, *map(str, self.headers.items()))).encode("latin-1", "replace")
        service.sent.append(head + b"\n" + self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        reply = service.reply_to(self.path.partition("?")[0], self.headers)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        for name, value in reply.cookies.items():
            self.send_header("Set-Cookie", f"{name}={value}; Path=/")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            self._write(reply.content, service.way if reply is service.answer else "whole")

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def _write(self, body: bytes, way: str) -> None:
        if way == "cut":
            body, self.close_connection = body[: len(body) // 2], True
        elif way == "ended early":
            body = body[: self.service.length]
        size = 1 if way == "in single bytes" else len(body) or 1
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        for chunk in chunks if way == "cut" else [*chunks, b""]:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
