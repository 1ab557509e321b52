"""What a hostile or broken server may send: strategies for whole answers, heads, framings and bodies."""

from __future__ import annotations

import json
import threading
import zlib
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from .matrix_cells import PROVIDERS
from .raw_server import Connection, RawServer, chunk, head, length

BOOTSTRAPS: dict[str, bytes] = {
    "/wp-json/mwai/v1/start_session": length(b'{"success":true,"sessionId":"N/A","restNonce":"0123456789"}'),
    "/chat/": length(b"<html>", "Set-Cookie: _csrf-front=x; path=/", "Set-Cookie: advanced-frontend=y; path=/"),
    "/api/v1/user/getUniqueId": length(b'{"code":200,"data":"0123456789abcdef"}'),
}

NAMES = """
    choices delta content finish_reason error message code type data live end success reply images usage status
    tool_calls function arguments index reasoning_content url restNonce new_token detail prompt_tokens b64_json id
"""
ADDRESSES = """
    http://127.0.0.1:1/ http://localhost/ http://10.0.0.1/ http://[::1 file:///etc/passwd //x data: data:,x
    data:image/png;base64,iVBORw0KGgo= data:image/png;base64,= data:image/png,%89PNG%0D%0A%1A%0A data:image/gif,GIF89a
"""
words = st.sampled_from(NAMES.split())
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["live", "error", "end", "stop", '{"success":true,"reply":"x"}', "rate limit", "\ud800", "0"]),
    st.sampled_from([200, 401, 429, 500, 10**30, float("inf")]),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(words, values, max_size=5)
raw_json = (objects | values).map(lambda value: json.dumps(value).encode())
deltas = st.fixed_dictionaries({"delta": objects | values, "finish_reason": values})
rows = st.lists(
    objects
    | st.builds(lambda url: {"url": url}, leaves | st.sampled_from(ADDRESSES.split()))
    | st.builds(
        lambda data: {"b64_json": data}, leaves | st.binary(max_size=20).map(lambda data: b64encode(data).decode())
    )
    | st.builds(lambda name: {"id": name}, leaves),
    max_size=3,
)
pieces = st.one_of(
    raw_json,
    st.binary(max_size=40),
    st.builds(lambda inner: json.dumps({"choices": [inner]}).encode(), deltas),
    st.builds(lambda code, inner: json.dumps({"code": code, "data": inner}).encode(), leaves, objects),
    st.builds(lambda inner: json.dumps({"data": inner}).encode(), rows),
    st.builds(lambda kind, inner: json.dumps({"type": kind, "data": inner}).encode(), leaves, values),
    st.builds(lambda inner: json.dumps({"type": "end", "data": json.dumps(inner)}).encode(), objects),
    st.sampled_from(
        [b"[DONE]", b"{", b'{"a":1', b"<html>just a moment</html>", b"\xef\xbb\xbf{}", b"null", b"[" * 5000]
    ),
)
names = st.sampled_from(
    [b"data: ", b"data:", b"event: ", b"event:trylimit", b"id: ", b": ", b"", b"retry: ", b"\xff: "]
)
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"", b"\0"])
lines = st.builds(lambda name, piece, end: name + piece + end, names, pieces, line_ends)
bodies = st.one_of(st.lists(lines, max_size=6).map(b"".join), pieces, st.binary(max_size=200))

fields = st.one_of(
    st.sampled_from(
        [
            "Content-Type: text/event-stream",
            "Content-Type: application/json; charset=utf-99",
            "Content-Encoding: gzip",
            "Content-Encoding: deflate",
            "Content-Encoding: br",
            "Content-Encoding: gzip, deflate",
            "Content-Encoding: " + ", ".join(["gzip"] * 50),
            "Content-Length: -1",
            "Content-Length: 0x10",
            "Content-Length: 5, 6",
            f"Content-Length: {10**40}",
            "Content-Length: 7",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: identity, chunked",
            "Retry-After: soon",
            "Retry-After: -5",
            f"Retry-After: {'9' * 400}",
            "Retry-After: Wed, 32 Foo 99999 99:99:99 GMT",
            "Set-Cookie: a=b; domain=other.test; expires=never",
            "Set-Cookie: =;;;=; max-age=x",
            "Set-Cookie: a=b; expires=Thu, 99 Jan 999999 00:00:00 GMT",
            "Location: http://[::1",
            "Location: //",
            "X-WP-Nonce: \x01\x02",
            "Connection: close",
            " folded: header",
            "no colon at all",
        ]
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30),
)
statuses = st.one_of(
    st.sampled_from(
        ["200 OK", "200", "429 Slow", "401 No", "403 No", "404 No", "500 Oh", "503 Oh", "204 None", "304 Same"]
    ),
    st.sampled_from(["302 There", "100 Continue", "101 Switch", "999 What", "000 Zero", "99999 Much", "-1 Less", "x"]),
)
compressed = st.sampled_from([zlib.compress, lambda body: zlib.compress(body)[:-3], lambda body: body])


def _framed(body: bytes, framing: str, extra: int) -> tuple[list[str], bytes]:
    if framing == "chunked":
        cut = max(1, len(body) // 2)
        return ["Transfer-Encoding: chunked"], chunk(body[:cut]) + (
            chunk(body[cut:]) if body[cut:] else b""
        ) + b"0\r\n\r\n"
    if framing == "bad chunks":
        return ["Transfer-Encoding: chunked"], chunk(body) + b"%x;x\r\n" % (2 ** (extra % 80)) + body
    if framing == "length":
        return [f"Content-Length: {max(0, len(body) + extra)}"], body
    return [], body


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Draw a whole answer, from nearly right to noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=100))
    body = draw(compressed)(draw(bodies))
    framing = draw(st.sampled_from(["chunked", "bad chunks", "length", "close", "length"]))
    framed, sent = _framed(body, framing, draw(st.sampled_from([0, 0, 0, 1, -1, 50])))
    more = draw(st.lists(fields, max_size=3))
    status = draw(st.just("200 OK") | statuses)
    answer = b"HTTP/1.1 " + "\r\n".join([status, *framed, *more, "", ""]).encode("latin-1", "replace") + sent
    return answer[: draw(st.just(len(answer)) | st.integers(0, len(answer)))]


class HostileServer(RawServer):
    """Answers what it is told to, and fetches of tokens as they should be unless told otherwise."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.answer = b""
        self.hostile_bootstrap = False
        self._lock = threading.Lock()

    def _answer(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1].partition("?")[0]
            if path in BOOTSTRAPS and not self.hostile_bootstrap:
                connection.send(BOOTSTRAPS[path])
                continue
            connection.send(self.answer)
            return

    def provider(self, name: str, **settings: Any) -> Any:
        """Make a provider for this server."""
        return PROVIDERS[name][1](self.url, **{"retry": None, "timeout": 5, **settings})


def plain(body: bytes, *more: str, status: str = "200 OK") -> bytes:
    """Write an answer whose body ends with the connection."""
    return head("Connection: close", *more, status=status) + body
