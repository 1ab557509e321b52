"""The functions that need no more than a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .answer import Answer, AnswerStream
from .choice import default_provider
from .http.deadline import TimeoutLike
from .messages import Image, Message


def ask(
    prompt: str | Sequence[Message],
    *,
    model: str | None = None,
    system: str | None = None,
    images: Image | Iterable[Image] | None = None,
    timeout: TimeoutLike = None,
    **options: Any,
) -> Answer:
    """Ask, and give the whole answer.

    :param prompt: one string, or a list of ``{"role": …, "content": …}``
    :param model: a model's name;  :param system: a system text
    :param images: pictures to show: bytes, paths or URLs
    :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
    :param options: what else the provider can be told, such as ``temperature``
    :raises G4FLiteError: there is no whole answer
    """
    return stream(prompt, model=model, system=system, images=images, timeout=timeout, **options).text()


def stream(
    prompt: str | Sequence[Message],
    *,
    model: str | None = None,
    system: str | None = None,
    images: Image | Iterable[Image] | None = None,
    timeout: TimeoutLike = None,
    **options: Any,
) -> AnswerStream:
    """Ask, and give the answer piece by piece; the arguments are those of :func:`ask`.

    ``stream("…").show()`` prints it as it comes.
    """
    return default_provider().create_generator(model, prompt, timeout=timeout, system=system, images=images, **options)
