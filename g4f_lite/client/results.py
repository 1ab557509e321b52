"""The results of OpenAI's API as plain dataclasses.

Their attributes and their JSON are those of the API, with two additional fields: ``provider``, the name of the
provider that answered, and ``reasoning``.  What a service did not report is None.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..answers.deltas import Identity, ToolCall, Usage
from ..answers.response import Response
from .logprobs import ChoiceLogprobs
from .result import Answered, Extended


@dataclass(slots=True)
class PromptTokensDetails(Extended):
    """Tokens of a prompt that were in the service's cache, and further counts."""

    documented = frozenset({"audio_tokens", "cache_write_tokens", "image_tokens", "text_tokens"})

    cached_tokens: int | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class CompletionTokensDetails(Extended):
    """Tokens of an answer that were reasoning, and further counts."""

    documented = frozenset({"accepted_prediction_tokens", "audio_tokens", "rejected_prediction_tokens", "text_tokens"})

    reasoning_tokens: int | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class CompletionUsage(Extended):
    """Token counts, as the service reports them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None
    extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, usage: Usage | None) -> CompletionUsage | None:
        """Convert what a provider reports; None stays None."""
        if usage is None:
            return None
        extra = dict(usage.extra)
        prompt, completion = extra.pop("prompt_tokens_details", None), extra.pop("completion_tokens_details", None)
        return cls(
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            PromptTokensDetails(usage.cached_tokens, prompt) if prompt or usage.cached_tokens is not None else None,
            CompletionTokensDetails(usage.reasoning_tokens, completion)
            if completion or usage.reasoning_tokens is not None
            else None,
            extra or None,
        )


@dataclass(slots=True)
class Function(Extended):
    """The function that a model calls; ``arguments`` is JSON, as the model wrote it."""

    name: str
    arguments: str
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class Custom(Extended):
    """The custom tool that a model calls, and its input: any text."""

    name: str
    input: str
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class MessageToolCall(Extended):
    """A tool call that the model requests.

    :ivar function: the name and the arguments; of a custom tool as well
    :ivar custom: the same, as the API writes it for a custom tool
    """

    id: str
    function: Function
    type: Literal["function", "custom"] = "function"
    custom: Custom | None = None
    extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, call: ToolCall) -> MessageToolCall:
        """Take a call of an answer; one that the service gave no id has one made here."""
        extra = dict(call.extra)
        inner = extra.pop(call.type, None)
        made = cls(call.id or make_id("call_"), Function(call.name, call.arguments, inner), extra=extra or None)
        if call.type == "custom":
            made.type, made.custom = "custom", Custom(call.name, call.arguments, inner)
        return made

    def _items(self) -> Iterator[tuple[str, Any]]:
        left_out = "function" if self.custom else "custom"
        return (item for item in Extended._items(self) if item[0] != left_out)


@dataclass(slots=True)
class CompletionMessage(Extended):
    """The message of the model; ``content`` is None if it has only tool calls or a refusal.

    It can be used in the ``messages`` of the next call unchanged.

    :ivar extra: fields that the service added, such as ``annotations``
    """

    nullable = frozenset({"content", "refusal"})
    documented = frozenset({"annotations", "audio"})

    role: Literal["assistant"] = "assistant"
    content: str | None = None
    reasoning: str | None = None
    tool_calls: list[MessageToolCall] | None = None
    refusal: str | None = None
    function_call: Function | None = None
    extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, answer: Answer) -> CompletionMessage:
        """Take an answer; images are Markdown in its content."""
        only_images = answer.images and answer == answer.images[0].urls[0]
        content = "".join(map(str, answer.images)) if only_images else answer.removesuffix(answer.refusal or "")
        older = [call for call in answer.tool_calls if call.type == "function_call"]
        return cls(
            content=content or None,
            reasoning=answer.reasoning or None,
            tool_calls=[MessageToolCall.of(call) for call in answer.tool_calls if call not in older] or None,
            refusal=answer.refusal,
            function_call=Function(older[0].name, older[0].arguments) if older else None,
            extra=dict(answer.message_fields) or None,
        )

    def to_message(self) -> dict[str, Any]:
        """Return the message as the service wants it back: reasoning under the service's own name, or not at all."""
        message = {name: value for name, value in self.to_dict().items() if name != "reasoning"}
        if self.refusal is None:
            del message["refusal"]  # which some servers do not know
        return {**message, **(self.extra or {})}


@dataclass(slots=True)
class Choice(Extended):
    """One answer.

    :ivar logprobs: the log probabilities of its tokens, if ``logprobs=True`` asked for them
    :ivar extra: fields that the service added, such as ``stop_reason``
    """

    nullable = frozenset({"finish_reason", "logprobs"})

    index: int
    message: CompletionMessage
    finish_reason: str | None
    logprobs: ChoiceLogprobs | None = None
    extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, index: int, answer: Answer) -> Choice:
        """Take an answer as the choice with this index."""
        extra = dict(answer.choice_fields)
        logprobs = ChoiceLogprobs.of(extra.pop("logprobs", None))
        return cls(index, CompletionMessage.of(answer), answer.finish_reason, logprobs, extra or None)


@dataclass(slots=True)
class Completion(Answered, Extended):
    """A whole answer.

    :ivar id: the id from the service, or else a random one
    :ivar created: when the service began the answer, or else the time of the call, in seconds since 1970
    :ivar model: the model that the service reports, or else the requested one; "" for none
    :ivar provider: the name of the provider that answered
    :ivar choices: a list of one, or of as many as were requested
    :ivar usage: token counts, or None if the service did not report them
    :ivar system_fingerprint: identifies the service's configuration, if it reports one
    :ivar service_tier: how the service processed the call, if it reports that
    :ivar extra: further fields that the service added, such as ``citations``
    """

    documented = frozenset({"metadata", "moderation"})

    id: str
    created: int
    model: str
    provider: str | None
    choices: list[Choice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, Any] | None = None
    object: Literal["chat.completion"] = "chat.completion"
    _response: Response | None = field(default=None, repr=False, compare=False)
    _attempts: int | None = field(default=None, repr=False, compare=False)
    _took: tuple[CallUsage, ...] = field(default=(), repr=False, compare=False)

    @property
    def cost(self) -> float | None:
        """What it cost in US dollars, as the ``cost`` of an :class:`~g4f_lite.Answer`; it is not part of the JSON.

        :raises MissingDependencyError: if the extra ``prices`` is needed and not installed
        """
        from ..answers.cost import cost_of

        return cost_of(self._took)

    @classmethod
    def of(
        cls, answer: Answer, identity: Identity, created: int, others: Mapping[int, Answer] | None = None
    ) -> Completion:
        """Convert an answer.

        :param identity: the service's own data about the answer
        :param created: the time of the call, in seconds since 1970
        :param others: further choices, by their index
        """
        choices = {0: answer, **(others or {})}
        extra = dict(identity.extra)
        return cls(
            identity.id or make_id(),
            identity.created or created,
            identity.model or answer.model or "",
            answer.provider,
            [Choice.of(index, each) for index, each in choices.items()],
            CompletionUsage.of(answer.usage),
            identity.system_fingerprint,
            extra.pop("service_tier", None),
            extra or None,
            _took=answer.took,
        )


def make_id(prefix: str = "chatcmpl-") -> str:
    """Return a random id in the API's format."""
    return prefix + secrets.token_hex(12)


def now() -> int:
    """Return the time in whole seconds since 1970."""
    return int(time.time())
