"""Under which names servers send reasoning, images and usage, and in which pieces the text."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from ...answers import Delta, text_of
from ...png import draw_png
from ..call import Call, Event, Events
from ..dialect import Dialect


def _rename(name: str, form: Callable[[str], object] = lambda text: text) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Send ``reasoning_content`` under another name, in another form."""

    def message(message: dict[str, Any]) -> dict[str, Any]:
        if "reasoning_content" not in message:
            return message
        rest = {key: value for key, value in message.items() if key != "reasoning_content"}
        return {"content": "", **rest, name: form(message["reasoning_content"])}

    return message


def _details(text: str) -> object:
    return [{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}]


def _think_tags(deltas: Iterator[Delta], call: Call) -> Iterator[Delta]:
    inside = False
    for delta in deltas:
        text = None if isinstance(delta, str) else delta.get("reasoning_content")
        if text:
            yield text if inside else "<think>\n" + text
            inside = True
            continue
        if inside:
            yield "\n</think>\n\n"
            inside = False
        yield delta
    if inside:
        yield "\n</think>\n\n"


def _parts(message: dict[str, Any]) -> dict[str, Any]:
    content, reasoning = message.get("content"), message.get("reasoning_content")
    parts: list[dict[str, Any]] = []
    if reasoning:
        parts.append({"type": "thinking", "thinking": [{"type": "text", "text": reasoning}]})
    if content:
        parts.append({"type": "text", "text": content})
    rest = {key: value for key, value in message.items() if key != "reasoning_content"}
    return {**rest, "content": parts} if parts else message


def _split_surrogates(events: Events, call: Call) -> Events:
    """Cut every emoji between the two halves of its surrogate pair."""
    for event in events:
        content = event.delta.get("content")
        if not isinstance(content, str):
            yield event
            continue
        piece = ""
        for character in content:
            if ord(character) < 0x10000:
                piece += character
                continue
            high, low = json.loads(json.dumps(character)[:7] + '"'), json.loads('"' + json.dumps(character)[7:])
            yield event.with_choice(delta={**event.delta, "content": piece + high})
            piece = low
        yield event.with_choice(delta={**event.delta, "content": piece})


def _image(call: Call) -> dict[str, Any]:
    prompt = text_of(call.messages[-1].get("content")) if call.messages else ""
    encoded = base64.b64encode(draw_png(prompt)).decode()
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64," + encoded}, "index": 0}


def _images(deltas: Iterator[Delta], call: Call) -> Iterator[Delta]:
    yield from deltas
    yield {"content": "", "images": [_image(call)]}


def _usage_in_choice(events: Events, call: Call) -> Events:
    """Hold the end back until the usage is known, and send them in one chunk."""
    held: Event | None = None
    for event in events:
        if event.choice and event.choice.get("finish_reason"):
            held = event
            continue
        usage = event.data.get("usage") if isinstance(event.data, dict) else None
        if held is not None:
            yield held.with_choice(usage=usage) if usage else held
            held = None
        if not usage:
            yield event


def _usage_everywhere(events: Events, call: Call) -> Events:
    pieces = 0
    for event in events:
        pieces += event.text
        yield event.with_fields(usage=call.usage(pieces)) if event.choice else event


def _null_usage(events: Events, call: Call) -> Events:
    return (event.with_fields(usage=None) if event.choice else event for event in events)


def _groq_usage(events: Events, call: Call) -> Events:
    pieces = 0
    for event in events:
        pieces += event.text
        if event.choice and event.choice.get("finish_reason"):
            event = event.with_fields(x_groq={"id": "req_1", "usage": call.usage(pieces)})
        if not (isinstance(event.data, dict) and event.data.get("usage")):
            yield event


def _instead(*answer: Delta) -> Callable[[Iterator[Delta], Call], Iterator[Delta]]:
    """Answer with these deltas, whatever the answer would have been."""
    return lambda deltas, call: iter(answer)


DIALECTS = [
    Dialect(
        "reasoning", "Send reasoning as `reasoning`.", "OpenRouter, Ollama, Groq, vLLM", message=_rename("reasoning")
    ),
    Dialect(
        "reasoning-text", "Send reasoning as `reasoning_text`.", "GitHub Copilot", message=_rename("reasoning_text")
    ),
    Dialect(
        "reasoning-details",
        "Send reasoning as a list `reasoning_details` alone.",
        "OpenRouter",
        message=_rename("reasoning_details", _details),
    ),
    Dialect(
        "think-tags",
        "Send reasoning in the text, between `<think>` tags.",
        "DeepSeek R1 and Qwen on servers without a parser for it",
        deltas=_think_tags,
    ),
    Dialect(
        "content-parts",
        "Send content as a list of parts, reasoning among them.",
        "Mistral's Magistral",
        message=_parts,
    ),
    Dialect(
        "split-surrogates",
        "Cut an emoji in two chunks, each with half of its surrogate pair.",
        "servers in JavaScript and Java that cut by UTF-16 units",
        events=_split_surrogates,
    ),
    Dialect("delta-images", "Send a drawn image in `images` after the text.", "OpenRouter, LiteLLM", deltas=_images),
    Dialect("usage-in-choice", "Send the usage in the last choice.", "Moonshot's Kimi", events=_usage_in_choice),
    Dialect(
        "usage-everywhere",
        "Send the usage so far in every chunk.",
        "vLLM when told so, Perplexity",
        events=_usage_everywhere,
    ),
    Dialect(
        "usage-null",
        "Send `usage: null` in every chunk but the last.",
        "OpenAI with `include_usage`",
        events=_null_usage,
    ),
    Dialect("usage-x-groq", "Send the usage in `x_groq`, in the last chunk.", "Groq", events=_groq_usage),
    Dialect(
        "empty-length",
        "Answer with reasoning alone, which has used up the tokens: no text, and the finish reason `length`.",
        "OpenAI's reasoning models, Gemini, Qwen",
        deltas=_instead({"reasoning_content": "Let me see."}, {"finish_reason": "length"}),
    ),
    Dialect(
        "empty-content-filter",
        "Answer without text, with the finish reason `content_filter`.",
        "Azure OpenAI, Gemini",
        deltas=_instead({"finish_reason": "content_filter"}),
    ),
    Dialect(
        "empty-stop", "Answer without text, with the finish reason `stop`.", "many, now and then", deltas=_instead()
    ),
    Dialect(
        "empty-refusal",
        "Answer with `refusal` in place of text.",
        "OpenAI with a JSON schema",
        deltas=_instead({"refusal": "I'm sorry, I can't help"}, {"refusal": " with that."}),
    ),
]
