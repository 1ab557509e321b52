"""A whole answer: its text, and what is known about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .deltas import ToolCall, Usage
from .display import cell
from .images import ImageResponse
from .json_text import json_in


class Answer(str):
    """An answer: a str that also knows how it came about.

    :ivar usage: tokens, or None where the service did not say
    :ivar finish_reason: why it ended, or None
    :ivar model: the model that was asked;  :ivar provider: the provider that answered
    :ivar seconds: from sending to the end
    :ivar reasoning: what the model thought before it answered
    :ivar tool_calls: the calls it wants made;  :ivar images: the pictures in it
    :ivar refusal: the words with which the model refused to answer, which are the text then, or at its end; None
        where it did not, or where the service does not tell them from an answer
    :ivar revision: the service's last word, where it ended a stream with another whole text than it
        had streamed; the answer itself stays what was streamed
    :ivar message_fields: what the service added to the message under names of its own, such as ``annotations``
        or ``reasoning_content``, and wants back with it
    """

    usage: Usage | None
    finish_reason: str | None
    model: str | None
    provider: str | None
    seconds: float
    reasoning: str
    tool_calls: list[ToolCall]
    images: list[ImageResponse]
    refusal: str | None
    revision: str | None
    message_fields: dict[str, Any]
    _shown_in: int | None = None  # the cell of a notebook that it was shown in

    def __new__(
        cls,
        text: str,
        *,
        usage: Usage | None = None,
        finish_reason: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        seconds: float = 0.0,
        reasoning: str = "",
        tool_calls: list[ToolCall] | None = None,
        images: list[ImageResponse] | None = None,
        refusal: str | None = None,
        revision: str | None = None,
        message_fields: dict[str, Any] | None = None,
    ) -> Answer:
        answer = super().__new__(cls, text)
        answer.usage = usage
        answer.finish_reason = finish_reason
        answer.model = model
        answer.provider = provider
        answer.seconds = seconds
        answer.reasoning = reasoning
        answer.tool_calls = tool_calls or []
        answer.images = images or []
        answer.refusal = refusal
        answer.revision = revision
        answer.message_fields = message_fields or {}
        return answer

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    def json(self) -> Any:
        """Parse the text as JSON; a fence of three backticks around it is no hindrance.

        :raises ResponseFormatError: the text is no JSON; the error is a ValueError too
        """
        return json_in(self, self.provider)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON types."""
        return {
            "text": str(self),
            "provider": self.provider,
            "model": self.model,
            "finish_reason": self.finish_reason,
            "usage": {name: count for name, count in asdict(self.usage).items() if count is not None}
            if self.usage
            else None,
            "seconds": round(self.seconds, 3),
            "reasoning": self.reasoning,
            "refusal": self.refusal,
            "tool_calls": [_written(call) for call in self.tool_calls],
            "images": [url for image in self.images for url in image.urls],
        }

    def to_message(self) -> dict[str, Any]:
        """Give the answer as a message for the history: its text, its tool calls, and what belongs to them."""
        message: dict[str, Any] = {"role": "assistant", "content": str(self)}
        calls = [call.to_dict() for call in self.tool_calls if call.type != "function_call"]
        if calls:
            message["tool_calls"] = calls
        for call in self.tool_calls:
            if call.type == "function_call":
                message["function_call"] = {"name": call.name, "arguments": call.arguments}
        return {**self.message_fields, **message} if self.tool_calls else message

    def _repr_markdown_(self) -> str:
        return str(self)

    def _ipython_display_(self) -> None:
        """Show nothing as the result of the cell that show() has shown it in."""
        if self._shown_in is None or self._shown_in != cell():
            raise NotImplementedError  # upon which IPython shows it as it does anything


def _written(call: ToolCall) -> dict[str, Any]:
    """Give a tool call as plain JSON types, without what is as usual."""
    usual = {"type": "function", "extra": {}}
    return {name: value for name, value in asdict(call).items() if name not in usual or value != usual[name]}
