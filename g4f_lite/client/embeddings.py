"""``client.embeddings``: texts as vectors, in the format of OpenAI's API."""

from __future__ import annotations

import base64
import sys
from array import array
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ..answers.call_usage import CallUsage
from ..answers.deltas import Usage
from ..answers.response import Response
from ..answers.short_traceback import with_short_errors
from ..arguments import check_proxy
from ..errors import G4FLiteError, ProviderNotConfiguredError
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.selection import ProviderLike
from ..timeout import CallRetry, TimeoutLike, check_retry
from .options import refuse
from .raw_response import RawResponse
from .result import Answered, Result
from .routing import Router

if TYPE_CHECKING:
    from ..providers.openai.embeddings import Input, Vectors


@dataclass(slots=True)
class Embedding(Result):
    """The vector of one text: numbers, or Base64 of 32-bit numbers if ``encoding_format="base64"`` asked for it."""

    embedding: list[float] | str
    index: int
    object: Literal["embedding"] = "embedding"


@dataclass(slots=True)
class EmbeddingsUsage(Result):
    """The tokens of the texts."""

    prompt_tokens: int
    total_tokens: int


@dataclass(slots=True)
class EmbeddingsResponse(Answered):
    """The vectors of texts.

    :ivar data: one for each text, in order
    :ivar model: the model that the service reports, or else the requested one; "" for none
    :ivar usage: token counts, or None if the service did not report them
    :ivar provider: the name of the provider
    """

    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage | None = None
    provider: str | None = None
    object: Literal["list"] = "list"
    _response: Response | None = field(default=None, repr=False, compare=False)
    _attempts: int | None = field(default=None, repr=False, compare=False)


class RawEmbeddings:
    """The object ``client.embeddings.with_raw_response``."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings

    def create(self, *arguments: Any, **options: Any) -> RawResponse[EmbeddingsResponse]:
        """Do as ``client.embeddings.create``, and return the head of the response too."""
        return RawResponse.of(self._embeddings.create(*arguments, **options))


class Embeddings:
    """The object ``client.embeddings``.

    :param router: finds the provider of a call
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def __repr__(self) -> str:
        return "<client.embeddings, with create(…)>"

    @cached_property
    def with_raw_response(self) -> RawEmbeddings:
        """The same methods, which return the head of the response too."""
        return RawEmbeddings(self)

    @with_short_errors
    def create(
        self,
        input: Input,
        model: str | None = None,
        *,
        dimensions: int | None = None,
        encoding_format: Literal["float", "base64"] | None = None,
        user: str | None = None,
        provider: ProviderLike | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> EmbeddingsResponse:
        """Return the embeddings of texts.

        :param input: a text or several, or the ids of a text's tokens, or of several texts'
        :param model: the embedding model; the provider's own if None
        :param dimensions: how many numbers a vector has, for models that can shorten it
        :param encoding_format: ``"base64"`` for vectors in Base64; otherwise they are lists of numbers
        :param user: identifies your user to the service
        :param provider: the provider to use for this call instead of the client's; not several, because vectors of
            different models cannot be compared
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt; ``"own"`` for the client's
        :param options: further options of the service
        :raises TypeError: if the provider does not support an option
        :raises ValueError: if there is no text, or an empty one
        :raises G4FLiteError: if there are no vectors
        """
        if encoding_format not in (None, "float", "base64"):
            raise ValueError(f"encoding_format must be 'float' or 'base64', not {encoding_format!r}")
        found, name = self._router.find(model, provider)
        found = _single(found)
        wanted = {"dimensions": dimensions, "user": user, **options}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        known: frozenset[str] = getattr(found, "embedding_options", frozenset())
        for option in wanted.keys() - known:
            refuse(option, wanted.pop(option), known, found, drop=self._router.drop_unsupported)
        if encoding_format is not None and "encoding_format" in known:
            wanted["encoding_format"] = encoding_format
        embed = getattr(found, "create_embeddings", None)
        if embed is None:
            raise ProviderNotConfiguredError("it gives no embeddings; use a provider that does", provider=found.name)
        if proxy:
            check_proxy(proxy)
        retry = self._router.retry if retry == "own" else check_retry(retry)
        proxy = proxy or self._router.proxy
        timeout = (self._router.ask_timeout or self._router.timeout) if timeout is None else timeout
        asked = name or found.get_model(None) or ""
        try:
            with self._router.explaining(model, found, may_map=False):
                vectors: Vectors = embed(input, name, proxy, timeout, retry=retry, **wanted)
        except G4FLiteError as error:
            if error.attempts:
                retries = error.attempts - 1
                self._router.usage.add(CallUsage(asked, "", failed=True, retries=retries, provider=found.name))
            raise
        counted, model = vectors.usage, vectors.model or asked
        call = CallUsage(model, found.priced_at, counted, retries=vectors.attempts - 1, provider=found.name)
        self._router.usage.add(call.shortened())
        return EmbeddingsResponse(
            [Embedding(_written(vector, encoding_format), index) for index, vector in enumerate(vectors.vectors)],
            model,
            _usage(counted),
            found.name,
            _response=vectors.response,
            _attempts=vectors.attempts,
        )


def _single(provider: BaseProvider) -> BaseProvider:
    """Return the only member of a chain; any other provider is given as it is.

    :raises TypeError: if there are several
    """
    if not isinstance(provider, Fallback):
        return provider
    if len(provider.providers) > 1:
        raise TypeError("vectors of different models cannot be compared; name one provider with provider=")
    return provider.providers[0]


def _usage(counted: Usage | None) -> EmbeddingsUsage | None:
    return None if counted is None else EmbeddingsUsage(counted.prompt_tokens, counted.total_tokens)


def _written(vector: list[float], encoding_format: str | None) -> list[float] | str:
    if encoding_format != "base64":
        return vector
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")
