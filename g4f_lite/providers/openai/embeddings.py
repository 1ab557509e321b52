"""Embeddings from an OpenAI-compatible server: ``POST {base}/embeddings``."""

from __future__ import annotations

import base64
import json
import math
import re
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...answers.deltas import Usage
from ...answers.response import Response
from ...arguments import check_name, check_proxy, unknown_name
from ...errors import G4FLiteError, ResponseFormatError
from ...http.body import MAX_JSON_BYTES
from ...http.checks import shorten
from ...http.exchange import Exchange
from ...http.parsing import parse_json
from ...messages import json_copy
from ...timeout import CallRetry, Timeout, TimeoutLike, check_retry
from ..call import fetch, run
from ..sending import at_step
from .errors import failure_beside, failure_in
from .extras import check_extras, secrets_of
from .fields import number_in, text_in
from .listing import ListingProvider
from .options import EXTRAS
from .usage import read_usage

OPTIONS = EXTRAS | frozenset(
    {"dimensions", "encoding_format", "extra_body", "input_type", "truncate", "truncate_prompt_tokens", "user"}
)
MAX_BYTES = 256 * 1024 * 1024  # of 2048 vectors of 3072 numbers, written in decimals
MAX_NUMBERS = 16_384  # of a vector; the longest known has 12,288
_MOST_BASE64 = len(base64.b64encode(bytes(4 * MAX_NUMBERS)))
_VECTOR_BYTES = 512 * 1024  # that so many take in decimals
Input = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Vectors:
    """The embeddings of texts.

    :param vectors: one for each text, in order
    :param model: the model, if the service names it
    :param usage: the tokens of the texts, or None if the service did not report them
    :param response: the head of the service's response
    :param attempts: how often the request was sent
    """

    vectors: list[list[float]]
    model: str | None = None
    usage: Usage | None = None
    response: Response | None = None
    attempts: int = 1


class EmbeddingProvider(ListingProvider):
    """A server that speaks OpenAI's chat completions and embeds texts too."""

    embedding_options: ClassVar[frozenset[str]] = OPTIONS

    def embed(self, texts: str | Sequence[str], *, model: str | None = None) -> list[list[float]]:
        """Return a vector for each text; the nearer two of them are, the more the texts have in common.

        :param texts: one text, or several
        :param model: the model that embeds
        :raises TypeError: if they are not strings
        :raises ValueError: if there is none, or an empty one
        :raises G4FLiteError: if there are no vectors
        """
        return self.create_embeddings(texts, model).vectors

    def create_embeddings(
        self,
        input: Input,
        model: str | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        retry: CallRetry = "own",
        **options: Any,
    ) -> Vectors:
        """Return a vector for each text.

        :param input: a text or several, or the ids of a text's tokens, or of several texts'
        :param model: the model that embeds
        :param retry: the retry policy of this call
        :param options: what else the API takes, such as ``dimensions``
        :raises TypeError: if an option is unknown, or the input is something else
        :raises ValueError: if there is no text, or an empty one
        :raises G4FLiteError: if there are no vectors
        """
        count, named = check_input(input), model or self.model or ""
        model = self.get_model(model) if model is None else model
        if model:
            check_name(model)
        for name in options:
            if name not in OPTIONS:
                raise TypeError(unknown_name("option", name, sorted(OPTIONS), f"embeddings of {self.name}"))
        check_extras(options)
        own = {name: value for name, value in options.items() if name not in EXTRAS}
        body = {"input": input, **({"model": model} if model else {}), **own}
        body.update(json_copy(body.pop("extra_body", None) or {}, "the option extra_body", number_names=True))
        route, limits = self.route(None if proxy is None else check_proxy(proxy)), Timeout.of(timeout, self.timeout)
        policy: CallRetry = "own" if retry == "own" else check_retry(retry)
        self.check_ready()

        def ask(exchange: Exchange) -> Vectors:
            exchange.secrets = lambda: [*self.secrets(), *secrets_of(options)]
            try:
                answer = fetch(exchange, self.to_send("POST", "/embeddings", body, options), "prompt", self)
            except G4FLiteError as error:
                self.advise(error, named, exchange, embeds=True)
                raise
            try:
                with at_step(exchange, "prompt"):
                    text = answer.read(min(MAX_BYTES, MAX_JSON_BYTES + count * _VECTOR_BYTES))
                    most = 1000 + count * (100 + MAX_NUMBERS)
                    if text.count(b",") > most:  # which each take many times their bytes
                        raise _too_many()
                    parsed = parse_json(text, max_values=most)
                    response = Response(answer.status, answer.headers)
                    return read_vectors(parsed, count, response, exchange.attempts)
            except G4FLiteError as error:
                self.explain(error)
                raise
            finally:
                answer.drain()

        return run(self, ask, timeout=limits, route=route, retry=policy)


def check_input(input: Any) -> int:
    """Check what is to be embedded, and return how many texts it is.

    :raises TypeError: if it is neither texts nor the ids of tokens
    :raises ValueError: if there is no text, or an empty one
    """
    items = [input] if isinstance(input, str) else input
    if not isinstance(items, Sequence) or isinstance(items, bytes):
        raise TypeError(f"input must be a string, or a list of strings or token ids, not {type(input).__name__}")
    if items and all(map(_is_id, items)):
        return 1
    for item in items:
        if not isinstance(item, str) and not (isinstance(item, (list, tuple)) and all(map(_is_id, item))):
            raise TypeError(f"input must be a string, or a list of strings or token ids, not one of {item!r:.80}")
    if not items or not all(items):
        raise ValueError("input holds no text, or an empty one")
    return len(items)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_vectors(answer: Any, count: int, response: Response | None = None, attempts: int = 1) -> Vectors:
    """Read an answer with embeddings, as lists of numbers or in Base64.

    :param count: how many there must be
    :raises G4FLiteError: if it is an error, or not these embeddings
    """
    if isinstance(answer, dict):
        failure = failure_beside(answer) if "data" in answer else failure_in(answer, whole=True)
        if failure is not None:
            raise failure
    try:
        vectors = [_vector(row["embedding"]) for row in _in_order(answer["data"])]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ResponseFormatError(f"expected embeddings, got {shorten(json.dumps(answer), 200)}") from error
    if not all(vectors):
        raise ResponseFormatError("the service sent an embedding without numbers")
    if len(vectors) != count:
        raise ResponseFormatError(f"the service sent {len(vectors)} embeddings for {count} texts")
    if len(lengths := set(map(len, vectors))) > 1:
        raise ResponseFormatError(f"the service sent embeddings of {min(lengths)} and of {max(lengths)} numbers")
    return Vectors(vectors, text_in(answer, "model") or None, next(read_usage(answer), None), response, attempts)


def _in_order(rows: list[Any]) -> list[Any]:
    """Return embeddings in the order of their texts.

    Google leaves out the index 0, and others all indices; LiteLLM has called all of them 0; Xinference has begun with
    another number.

    :raises ResponseFormatError: if their indices do not tell which is of which text
    """
    indices = [_index_in(row) for row in rows]
    if len(set(indices)) < 2:
        return rows
    numbers = [0 if index is None else index for index in indices]
    first = min(numbers)
    if first < 0 or sorted(numbers) != list(range(first, first + len(rows))):
        raise ResponseFormatError("the indices of the embeddings do not tell which one is of which text")
    return [row for _, row in sorted(zip(numbers, rows, strict=True), key=lambda pair: pair[0])]


def _index_in(row: Any) -> int | None:
    text = row.get("index") if isinstance(row, dict) else None
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    return number_in(row, "index")


def _vector(embedding: Any) -> list[float]:
    """Return the numbers of an embedding.

    :raises TypeError: if it is not numbers
    :raises ValueError: if it is not Base64 of 32-bit numbers, least significant byte first, or a number is not finite
    :raises ResponseFormatError: if there are too many
    :raises OverflowError: if a number is larger than a float can be
    """
    if isinstance(embedding, str):
        if len(embedding) > _MOST_BASE64:
            raise _too_many()
        numbers = array("f", base64.b64decode(embedding, validate=True))
        if sys.byteorder == "big":
            numbers.byteswap()
        vector = numbers.tolist()
    else:  # no dict of a sparse vector, whose keys are positions, and no numbers in quotes
        if not isinstance(embedding, list) or not set(map(type, embedding)) <= {int, float}:
            raise TypeError("an embedding is not a list of numbers")
        vector = list(map(float, embedding))
    if not all(map(math.isfinite, vector)):
        raise ValueError("an embedding has a number that is not finite")
    return vector


def _too_many() -> ResponseFormatError:
    return ResponseFormatError(f"the answer has more than {MAX_NUMBERS:,} numbers for each text")
