"""A check of a provider of one's own, against a server on loopback that plays the part of its service."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from ..errors import AuthenticationError, G4FLiteError, HookError
from ..providers.base import Provider
from ..providers.hooks import read_error

# What services answer besides their own errors: nothing, a page, and JSON of any kind.
_ODD_ERRORS: tuple[tuple[Any, str], ...] = (
    (None, ""),
    (None, "<html>"),
    ({}, "{}"),
    ([], "[]"),
    ("no", '"no"'),
    (3, "3"),
    ({"error": None}, '{"error": null}'),
    ({"error": "no"}, '{"error": "no"}'),
    ({"error": {"message": "no"}}, '{"error": {"message": "no"}}'),
)


def check_provider(
    make: Callable[..., Provider], replies: Mapping[str, str | bytes], *, text: str, prompt: str = "Hello"
) -> None:
    """Check what callers rely on: a provider reads its answers in any pieces, and misses and shows nothing.

    A server on loopback gives the replies.  The answer has to be the same whole, as a stream, and byte by byte; where
    it is cut or refused, there has to be an error; a refused token has to be fetched again once; and no pickle and no
    ``repr`` may hold a key::

        check_provider(partial(Parley, api_key="a-key"), {"/chat": ANSWER}, text="Good day")

    :param make: the class of the provider, or a function that makes one; gets ``base_url=`` and ``retry=``
    :param replies: the body of a successful response for each path, that of the prompt last
    :param text: the text of the answer
    :param prompt: what to send
    :raises AssertionError: if something does not hold
    """
    bodies = {path: body.encode() if isinstance(body, str) else body for path, body in replies.items()}
    with _Service(bodies) as service:
        provider = make(base_url=service.url, retry=None)
        for way in ("whole", "in single bytes"):
            service.way = way
            for found in (str(provider.ask(prompt)), "".join(map(str, provider.stream(prompt)))):
                assert found == text, f"the answer, sent {way}, is read as {found!r}"
        _check_failures(provider, service, prompt)
        provider.close()
        assert provider.ask(prompt) == text, "no answer after close()"
        for form, shown in (("its repr", repr(provider).encode()), ("a pickle of it", pickle.dumps(provider))):
            for secret in provider.secrets():
                assert secret.encode() not in shown, f"{form} shows one of its secrets"
        provider.close()


def _check_failures(provider: Provider, service: _Service, prompt: str) -> None:
    """Check what a provider makes of a cut answer, of a refused token, and of errors that it does not know."""
    service.way = "cut"
    try:
        found = provider.ask(prompt)
    except HookError as error:
        raise AssertionError(f"a cut answer: {error}") from error
    except G4FLiteError:
        pass
    else:
        raise AssertionError(f"a cut answer is read as {str(found)!r}, without an error")
    service.way, service.refused, service.paths = "whole", 1, []
    if provider.token_sources:
        provider.ask(prompt)
        assert service.paths.count(service.prompt_path) == 2, "a refused token is not fetched again"
        service.refused = 2
    try:
        provider.ask(prompt)
    except AuthenticationError:
        service.refused = 0
    else:
        raise AssertionError("a refused prompt is not an AuthenticationError")
    for parsed, body in _ODD_ERRORS:
        read_error(provider, 500, parsed, body)


class _Service:
    """A server that gives a reply for each path.

    :ivar way: how it sends the replies to prompts
    :ivar refused: how many prompts it still refuses
    :ivar paths: the paths that it was asked for
    """

    def __init__(self, replies: Mapping[str, bytes]) -> None:
        self.replies = replies
        self.way = "whole"
        self.refused = 0
        self.paths: list[str] = []
        self.prompt_path = list(replies)[-1]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> _Service:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: _Service

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, path = self.service, self.path.partition("?")[0]
        service.paths.append(path)
        is_prompt = path == service.prompt_path
        refuses = is_prompt and service.refused > 0
        service.refused -= refuses
        self.send_response(401 if refuses else 200 if path in service.replies else 404)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._write(b"" if refuses else service.replies.get(path, b""), service.way if is_prompt else "whole")

    do_GET = do_POST

    def _write(self, body: bytes, way: str) -> None:
        if way == "cut":
            body, self.close_connection = body[: len(body) // 2], True
        size = 1 if way == "in single bytes" else len(body) or 1
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        for chunk in chunks if way == "cut" else [*chunks, b""]:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
