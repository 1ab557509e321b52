"""Runs a cell of the matrix: a server of its own, a provider of its own, a call that is struck, and one that is not."""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from g4f_lite import G4FLiteError, ImageResponse, OpenAICompatible, Provider, RetryPolicy, Timeout
from g4f_lite.emulator import Emulator
from g4f_lite.emulator.png import draw_png

from .matrix_cells import PROVIDERS, Cell, Result
from .proxies import HTTPProxy, Proxy, SOCKSProxy

# What is not meant to pass is never reached; what is meant to is long for a busy machine, and far from the others.
LIMITS = {"long": Timeout(30, 30, 60), "read": Timeout(30, 3.0, 60, 3.0), "total": Timeout(30, 30, 1.0)}
PROMPTLY = 15.0  # seconds for a call; a limit that passes where none should takes 30
PATIENCE = 20.0  # seconds for what another thread is about to do
RETRY = RetryPolicy(attempts=2, backoff=0, max_retry_after=5)
TEXT = "alpha beta gamma"


@dataclass
class Ran:
    """What is to be seen of a cell that has run.

    :ivar pieces: what the caller was given, whatever came of the call
    :ivar left_open: how many connections the server still has
    """

    result: Result
    raised: Exception | None
    pieces: str
    seconds: float
    next_answer: str = ""
    left_open: int = 0


class Surroundings:
    """The proxies and the certificate that all cells share.

    :param tls: the context of a server
    :param authority_file: the path of the certificate that it is verified with
    """

    def __init__(self, tls: ssl.SSLContext, authority_file: str) -> None:
        self.tls, self.authority_file = tls, authority_file
        self.proxies: dict[str, Proxy] = {"proxy": HTTPProxy(), "socks": SOCKSProxy()}

    @contextmanager
    def running(self) -> Iterator[Surroundings]:
        with ExitStack() as stack:
            for proxy in self.proxies.values():
                stack.enter_context(proxy)
            yield self

    def run(self, cell: Cell) -> Ran:
        """Run one cell."""
        with self._emulator(cell) as emulator:
            return self._run(cell, emulator)

    def run_together(self, cells: Sequence[Cell]) -> list[Ran]:
        """Run cells that wait for a limit: they come to their fault one after the other, and wait there together."""
        with ExitStack() as stack, ThreadPoolExecutor(len(cells)) as threads:
            futures: list[Future[Ran]] = []
            for cell in cells:
                emulator = stack.enter_context(self._emulator(cell))
                futures.append(threads.submit(self._run, cell, emulator))
                wait_until(functools.partial(_waits, futures[-1], emulator))
            return [future.result() for future in futures]

    def _emulator(self, cell: Cell) -> Emulator:
        return Emulator(tls=self.tls if "tls" in cell.route else None, **cell.row.server)

    def _run(self, cell: Cell, emulator: Emulator) -> Ran:
        _arrange(emulator, cell)
        settings: dict[str, Any] = {"verify": self.authority_file} if "tls" in cell.route else {}
        kind = cell.route.partition(" ")[0]
        if kind in self.proxies:
            settings["proxy"] = self.proxies[kind].address
        if cell.row.struck == "bootstrap" and cell.provider == "OpenAICompatible":
            settings["model"] = None  # so that it has to ask for one
        make = PROVIDERS[cell.provider][1]
        with make(emulator.url, retry=RETRY, timeout=LIMITS[cell.row.limits], **settings) as provider:
            ran = _call(provider, emulator, cell)
            emulator.reset()
            ran.next_answer = provider.create(messages="the next", timeout=LIMITS["long"])
        wait_until(lambda: not emulator.open_connections)
        ran.left_open = emulator.open_connections
        return ran


def _waits(future: Future[Ran], emulator: Emulator) -> bool:
    return future.done() or any(request.fault for request in emulator.requests)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do, or lose patience."""
    until = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)


def _arrange(emulator: Emulator, cell: Cell) -> None:
    row = cell.row
    if row.fault == "closed port":
        emulator.stop_listening()
        return
    fault, settings = row.fault, row.settings
    if fault == "page":
        fault, settings = "status", {"status": 200, "body": "<html>Welcome</html>"}
    step = {"text": "prompt", "drawing": "prompt"}.get(row.struck, row.struck)
    if row.struck == "bootstrap" and cell.provider == "OpenAICompatible":
        step = "models"
    emulator.fail(fault, step=step, times=1 if cell.strikes == "once" else None, **settings)


def _call(provider: Provider, emulator: Emulator, cell: Cell) -> Ran:
    pieces: list[str] = []
    raised: Exception | None = None
    began = time.monotonic()
    try:
        for piece in _pieces(provider, cell):
            pieces.append(piece)
    except Exception as error:
        raised = error
    seconds = time.monotonic() - began
    given = "".join(pieces)
    requests = " ".join(request.step or "other" for request in emulator.requests)
    return Ran(_result(raised, given, requests, cell), raised, given, seconds)


def _pieces(provider: Provider, cell: Cell) -> Iterator[str]:
    """Ask; an image is given as the text that it shows."""
    if cell.row.struck not in ("drawing", "image"):
        if cell.way == "create":
            yield provider.create(messages=TEXT)
        else:
            yield from map(str, provider.create_generator(messages=TEXT))
    elif isinstance(provider, OpenAICompatible):
        yield _shown(provider.generate_image(TEXT))
    elif cell.way == "create":
        yield _shown(provider.create("dalle", TEXT).images[0])
    else:
        for piece in provider.create_generator("dalle", TEXT):
            yield piece if isinstance(piece, str) else _shown(piece)


def _shown(image: ImageResponse) -> str:
    return TEXT if image.bytes() == draw_png(TEXT) else "another image"


def _result(error: Exception | None, given: str, requests: str, cell: Cell) -> Result:
    """Say in the tables' words what came of a call."""
    if error is None:
        return Result(requests, text=_name(given))
    assert isinstance(error, G4FLiteError)
    step = error.step
    if cell.seen.step is not None and step in cell.seen.step.split(" or "):
        step = cell.seen.step
    limit, retry_after = (getattr(error, name, None) for name in ("limit", "retry_after"))
    return Result(requests, type(error), _name(getattr(error, "partial", "")), step, error.attempts, limit, retry_after)


def _name(text: str) -> str:
    """Give the rows' name for what came of the text."""
    names = {"": "", TEXT: "all", TEXT.split()[0]: "first"}
    return names.get(text) or ("cut" if TEXT.startswith(text) and text else text)
