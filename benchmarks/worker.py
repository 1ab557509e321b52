"""Takes one row's figures in a process of its own: ``python -m benchmarks.worker ROW [CLIENT PORT [PORT]]``.

Prints one JSON object of figures; of a row that is taken for all columns together, one for each.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .clients import CLIENTS
from .rows import ROWS
from .subject import Subject


def stay_on_this_machine() -> None:
    """Fail whatever would leave this machine: what is measured has no business elsewhere."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        if host not in ("127.0.0.1", "localhost", "::1", None, b"127.0.0.1", b"localhost"):
            raise RuntimeError(f"a client wants to reach {host}")

    sys.addaudithook(refuse)


def main() -> None:
    name, *rest = sys.argv[1:]
    row = next(row for row in ROWS if row.name == name)
    if not rest:
        print(json.dumps(row.measure()))
        return
    client, *ports = rest
    if row.guarded:
        stay_on_this_machine()
    roots = {scheme: f"{scheme}://127.0.0.1:{port}" for scheme, port in zip(("http", "https"), ports, strict=False)}
    print(json.dumps(row.measure(Subject(client, CLIENTS[client](), roots))))


if __name__ == "__main__":
    main()
