"""What the tests on real sockets share."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
import trustme

from g4f_lite import AiEngine, Answer, OpenAICompatible, Provider
from g4f_lite.emulator import Emulator

from .ai_engine_site import Site, site_of
from .raw_server import RawServer

Provide = Callable[..., OpenAICompatible]
Serve = Callable[..., Site]
Ask = Callable[..., Answer]


@pytest.fixture
def provide() -> Iterator[Provide]:
    """Give a function that makes a provider for a raw server, closed at the end of the test."""
    with providing() as make:
        yield make


@contextmanager
def providing() -> Iterator[Provide]:
    """Give that function for a ``with`` block."""
    with ExitStack() as stack:

        def make(server: RawServer, **settings: object) -> OpenAICompatible:
            settings = {"model": "m", "retry": None, "timeout": 5, **settings}
            provider = OpenAICompatible(server.url, **settings)  # type: ignore[arg-type]
            stack.enter_context(provider)
            return provider

        yield make


@pytest.fixture(scope="module", autouse=True)
def _begun_beside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Begin all tests of a file that are marked with ``beside``, each in a thread; its turn is to wait for the thread.

    They wait for most of their time.  What they get is their parameters, and the fixtures of ``OWN``; no test of such
    a file replaces what they use.
    """
    items = [item for item in request.session.items if item.getparent(pytest.Module) is request.node]
    items = [item for item in items if item.get_closest_marker("beside") and not _is_skipped(item)]
    with ThreadPoolExecutor(max(1, len(items))) as threads:
        for item in items:
            assert isinstance(item, pytest.Function)
            result = threads.submit(_run, item.obj, item.callspec.params if hasattr(item, "callspec") else {}).result
            item.obj = lambda result=result, **_: result()
        yield


OWN: dict[str, Callable[[], AbstractContextManager[Any]]] = {"provide": providing, "emulator": Emulator}


def _run(test: Callable[..., None], params: dict[str, Any]) -> None:
    with ExitStack() as stack:
        names = inspect.signature(test).parameters
        test(**{name: params[name] if name in params else stack.enter_context(OWN[name]()) for name in names})


def _is_skipped(item: pytest.Item) -> bool:
    return any(mark.args[0] for mark in item.iter_markers("skipif"))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Give a certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Give what a server on loopback needs for TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "service.test").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the path of a file with the authority's certificate."""
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Run the emulator of all services, with its usual settings."""
    with Emulator() as running:
        yield running


@pytest.fixture
def site(emulator: Emulator) -> Iterator[AiEngine]:
    """Give a provider for the emulated site with AI Engine, which asks once."""
    with AiEngine(emulator.url, retry=None) as provider:
        yield provider


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that makes a provider for a site with the given answers; see ``site_of``."""
    with ExitStack() as stack:
        yield lambda *answers, **settings: stack.enter_context(site_of(*answers, **settings))


@pytest.fixture(params=["stream", pytest.param("create", marks=pytest.mark.once)])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Give a function that asks a provider, in each of the two ways; every day the matrix asks in both."""

    def streamed(provider: Provider, messages: str = "Hello", model: str | None = None) -> Answer:
        stream = provider.create_generator(model, messages)
        pieces = list(stream)
        assert "".join(map(str, pieces)) == str(stream.text()) or stream.text().images
        return stream.text()

    def created(provider: Provider, messages: str = "Hello", model: str | None = None) -> Answer:
        return provider.create(model, messages)

    return streamed if request.param == "stream" else created
