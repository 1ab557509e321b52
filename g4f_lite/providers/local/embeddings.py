"""Texts → vectors, by an engine of their own: it takes each text in one go, which needs other sizes than answers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import requests

from ...errors import ResponseFormatError
from ...http.exchange import Exchange
from ..call import fetch, run
from .base import NOWHERE, EngineProvider, directed


def embed(provider: EngineProvider, texts: str | Sequence[str], model: str) -> list[list[float]]:
    """Return a vector for each text.

    :param model: a model's name or path, as its provider calls it
    :raises TypeError: if they are not strings
    :raises ValueError: if there is none, or an empty one
    :raises G4FLiteError: if there are no vectors
    """
    given = [texts] if isinstance(texts, str) else list(texts)
    if not all(isinstance(text, str) for text in given):
        raise TypeError("texts must be a string, or a list of strings")
    if not given or not all(text.strip() for text in given):
        raise ValueError("texts holds no text, or an empty one")
    provider.runner.metadata(model)  # fetched before the time of the call begins

    def ask(exchange: Exchange) -> list[list[float]]:
        engine = provider.runner.engine(model, exchange.deadline, embeddings=True)
        request = requests.Request(
            "POST", f"{NOWHERE}/embeddings", json={"input": given}, headers=provider.headers_with()
        )
        with engine.in_use(provider.runner.keep_alive), engine.crash_told():
            body = fetch(exchange, directed(request, engine.token), "prompt", provider)
            try:
                return _vectors(body.json(), len(given))
            finally:
                body.close()

    # The engine is silent until it has all of them.
    return run(provider, ask, timeout=replace(provider.timeout, read=None), route=provider.route())


def _vectors(answer: Any, count: int) -> list[list[float]]:
    try:
        rows = sorted(answer["data"], key=lambda row: row["index"])
        vectors = [[float(number) for number in row["embedding"]] for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ResponseFormatError("the engine's answer holds no vectors") from error
    if len(vectors) != count:
        raise ResponseFormatError(f"the engine gave {len(vectors)} vectors for {count} texts")
    return vectors
