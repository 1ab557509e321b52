"""A whole answer: its text and its metadata."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .call_usage import CallUsage
from .deltas import ToolCall, Usage
from .images import ImageResponse
from .in_yaml import teach_yaml
from .ipython import cell_number
from .json_text import parse_json_text
from .markdown import folded, safe_markdown


class Answer(str):
    """The text of a whole answer, a ``str`` with metadata.

    :ivar usage: token counts, or None if the service did not report them
    :ivar finish_reason: why the answer ended, or None
    :ivar model: the model that was requested
    :ivar served_model: the model that answered, as the service names it; None if it does not
    :ivar provider: the name of the provider that answered
    :ivar seconds: time from the request to the end of the answer
    :ivar reasoning: the model's reasoning before the answer
    :ivar tool_calls: the tool calls that the model requests
    :ivar images: the images in the answer
    :ivar refusal: the model's refusal, which is the text or the end of it; None if there is none, or if the service
        does not distinguish it from an answer
    :ivar revision: the whole text that the service sent at the end, if it differs from the text that it streamed;
        the answer itself keeps the streamed text
    :ivar message_fields: fields that the service added to the message, such as ``annotations`` or
        ``reasoning_content``; ``to_message`` sends them back with tool calls only, where services expect it
    :ivar choice_fields: fields that the service added beside the message, such as ``logprobs``
    :ivar took: what each of its calls took, from which ``cost`` is calculated
    """

    usage: Usage | None
    finish_reason: str | None
    model: str | None
    served_model: str | None
    provider: str | None
    seconds: float
    reasoning: str
    tool_calls: list[ToolCall]
    images: list[ImageResponse]
    refusal: str | None
    revision: str | None
    message_fields: dict[str, Any]
    choice_fields: dict[str, Any]
    took: tuple[CallUsage, ...]
    _shown_in: int | None = None  # the number of the notebook cell that displayed it

    def __new__(
        cls,
        text: str,
        *,
        usage: Usage | None = None,
        finish_reason: str | None = None,
        model: str | None = None,
        served_model: str | None = None,
        provider: str | None = None,
        seconds: float = 0.0,
        reasoning: str = "",
        tool_calls: list[ToolCall] | None = None,
        images: list[ImageResponse] | None = None,
        refusal: str | None = None,
        revision: str | None = None,
        message_fields: dict[str, Any] | None = None,
        choice_fields: dict[str, Any] | None = None,
        took: tuple[CallUsage, ...] = (),
    ) -> Answer:
        answer = super().__new__(cls, text)
        answer.usage = usage
        answer.finish_reason = finish_reason
        answer.model = model
        answer.served_model = served_model
        answer.provider = provider
        answer.seconds = seconds
        answer.reasoning = reasoning
        answer.tool_calls = tool_calls or []
        answer.images = images or []
        answer.refusal = refusal
        answer.revision = revision
        answer.message_fields = message_fields or {}
        answer.choice_fields = choice_fields or {}
        answer.took = took
        if "yaml.representer" in sys.modules:
            teach_yaml(Answer)
        return answer

    @property
    def cost(self) -> float | None:
        """What the answer cost in US dollars, with all calls that it took; None if the price of one is not known.

        It is 0.0 for a model that costs nothing, and for an answer that came from a cache or a store.  ``price=`` of
        the provider says it where the extra ``prices`` does not, also that a server of your own is free: ``(0, 0)``.

        :raises MissingDependencyError: if the extra ``prices`` is needed and not installed
        """
        from .cost import cost_of  # which few programs need

        return cost_of(self.took)

    @property
    def is_cut(self) -> bool:
        """Whether a limit of tokens, or the service's filter, cut the answer."""
        return self.finish_reason in ("length", "content_filter")

    @property
    def logprobs(self) -> Any:
        """The log probabilities of the tokens, as the service sent them; None if ``logprobs=True`` was not given."""
        return self.choice_fields.get("logprobs")

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    def json(self) -> Any:
        """Parse the text as JSON, with or without a code fence around it.

        :raises ResponseFormatError: if the text is not JSON; the error is also a ValueError
        """
        return parse_json_text(self, self.provider)

    def to_dict(self) -> dict[str, Any]:
        """Return the text and the metadata as plain JSON types."""
        return {
            "text": str(self),
            "provider": self.provider,
            "model": self.model,
            "served_model": self.served_model,
            "finish_reason": self.finish_reason,
            "usage": self.usage.to_dict() if self.usage else None,
            "seconds": round(self.seconds, 3),
            "reasoning": self.reasoning,
            "refusal": self.refusal,
            "tool_calls": [_written(call) for call in self.tool_calls],
            "images": [url for image in self.images for url in image.urls],
        }

    def to_message(self) -> dict[str, Any]:
        """Return the answer as a message for the history: its text, its tool calls, and what belongs to them."""
        # Some services refuse an empty text, and all take none where there are calls.  Of a voice, its words are kept.
        spoken = self.message_fields.get("audio")
        words = spoken.get("transcript") if isinstance(spoken, dict) else None
        text = str(self) or (words if isinstance(words, str) else "")
        message: dict[str, Any] = {"role": "assistant", "content": text or (None if self.tool_calls else "")}
        calls = [call.to_dict() for call in self.tool_calls if call.type != "function_call"]
        if calls:
            message["tool_calls"] = calls
        for call in self.tool_calls:
            if call.type == "function_call":
                message["function_call"] = {"name": call.name, "arguments": call.arguments}
        return {**self.message_fields, **message} if self.tool_calls else message

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            of_others = ("choices", "content", "message", "output_text", "text")
            hint = f"; an Answer is a str, the text itself: leave out .{name}" if name in of_others else ""
            raise AttributeError(f"Answer has no attribute {name!r}{hint}", name=name, obj=self)

    def _repr_markdown_(self) -> str:
        answer = markdown_of(self, self.images)
        return f"{folded('Thoughts', self.reasoning)}\n\n{answer}" if self.reasoning else answer

    def _ipython_display_(self) -> None:
        """Display nothing as the result of the cell in which ``show()`` displayed the answer."""
        if self._shown_in is None or self._shown_in != cell_number():
            raise NotImplementedError  # IPython then falls back to its other representations


def markdown_of(text: str, images: list[ImageResponse]) -> str:
    """Return the text of an answer, or its images if they are all of it, as Markdown that a notebook may show."""
    only_images = images and text == images[0].urls[0]
    return safe_markdown("\n".join(map(str, images)) if only_images else text)


def _written(call: ToolCall) -> dict[str, Any]:
    """Return a tool call as plain JSON types, without the fields that have their default value."""
    usual = {"type": "function", "extra": {}}
    return {name: value for name, value in asdict(call).items() if name not in usual or value != usual[name]}
