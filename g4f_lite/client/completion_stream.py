"""The chunks of a completion in progress, in the format of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NoReturn, TextIO

from ..answers.answer import Answer
from ..answers.attached import join, size_of
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
from .chunks import ChoiceDelta, ChunkChoice, CompletionChunk, DeltaFunction, DeltaToolCall
from .logprobs import ChoiceLogprobs
from .results import CompletionUsage, make_id

MOST_WAITING = 256 * 1024  # bytes of a service's own fields, before they are sent in a chunk of their own


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
        return self._answer.attempts

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

    def show(self, file: TextIO | None = None, *, plain: bool = False) -> Answer:
        """Print the answer as it arrives, in a notebook as Markdown, and return it whole.

        :param file: the file to print to; standard output if None
        :param plain: whether a notebook prints the text too, instead of rendering it
        """
        return self._answer.show(file, plain=plain)

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
    waiting: dict[int, int] = {}  # the bytes of both, as a service may send them for ever
    for delta in answer.deltas():
        index, delta = (delta.index, delta.delta) if isinstance(delta, OtherChoice) else (0, delta)
        piece = ChoiceDelta(delta) if type(delta) is str else _added(delta)
        if piece is None:  # usage goes in the last chunk, identity in every chunk
            if isinstance(delta, Attached):
                join((attached if delta.to == "message" else beside).setdefault(index, {}), delta.fields)
                waiting[index] = waiting.get(index, 0) + size_of(delta.fields)
                piece = ChoiceDelta() if waiting[index] > MOST_WAITING else None
            elif isinstance(delta, Identity):
                tier, extra = _beside(delta)
            if piece is None:
                continue
        if waiting:
            waiting.pop(index, None)
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
