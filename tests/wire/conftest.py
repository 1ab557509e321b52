"""What the tests on real sockets share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from g4f_lite import OpenAICompatible

from .raw_server import RawServer

Provide = Callable[..., OpenAICompatible]


@pytest.fixture
def provide() -> Iterator[Provide]:
    """Give a function that makes a provider for a raw server, closed at the end of the test."""
    with ExitStack() as stack:

        def make(server: RawServer, **settings: object) -> OpenAICompatible:
            settings = {"model": "m", "retry": None, "timeout": 5, **settings}
            provider = OpenAICompatible(server.url, **settings)  # type: ignore[arg-type]
            stack.enter_context(provider)
            return provider

        yield make
