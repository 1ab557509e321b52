"""The results of OpenAI's API as plain dataclasses.

Their attributes and their JSON are those of the API, with two additional fields: ``provider``, the name of the
provider that answered, and ``reasoning``.  What a service did not report is None.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from ..answers.answer import Answer
from ..answers.deltas import Identity, ToolCall, ToolCallDelta, Usage


class Result:
    """The base class of all results, which can be written as JSON."""

    __slots__ = ()
    nullable: ClassVar[frozenset[str]] = frozenset()  # fields that the API sends as null, not left out

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON that the API would send, as plain types."""
        return {
            name: _plain(value, lean=True)
            for name, value in self._items()
            if value is not None or name in type(self).nullable
        }

    def model_dump(self, *, exclude_none: bool = False, exclude_unset: bool = False) -> dict[str, Any]:
        """Return all fields as plain types.

        :param exclude_none: whether to leave out fields that are None
        :param exclude_unset: whether to leave out fields that the API would not send, like :meth:`to_dict`
        """
        if exclude_unset:
            return self.to_dict()
        return {
            name: _plain(value, lean=False, exclude_none=exclude_none)
            for name, value in self._items()
            if value is not None or not exclude_none
        }

    def model_dump_json(
        self, *, indent: int | None = None, exclude_none: bool = False, exclude_unset: bool = False
    ) -> str:
        """Return :meth:`model_dump` as a JSON string."""
        separators = None if indent else (",", ":")
        dumped = self.model_dump(exclude_none=exclude_none, exclude_unset=exclude_unset)
        return json.dumps(dumped, indent=indent, ensure_ascii=False, separators=separators)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return :meth:`to_dict` as a JSON string."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def _items(self) -> Iterator[tuple[str, Any]]:
        for each in fields(self):  # type: ignore[arg-type]  # each subclass is a dataclass
            yield each.name, getattr(self, each.name)


def _plain(value: Any, *, lean: bool, exclude_none: bool = False) -> Any:
    if isinstance(value, Result):
        return value.to_dict() if lean else value.model_dump(exclude_none=exclude_none)
    if isinstance(value, list):
        return [_plain(item, lean=lean, exclude_none=exclude_none) for item in value]
    return value


@dataclass(slots=True)
class PromptTokensDetails(Result):
    """Tokens of a prompt that were in the service's cache."""

    cached_tokens: int


@dataclass(slots=True)
class CompletionTokensDetails(Result):
    """Tokens of an answer that were reasoning."""

    reasoning_tokens: int


@dataclass(slots=True)
class CompletionUsage(Result):
    """Token counts, as the service reports them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None

    @classmethod
    def of(cls, usage: Usage | None) -> CompletionUsage | None:
        """Convert what a provider reports; None stays None."""
        if usage is None:
            return None
        return cls(
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            None if usage.cached_tokens is None else PromptTokensDetails(usage.cached_tokens),
            None if usage.reasoning_tokens is None else CompletionTokensDetails(usage.reasoning_tokens),
        )


@dataclass(slots=True)
class Function(Result):
    """The function that a model calls; ``arguments`` is JSON, as the model wrote it."""

    name: str
    arguments: str


@dataclass(slots=True)
class DeltaFunction(Result):
    """A function name or a fragment of the arguments, in a streamed tool call."""

    name: str | None
    arguments: str


@dataclass(slots=True)
class MessageToolCall(Result):
    """A tool call that the model requests."""

    id: str
    function: Function
    type: Literal["function"] = "function"


@dataclass(slots=True)
class DeltaToolCall(Result):
    """A piece of a tool call: the first one has ``id`` and the name, and each one adds to the arguments."""

    index: int
    id: str | None = None
    function: DeltaFunction | None = None
    type: Literal["function"] | None = None

    @classmethod
    def of(cls, delta: ToolCallDelta) -> DeltaToolCall:
        """Convert a piece of a tool call as a provider yields it."""
        return cls(delta.index, delta.id, DeltaFunction(delta.name, delta.arguments), "function" if delta.id else None)


@dataclass(slots=True)
class CompletionMessage(Result):
    """The message of the model; ``content`` is None if it has only tool calls or a refusal."""

    nullable = frozenset({"content"})

    role: Literal["assistant"] = "assistant"
    content: str | None = None
    reasoning: str | None = None
    tool_calls: list[MessageToolCall] | None = None
    refusal: str | None = None


@dataclass(slots=True)
class Choice(Result):
    """The answer; there is never more than one."""

    nullable = frozenset({"finish_reason", "logprobs"})

    index: int
    message: CompletionMessage
    finish_reason: str | None
    logprobs: None = None


@dataclass(slots=True)
class Completion(Result):
    """A whole answer.

    :ivar id: the id from the service, or else a random one
    :ivar created: when the service began the answer, or else the time of the call, in seconds since 1970
    :ivar model: the model that the service reports, or else the requested one; "" for none
    :ivar provider: the name of the provider that answered
    :ivar choices: a list of one
    :ivar usage: token counts, or None if the service did not report them
    :ivar system_fingerprint: identifies the service's configuration, if it reports one
    """

    id: str
    created: int
    model: str
    provider: str | None
    choices: list[Choice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    object: Literal["chat.completion"] = "chat.completion"

    @classmethod
    def of(cls, answer: Answer, identity: Identity, created: int) -> Completion:
        """Convert an answer; images become Markdown in its content.

        :param identity: the service's own data about the answer
        :param created: the time of the call, in seconds since 1970
        """
        only_images = answer.images and answer == answer.images[0].urls[0]
        content = "".join(map(str, answer.images)) if only_images else answer.removesuffix(answer.refusal or "")
        calls = [_message_call(call) for call in answer.tool_calls]
        message = CompletionMessage(
            content=content or None,
            reasoning=answer.reasoning or None,
            tool_calls=calls or None,
            refusal=answer.refusal,
        )
        choice = Choice(0, message, answer.finish_reason)
        usage = CompletionUsage.of(answer.usage)
        model = identity.model or answer.model or ""
        return cls(
            identity.id or make_id(),
            identity.created or created,
            model,
            answer.provider,
            [choice],
            usage,
            identity.system_fingerprint,
        )


def _message_call(call: ToolCall) -> MessageToolCall:
    return MessageToolCall(call.id or make_id("call_"), Function(call.name, call.arguments))


@dataclass(slots=True)
class ChoiceDelta(Result):
    """The content of a chunk: a piece of text, reasoning, a tool call or a refusal."""

    content: str | None = None
    role: Literal["assistant"] | None = None
    reasoning: str | None = None
    tool_calls: list[DeltaToolCall] | None = None
    refusal: str | None = None


@dataclass(slots=True)
class ChunkChoice(Result):
    """The choice of a chunk; ``finish_reason`` is set in the last one."""

    nullable = frozenset({"finish_reason"})

    delta: ChoiceDelta
    finish_reason: str | None = None
    index: int = 0


@dataclass(slots=True)
class CompletionChunk(str, Result):
    """A piece of an answer; ``usage`` is in the last one, without choices, if ``stream_options`` requests it.

    It is also the text that it adds, as a ``str``, so that ``st.write_stream`` of Streamlit takes it, and ``print``.
    """

    id: str
    created: int
    model: str
    provider: str | None
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"

    def __new__(cls, *fields: Any, **named: Any) -> CompletionChunk:
        choices = named["choices"] if "choices" in named else fields[4]
        return str.__new__(cls, (choices[0].delta.content or choices[0].delta.refusal or "") if choices else "")

    def __bool__(self) -> bool:  # also without text, as OpenAI's
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(value for _, value in self._items())


@dataclass(slots=True)
class Image(Result):
    """An image: its URL, or its bytes in Base64."""

    url: str | None = None
    b64_json: str | None = None
    revised_prompt: str | None = None


@dataclass(slots=True)
class ImagesResponse(Result):
    """The generated images."""

    created: int
    data: list[Image]
    model: str | None = None
    provider: str | None = None


@dataclass(slots=True)
class Model(Result):
    """The name of a model; ``created`` is 0, because providers do not report it.

    :ivar owned_by: the name of the provider
    """

    id: str
    owned_by: str
    created: int = 0
    object: Literal["model"] = "model"


@dataclass(slots=True)
class ModelList(Result):
    """The available models; iterate it."""

    data: list[Model] = field(default_factory=list)
    object: Literal["list"] = "list"

    def __iter__(self) -> Iterator[Model]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


def make_id(prefix: str = "chatcmpl-") -> str:
    """Return a random id in the API's format."""
    return prefix + secrets.token_hex(12)


def now() -> int:
    """Return the time in whole seconds since 1970."""
    return int(time.time())
