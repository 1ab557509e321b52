"""A picture's address comes from the service: no host of this network, no file, no endless thing is reached by it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import AiChats, G4FLiteError, OpenAICompatible, ResponseFormatError, RetryPolicy
from g4f_lite.answers.images import ImageResponse

from .hostile import BOOTSTRAPS
from .matrix_cells import PROVIDERS
from .raw_server import Connection, RawServer, head, length

PNG = b"\x89PNG\r\n\x1a\n rest"
PRIVATE = """
    http://127.0.0.1:PORT/x.png http://localhost:PORT/ http://[::1]:PORT/ http://[::ffff:127.0.0.1]:PORT/
    http://[::ffff:7f00:1]:PORT/ http://2130706433:PORT/ http://0x7f000001:PORT/ http://0177.0.0.1:PORT/
    http://127.1:PORT/ http://0.0.0.0:PORT/ http://169.254.169.254/latest/meta-data/ http://metadata.test/
    http://10.0.0.1/ http://192.168.0.1/ http://172.16.0.1/ http://100.64.0.1/ http://[fe80::1]/ http://[fd00::1]/
    http://[64:ff9b::7f00:1]:PORT/ http://[2002:7f00:1::]:PORT/ http://224.0.0.1/ http://user:word@127.0.0.1:PORT/
    http://private.test:PORT/ http://both.test:PORT/ http://changing.test:PORT/
"""
NO_ADDRESS = """
    file:///etc/passwd data:text/html,x ftp://127.0.0.1/x gopher://127.0.0.1:PORT/x javascript:alert(1)
    //127.0.0.1:PORT/x http:///x http:// http://[::1 http://127.0.0.1:99999/ /images/x.png x.png
"""
LOOKED_UP = {
    "metadata.test": ["169.254.169.254"],
    "private.test": ["192.168.1.1"],
    "both.test": ["127.0.0.1", "198.51.100.7"],
}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let names be looked up here, and no connection leave this machine; give the addresses that were tried."""
    tried: list[str] = []
    asked: dict[str, int] = {}
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = str(host)
        if not name.endswith(".test"):
            return look_up(host, port, *rest, **more)
        asked[name] = asked.get(name, 0) + 1
        # "changing.test" is public when it is checked, and private from then on.
        addresses = LOOKED_UP.get(name, ["8.8.8.8"] if asked[name] == 1 else ["127.0.0.1"])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def only_here(self: socket.socket, address: Any) -> None:
        tried.append(str(address[0]))
        if not str(address[0]).startswith("127."):
            raise socket.gaierror("not in a test")  # which, other than an OSError, nobody but the transport raises
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", only_here)
    return tried


def _service(url: str, picture: bytes) -> RawServer:
    """Serve what comes before a prompt, an answer with a picture's address, and ``picture`` for its own ``/own``."""

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1]
            if path in BOOTSTRAPS:
                connection.send(BOOTSTRAPS[path])
            elif path.startswith("/own"):
                connection.send(picture)
                return
            else:
                address = f"{connection.server.url}/own" if url == "own" else url
                answer = {"data": [{"url": address}], "success": True, "reply": "", "images": [address]}
                connection.send(length(json.dumps(answer).encode()))

    return RawServer(answer)


def _draw(url: str, picture: bytes = b"") -> tuple[G4FLiteError, int]:
    retry = RetryPolicy(backoff=0)
    with _service(url, picture) as server, AiChats(base_url=server.url, timeout=5, retry=retry) as provider:
        with pytest.raises(G4FLiteError) as caught:
            provider.create("dalle", "a cat")
        assert isinstance(str(caught.value), str)
        return caught.value, len(server.requests)


@pytest.mark.parametrize("url", PRIVATE.split())
def test_no_private_host_is_reached(url: str, connected: list[str]) -> None:
    with RawServer(lambda connection: connection.request()) as private:
        error, _ = _draw(url.replace("PORT", str(private.port)))
        assert private.connections == 0
    assert isinstance(error, (ResponseFormatError, G4FLiteError))
    assert "changing" in url or isinstance(error, ResponseFormatError), repr(error)
    reached = [address for address in connected if not address.startswith("127.")]
    assert reached == (["8.8.8.8"] * len(reached) if "changing" in url else [])


def _when_wanted(provider: Any) -> bytes:
    """Fetch a picture of the providers that do it when it is wanted."""
    if isinstance(provider, OpenAICompatible):
        return provider.generate_image("a cat").bytes()
    return bytes(provider.create(messages="a cat").images[0].bytes())


@pytest.mark.product
@pytest.mark.parametrize("name", ["OpenAICompatible", "AiEngine"])
@pytest.mark.parametrize("url", [*PRIVATE.split()[:6], "http://changing.test:PORT/", "file:///etc/passwd", "//x/y"])
def test_nor_when_it_is_fetched_later(name: str, url: str, connected: list[str]) -> None:
    with RawServer(lambda connection: connection.request()) as private:
        server = _service(url.replace("PORT", str(private.port)), b"")
        with (
            server,
            PROVIDERS[name][1](server.url, timeout=5, retry=RetryPolicy(backoff=0)) as provider,
            pytest.raises(G4FLiteError) as caught,
        ):
            _when_wanted(provider)
        assert private.connections == 0
    assert caught.value.step == "image"
    assert "changing" in url or isinstance(caught.value, ResponseFormatError)
    assert {address for address in connected if not address.startswith("127.")} <= {"8.8.8.8"}


@pytest.mark.parametrize("url", NO_ADDRESS.split())
def test_what_is_no_address_of_a_picture(url: str, connected: list[str]) -> None:
    with RawServer(lambda connection: connection.request()) as private:
        error, _ = _draw(url.replace("PORT", str(private.port)))
        assert private.connections == 0
    assert isinstance(error, ResponseFormatError)


@pytest.mark.parametrize("url", [*PRIVATE.split()[:6], "file:///etc/passwd", "//127.0.0.1:PORT/", "http://["])
def test_a_redirect_leads_to_no_private_host(url: str, connected: list[str]) -> None:
    with RawServer(lambda connection: connection.request()) as private:
        location = url.replace("PORT", str(private.port))
        error, _ = _draw("own", head(f"Location: {location}", "Content-Length: 0", status="302 There"))
        assert private.connections == 0
    assert isinstance(error, ResponseFormatError)


def test_redirects_do_not_go_round_for_ever() -> None:
    error, requests = _draw("own", head("Location: /own/again", "Content-Length: 0", status="302 There"))
    assert isinstance(error, ResponseFormatError)
    assert requests <= 10


@pytest.mark.parametrize(
    "picture",
    [
        length(b"<html>a page</html>", "Content-Type: image/png"),
        length(b"", "Content-Type: image/png"),
        head("Content-Type: image/png") + PNG + bytes(33 * 1024 * 1024),
        head("Content-Length: 999") + PNG,
        length(b"GIF89", "Content-Encoding: gzip"),
        length(b"<svg onload='x'/>", "Content-Type: image/svg+xml"),
    ],
    ids=["html", "empty", "huge", "cut", "bad gzip", "svg"],
)
def test_what_is_no_picture(picture: bytes) -> None:
    error, _ = _draw("own", picture)
    assert error.step == "image"


@given(
    st.text(max_size=60)
    | st.sampled_from(
        ["..%2f..%2fetc%2fpasswd", "CON.png", "nul", "a\0b", "%00", "..", ".", "a" * 999, "x:y", "~", "-rf"]
    )
)
def test_a_picture_is_saved_where_it_was_told(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("pictures")
    for url in (f"http://h/{name}", name):
        saved = ImageResponse(url, data=PNG).save(folder, overwrite=True)
        assert saved.parent == folder
        assert saved.resolve().parent == folder.resolve()
        assert Path(saved).read_bytes() == PNG
        assert saved.stem.upper() not in ("CON", "NUL", "AUX", "PRN", "COM1", "LPT1")
    assert len(os.listdir(folder)) <= 2


def _holds(error: BaseException) -> Iterator[BaseException]:
    """Walk over all that an error holds, as whoever pickles it with its causes does."""
    known, waiting = [error], [error]
    while waiting:
        link = waiting.pop()
        for inner in (link.__cause__, link.__context__, *link.args, *vars(link).values()):
            if isinstance(inner, BaseException):
                yield inner
                if inner not in known:
                    known.append(inner)
                    waiting.append(inner)


@pytest.mark.parametrize("name", ["OpenAICompatible", "AiEngine", "AiChats"])
def test_the_error_of_a_private_address_does_not_hold_itself(name: str, connected: list[str]) -> None:
    """Dask pickles errors with their causes, by tblib, which goes round for ever there."""
    url = "http://10.0.0.1/cat.png"
    if name == "AiChats":
        error, _ = _draw(url)
    else:
        with (
            _service(url, b"") as server,
            PROVIDERS[name][1](server.url, timeout=5) as provider,
            pytest.raises(G4FLiteError) as caught,
        ):
            _when_wanted(provider)
        error = caught.value
    assert "10.0.0.1, which is not a public address" in str(error)
    assert {*connected} == {"127.0.0.1"}
    assert error not in _holds(error)
