"""``client.chat.completions``: answers in the format of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO, overload

from ..answers.answer import Answer
from ..answers.attached import join
from ..answers.deltas import (
    Attached,
    Delta,
    Finish,
    Identity,
    OtherChoice,
    Reasoning,
    Refusal,
    ToolCallDelta,
    is_content,
)
from ..answers.images import ImageResponse
from ..answers.response import Response
from ..answers.stream import AnswerStream
from ..arguments import check_whole_number
from ..messages import Image, Message
from ..prompt import Prompt
from ..providers.selection import ProviderLike
from ..timeout import CallRetry, TimeoutLike
from .logprobs import ChoiceLogprobs
from .results import (
    ChoiceDelta,
    ChunkChoice,
    Completion,
    CompletionChunk,
    CompletionUsage,
    DeltaFunction,
    DeltaToolCall,
    make_id,
    now,
)
from .routing import Router

if TYPE_CHECKING:
    from .raw_response import RawCompletions

_USUAL: Mapping[str, Any] = MappingProxyType({})  # nothing is said about a stream


class Completions:
    """The object ``client.chat.completions``.

    :param router: finds the provider of a call
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    @cached_property
    def with_raw_response(self) -> RawCompletions:
        """The same methods, which return the head of the response too."""
        from .raw_response import RawCompletions

        return RawCompletions(self.create)

    @overload
    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: Literal[False] | None = None,
        provider: ProviderLike | None = None,
        images: Image | Iterable[Image] | None = None,
        image: Image | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        stream_options: Mapping[str, Any] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> Completion: ...

    @overload
    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: Literal[True],
        provider: ProviderLike | None = None,
        images: Image | Iterable[Image] | None = None,
        image: Image | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        stream_options: Mapping[str, Any] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> CompletionStream: ...

    @overload
    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: bool | None,
        **options: Any,
    ) -> Completion | CompletionStream: ...

    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: bool | None = None,
        provider: ProviderLike | None = None,
        images: Image | Iterable[Image] | None = None,
        image: Image | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        stream_options: Mapping[str, Any] | None = _USUAL,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> Completion | CompletionStream:
        """Return a Completion, or with ``stream=True`` an iterator of its chunks.

        The stream has already started, so that errors before the first piece are raised here.  Its connection is
        released when the answer ends, when ``close()`` is called, or at the end of a ``with`` block.

        :param messages: a list of ``{"role": …, "content": …}``, or a string
        :param model: the name of a model; see ``Client(models=…)``
        :param stream: True for an iterator of chunks; False for a Completion that the service sends as a whole; if
            left out, a Completion that is read as it arrives
        :param provider: the provider to use for this call instead of the client's
        :param images: images to add to the last user message: bytes, paths or URLs
        :param image: one image; g4f's name for ``images``
        :param max_tokens: the maximum number of tokens in the answer; for a service that does not support it the
            client cuts the answer, and approximates tokens
        :param stop: the answer ends before this text, or the first of several; for a service that does not support
            it the client cuts the answer
        :param response_format: ``{"type": "json_schema", …}`` or ``{"type": "json_object"}``; for a service that does
            not support it the client adds it to the prompt, and checks the answer
        :param stream_options: ``{"include_usage": True}`` for a last chunk with the usage; None for a service that
            rejects the field
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt; ``"own"`` for the client's
        :param options: further options of the provider
        :raises TypeError: if the provider does not support an option
        :raises G4FLiteError: if there is no answer
        """
        if stream_options is not None and not isinstance(stream_options, Mapping):
            raise TypeError(f"stream_options must be a dict, not {type(stream_options).__name__}")
        wants_usage = bool(stream and stream_options and stream_options.get("include_usage"))
        created = now()
        n = options.pop("n", None)
        count = 1 if n is None else check_whole_number(n, "n")
        prompt = Prompt.of(
            model or None,
            messages,
            proxy,
            timeout,
            images=image if images is None else images,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            max_completion_tokens=max_completion_tokens,
            stop=stop,
            seed=seed,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            response_format=response_format,
            tools=tools,
            tool_choice=tool_choice,
            reasoning_effort=reasoning_effort,
            stream=stream,
            retry=retry,
            **({"stream_options": None} if stream_options is None else {}),
            **options,
        )
        if count > 1:
            prompt = replace(prompt, options={**prompt.options, "n": count})
        answer = self._router.answer(prompt, provider)
        if stream:
            return CompletionStream(answer.start(), created, wants_usage=wants_usage)
        whole = answer.text()
        made = Completion.of(whole, answer.identity or Identity(), created, answer.other_choices)
        made._response, made._attempts = (getattr(answer.source, name, None) for name in ("response", "attempts"))
        return made

    def stream(self, messages: str | Sequence[Message], model: str | None = None, **options: Any) -> CompletionStream:
        """Return an iterator of chunks, like :meth:`create` with ``stream=True``; the method has g4f's name."""
        chunks: CompletionStream = self.create(messages, model, stream=True, **options)
        return chunks


class CompletionStream(Iterator[CompletionChunk]):
    """The chunks of an answer in progress: an iterator and a context manager.

    :param answer: the answer, started
    :param created: the time of the call, if the service does not report one
    :param wants_usage: whether a last chunk contains the usage
    """

    def __init__(self, answer: AnswerStream, created: int, *, wants_usage: bool) -> None:
        self._answer = answer
        self._chunks = _chunks(answer, created, wants_usage)

    @property
    def _response(self) -> Response | None:
        return getattr(self._answer.source, "response", None)

    @property
    def _attempts(self) -> int | None:
        return getattr(self._answer.source, "attempts", None)

    def __next__(self) -> CompletionChunk:
        return next(self._chunks)

    def close(self) -> None:
        """End the answer, from any thread."""
        self._answer.close()

    def __enter__(self) -> CompletionStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        self._answer.__reduce__()

    def show(self, file: TextIO | None = None) -> Answer:
        """Print the answer as it arrives, in a notebook as Markdown, and return it whole.

        :param file: the file to print to; standard output if None
        """
        return self._answer.show(file)

    @property
    def answer(self) -> Answer:
        """What has arrived so far, as an Answer with usage, finish reason, reasoning and tool calls."""
        return self._answer.answer


def _chunks(answer: AnswerStream, created: int, wants_usage: bool) -> Iterator[CompletionChunk]:
    """Convert deltas to chunks.

    A function and not a method, so that a CompletionStream is closed when it is garbage-collected.
    """
    identity = answer.identity or Identity()
    id_, model = identity.id or make_id(), identity.model or answer.model or ""
    created, provider, fingerprint = identity.created or created, answer.provider, identity.system_fingerprint
    tier, extra = _beside(identity)
    role: Literal["assistant"] | None = "assistant"  # in the first chunk only
    begun: set[int] = set()  # the other choices whose first chunk has been made
    # What goes in the next chunk of a choice, as it came in one with that: in its message, and beside it.
    attached: dict[int, dict[str, Any]] = {}
    beside: dict[int, dict[str, Any]] = {}
    for delta in answer.deltas():
        index, delta = (delta.index, delta.delta) if isinstance(delta, OtherChoice) else (0, delta)
        piece = ChoiceDelta(delta) if type(delta) is str else _added(delta)
        if piece is None:  # usage goes in the last chunk, identity in every chunk
            if isinstance(delta, Attached):
                join((attached if delta.to == "message" else beside).setdefault(index, {}), delta.fields)
            elif isinstance(delta, Identity):
                tier, extra = _beside(delta)
            continue
        if attached and (fields := attached.pop(index, None)):
            piece.extra = {**fields, **(piece.extra or {})}
        if index == 0:
            piece.role, role = role, None
        elif index not in begun:
            piece.role = "assistant"
            begun.add(index)
        reason = delta.reason if isinstance(delta, Finish) else None
        choice = ChunkChoice(piece, reason, index)
        if beside and (fields := beside.pop(index, None)):
            choice.logprobs, choice.extra = ChoiceLogprobs.of(fields.pop("logprobs", None)), fields or None
        yield CompletionChunk(id_, created, model, provider, [choice], None, fingerprint, tier, extra)
    if wants_usage and answer.usage is not None:
        usage = CompletionUsage.of(answer.usage)
        yield CompletionChunk(id_, created, model, provider, [], usage, fingerprint, tier, extra)


def _beside(identity: Identity) -> tuple[str | None, dict[str, Any] | None]:
    """Return the service tier that a service reported, and its further fields."""
    extra = dict(identity.extra)
    return extra.pop("service_tier", None), extra or None


def _added(delta: Delta) -> ChoiceDelta | None:
    """Return what a delta adds to its choice; None where that is nothing."""
    if isinstance(delta, (str, ImageResponse)):
        return ChoiceDelta(str(delta))
    if isinstance(delta, Reasoning):
        return ChoiceDelta(reasoning=delta.text, extra={delta.name: delta.text} if delta.name else None)
    if isinstance(delta, Refusal):
        return ChoiceDelta(refusal=delta.text)
    if isinstance(delta, ToolCallDelta) and delta.type == "function_call":
        return ChoiceDelta(function_call=DeltaFunction(delta.name, delta.arguments))
    if isinstance(delta, ToolCallDelta):
        return ChoiceDelta(tool_calls=[DeltaToolCall.of(delta)])
    if isinstance(delta, Attached) and is_content(delta):
        return ChoiceDelta(extra=delta.fields)
    return ChoiceDelta() if isinstance(delta, Finish) else None


class Chat:
    """The object ``client.chat``."""

    def __init__(self, router: Router) -> None:
        self.completions = Completions(router)
