"""Proxies: given, of the environment, over TLS, and where they fail."""

from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import requests

from g4f_lite import DeadlineExceededError, Timeout

from .conftest import Provide
from .raw_server import Connection, RawServer, every, hello, length
from .transport import failure_of, provider_at


def _tunnel(then: Callable[[Connection], object], context: ssl.SSLContext) -> Callable[[Connection], None]:
    def serve(connection: Connection) -> None:
        request = connection.request()
        assert request is not None
        assert request.line.startswith("CONNECT service.test:443 ")
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        connection.sock.getpeername()
        connection.sock = context.wrap_socket(connection.sock, server_side=True)
        with connection.sock:
            then(connection)

    return serve


@pytest.mark.parametrize("way", ["proxy=", "per call", "G4F_LITE_PROXY", "HTTP_PROXY", "own session"])
def test_a_proxy_is_used_for_every_request(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    models = length(b'{"data": [{"id": "first"}]}')
    with requests.Session() as session, RawServer(every(models, hello())) as proxy:
        settings: dict[str, Any] = {"model": None}
        if way == "proxy=":
            settings["proxy"] = proxy.url
        elif way == "own session":
            session.proxies = {"http": proxy.url}
            settings["session"] = session
        elif way != "per call":
            monkeypatch.setenv(way.lower() if way == "HTTP_PROXY" else way, proxy.url)
        with provider_at("http://service.test/v1", **settings) as provider:
            answered = provider.create(messages="hi", proxy=proxy.url if way == "per call" else None)
        assert answered == "Hello world"
        assert [request.line.split()[:2] for request in proxy.requests] == [
            ["GET", "http://service.test/v1/models"],
            ["POST", "http://service.test/v1/chat/completions"],
        ]
        assert proxy.requests[1].json["model"] == "first"


def test_tls_through_a_proxy(tls: ssl.SSLContext, authority_file: str) -> None:
    with RawServer(_tunnel(every(hello(), hello()), tls)) as proxy:
        url = proxy.url.replace("//", "//user:p%40ss-canary@")
        with provider_at("https://service.test", proxy=url, verify=authority_file) as provider:
            assert [provider.create(messages="hi") for _ in range(2)] == ["Hello world"] * 2
        assert proxy.connections == 1
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNzLWNhbmFyeQ=="
        assert "proxy-authorization" not in proxy.requests[1].headers


def test_a_proxy_that_is_itself_reached_by_tls(tls: ssl.SSLContext, authority_file: str) -> None:
    with RawServer(every(hello()), tls=tls) as proxy:
        with provider_at("http://service.test", proxy=proxy.url, verify=authority_file) as provider:
            assert provider.create(messages="hi") == "Hello world"
        assert proxy.requests[0].line == "POST http://service.test/chat/completions HTTP/1.1"


def test_a_proxy_with_an_unknown_certificate_gets_no_prompt(tls: ssl.SSLContext) -> None:
    with RawServer(every(hello()), tls=tls) as proxy:
        error = failure_of(provider_at("http://service.test", proxy=proxy.url))
        assert error.attempts == 1
        assert not proxy.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("trouble", ["refuses the password", "is not there"])
def test_trouble_with_a_proxy_is_not_retried(scheme: str, trouble: str) -> None:
    with RawServer(every(length(b"", status="407 Who are you?"))) as proxy:
        url = proxy.url.replace("//", "//user:canary-password@")
        if trouble == "refuses the password":
            error = failure_of(provider_at(f"{scheme}://service.test", proxy=url))
            assert len(proxy.requests) == 1
    if trouble == "is not there":
        error = failure_of(provider_at(f"{scheme}://service.test", proxy=url))
    assert (error.cause, error.attempts) == ("proxy", 1)
    assert "canary" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "G4F_LITE_PROXY"])
@pytest.mark.parametrize("own", [False, True])
def test_loopback_is_reached_without_the_environments_proxy(
    variable: str, own: bool, monkeypatch: pytest.MonkeyPatch, provide: Provide
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with requests.Session() as session, RawServer(every(hello())) as server:
        provider = provide(server, session=session if own else None)
        assert provider.create(messages="hi") == "Hello world"


@pytest.mark.product
@pytest.mark.parametrize(
    "url",
    ["http://user:pass/canary@127.0.0.1:9", "socks5://127.0.0.1", "http://127.0.0.1:99999", "http://user:[canary@x"],
)
@pytest.mark.parametrize("own", [False, True])
def test_a_proxy_of_the_environment_that_is_none_is_refused_without_its_password(
    url: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    with requests.Session() as session:
        error = failure_of(provider_at("http://service.test", session=session if own else None))
    assert (error.cause, error.attempts) == ("proxy", 1)
    assert "the proxy in the environment or the session must" in str(error)
    assert "canary" not in "".join(traceback.format_exception(error))


def test_a_proxy_of_the_environment_may_leave_out_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(every(hello())) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        with provider_at("http://service.test") as provider:
            assert provider.create(messages="hi") == "Hello world"


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "service.test")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    assert failure_of(provider_at("http://service.test")).cause != "proxy"


def _drip_over_socks(connection: Connection) -> None:
    connection.sock.recv(100)
    connection.send(b"\x05\x00")  # no password
    connection.sock.recv(100)
    connection.send(b"\x05\x00\x00\x03\xff")  # a name of 255 bytes follows
    connection.drip(255 * b"x")


@pytest.mark.once
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_handshake_that_never_ends_is_held_by_the_connect_limit(scheme: str) -> None:
    def drip(connection: Connection) -> None:
        connection.sock.recv(4096)
        connection.drip(b"HTTP/1.1 200 OK\r\nX: " + 255 * b"x")

    if scheme == "socks5h":
        pytest.importorskip("socks")
    with RawServer(drip if scheme == "http" else _drip_over_socks) as proxy:
        settings = {"proxy": f"{scheme}://127.0.0.1:{proxy.port}", "timeout": Timeout(connect=0.2, total=20)}
        provider = provider_at("https://service.test/v1", retry=None, **settings)
        with provider, pytest.raises(DeadlineExceededError, match=r"for 0\.2 s, the connect limit") as caught:
            provider.create(messages="hi")
    assert caught.value.limit == "connect"
