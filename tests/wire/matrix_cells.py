"""Runs cells of the matrix: a fault in a place, a provider, a way of asking, a route."""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from g4f_lite import (
    AiChatOnline,
    AiChats,
    AiEngine,
    Chatgpt4Online,
    G4FLiteError,
    OpenAICompatible,
    Provider,
    RetryPolicy,
    Timeout,
)
from g4f_lite.emulator import Emulator

from .matrix_rows import FAMILIES, ROWS, Outcome, Row
from .proxies import HTTPProxy, Proxy, SOCKSProxy

LIMITS = {"long": Timeout(5, 10, 20), "read": Timeout(5, 0.3, 20), "total": Timeout(5, 10, 0.8)}
RETRY = RetryPolicy(attempts=2, backoff=0, max_retry_after=5)
PATIENCE = 5.0  # seconds for what another thread is about to do

PROVIDERS: dict[str, tuple[str, Any]] = {
    "OpenAICompatible": ("openai", lambda url, **more: OpenAICompatible(url + "/v1", model="m", **more)),
    "AiEngine": ("engine", AiEngine),
    "Chatgpt4Online": ("engine", lambda url, **more: Chatgpt4Online(base_url=url, **more)),
    "AiChats": ("chats", lambda url, **more: AiChats(base_url=url, **more)),
    "AiChatOnline": ("online", lambda url, **more: AiChatOnline(base_url=url, **more)),
}
ROUTES = ("tls", "proxy", "proxy tls", "socks", "socks tls")


@dataclass(frozen=True)
class Cell:
    """One call.

    :param strikes: whether the fault strikes ``"once"`` or ``"always"``
    :param route: ``"direct"``, or one of ROUTES
    """

    row: Row
    provider: str
    way: str
    strikes: str
    route: str = "direct"

    @property
    def name(self) -> str:
        parts = [self.provider, self.way, self.route, self.row.name, self.row.place, self.row.limits, self.strikes]
        return "-".join(part.replace(" ", "_") for part in parts)

    @property
    def outcome(self) -> Outcome:
        return self.row.outcomes[FAMILIES.index(PROVIDERS[self.provider][0])]

    def expected(self, text: str) -> Result:
        """Say what the row's promise means for this call."""
        outcome, first = self.outcome, text.partition(" ")[0]
        part = {"": "", "first": first, "all": text, "cut": "cut"}[outcome.text]
        if outcome.error is None:
            return Result(None, part, 1)
        if self.row.place == "before the request":
            return Result(None, text, 1) if self.strikes == "once" else Result(outcome.error, "", 0)
        if not (outcome.again or outcome.refreshed):
            return Result(outcome.error, part, 1, outcome.limit, outcome.retry_after)
        if self.strikes == "once":
            return Result(None, text, 2)
        # Its token came over the same connection, which therefore looks like a stale one.
        replaced = self.row.closed and self.provider != "OpenAICompatible"
        return Result(outcome.error, part, 3 if replaced else 2, outcome.limit, outcome.retry_after)


@dataclass(frozen=True)
class Result:
    """What came of a call: its error, its text (of an error: the partial one), the prompts that reached the server."""

    error: type[G4FLiteError] | None
    text: str
    prompts: int
    limit: str | None = None
    retry_after: float | None = None


@dataclass
class Ran:
    """A cell that has run, with what else was seen."""

    result: Result
    expected: Result
    text: str
    raised: BaseException | None = None
    seconds: float = 0.0
    pieces: str = ""
    next_answer: str = ""
    left_open: int = 0


def cells() -> Iterator[Cell]:
    """Give them all."""
    for row in ROWS:
        for provider in PROVIDERS:
            for route in ("direct", *(ROUTES if provider == "OpenAICompatible" else ())):
                cell = Cell(row, provider, "stream", "always", route)
                if row.fault == "closed port" and route not in ("direct", "tls"):
                    continue  # a proxy says that in words of its own
                sent_again = cell.outcome.again or cell.outcome.refreshed
                for strikes in ("once", "always") if sent_again and row.fault != "closed port" else ("always",):
                    for way in ("stream", "create"):
                        yield Cell(row, provider, way, strikes, route)


class Surroundings:
    """The proxies and the certificate that all cells share."""

    def __init__(self, tls: ssl.SSLContext, authority_file: str) -> None:
        self.tls, self.authority_file = tls, authority_file
        self.proxies: dict[str, Proxy] = {"proxy": HTTPProxy(), "socks": SOCKSProxy()}

    @contextmanager
    def running(self) -> Iterator[Surroundings]:
        with ExitStack() as stack:
            for proxy in self.proxies.values():
                stack.enter_context(proxy)
            yield self

    def run(self, numbered: tuple[int, Cell]) -> Ran:
        """Run one cell, with a server and a provider of its own."""
        number, cell = numbered
        text = f"w{number:06d} beta gamma"
        with_tls = "tls" in cell.route
        with Emulator(tls=self.tls if with_tls else None, **cell.row.server) as emulator:
            _arrange(emulator, cell)
            settings: dict[str, Any] = {"verify": self.authority_file} if with_tls else {}
            kind = cell.route.partition(" ")[0]
            if kind in self.proxies:
                settings["proxy"] = self.proxies[kind].address
            make = PROVIDERS[cell.provider][1]
            with make(emulator.url, retry=RETRY, timeout=LIMITS[cell.row.limits], **settings) as provider:
                ran = _call(provider, cell, text)
                ran.result = _result(ran, sum(request.step == "prompt" for request in emulator.requests))
                emulator.reset()
                ran.next_answer = provider.create(messages="the next", timeout=LIMITS["long"])
            until = time.monotonic() + PATIENCE
            while emulator.open_connections and time.monotonic() < until:
                time.sleep(0.005)
            ran.left_open = emulator.open_connections
        return ran


def _arrange(emulator: Emulator, cell: Cell) -> None:
    if cell.row.fault == "closed port":
        emulator.stop_listening()
    else:
        emulator.fail(cell.row.fault, times=1 if cell.strikes == "once" else None, **cell.row.settings)


def _call(provider: Provider, cell: Cell, text: str) -> Ran:
    ran = Ran(Result(None, "", 0), cell.expected(text), text)
    pieces: list[str] = []
    began = time.monotonic()
    try:
        if cell.way == "stream":
            for piece in provider.create_generator(messages=text):
                pieces.append(str(piece))
        else:
            pieces.append(provider.create(messages=text))
    except BaseException as error:
        ran.raised = error
    ran.seconds = time.monotonic() - began
    ran.pieces = "".join(pieces)
    return ran


def _result(ran: Ran, prompts: int) -> Result:
    error = ran.raised
    text = ran.pieces if error is None else getattr(error, "partial", "")
    if ran.expected.text == "cut" and 0 < len(text) < len(ran.text) and ran.text.startswith(text):
        text = "cut"
    limit, retry_after = (getattr(error, name, None) for name in ("limit", "retry_after"))
    # Waits that were kept for some time have no exact length.
    exact = None if ran.expected.retry_after is None else retry_after
    return Result(type(error) if error else None, text, prompts, limit, exact)  # type: ignore[arg-type]


@functools.cache
def all_cells() -> dict[str, Cell]:
    """Give all cells by their names, which are unique."""
    found: dict[str, Cell] = {}
    for cell in cells():
        assert cell.name not in found, cell.name
        found[cell.name] = cell
    return found
