"""Texts → vectors, by an engine of their own: it takes each text in one go, which needs other sizes than answers do."""

from __future__ import annotations

from collections.abc import Sequence

import requests

from ...answers.response import Response
from ...http.body import Body
from ...http.exchange import Exchange
from ...timeout import CallRetry, TimeoutLike
from ..openai.embeddings import Vectors, read_vectors
from .base import NOWHERE, EngineProvider, directed
from .question import ask_engine


def embed(
    provider: EngineProvider,
    texts: str | Sequence[str],
    model: str,
    timeout: TimeoutLike = None,
    retry: CallRetry = "own",
) -> Vectors:
    """Return a vector for each text.

    :param model: a model's name or path, as its provider calls it
    :param timeout: the timeout of this call
    :param retry: the retry policy of this call
    :raises TypeError: if they are not strings
    :raises ValueError: if there is none, or an empty one
    :raises G4FLiteError: if there are no vectors
    """
    given = [texts] if isinstance(texts, str) else list(texts)
    if not all(isinstance(text, str) for text in given):
        raise TypeError("texts must be a string, or a list of strings")
    if not given or not all(text.strip() for text in given):
        raise ValueError("texts holds no text, or an empty one")

    def request_of(token: str) -> requests.Request:
        url, headers = f"{NOWHERE}/embeddings", provider.headers_with()
        return directed(requests.Request("POST", url, json={"input": given}, headers=headers), token)

    def read(body: Body, exchange: Exchange) -> Vectors:
        return read_vectors(body.json(), len(given), Response(body.status, body.headers), exchange.attempts)

    return ask_engine(provider, model, request_of, read, embeddings=True, timeout=timeout, retry=retry)
