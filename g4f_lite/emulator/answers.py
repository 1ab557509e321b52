"""Where the text of an answer comes from: the queue of scripted answers, or the backend."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Message = dict[str, Any]
"""``{"role": ..., "content": ...}``, as in the OpenAI protocol."""

Delta = str | Mapping[str, Any]
"""A piece of text, or the fields of a ``delta`` such as ``reasoning_content`` or ``tool_calls``, and ``finish_reason``.

AI Engine understands ``tool_calls``; the services that have no such fields leave them out."""

Backend = Callable[[list[Message]], Iterable[Delta]]


def echo(messages: list[Message]) -> Iterator[str]:
    """Answer with the last user message, word by word."""
    for message in reversed(messages):
        if message.get("role") == "user":
            yield from split_words(text_of(message.get("content")))
            return


def split_words(text: str) -> list[str]:
    """Cut a text into words, each with the white space before it."""
    return re.findall(r"\s*\S+|\s+", text)


def text_of(content: object) -> str:
    """Return the text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


class Answers:
    """Return each prompt the next scripted answer, or the backend's answer if there is none."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._scripted: deque[list[Delta]] = deque()

    def add(self, answer: str | Iterable[Delta]) -> None:
        """Queue an answer: one text, cut into words, or a list of pieces, kept as they are."""
        pieces: list[Delta] = [*split_words(answer)] if isinstance(answer, str) else [*answer]
        with self._lock:
            self._scripted.append(pieces)

    def take(self, messages: list[Message]) -> Iterator[Delta]:
        """Return the pieces of the next answer."""
        with self._lock:
            if self._scripted:
                return iter(self._scripted.popleft())
        return iter(self._backend(messages))

    def clear(self) -> None:
        """Remove the scripted answers that are left."""
        with self._lock:
            self._scripted.clear()
