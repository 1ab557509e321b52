"""Whatever a server sends, a caller gets an answer or an error of this library, soon and in bounded memory.

The long form is run by ``python -m pytest -m long tests/wire/test_fuzz.py``.
"""

from __future__ import annotations

import functools
import gzip
import pickle
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from g4f_lite import DeadlineExceededError, G4FLiteError, RateLimitError, ResponseFormatError
from g4f_lite.http.parsing import iter_events, split_lines
from g4f_lite.http.redact import redact
from g4f_lite.http.waits import parse_retry_after

from . import hostile
from .hostile import BOOTSTRAPS, HostileServer, plain
from .matrix_cells import PROVIDERS
from .products import product
from .raw_server import DONE, Connection, RawServer, delta, length

NAMES = [name for name in PROVIDERS if name != "Chatgpt4Online"]
ASKS: dict[str, tuple[str, Callable[[Any], object]]] = {
    **{name: (name, lambda provider: provider.create(messages="hi")) for name in NAMES},
    "a list of models": ("OpenAICompatible", lambda provider: provider.get_models()),
    "a picture of OpenAICompatible": ("OpenAICompatible", lambda provider: provider.generate_image("hi").bytes()),
    "a picture of AiChats": ("AiChats", lambda provider: provider.create("dalle", "hi")),
}
MiB = 1024 * 1024
LIMIT, LONGEST = 0.5, 10.0  # seconds for one call: its own limit, and what a busy machine may add
NO_LIMIT = 60.0  # seconds that no answer takes
MOST_MEMORY = 3.2  # times what an answer may have: its parts, their sum, the text
LARGEST = 64 * MiB  # what a compressed answer may have

usual = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
thorough = settings(usual, max_examples=5000, derandomize=False)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


def _ask(server: HostileServer, what: str, timeout: float = LIMIT) -> G4FLiteError | None:
    """Ask; give the error, which can be shown and pickled."""
    name, ask = ASKS[what]
    began = time.monotonic()
    error = None
    with server.provider(name, timeout=timeout) as provider:
        try:
            str(ask(provider))
        except G4FLiteError as raised:
            error = raised
    assert time.monotonic() - began < timeout + LONGEST
    server.requests.clear()
    if error is not None:
        assert str(error)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
        assert len(str(error)) < 2000, "a message is no dump"
    return error


def _fuzz(server: HostileServer, what: str, with_settings: settings) -> None:
    @with_settings
    @given(hostile.answers(), st.booleans())
    def check(answer: bytes, hostile_bootstrap: bool) -> None:
        server.answer, server.hostile_bootstrap = answer, hostile_bootstrap
        _ask(server, what)

    check()


@pytest.mark.once
@pytest.mark.parametrize("what", ASKS)
def test_whatever_a_server_sends(what: str, server: HostileServer) -> None:
    _fuzz(server, what, usual)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("what", ASKS)
def test_whatever_a_server_sends_at_length(what: str, server: HostileServer) -> None:
    _fuzz(server, what, thorough)


@pytest.mark.once
@usual
@given(st.lists(st.binary(max_size=30)), st.booleans())
def test_decoders_take_any_bytes(chunks: list[bytes], accept_unfinished: bool) -> None:
    for event in iter_events(split_lines(chunks), accept_unfinished=accept_unfinished):
        assert "\n" not in event.event + event.id


@pytest.mark.once
@usual
@given(st.text() | st.from_regex(r"\A[\d., :A-Za-z+-]{0,40}\Z"))
def test_any_retry_after(value: str) -> None:
    wait = parse_retry_after(value)
    assert wait is None or wait >= 0


@pytest.mark.once
@usual
@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=4))
def test_any_text_can_be_redacted(text: str, secrets: list[str]) -> None:
    hidden = redact(text, secrets)
    assert all(secret not in hidden.replace("***", "") for secret in secrets if len(secret) >= 4 and "*" not in secret)


def _nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "json": lambda inner: inner,
    "event": lambda inner: b"data: " + inner + b"\n\n",
    "line": lambda inner: b'{"code":200,"data":' + inner + b"}\n",
    "choices": lambda inner: b'data: {"choices":' + inner + b"}\n\n",
    "error": lambda inner: b'{"error":' + inner + b"}",
    "live": lambda inner: b'data: {"type":"live","data":' + inner + b"}\n\n",
    "reply": lambda inner: b'{"success":true,"reply":' + inner + b"}",
}


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_deep_json(name: str, shape: str, server: HostileServer) -> None:
    """The depth at which a parser, or a writer of a message about it, gives up is somewhere in between."""
    for number, depth in enumerate((10, 198, 200, 202, *range(860, 1000, 40), 2000, 100_000)):
        server.answer = plain(SHAPES[shape](_nested(depth)), status=("200 OK", "400 No")[number % 2])
        error = _ask(server, name)
        assert error is not None or name == "AiChats", depth


@functools.cache
def _bomb(encoding: str, begin: bytes, filler: bytes, size: int) -> bytes:
    compressor = zlib.compressobj(1, wbits=15 if encoding == "deflate" else 31)
    block = filler * (MiB // len(filler))
    data = compressor.compress(begin) + b"".join(compressor.compress(block) for _ in range(size // MiB))
    data += compressor.flush()
    again = {"gzip, gzip": gzip.compress, "gzip, deflate": zlib.compress}.get(encoding, bytes)
    return again(data)


def _ask_in_bounds(server: HostileServer, name: str, bound: int, timeout: float = LIMIT) -> G4FLiteError | None:
    """Ask; give the error, which takes no more memory than an answer of so many bytes may."""
    tracemalloc.start()
    try:
        error = _ask(server, name, timeout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY * bound
    return error


BOMBS = [
    ("gzip", "200 OK"),
    ("gzip", "500 No"),
    ("deflate", "200 OK"),
    ("gzip, gzip", "500 No"),
    ("gzip, deflate", "200 OK"),
]
FILLED_WITH = [(b"", b"\n"), (b"data: ", b"x"), (b'{"error": "', b"x"), (b"<", b"x"), (b"", b": x\n")]


@pytest.mark.once
@pytest.mark.parametrize(("bomb", "filled_with"), product(BOMBS, FILLED_WITH))
def test_bombs(
    bomb: tuple[str, str], filled_with: tuple[bytes, bytes], server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (encoding, status), (begin, filler) = bomb, filled_with
    bound = LARGEST // 32
    monkeypatch.setattr("g4f_lite.http.body.MAX_DECODED_BYTES", bound)
    compressed = _bomb(encoding, begin, filler, bound + 2 * MiB)
    server.answer = plain(compressed, f"Content-Encoding: {encoding}", status=status)
    assert _ask_in_bounds(server, "OpenAICompatible", bound) is not None


@pytest.mark.once
def test_a_bomb_of_full_size(server: HostileServer) -> None:
    comment = b": " + b"x" * 10_000 + b"\n"  # long, so that reading them takes no time
    server.answer = plain(_bomb("gzip", b"", comment, LARGEST + 2 * MiB), "Content-Encoding: gzip")
    error = _ask_in_bounds(server, "OpenAICompatible", LARGEST, NO_LIMIT)
    assert isinstance(error, ResponseFormatError)
    assert f"{LARGEST:,} bytes" in str(error)


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("begin", "size"), [(b"{", 40), (b"data: {", 2), (b"<html>", 40), (b"x", 2)])
def test_long_answers_of_the_wrong_kind_take_no_memory(
    name: str, begin: bytes, size: int, server: HostileServer
) -> None:
    server.answer = plain(begin + b'"' + b"y" * (size * MiB))
    assert _ask_in_bounds(server, name, LARGEST, NO_LIMIT) is not None


@pytest.mark.once
@pytest.mark.parametrize(("name", "filler"), product(NAMES, [b"\n", b"\r\n", b": keep-alive\n", b"data:\n\n"]))
def test_an_endless_stream_that_says_nothing_ends_with_the_time(name: str, filler: bytes) -> None:
    block = filler * (64 * 1024 // len(filler))

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1].partition("?")[0]
            if path in BOOTSTRAPS:
                connection.send(BOOTSTRAPS[path])
                continue
            connection.send(plain(b""))
            while not connection.server.ending.is_set():
                connection.send(block)

    tracemalloc.start()
    try:
        with RawServer(answer) as server, PROVIDERS[name][1](server.url, timeout=0.15, retry=None) as provider:
            began = time.monotonic()
            with pytest.raises((DeadlineExceededError, ResponseFormatError)):
                provider.create(messages="hi")
            assert time.monotonic() - began < LONGEST
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY * LARGEST
    finally:
        tracemalloc.stop()


HEADS: dict[str, Any] = {
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * MiB + b"\r\n\r\n",
    "a long status line": b"HTTP/1.1 200 " + b"O" * MiB + b"\r\n\r\n",
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    "two lengths": plain(b"data: x", "Content-Length: 5", "Content-Length: 6"),
    "length and chunks": plain(b"zz\r\n", "Content-Length: 4", "Transfer-Encoding: chunked"),
    "a long line of no http": b"[" * 5000 + b"\r\n",
    "no http": b"SSH-2.0-OpenSSH_9.9\r\n",
    "http 0.9": b"hello",
    "chunk of no size": plain(b"\r\n\r\n", "Transfer-Encoding: chunked"),
    "a long chunk line": plain(b"1" * MiB, "Transfer-Encoding: chunked"),
    "a chunk of 2**64": plain(b"ffffffffffffffff\r\nx", "Transfer-Encoding: chunked"),
    "a negative chunk": plain(b"-5\r\nx", "Transfer-Encoding: chunked"),
    "a coding twice": plain(b"data: x\n\n", "Content-Encoding: gzip", "Content-Encoding: gzip"),
    "a place to go twice": plain(b"", "Location: /a", "Location: /b", status="302 There"),
    "50 codings": plain(b"x", "Content-Encoding: " + ", ".join(["gzip"] * 50)),
}


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", HEADS)
def test_heads_and_framings(name: str, kind: str, server: HostileServer) -> None:
    server.answer = HEADS[kind]
    assert _ask(server, name) is not None


@pytest.mark.parametrize("name", NAMES)
def test_cookies_are_for_their_own_host(name: str, server: HostileServer) -> None:
    cookies = "Set-Cookie: a=b; domain=other.test", "Set-Cookie: c=d; domain=.test", "Set-Cookie: mine=1; path=/"
    server.answer = plain(b"{}", *cookies)
    with server.provider(name) as provider:
        with pytest.raises(G4FLiteError):
            provider.create(messages="hi")
        assert {cookie.domain for cookie in provider.session.cookies} <= {"127.0.0.1"}


WHOLE = {
    "OpenAICompatible": delta("Hello", "stop") + DONE,
    "AiEngine": b'data: {"type":"live","data":"Hello"}\n\n'
    b'data: {"type":"end","data":"{\\"success\\":true,\\"reply\\":\\"Hello\\"}"}\n\n',
    "AiChats": b"data: Hello\n\n",
    "AiChatOnline": b'{"code":200,"data":{"message":"Hello"}}\n',
}
TWICE = ["Content-Type: a/b", "Connection: close", "Date: now", "X-WP-Nonce: 0123456789", "Set-Cookie: a=b; path=/"]


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("header", [*TWICE, "Content-Length: LENGTH"])
def test_a_header_that_comes_twice_is_no_harm(name: str, header: str) -> None:
    """Where both say the same, or nothing that is asked for; an answer is as whole as without it."""
    body = WHOLE[name]
    fields = [header.replace("LENGTH", str(len(body)))] * 2

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1].partition("?")[0]
            connection.send(BOOTSTRAPS.get(path) or length(body, *fields))

    with RawServer(answer) as server, PROVIDERS[name][1](server.url, retry=None, timeout=5) as provider:
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello"] * 2


def test_two_waits_that_contradict_each_other_are_none(server: HostileServer) -> None:
    server.answer = plain(b"", "Retry-After: 5", "Retry-After: 7", status="429 Slow")
    error = _ask(server, "OpenAICompatible")
    assert isinstance(error, RateLimitError)
    assert error.retry_after is None


@pytest.mark.product
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("location", ["http://other.test/", "file:///etc/passwd", "http://[", "http://me:word@{}/", ""])
def test_a_prompt_is_not_redirected_elsewhere(name: str, location: str, server: HostileServer) -> None:
    place = server.url.rpartition("/")[2]
    server.answer = plain(b"", f"Location: {location.format(place)}", status="307 There")
    error = _ask(server, name, timeout=10)
    assert getattr(error, "status", None) == 307
    assert server.connections == 1


@pytest.mark.product
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("location", ["/again", "//"])
def test_redirects_in_a_circle_come_to_an_end(name: str, location: str, server: HostileServer) -> None:
    server.answer = plain(b"", f"Location: {location}", status="307 There")
    error = _ask(server, name, timeout=10)
    assert getattr(error, "status", None) == 307
    assert server.connections == 4
