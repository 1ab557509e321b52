"""A server that streams chat completions and does as little else as it can: ``python -m benchmarks.server [PEM]``.

It prints the port of HTTP and, with a file of a certificate and its key, the one of HTTPS.  The path
of a request says what comes: ``/FRAMING/PIECES/PACE/v1/chat/completions``, with FRAMING one of
``chunked``, ``length``, ``close``, ``gzip``, ``batch`` (all pieces in one chunk) and ``flood`` (long
pieces, as fast as it can), and PACE the milliseconds between two pieces.  Each piece of text is the
time at which it was sent, so that a client can tell its delay.  ``GET /counts`` tells how many
connections were accepted on each port, and how many TLS handshakes were made.  Standard input's end
ends it.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
LAST = b"""data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",\
"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

"""
STAMP_BYTES = 18
FLOOD_TEXT = "x" * 1000
counts = {"http": 0, "https": 0, "handshakes": 0}


def piece(text: str) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def stamp() -> str:
    return f"{time.monotonic():.6f}".rjust(STAMP_BYTES)


def pieces(count: int, pace: float) -> Iterator[bytes]:
    for _ in range(count):
        if pace:
            time.sleep(pace)
        yield piece(stamp())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(connection: socket.socket, framing: str, count: int, pace: float) -> bool:
    """Send one answer; tell whether the connection stays open."""
    send = connection.sendall
    if framing == "close":
        send(HEAD + b"Connection: close\r\n\r\n")
        for data in pieces(count, pace):
            send(data)
        send(LAST)
        return False
    if framing == "length":
        send(HEAD + b"Content-Length: %d\r\n\r\n" % (count * len(piece(stamp())) + len(LAST)))
        for data in pieces(count, pace):
            send(data)
        send(LAST)
        return True
    if framing == "gzip":
        packer = zlib.compressobj(wbits=31)
        send(HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for data in pieces(count, pace):
            send(chunk(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)))
        send(chunk(packer.compress(LAST) + packer.flush()) + b"0\r\n\r\n")
        return True
    send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    if framing == "batch":
        time.sleep(pace)
        send(chunk(b"".join(pieces(count, 0)) + LAST) + b"0\r\n\r\n")
        return True
    if pace:
        for data in pieces(count, pace):
            send(chunk(data))
    else:
        # Two by turns: a peer gives up an answer that repeats itself.
        texts = (FLOOD_TEXT, FLOOD_TEXT.upper()) if framing == "flood" else (stamp(), "another".rjust(STAMP_BYTES))
        many = [chunk(piece(text)) for text in texts] * 25
        block = b"".join(many)
        for _ in range(count // len(many)):
            send(block)
        send(b"".join(many[: count % len(many)]))
    send(chunk(LAST) + b"0\r\n\r\n")
    return True


def serve(connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
            counts["handshakes"] += 1
        with connection, connection.makefile("rb") as reader:
            while line := reader.readline():
                length = 0
                while (header := reader.readline()) not in (b"\r\n", b""):
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                reader.read(length)
                path = line.split()[1].decode()
                if path == "/counts":
                    text = json.dumps(counts).encode()
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
                    continue
                _, framing, count, pace, *_ = path.split("/")
                if not answer(connection, framing, int(count), int(pace) / 1000):
                    return
    except OSError:
        return


def listen(scheme: str, tls: ssl.SSLContext | None = None) -> int:
    """Accept connections, each with a thread of its own; give the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            counts[scheme] += 1
            threading.Thread(target=serve, args=(connection, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def main() -> None:
    ports = [listen("http")]
    if sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        ports.append(listen("https", context))
    print(*ports, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
