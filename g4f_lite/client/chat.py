"""``client.chat.completions.create``: answers in the shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, TextIO, overload

from ..answers.answer import Answer
from ..answers.deltas import (
    Attached,
    Delta,
    Finish,
    Identity,
    OtherChoice,
    Reasoning,
    Refusal,
    ToolCallDelta,
)
from ..answers.images import ImageResponse
from ..answers.stream import AnswerStream
from ..arguments import check_whole_number
from ..messages import Image, Message
from ..prompt import Prompt
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
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

_USUAL: Mapping[str, Any] = MappingProxyType({})  # nothing is said about a stream


class Completions:
    """What ``client.chat.completions`` is.

    :param router: finds the provider of a call
    """

    def __init__(self, router: Router) -> None:
        self._router = router

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
        **options: Any,
    ) -> Completion | CompletionStream:
        """Ask, and give a Completion; with ``stream=True``, an iterator of its chunks.

        A stream has been started: what fails before the first piece is raised here.  It closes its
        connection at its end, by ``close()``, or at the end of a ``with`` block.

        :param messages: a list of ``{"role": …, "content": …}``, or one string
        :param model: a model's name; see ``Client(models=…)``
        :param provider: who answers this call, in place of the client's provider
        :param images: pictures to show with the last user message: bytes, paths or URLs; ``image`` is g4f's name
        :param max_tokens: the most tokens of the answer; ``stop``: where it ends.  For a service that
            knows neither they are kept to here, and tokens are approximated
        :param response_format: ``{"type": "json_schema", …}`` or ``{"type": "json_object"}``.  For a service
            that does not know it, it is put in the prompt, and the answer is checked
        :param stream: True for an iterator of chunks; False for a Completion that the service sends as a whole; a
            Completion too where it is left out, which is read as it comes
        :param stream_options: ``{"include_usage": True}`` for a last chunk with the usage; None for a service that
            refuses the field
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param options: what else the provider can be told
        :raises TypeError: an option that the provider cannot do
        :raises G4FLiteError: there is no answer
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
            **({"stream_options": None} if stream_options is None else {}),
            **options,
        )
        if count > 1:
            prompt = replace(prompt, options={**prompt.options, "n": count})
        answer = self._router.answer(prompt, provider)
        if stream:
            return CompletionStream(answer.start(), created, wants_usage=wants_usage)
        whole = answer.text()
        return Completion.of(whole, answer.identity or Identity(), created, answer.other_choices)

    def stream(self, messages: str | Sequence[Message], model: str | None = None, **options: Any) -> CompletionStream:
        """Give the chunks: :meth:`create` with ``stream=True``, by g4f's name."""
        chunks: CompletionStream = self.create(messages, model, stream=True, **options)
        return chunks


class CompletionStream(Iterator[CompletionChunk]):
    """The chunks of an answer as they come; an iterator and a context manager.

    :param answer: the stream that they are made of, started
    :param created: when it was asked for, where the service does not say
    :param wants_usage: whether a last chunk tells the usage
    """

    def __init__(self, answer: AnswerStream, created: int, *, wants_usage: bool) -> None:
        self._answer = answer
        self._chunks = _chunks(answer, created, wants_usage)

    def __iter__(self) -> Iterator[CompletionChunk]:
        return self._chunks  # the same chunks as __next__ gives, without a call for each

    def __next__(self) -> CompletionChunk:
        return next(self._chunks)

    def close(self) -> None:
        """End the answer, from any thread."""
        self._answer.close()

    def __enter__(self) -> CompletionStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, file: TextIO | None = None) -> Answer:
        """Print the answer as it comes and give it whole; in a notebook, as live Markdown.

        :param file: where to; standard output where None
        """
        return self._answer.show(file)

    @property
    def answer(self) -> Answer:
        """What has come so far, with usage, finish reason, reasoning and tool calls."""
        return self._answer.answer


def _chunks(answer: AnswerStream, created: int, wants_usage: bool) -> Iterator[CompletionChunk]:
    """Give the chunks; it holds the answer and not its CompletionStream, so that letting go of that closes it."""
    identity = answer.identity or Identity()
    id_, model = identity.id or make_id(), identity.model or answer.model or ""
    created, provider, fingerprint = identity.created or created, answer.provider, identity.system_fingerprint
    role: Literal["assistant"] | None = "assistant"  # the first chunk says it
    begun: set[int] = set()  # the other choices of which a chunk has said it
    new = object.__new__
    for delta in answer.deltas():
        if type(delta) is str:  # made by hand: __init__ is a call for each of three objects, a third of what they cost
            added, choice, chunk = new(ChoiceDelta), new(ChunkChoice), new(CompletionChunk)
            added.content, added.role = delta, role
            added.reasoning = added.tool_calls = added.refusal = added.function_call = added.extra = None
            choice.delta, choice.finish_reason, choice.index = added, None, 0
            chunk.id, chunk.created, chunk.model = id_, created, model
            chunk.provider, chunk.choices, chunk.usage = provider, [choice], None
            chunk.system_fingerprint, chunk.object = fingerprint, "chat.completion.chunk"
            yield chunk
            role = None
            continue
        index, delta = (delta.index, delta.delta) if isinstance(delta, OtherChoice) else (0, delta)
        if (piece := _added(delta)) is None:  # told at the end, or in every chunk
            continue
        if index == 0:
            piece.role, role = role, None
        elif index not in begun:
            piece.role = "assistant"
            begun.add(index)
        reason = delta.reason if isinstance(delta, Finish) else None
        yield CompletionChunk(id_, created, model, provider, [ChunkChoice(piece, reason, index)], None, fingerprint)
    if wants_usage and answer.usage is not None:
        yield CompletionChunk(id_, created, model, provider, [], CompletionUsage.of(answer.usage), fingerprint)


def _added(delta: Delta) -> ChoiceDelta | None:
    """Give what a delta adds to its choice; None where that is nothing."""
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
    if isinstance(delta, Attached):
        return ChoiceDelta(extra=delta.fields)
    return ChoiceDelta() if isinstance(delta, Finish) else None


class Chat:
    """What ``client.chat`` is."""

    def __init__(self, router: Router) -> None:
        self.completions = Completions(router)
