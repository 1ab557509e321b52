"""``ChatCompletion.create``, the interface of g4f's first versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..arguments import missing_attribute
from ..messages import Image, Message
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
from .client import Client

_client = Client()
_client._router.call_template = "g4f_lite.Client({}).chat.completions.create(…)"


class _Names(type):
    """Names the documentation page in errors about names of g4f that are missing here."""

    def __getattr__(cls, name: str) -> Any:
        raise AttributeError(missing_attribute(cls.__name__, name))


class ChatCompletion(metaclass=_Names):
    """The interface of g4f's first versions, whose answers are strings."""

    @overload
    @staticmethod
    def create(
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        provider: ProviderLike | None = None,
        stream: Literal[False] | None = None,
        *,
        image: Image | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        **options: Any,
    ) -> Answer: ...

    @overload
    @staticmethod
    def create(
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        provider: ProviderLike | None = None,
        *,
        stream: Literal[True],
        image: Image | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        **options: Any,
    ) -> AnswerStream: ...

    @overload
    @staticmethod
    def create(
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        provider: ProviderLike | None = None,
        *,
        stream: bool | None,
        **options: Any,
    ) -> Answer | AnswerStream: ...

    @staticmethod
    def create(
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        provider: ProviderLike | None = None,
        stream: bool | None = None,
        *,
        image: Image | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        **options: Any,
    ) -> Answer | AnswerStream:
        """Return the answer as a string, or with ``stream=True`` as a stream that has started.

        :param model: the name of a model; "" or None for the default
        :param messages: a list of ``{"role": …, "content": …}``, or a string
        :param provider: a provider, its class or its name; None lets the environment choose
        :param stream: True for a stream; False makes the service send the answer as a whole, if it can
        :param image: one image; g4f's name for ``images``
        :param images: images to add to the last user message: bytes, paths or URLs
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param options: further options of the provider, such as ``temperature``
        :raises TypeError: if the provider does not support an option
        :raises G4FLiteError: if there is no answer
        """
        if messages is None:
            raise TypeError("messages is missing: ChatCompletion.create(model=…, messages=…)")
        answer: AnswerStream = _client.stream(
            messages,
            model=model,
            provider=provider,
            images=image if images is None else images,
            proxy=proxy,
            timeout=timeout,
            stream=stream,
            **options,
        )
        return answer.start() if stream else answer.text()
