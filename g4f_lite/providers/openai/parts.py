"""Content that is more than a text: parts of several types, images, reasoning under its many names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Attached, Delta, OtherChoice, Reasoning, is_content
from ...answers.images import ImageResponse
from ...errors import ResponseFormatError
from ...http.checks import shorten
from .fields import is_said, objects_in, text_in

# Most services', OpenRouter's and Ollama's, GitHub Copilot's, and that of some servers of Qwen.
REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
_THOUGHT_PARTS = ("thinking", "reasoning", "reasoning_text")
# Parts that are beside the text, such as Mistral's sources of it.
_BESIDE = frozenset({*_THOUGHT_PARTS, "reference", "tool_reference"})
_THOUGHT = r"reason|think|thought|encrypt"  # in the name of a field, whose text may be one that nobody can read
# What a thought that nobody can read gives: the model has begun its answer.
_UNREADABLE_THOUGHT = Reasoning("")
# Texts of answers in the APIs of Ollama, Hugging Face and others.
_OTHER_NAMES = ("response", "answer", "output", "output_text", "generated_text", "completion", "token")
# What may hold a piece of an answer, or a whole chunk, in other APIs and in gateways.
_HOLDERS = (*_OTHER_NAMES, "candidates", "choice", "data", "generations", "outputs", "result")
MOST_IMAGES = 10_000  # of one piece of an answer
# Fields of a part that have nothing of the answer.
_ABOUT_PART = frozenset({"type", "index", "id", "annotations", "citations", "logprobs", "status"})


def read_parts(content: Any) -> Iterator[Delta]:
    """Read content that is a list of parts, as Mistral's reasoning models send it; null gives nothing.

    :raises ResponseFormatError: if it is neither text nor parts, or nothing can be read of a part that says something
    """
    if not is_said(content):
        return
    parts = [content] if isinstance(content, dict) else content
    if not isinstance(parts, list) or not all(isinstance(part, (dict, str)) for part in parts):
        raise unreadable("content", content)
    for part in parts:
        if isinstance(part, str):
            yield from [part] if part else []
        elif part.get("type") in _THOUGHT_PARTS:
            yield from map(Reasoning, _thoughts(part))
        elif part.get("type") == "redacted_thinking":
            yield _UNREADABLE_THOUGHT
        elif "image" in str(part.get("type")) and (urls := image_urls([part])):
            yield ImageResponse(urls)
        elif text := text_in(part, "text", "content", "refusal"):
            yield text
        elif part.get("type") not in _BESIDE and _may_have_text(part):
            raise unreadable("a part of the content", part)


def _may_have_text(part: dict[str, Any]) -> bool:
    """Return whether a part of which nothing could be read says more than flags and what it is."""
    said = (value for name, value in part.items() if name not in _ABOUT_PART and value is not True)
    return part.get("text") is True or any(map(is_said, said))


def unreadable(what: str, value: Any) -> ResponseFormatError:
    """Make the error for a piece that may be a part of the answer, and is not what the protocol says."""
    return ResponseFormatError(f"{what} is not what the protocol says: {shorten(json.dumps(value), 200)}")


def may_be_piece(chunk: dict[str, Any]) -> bool:
    """Return whether a chunk without choices may hold a piece of the answer, as chunks of other APIs do."""
    is_said_there = any(map(is_said, map(chunk.get, ("delta", "content", "text"))))
    held = (value for name in ("message", *_HOLDERS) if isinstance(value := chunk.get(name), (dict, list)))
    return is_said_there or any(map(is_said, held)) or bool(text_in(chunk, *_OTHER_NAMES))


def begins(delta: Delta) -> bool:
    """Return whether the model has begun its answer with this delta: also with thoughts that nobody can read."""
    inner = delta.delta if isinstance(delta, OtherChoice) else delta
    if not isinstance(inner, Attached) or is_content(inner):
        return True
    if inner.to == "message":
        return any(isinstance(value, (dict, list)) or re.search(_THOUGHT, name) for name, value in inner.fields.items())
    logprobs = inner.fields.get("logprobs")
    return isinstance(logprobs, dict) and bool(logprobs.get("content"))


def read_reasoning(delta: dict[str, Any]) -> Iterator[Reasoning]:
    """Read what the model thinks, under whichever name a service has for it."""
    for name in REASONING:
        if isinstance(text := delta.get(name), str) and text:
            yield Reasoning(text, name)
            return
    for name in REASONING:
        if isinstance(delta.get(name), (dict, list)):
            thoughts = [Reasoning(text) for part in objects_in(delta[name]) for text in _thoughts(part)]
            yield from thoughts or ([_UNREADABLE_THOUGHT] if is_said(delta[name]) else [])
            return
    for detail in objects_in(delta.get("reasoning_details")):
        if text := text_in(detail, "text", "summary"):
            yield Reasoning(text)


def image_urls(images: Any) -> list[str]:
    """List the addresses of images, in any of the forms in which services write them."""
    found = []
    for image in images if isinstance(images, list) else [images]:
        if isinstance(image, str):
            found.append(image)
        elif isinstance(image, dict):
            inner = image.get("image_url") or image.get("image") or image.get("source") or image
            url = inner if isinstance(inner, str) else text_in(inner, "url")
            data = text_in(inner, "b64_json", "data", "base64") if isinstance(inner, dict) else ""
            if not url and data:
                kind = text_in(inner, "mime_type", "media_type", "mimeType") or "image/png"
                url = data if data.startswith("data:") else f"data:{kind};base64,{data}"
            found.append(url)
    split = (url.partition(":") for url in found)
    lower = (scheme.lower() + colon + rest for scheme, colon, rest in split)  # as its readers compare it
    return [url for url in lower if url.startswith(("data:", "http://", "https://"))]


def read_images(images: Any) -> list[str]:
    """List the addresses of images beside a text.

    :raises ResponseFormatError: if one has none that could be fetched, or there are very many
    """
    if isinstance(images, list) and len(images) > MOST_IMAGES:
        raise ResponseFormatError(f"more than {MOST_IMAGES:,} images came at once")
    urls = image_urls(images)
    if len(urls) < sum(map(is_said, images if isinstance(images, list) else [images])):
        raise unreadable("an image", images)
    return urls


def _thoughts(part: dict[str, Any]) -> Iterator[str]:
    """Return the texts in a part that holds thoughts: a text, or parts again."""
    for name in ("thinking", "reasoning", "text", "summary", "content"):
        inner = part.get(name)
        if isinstance(inner, str):
            yield from [inner] if inner else []
            return
        if isinstance(inner, list):
            yield from (text for item in objects_in(inner) if (text := text_in(item, "text")))
            return
