"""Testing a provider step by step, with the time of each step, until one fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import HookError, TransportError
from ..http.exchange import Exchange
from ..http.redact import redact
from ..http.route import refuse_when_offline
from ..providers.base import BaseProvider, Provider
from ..providers.local.base import EngineProvider
from ..providers.openai.provider import OpenAICompatible
from ..providers.sending import token_of
from .diagnosis import diagnose
from .failure import message_of, one_line
from .reachability import Endpoint, connect, handshake, look_up

STEPS = ("settings", "DNS", "connect", "TLS", "bootstrap", "first piece", "end")
OK, FAILED, NOT_NEEDED, NOT_REACHED = "ok", "failed", "not needed", "not reached"
PROMPT, SOUGHT = "What is the capital of France?", "Paris"
SHOWN = 60  # characters of the answer
#: The embedded model has a short limit, because one whose weights are damaged never ends.
OWN_LIMIT: dict[str, Any] = {"max_tokens": 64}
NOT_SOUGHT = (
    f"it works, but its answer has no {SOUGHT!r} in it",
    "read the answer above; if it makes no sense, the file is damaged or not a model for chats: download it again",
)


@dataclass
class Step:
    """The result of one step.

    :ivar seconds: the time it took; None if the step was not run
    :ivar detail: what was found, or the error
    """

    name: str
    status: str = NOT_REACHED
    seconds: float | None = None
    detail: str = ""


@dataclass
class Examination:
    """The result for one provider.

    :ivar source: where the provider was named
    :ivar counts: whether the command fails if the provider does
    :ivar address: the URL of its service; None if it is on this machine
    :ivar verdict: what is wrong, or that it works
    :ivar remedy: what to do about it
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
    """The proxy and the TLS settings of requests to a provider."""

    proxy: str | None = field(repr=False)
    verify: bool | str
    cert: str | tuple[str, str] | None


class Examiner:
    """Tests one provider.

    :param make: creates the provider
    :param name: the name of the provider until it is created
    :param source: where the provider was named
    :param model: the model of the prompt; None for the provider's own
    :param counts: whether the command fails if the provider does
    :param seconds: the time limit of each step
    :param secrets: strings that the results must not show, besides the provider's own secrets
    """

    def __init__(
        self,
        make: Callable[[], BaseProvider],
        name: str,
        source: str,
        *,
        model: str | None = None,
        counts: bool,
        seconds: float,
        secrets: Iterable[str] = (),
    ) -> None:
        self._make = make
        self._model = model
        self._provider: BaseProvider | None = None
        self._seconds = seconds
        self._secrets = list(secrets)
        self._found = Examination(name, source, counts)
        self._steps = {step.name: step for step in self._found.steps}

    def examine(self) -> Examination:
        """Run the steps and return their results; errors are part of them."""
        found = self._found
        try:
            self._run_steps()
            found.works = True
        except Exception as error:  # noqa: BLE001  including those of other packages' modules
            found.verdict, found.remedy = diagnose(error, self._provider)
        finally:
            if self._provider is not None:
                self._provider.close()
            self._hide_secrets()
        return found

    def _hide_secrets(self) -> None:
        """Hide secrets in what the caller shows: the name of a provider may be a URL, and a host a key."""
        found = self._found
        for name in ("provider", "address", "verdict", "remedy"):
            if text := getattr(found, name):
                setattr(found, name, redact(text, self._secrets))

    def _run_steps(self) -> None:
        with self._step("settings") as step:
            provider = self._provider = self._make()
            self._found.provider = provider.name
            if isinstance(provider, Provider):
                self._secrets += provider.secrets()
            if isinstance(provider, Provider) and provider.name != "Local":
                self._found.address = provider.base_url
                provider.check_ready()
            provider.get_model(self._model)  # an error, where the provider knows its models
            step.detail = _key_source(provider)
        if self._found.address is None:
            for name in ("DNS", "connect", "TLS", "bootstrap"):
                self._steps[name].status, self._steps[name].detail = NOT_NEEDED, "it is on this machine"
        else:
            assert isinstance(provider, Provider)  # only these have an address
            self._reach(provider)
            self._bootstrap(provider)
        own = provider.name == "Local"
        with self._step("first piece"):
            limit = OWN_LIMIT if own else {}
            stream = provider.create_generator(model=self._model, messages=PROMPT, **limit).start()
        with self._step("end") as step, stream:
            answer = stream.text()
            reason = f", finish reason {answer.finish_reason}" if answer.finish_reason else ""
            model = f" from {answer.model}" if answer.model else ""
            step.detail = f"{len(answer)} characters{model}{reason}: {shorten(answer)}"
        self._found.verdict, self._found.remedy = NOT_SOUGHT if own and SOUGHT not in answer else ("it works", None)
        if isinstance(provider, EngineProvider) and (
            lacking := provider.runner.lacks_template(provider.get_model(self._model))
        ):
            what, _, self._found.remedy = lacking.rpartition("; ")
            self._found.verdict = f"it works, but {what}"

    def _reach(self, provider: Provider) -> None:
        """Look up and connect to the server, or the proxy in front of it, and perform the TLS handshake."""
        with self._step("DNS") as step:
            way: _Way = provider.run(lambda exchange: _way_of(exchange, provider.base_url))
            if way.proxy:
                refuse_when_offline(way.proxy)
            endpoint = Endpoint.of(way.proxy or provider.base_url)
            addresses = look_up(endpoint, self._seconds)
            numbers = list(dict.fromkeys(address[4][0] for address in addresses))
            step.detail = f"{'the proxy ' if way.proxy else ''}{endpoint.host} → {', '.join(numbers)}"
        with self._step("connect") as step:
            try:
                connection = connect(endpoint, addresses, self._seconds)
            except TransportError as error:
                error.cause = "proxy" if way.proxy else error.cause
                raise
            step.detail = f"{'the proxy ' if way.proxy else ''}{connection.getpeername()[0]}, port {endpoint.port}"
        tls = self._steps["TLS"]
        with connection:
            if way.proxy or urlsplit(provider.base_url).scheme != "https":
                tls.status = NOT_NEEDED
                tls.detail = "it is part of the next steps, through the proxy" if way.proxy else "the URL is http"
                return
            connection.settimeout(provider.timeout.connect)  # as long as a call would wait
            with self._step("TLS") as step:
                step.detail = handshake(connection, endpoint, way.verify, way.cert)

    def _bootstrap(self, provider: Provider) -> None:
        """Run the bootstrap in the session that the prompt will use."""
        model = provider.get_model(self._model)

        def prepare(exchange: Exchange) -> str:
            token_of(provider, exchange)
            return model or provider.served_model(exchange)

        with self._step("bootstrap") as step:
            chosen = provider.run(prepare)
            if not model and chosen:
                step.detail = f"the server's first model is {chosen}"
            elif not provider.has_bootstrap:
                step.status, step.detail = NOT_NEEDED, "this service needs no bootstrap"

    @contextmanager
    def _step(self, name: str) -> Iterator[Step]:
        step = self._steps[name]
        began = time.monotonic()
        try:
            yield step
        except Exception as error:
            step.status, step.detail = FAILED, _words(error)
            raise
        finally:
            step.seconds = time.monotonic() - began
            if step.status == NOT_REACHED:
                step.status = OK
            step.detail = one_line(redact(step.detail, self._secrets))


def shorten(answer: str) -> str:
    """Return the beginning of an answer, in one line and in quotes."""
    line = " ".join(answer.split())
    return f'"{line[:SHOWN]}{"…" * (len(line) > SHOWN)}"'


def _way_of(exchange: Exchange, url: str) -> _Way:
    session = exchange.pooled.session
    settings = exchange.route.settings_for(session, url)
    return _Way(exchange.route.proxy_for(session, url), settings["verify"], settings["cert"])


def _words(error: Exception) -> str:
    """Return what an error says, without the name of the provider and the step, which the table has."""
    return message_of(error) if isinstance(error, HookError) else getattr(error, "message", message_of(error))


def _key_source(provider: BaseProvider) -> str:
    """Return where the key comes from, without showing it."""
    if declared := provider.declared_secrets:
        return ", ".join(f"the {secret.label} is {secret.source(provider)}" for secret in declared.values())
    if not isinstance(provider, OpenAICompatible):
        return "it declares no key"
    if provider.key.given is not None:
        return "the key is from --api-key-file"
    return f"the key is from {provider.key.variable}" if provider.key.value() else "no key"
