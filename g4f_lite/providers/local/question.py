"""A question to an engine that is not a prompt: embeddings, a count of tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import requests

from ...http.body import Body
from ...http.exchange import Exchange
from ...timeout import CallRetry, Timeout, TimeoutLike
from ..call import fetch, run
from .base import EngineProvider

Result = TypeVar("Result")


def ask_engine(
    provider: EngineProvider,
    model: str,
    request_of: Callable[[str], requests.Request],
    read: Callable[[Body, Exchange], Result],
    *,
    embeddings: bool = False,
    timeout: TimeoutLike = None,
    retry: CallRetry = "own",
) -> Result:
    """Ask the engine of a model, and return what was read of its answer.

    :param model: a model's name or path, as its provider calls it
    :param request_of: makes the request, for the engine's token
    :param read: reads the answer
    :param embeddings: whether it is the engine that gives vectors
    :raises G4FLiteError: if it does not answer
    """
    provider.runner.metadata(model)  # fetched before the time of the call begins

    def ask(exchange: Exchange) -> Result:
        engine = provider.runner.engine(model, exchange.deadline, embeddings=embeddings)
        engine.reach(exchange)
        with engine.in_use(provider.runner.keep_alive), engine.crash_told():
            body = fetch(exchange, request_of(engine.token), "prompt", provider)
            try:
                return read(body, exchange)
            finally:
                body.close()

    # The engine is silent until it has all of its answer.
    limits = replace(Timeout.of(timeout, provider.timeout), read=None)
    return run(provider, ask, timeout=limits, route=provider.route(), retry=retry)
