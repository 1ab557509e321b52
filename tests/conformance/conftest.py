"""The embedded engine: started once for all tests that only ask it something."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from g4f_lite import G4FLiteError, Local
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.exchange import Exchange
from g4f_lite.http.pool import PooledSession
from g4f_lite.http.session import Session
from g4f_lite.providers.local import engine as engine_module
from g4f_lite.providers.local import weights
from g4f_lite.providers.local.engine import Engine
from g4f_lite.timeout import Timeout

from .tiny_model import write_tiny_model

COPY_CONTEXT = 1024  # of engines that tests start beside the common one


@pytest.fixture(scope="session")
def model() -> Path:
    """Give the path of the embedded model's weights; skip where they cannot be had."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the extra `local` is not installed")
    try:
        return weights.fetch(download=True)
    except G4FLiteError as error:
        pytest.skip(f"the weights are not here: {error}")


@pytest.fixture(scope="session")
def copy(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give another name of the model's file, for an engine of its own."""
    return renamed(model, tmp_path_factory.mktemp("copy") / "copy.gguf")


def renamed(model: Path, path: Path) -> Path:
    try:
        path.hardlink_to(model)
    except OSError:  # another file system
        shutil.copy(model, path)
    return path


@pytest.fixture(scope="session")
def tiny(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model that is loaded and answers at once, where an engine is needed and not what it says."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def local(model: Path) -> Iterator[Local]:
    """Give a provider whose engine runs."""
    with Local(timeout=60, retry=None) as provider:
        provider.start()
        yield provider


@pytest.fixture
def engine(local: Local) -> Engine:
    """Give the engine that runs."""
    return engine_of(local)


def engine_of(provider: Local) -> Engine:
    """Give a provider's engine, started where there is none."""
    return provider.runner.engine(provider.get_model(), Deadline(Timeout(60, 60, 60)))


@pytest.fixture
def at_port(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """Give a provider whose engine listens on a port, as it does where there are no Unix sockets."""
    monkeypatch.setattr(engine_module, "place_of_socket", lambda _: "")
    local = Local(renamed(model, tmp_path / "port.gguf"), timeout=60, retry=None, keep_alive=10)
    assert engine_of(local).base_url.startswith("http://127.0.0.1:")
    return local


def get(
    engine: Engine, page: str, key: str | None = None, *, patience: float = 10.0, **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    """Ask an engine for a page; give the status, the headers and the body of its answer.

    :param key: None for its own
    :param patience: the seconds that it may be silent
    """
    headers["Authorization"] = f"Bearer {engine.token.partition(' ')[2] if key is None else key}"
    with (
        Deadline(Timeout(10, patience, 60)) as deadline,
        Session() as session,
        Exchange(PooledSession(session), deadline) as exchange,
    ):
        engine.reach(exchange)
        body = exchange.send(requests.Request("GET", engine.base_url.removesuffix("/v1") + page, headers), "bootstrap")
        return body.status, body.headers, body.read()
