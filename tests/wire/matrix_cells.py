"""Runs cells of the matrix: a fault in a place, a provider, a way of asking, a route."""

from __future__ import annotations

import functools
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from g4f_lite import (
    AiChatOnline,
    AiChats,
    AiEngine,
    Chatgpt4Online,
    G4FLiteError,
    ImageResponse,
    OpenAICompatible,
    Provider,
    RetryPolicy,
    Timeout,
)
from g4f_lite.emulator import Emulator, ReceivedRequest
from g4f_lite.emulator.png import draw_png

from .matrix_rows import FAMILIES, ROWS, Outcome, Row
from .matrix_rows_beside import BOOTSTRAP_ROWS, DRAWING_ROWS, PICTURE_ROWS
from .proxies import HTTPProxy, Proxy, SOCKSProxy

LIMITS = {"long": Timeout(5, 10, 20), "read": Timeout(5, 0.3, 20, 0.3), "total": Timeout(5, 10, 0.8)}
RETRY = RetryPolicy(attempts=2, backoff=0, max_retry_after=5)
PATIENCE = 5.0  # seconds for what another thread is about to do

PROVIDERS: dict[str, tuple[str, Any]] = {
    "OpenAICompatible": ("openai", lambda url, **more: OpenAICompatible(url + "/v1", **{"model": "m", **more})),
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
        kind = [] if (self.row.asks, self.row.step) == ("text", "prompt") else [self.row.asks, self.row.step]
        parts = [self.provider, self.way, self.route, *kind, self.row.name, self.row.place, self.row.limits]
        return "-".join(part.replace(" ", "_") for part in (*parts, self.strikes))

    @property
    def outcome(self) -> Outcome:
        outcome = self.row.outcomes[FAMILIES.index(PROVIDERS[self.provider][0])]
        assert outcome is not None
        return outcome

    @property
    def step(self) -> str:
        """Where an error says that it happened; one of a text may happen in the stream, too."""
        if self.outcome.refreshed:
            return "prompt"
        if self.row.place == "before the request":  # whichever is the first
            return "prompt" if self.provider == "OpenAICompatible" else "bootstrap"
        return "image" if self.row.asks == "picture" and self.provider == "OpenAICompatible" else self.row.step

    def expected(self, text: str) -> Result:
        """Say what the row's promise means for this call."""
        outcome, first = self.outcome, text.partition(" ")[0]
        part = {"": "", "first": first, "all": text, "cut": "cut"}[outcome.text]
        sent = self._sent()
        if outcome.error is None:
            return Result(None, part, sent)
        if self.strikes == "once":
            return Result(None, text, sent)
        return Result(outcome.error, part, sent, outcome.limit, outcome.retry_after)

    def _sent(self) -> Sent:
        """Count what is sent: two tries at most, and each with all that comes before what is struck."""
        outcome, row = self.outcome, self.row
        bootstraps = int(self.provider != "OpenAICompatible" or row.step == "bootstrap")
        pictures = int(row.asks == "picture")
        answered = outcome.error is None or self.strikes == "once"
        if row.place == "before the request":
            return Sent(bootstraps, 1, 0) if answered else Sent(0, 0, 0)
        tries = 2 if outcome.again or outcome.refreshed else 1
        # The request went out over a connection that had served another, and looked like a stale one.
        stale = row.closed and (bootstraps or row.step == "image")
        if row.step == "bootstrap":
            if outcome.refreshed:
                return Sent(tries, tries, 0)
            return Sent(tries, int(answered), 0)
        if row.step == "prompt":
            tries += stale and not answered
            return Sent(bootstraps * (2 if outcome.refreshed else 1), tries, pictures * answered)
        if stale and answered:
            return Sent(bootstraps, 1, 2)
        if self.provider == "OpenAICompatible":
            return Sent(0, 1, tries + stale)
        return Sent(bootstraps, tries, tries * (1 + stale))


class Sent(NamedTuple):
    """How many requests of each kind reached the server."""

    bootstraps: int
    prompts: int
    pictures: int

    @classmethod
    def of(cls, requests: list[ReceivedRequest]) -> Sent:
        steps = Counter(request.step for request in requests)
        return cls(steps["bootstrap"] + steps["models"], steps["prompt"], steps["image"])


@dataclass(frozen=True)
class Result:
    """What came of a call: its error, its text (of an error: the partial one), the requests that reached the server."""

    error: type[G4FLiteError] | None
    text: str
    sent: Sent
    limit: str | None = None
    retry_after: float | None = None


@dataclass
class Ran:
    """A cell that has run, with what else was seen."""

    result: Result
    expected: Result
    text: str
    step: str
    raised: BaseException | None = None
    seconds: float = 0.0
    pieces: str = ""
    next_answer: str = ""
    left_open: int = 0


def cells() -> Iterator[Cell]:
    """Give them all."""
    for row in (*ROWS, *BOOTSTRAP_ROWS, *DRAWING_ROWS, *PICTURE_ROWS):
        for provider, (family, _) in PROVIDERS.items():
            if (outcome := row.outcomes[FAMILIES.index(family)]) is None:
                continue
            everywhere = provider == "OpenAICompatible" and (row.asks, row.step) == ("text", "prompt")
            ways = ("create",) if row.asks == "picture" and provider == "OpenAICompatible" else ("stream", "create")
            sent_again = (outcome.again or outcome.refreshed) and row.fault != "closed port"
            for route in ("direct", *(ROUTES if everywhere else ())):
                if row.fault == "closed port" and route not in ("direct", "tls"):
                    continue  # a proxy says that in words of its own
                for strikes in ("once", "always") if sent_again else ("always",):
                    for way in ways:
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
            if cell.row.step == "bootstrap" and cell.provider == "OpenAICompatible":
                settings["model"] = None  # so that it has to ask for one
            make = PROVIDERS[cell.provider][1]
            with make(emulator.url, retry=RETRY, timeout=LIMITS[cell.row.limits], **settings) as provider:
                ran = _call(provider, cell, text)
                ran.result = _result(ran, Sent.of(emulator.requests))
                emulator.reset()
                ran.next_answer = provider.create(messages="the next", timeout=LIMITS["long"])
            until = time.monotonic() + PATIENCE
            while emulator.open_connections and time.monotonic() < until:
                time.sleep(0.005)
            ran.left_open = emulator.open_connections
        return ran


def _arrange(emulator: Emulator, cell: Cell) -> None:
    row = cell.row
    if row.fault == "closed port":
        emulator.stop_listening()
        return
    fault, settings = row.fault, row.settings
    if fault == "page":
        fault, settings = "status", {"status": 200, "body": "<html>Welcome</html>"}
    step = "models" if row.step == "bootstrap" and cell.provider == "OpenAICompatible" else row.step
    emulator.fail(fault, step=step, times=1 if cell.strikes == "once" else None, **settings)


def _call(provider: Provider, cell: Cell, text: str) -> Ran:
    ran = Ran(Result(None, "", Sent(0, 0, 0)), cell.expected(text), text, cell.step)
    pieces: list[str] = []
    began = time.monotonic()
    try:
        for piece in _pieces(provider, cell, text):
            pieces.append(piece)
    except BaseException as error:
        ran.raised = error
    ran.seconds = time.monotonic() - began
    ran.pieces = "".join(pieces)
    return ran


def _pieces(provider: Provider, cell: Cell, text: str) -> Iterator[str]:
    """Ask; a picture is given as the text that it shows."""
    model = "dalle" if cell.row.asks == "picture" else None
    if isinstance(provider, OpenAICompatible) and model:
        yield _shown(provider.generate_image(text), text)
    elif cell.way == "stream":
        for piece in provider.create_generator(model, text):
            yield piece if isinstance(piece, str) else _shown(piece, text)
    else:
        answer = provider.create(model, text)
        yield _shown(answer.images[0], text) if model else answer


def _shown(image: ImageResponse, text: str) -> str:
    return text if image.bytes() == draw_png(text) else "another picture"


def _result(ran: Ran, sent: Sent) -> Result:
    error = ran.raised
    text = ran.pieces if error is None else getattr(error, "partial", "")
    if ran.expected.text == "cut" and 0 < len(text) < len(ran.text) and ran.text.startswith(text):
        text = "cut"
    limit, retry_after = (getattr(error, name, None) for name in ("limit", "retry_after"))
    # Waits that were kept for some time have no exact length.
    exact = None if ran.expected.retry_after is None else retry_after
    return Result(type(error) if error else None, text, sent, limit, exact)  # type: ignore[arg-type]


@functools.cache
def all_cells() -> dict[str, Cell]:
    """Give all cells by their names, which are unique."""
    found: dict[str, Cell] = {}
    for cell in cells():
        assert cell.name not in found, cell.name
        found[cell.name] = cell
    return found
