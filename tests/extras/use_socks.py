"""A proxy that speaks SOCKS, to which the host's name is left."""

import socketserver
import threading

from g4f_lite import OpenAICompatible

BODY = b'{"choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


class Proxy(socketserver.StreamRequestHandler):
    """Accepts a connection without a password, and is the server itself."""

    def handle(self) -> None:
        self.rfile.read(self.rfile.read(2)[1])  # the version, and the ways to log in
        self.wfile.write(b"\x05\x00")
        self.rfile.read(4)  # the version, the command, a zero, and the kind of address: a name
        asked.append(self.rfile.read(self.rfile.read(1)[0]))
        self.rfile.read(2)  # the port
        self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
        length = 0
        while (line := self.rfile.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length:"):
                length = int(line.split()[1])
        self.rfile.read(length)
        self.wfile.write(HEAD % len(BODY) + BODY)


asked: list[bytes] = []
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = f"socks5h://127.0.0.1:{server.server_address[1]}"
    with OpenAICompatible("http://model.invalid/v1", model="m", proxy=proxy) as provider:
        assert provider.ask("hello") == "hello"
    server.shutdown()
assert asked == [b"model.invalid"]
