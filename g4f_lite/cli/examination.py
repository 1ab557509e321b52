"""A provider, asked step by step, each with its time, until one fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import G4FLiteError, TransportError
from ..http.exchange import Exchange, refuse_when_offline
from ..http.redact import redact
from ..providers.base import BaseProvider, Provider
from .failure import one_line
from .reachability import Place, connect, handshake, look_up
from .remedies import diagnose

STEPS = ("settings", "DNS", "connect", "TLS", "bootstrap", "first piece", "end")
OK, FAILED, NOT_NEEDED, NOT_REACHED = "ok", "failed", "not needed", "not reached"
PROMPT = "Say hello in one word."


@dataclass
class Step:
    """What became of one step.

    :ivar seconds: how long it took; None where nothing was done
    :ivar detail: what was found, or what failed
    """

    name: str
    status: str = NOT_REACHED
    seconds: float | None = None
    detail: str = ""


@dataclass
class Examination:
    """What was found about one provider.

    :ivar source: why it is examined
    :ivar counts: whether the whole fails with it
    """

    provider: str
    source: str
    counts: bool
    address: str | None = None
    works: bool = False
    verdict: str = ""
    remedy: str | None = None
    steps: list[Step] = field(default_factory=lambda: [Step(name) for name in STEPS])


@dataclass(frozen=True)
class _Way:
    """How requests travel to a provider: through which proxy, and with which TLS settings."""

    proxy: str | None = field(repr=False)
    verify: bool | str
    cert: str | tuple[str, str] | None


class Examiner:
    """Examines one provider.

    :param make: makes the provider
    :param name: what it is called until it is made;  :param source: why it is examined
    :param counts: whether the whole fails with it
    :param seconds: the limit of each step
    :param secrets: what no line may show, besides the provider's own secrets
    """

    def __init__(
        self,
        make: Callable[[], BaseProvider],
        name: str,
        source: str,
        *,
        counts: bool,
        seconds: float,
        secrets: Iterable[str] = (),
    ) -> None:
        self._make = make
        self._provider: BaseProvider | None = None
        self._seconds = seconds
        self._secrets = list(secrets)
        self._found = Examination(name, source, counts)
        self._steps = {step.name: step for step in self._found.steps}

    def examine(self) -> Examination:
        """Go through the steps; errors are part of what is found."""
        found = self._found
        try:
            self._ask()
            found.works, found.verdict = True, "it works"
        except Exception as error:  # noqa: BLE001  also what the module of another package raises
            found.verdict, found.remedy = diagnose(error, self._provider)
        finally:
            if self._provider is not None:
                self._provider.close()
        return found

    def _ask(self) -> None:
        with self._step("settings") as step:
            provider = self._provider = self._make()
            self._found.provider = provider.name
            if isinstance(provider, Provider):
                self._secrets += provider.secrets()
            if isinstance(provider, Provider) and provider.name != "Local":
                self._found.address = provider.base_url
                provider.check_ready()
            step.detail = _about_key(provider)
        if self._found.address is None:
            for name in ("DNS", "connect", "TLS", "bootstrap"):
                self._steps[name].status, self._steps[name].detail = NOT_NEEDED, "it is in this process"
        else:
            assert isinstance(provider, Provider)  # for it has an address
            self._reach(provider)
            self._bootstrap(provider)
        with self._step("first piece"):
            stream = provider.create_generator(messages=PROMPT).start()
        with self._step("end") as step, stream:
            answer = stream.text()
            reason = f", finish reason {answer.finish_reason}" if answer.finish_reason else ""
            model = f" from {answer.model}" if answer.model else ""
            step.detail = f"{len(answer)} characters{model}{reason}"

    def _reach(self, provider: Provider) -> None:
        """Look up, connect, and do TLS, with the provider's server or the proxy before it."""
        with self._step("DNS") as step:
            way: _Way = provider.run(lambda exchange: _way_of(exchange, provider.base_url))
            if way.proxy:
                refuse_when_offline(way.proxy)
            place = Place.of(way.proxy or provider.base_url)
            addresses = look_up(place, self._seconds)
            numbers = list(dict.fromkeys(address[4][0] for address in addresses))
            step.detail = f"{'the proxy ' if way.proxy else ''}{place.host} → {', '.join(numbers)}"
        with self._step("connect") as step:
            try:
                connection = connect(place, addresses, self._seconds)
            except TransportError as error:
                error.cause = "proxy" if way.proxy else error.cause
                raise
            step.detail = f"{'the proxy ' if way.proxy else ''}{connection.getpeername()[0]}, port {place.port}"
        tls = self._steps["TLS"]
        with connection:
            if way.proxy or urlsplit(provider.base_url).scheme != "https":
                tls.status = NOT_NEEDED
                tls.detail = "the proxy is asked for it in the next steps" if way.proxy else "the address is http"
                return
            with self._step("TLS") as step:
                step.detail = handshake(connection, place, way.verify, way.cert)

    def _bootstrap(self, provider: Provider) -> None:
        """Get what the prompt needs, in the session that the prompt will then be lent."""
        model = provider.get_model()

        def prepare(exchange: Exchange) -> str:
            exchange.pooled.token = provider.bootstrap(exchange)
            return model or provider.served_model(exchange)

        with self._step("bootstrap") as step:
            chosen = provider.run(prepare)
            if not model and chosen:
                step.detail = f"the server's first model is {chosen}"
            elif type(provider).bootstrap is Provider.bootstrap:
                step.status, step.detail = NOT_NEEDED, "a prompt needs nothing before it"

    @contextmanager
    def _step(self, name: str) -> Iterator[Step]:
        step = self._steps[name]
        began = time.monotonic()
        try:
            yield step
        except Exception as error:
            step.status, step.detail = FAILED, error.message if isinstance(error, G4FLiteError) else str(error)
            raise
        finally:
            step.seconds = time.monotonic() - began
            if step.status == NOT_REACHED:
                step.status = OK
            step.detail = one_line(redact(step.detail, self._secrets))


def _way_of(exchange: Exchange, url: str) -> _Way:
    settings = exchange.settings_for(url)
    return _Way(exchange.proxy_for(url), settings["verify"], settings["cert"])


def _about_key(provider: BaseProvider) -> str:
    """Say where the key comes from, which is not shown."""
    key = getattr(provider, "_key", None)
    if key is None or provider.name == "Local":
        return "needs no key"
    if key.given is not None:
        return "the key is from --api-key-file"
    return f"the key is from {key.variable}" if key.value() else "no key, and none is needed"
