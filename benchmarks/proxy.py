"""What a server of OpenAI's API adds to the answers of another: ``python -m benchmarks.proxy``.

The same streams are read straight from the server of these benchmarks, through ``g4f_lite serve``, and through the
peers' servers whose Python is named: ``--litellm PYTHON`` with ``litellm[proxy]``, ``--g4f PYTHON`` with ``g4f[api]``.
Each piece of text is the time at which it was sent.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .server import answer

STREAMS, PIECES, PACE = 64, 40, 50  # answers at once; the pieces of each, and the milliseconds between two
FIRST_PIECES = 40
SECONDS = 120.0
# When it is imported it fetches a list of providers from its own site, which this list stands for.
START_G4F = """
import sys
from g4f.client.factory import AbstractClientFactory
AbstractClientFactory._live_providers = {"providers": {"default": {"baseUrl": sys.argv[1]}}, "defaultModels": {}}
from g4f.api import run_api
run_api(bind=f"127.0.0.1:{sys.argv[2]}")
"""


@dataclass(frozen=True)
class Way:
    """How an answer is asked for: the address, what is added to the body, and the process whose memory counts."""

    base: str
    process: int | None = None
    fields: dict[str, str] = field(default_factory=dict)

    def stream(self, connection: http.client.HTTPConnection, pieces: int, pace: int) -> Iterator[tuple[float, float]]:
        """Yield when each piece was sent, and when it came."""
        messages = [{"role": "user", "content": f"{pieces}/{pace}/"}]
        body = {"model": "m", "messages": messages, "stream": True, **self.fields}
        headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{self.base}: {response.status} {response.read()[:300]!r}")
        for line in response:
            if line.startswith(b"data: {"):
                now = time.monotonic()
                text = "".join(choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"])
                if text.strip():
                    yield float(text), now

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection."""
        return http.client.HTTPConnection(self.base, timeout=SECONDS)

    def memory(self) -> float:
        """Give the resident memory of the server in MB, with that of its children."""
        pids, total = [self.process], 0.0
        for pid in pids:
            pids += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        return total


def figures(way: Way) -> dict[str, float]:
    """Take the figures of one way, in milliseconds and MB."""
    connection = way.connect()
    for _ in range(3):
        list(way.stream(connection, 2, 1))
    firsts = []
    for _ in range(FIRST_PIECES):
        began = time.monotonic()
        [(_, came)] = way.stream(connection, 1, 1)
        firsts.append(came - began)
    later = [came - sent for sent, came in way.stream(connection, PIECES, 10)]
    before = 0.0 if way.process is None else way.memory()
    peak = before

    def read(_: int) -> list[float]:
        return [came - sent for sent, came in way.stream(way.connect(), PIECES, PACE)]

    with ThreadPoolExecutor(STREAMS) as threads:
        answers = [threads.submit(read, number) for number in range(STREAMS)]
        while not all(answer.done() for answer in answers):
            time.sleep(0.2)
            peak = peak if way.process is None else max(peak, way.memory())
    delays = [delay for answer in answers for delay in answer.result()]
    worst = [max(answer.result()) for answer in answers]
    return {
        "first piece": statistics.median(firsts) * 1000,
        "later piece": statistics.median(later) * 1000,
        f"{STREAMS} streams, median": statistics.median(delays) * 1000,
        f"{STREAMS} streams, 99th of 100": statistics.quantiles(delays, n=100)[98] * 1000,
        "slowest stream's latest": max(worst) * 1000,
        "MB a stream": (peak - before) / STREAMS,
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[int]:
    """Run a server until the block ends; give its process id when its port answers."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})
        try:
            ends = time.monotonic() + SECONDS
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > ends:
                        log.seek(0)
                        raise RuntimeError(f"{command[:4]} did not start: {log.read()[-3000:].decode()}") from None
                    time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()
            process.wait(SECONDS)


def upstream() -> str:
    """Answer prompts in threads, each with as many pieces at the pace that it says; give the address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as reader:
            while line := reader.readline():
                length = 0
                while (header := reader.readline()) not in (b"\r\n", b""):
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                if line.startswith(b"GET "):  # a list of models
                    listed = b'{"object":"list","data":[{"id":"m","object":"model"}]}'
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(listed), listed))
                    continue
                content = json.loads(reader.read(length))["messages"][-1]["content"]
                pieces, pace, _ = (content if isinstance(content, str) else content[0]["text"]).split("/")
                answer(connection, "chunked", int(pieces), int(pace) / 1000)

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"127.0.0.1:{listener.getsockname()[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm", metavar="PYTHON", help="an interpreter that has litellm[proxy]")
    parser.add_argument("--g4f", metavar="PYTHON", help="an interpreter that has g4f[api]")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    straight = upstream()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        ways = {"straight": Way(straight)}

        def add(name: str, command: list[str], port: int, fields: dict[str, str], **environment: str) -> None:
            pid = stack.enter_context(running(command, port, **environment))
            ways[name] = Way(f"127.0.0.1:{port}", pid, fields)

        port = free_port()
        base = f"http://{straight}/v1"
        add(
            "g4f_lite serve",
            [sys.executable, "-m", "g4f_lite", "serve", "--port", str(port), "--quiet"],
            port,
            {},
            G4F_LITE_BASE_URL=base,
        )
        if options.litellm:
            port = free_port()
            model = {"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": base, "api_key": "none"}}
            config = Path(folder, "config.json")  # JSON is YAML as well
            config.write_text(json.dumps({"model_list": [model]}))
            program = str(Path(options.litellm).with_name("litellm"))
            local = {"LITELLM_LOCAL_MODEL_COST_MAP": "true"}  # nothing is fetched
            local["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
            add("litellm's proxy", [program, "--config", str(config), "--port", str(port)], port, {}, **local)
        if options.g4f:
            port = free_port()
            add(
                "g4f's server",
                [options.g4f, "-c", START_G4F, base, str(port)],
                port,
                {"provider": base, "api_key": "none"},
            )
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                taken[name].append(figures(way))
    show(taken)


def show(taken: dict[str, list[dict[str, float]]]) -> None:
    """Print a table: the median round, and the lowest and the highest in brackets."""
    names = list(next(iter(taken.values()))[0])
    print("| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|", sep="\n")
    for way, rounds in taken.items():
        cells = []
        for name in names:
            values = sorted(each[name] for each in rounds)
            cells.append(f"{statistics.median(values):.2f} ({values[0]:.2f}-{values[-1]:.2f})")
        print(f"| {way} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
