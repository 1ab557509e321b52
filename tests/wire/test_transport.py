"""TLS, the environment, and what of all that may be read in an error."""

from __future__ import annotations

import logging
import pickle
import socket
import ssl
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import urllib3

from g4f_lite import (
    DeadlineExceededError,
    G4FLiteError,
    OpenAICompatible,
    ProviderNotConfiguredError,
    Timeout,
    TransportError,
)
from g4f_lite.cli.diagnosis import diagnose
from g4f_lite.cli.reachability import Endpoint, connect, handshake, look_up
from g4f_lite.http.route import CA_BUNDLES
from g4f_lite.http.sockets import open_socket
from g4f_lite.http.transfer import Transfer

from .conftest import Provide
from .proxies import HTTPProxy, Proxy, SOCKSProxy
from .raw_server import DONE, Connection, RawServer, delta, every, hello, length
from .transport import FAST, failure_of, provider_at

HTTP_CLIENT_READS = 8192  # bytes at once before Python 3.14, whose buffer is larger than a record of TLS

# TLS


def test_an_unknown_authority_is_not_retried(tls: ssl.SSLContext) -> None:
    with RawServer(every(hello()), tls=tls) as server:
        error = failure_of(provider_at(server.url))
        assert (error.cause, error.attempts, server.connections) == ("tls", 1, 1)
        assert "verify=" in str(error)


def test_another_hosts_certificate_is_refused(authority: trustme.CA, authority_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    with RawServer(every(hello()), tls=context) as server:
        assert failure_of(provider_at(server.url, verify=authority_file)).cause == "tls"


@pytest.mark.once
@pytest.mark.parametrize(
    ("answer", "limit", "words"),
    [
        (lambda c: (c.sock.recv(9), c.send(b"HTTP/1.1 400 Bad\r\n\r\n")), 9, ": the server does not speak it;"),
        (lambda c: c.sock.recv(9999), 9, "; if the server does not speak it,"),
        (lambda c: c.silence(), 0.1, ": The handshake operation timed out; if the server does not speak it,"),
    ],
    ids=["a refusal in plain text", "the end", "silence"],
)
def test_a_server_without_tls_is_named(answer: Callable[[Connection], Any], limit: float, words: str) -> None:
    """Also by the doctor, whose handshake is one of its own."""
    with RawServer(answer) as server:
        address = server.url.replace("http:", "https:")
        provider = provider_at(address, timeout=Timeout(connect=limit, read=9, total=9))
        error = failure_of(provider)
        assert (error.cause, error.attempts, server.connections) == ("tls", 1, 1)
        assert f"{words} write http:// in its address" in str(error)
        assert "authority" not in str(error)
        remedy = "write http:// instead of https:// in its URL"
        assert diagnose(error, provider)[1] == remedy
        endpoint = Endpoint.of(address)
        with pytest.raises(TransportError) as caught, connect(endpoint, look_up(endpoint, 9), limit) as connection:
            handshake(connection, endpoint, True, None)
        assert diagnose(caught.value, provider)[1] == remedy


@pytest.mark.parametrize(
    ("provider", "asked"),
    [
        (OpenAICompatible.preset("groq", api_key="sekret", retry=None), True),
        (OpenAICompatible("https://a-misspelt-name.test/v1", model="m", retry=None), False),
    ],
)
def test_where_the_name_of_a_known_service_is_not_found_this_machine_may_not_be_online(
    provider: OpenAICompatible, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(TransportError) as caught:
        provider.ask("Hello")
    assert caught.value.cause == "dns"
    assert caught.value.message.endswith("; is this machine online?") == asked


def test_a_missing_bundle_of_an_own_session_is_named(tmp_path: Path) -> None:
    with requests.Session() as session:
        session.verify = str(tmp_path / "none.pem")
        error = failure_of(provider_at("https://localhost:1", session=session))
    assert error.cause == "tls"
    assert "none.pem" in str(error)


def test_verify_false_is_taken_and_warned_of(tls: ssl.SSLContext) -> None:
    warned = pytest.warns(urllib3.exceptions.InsecureRequestWarning)
    with RawServer(every(hello()), tls=tls) as server, provider_at(server.url, verify=False) as provider, warned:
        assert provider.create(messages="hi") == "Hello world"


def test_what_came_ahead_of_a_prompt_is_not_its_answer_though_tls_has_decrypted_it_already(
    tls: ssl.SSLContext, authority_file: str
) -> None:
    events = delta("Hello", "stop") + DONE
    head_bytes = len(length(b"." * 8000)) - 8000
    comment = b":" + b"." * (HTTP_CLIENT_READS - head_bytes - len(events) - 3) + b"\n\n"
    first = length(comment + events)  # http.client reads all of it at once, and nothing behind it

    def answer(connection: Connection) -> None:
        while connection.request():
            connection.send(first + length(delta("another's", "stop") + DONE))  # in one record of TLS

    with RawServer(answer, tls=tls) as server, provider_at(server.url, verify=authority_file) as provider:
        assert len(first) == HTTP_CLIENT_READS
        assert [provider.create(messages="hi") for _ in range(3)] == ["Hello"] * 3
        assert (len(server.requests), server.connections) == (3, 3)


@pytest.mark.parametrize("variable", CA_BUNDLES)
def test_a_bundle_is_named_by_any_of_these_variables(
    variable: str, tls: ssl.SSLContext, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, authority_file)
    with RawServer(every(hello()), tls=tls) as server, provider_at(server.url) as provider:
        assert provider.create(messages="hi") == "Hello world"


def test_openssls_variable_counts_least(
    tls: ssl.SSLContext, authority_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", requests.certs.where())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority_file)
    with RawServer(every(hello()), tls=tls) as server, provider_at(server.url) as provider:
        assert provider.create(messages="hi") == "Hello world"


@pytest.mark.parametrize("way", ["verify=", "G4F_LITE_CA_BUNDLE", "own session"])
def test_a_bundle_beats_the_environments(
    way: str, tls: ssl.SSLContext, authority_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Path(requests.certs.where()).read_bytes())
    if way != "own session":  # there, requests' own order of things is kept
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    settings: dict[str, Any] = {}
    with requests.Session() as session, RawServer(every(hello()), tls=tls) as server:
        if way == "verify=":
            settings["verify"] = authority_file
        elif way == "own session":
            session.verify = authority_file
            settings["session"] = session
        else:
            monkeypatch.setenv("G4F_LITE_CA_BUNDLE", authority_file)
        with provider_at(server.url, **settings) as provider:
            assert provider.create(messages="hi") == "Hello world"


# Names


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_proxy_whose_name_is_not_known_is_the_one_to_blame(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(host: str, *_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    error = failure_of(provider_at("http://127.0.0.1:9/v1", proxy=f"{scheme}://me:word@proxy.test:1080"))
    assert error.cause == "proxy"
    assert "the proxy proxy.test:1080 did not let the request" in str(error)
    assert "word" not in str(error)


def test_a_name_that_is_not_known_is_retried_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nothing(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    error = failure_of(provider_at("http://service.test/v1"))
    assert (error.cause, asked) == ("dns", ["service.test"] * 3)
    assert "service.test" in str(error)


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(every(hello())) as server:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, server.port)) for host in ("127.0.0.2", "127.0.0.1")
        ]
        plain = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *more, **m: found if host == "service.test" else plain(host, *more, **m)
        )
        with provider_at(f"http://service.test:{server.port}", retry=None) as provider:
            assert provider.create(messages="hi") == "Hello world"
        assert server.requests[0].headers["host"] == f"service.test:{server.port}"


# The environment


def test_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provide: Provide) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(every(hello())) as server:
        provide(server, api_key="mine").create(messages="hi")
        provide(server, headers={"Authorization": "Token mine"}).create(messages="hi")
        provide(server).create(messages="hi")
        sent = [request.headers.get("authorization") for request in server.requests]
        assert sent == ["Bearer mine", "Token mine", None]


def test_offline_is_loopback_only(monkeypatch: pytest.MonkeyPatch, provide: Provide) -> None:
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    look_up = socket.getaddrinfo

    def look_up_loopback(host: str, *rest: Any, **named: Any) -> Any:
        assert host == "127.0.0.1"  # where the test's own server is told to end
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_loopback)
    with pytest.raises(ProviderNotConfiguredError, match="G4F_LITE_OFFLINE"):
        provider_at("http://service.test").create_generator(messages="hi")
    with RawServer(every(hello())) as server, pytest.raises(ProviderNotConfiguredError):
        provide(server, proxy="http://proxy.test:3128").create(messages="hi")


def test_offline_still_reaches_loopback(monkeypatch: pytest.MonkeyPatch, provide: Provide) -> None:
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    with RawServer(every(hello())) as server:
        assert provide(server).create(messages="hi") == "Hello world"


def test_cookies_and_headers_go_with_each_request_and_into_no_session(provide: Provide) -> None:
    with RawServer(every(hello())) as server:
        provider = provide(server, cookies={"visitor": "me"}, headers={"X-Mine": "yes"})
        provider.create(messages="hi")
        assert server.requests[0].headers["cookie"] == "visitor=me"
        assert server.requests[0].headers["x-mine"] == "yes"
        assert server.requests[0].headers["accept-encoding"] == "identity"
        assert "X-Mine" not in provider.session.headers


# Secrets

SECRETS = ["canary-key-1f2e3d", "canary-header-4c5b6a", "canary-cookie-7a8b9c"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda echo: length(echo, status="400 No"),
        lambda echo: length(echo, status="503 No"),
        lambda echo: length(b'{"error": {"message": "' + echo + b'"}}', status="401 No"),
        lambda echo: length(b"<html>" + echo),
        lambda echo: length(b"data: {" + echo + b"\n\n"),
        lambda echo: length(b"x" * 275 + echo, status="400 No"),  # the message is cut within a secret
        lambda echo: length(b"", b"Location: http://x/?".decode() + echo.decode().replace(" ", "&"), status="302 No"),
        lambda echo: b"HTTP/1.1 " + echo + b"\r\n\r\n",
    ],
)
def test_no_error_log_or_pickle_shows_a_secret(
    answer: Callable[[bytes], bytes], provide: Provide, caplog: pytest.LogCaptureFixture
) -> None:
    key, header, cookie = SECRETS
    caplog.set_level(logging.DEBUG, logger="g4f_lite")
    echo = " ".join(SECRETS).encode()
    with RawServer(lambda c: (c.request(), c.send(answer(echo)))) as server:
        headers = {"X-Api-Token": f"Token {header}"}
        provider = provide(server, api_key=key, headers=headers, cookies={"session": cookie}, retry=FAST)
        with pytest.raises(G4FLiteError) as caught:
            provider.create(messages="hi")
        assert server.requests[0].headers["authorization"] == f"Bearer {key}"
        texts = [str(caught.value), repr(caught.value), repr(provider), caplog.text]
        texts += traceback.format_exception(caught.value)
        texts += [repr(pickle.dumps(thing)) for thing in (caught.value, provider)]
        for secret in ("canary-key", "canary-head", "canary-cook"):
            assert secret not in "".join(texts)


# By an assertion of its own in server/sock.c, for which the run then waits until it is ended.
ENDS_WINE = pytest.mark.skipif(sys.platform == "win32", reason="Wine's server ends here now and then")


@pytest.mark.parametrize("kind", [None, *(pytest.param(kind, marks=ENDS_WINE) for kind in (HTTPProxy, SOCKSProxy))])
def test_what_is_sent_does_not_wait_for_an_acknowledgement(provide: Provide, kind: type[Proxy] | None) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(every(hello())))
        proxy = stack.enter_context(kind()).address if kind else None
        stream = provide(server).create_generator(messages="Hello", proxy=proxy).start()
        sock = stream.source._deadline.socket
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert stream.text() == "Hello world"


def test_a_call_that_ends_when_it_is_connected_leaves_no_socket(
    provide: Provide, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []

    def just_in_time(connection: Any, transfer: Transfer) -> socket.socket:
        made.append(open_socket(connection, transfer))
        transfer.deadline.end("total")
        return made[-1]

    monkeypatch.setattr("g4f_lite.http.session.open_socket", just_in_time)
    with RawServer(every(hello())) as server:
        with pytest.raises(DeadlineExceededError):
            provide(server).create(messages="Hello")
        assert [sock.fileno() for sock in made] == [-1]
