"""g4f's oldest name: ``ChatCompletion.create``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..messages import Image, Message
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
from .client import Client

_client = Client()
_client._router.spelling = "g4f_lite.Client({}).chat.completions.create(…)"


class _Names(type):
    """Says where a name of g4f's is gone."""

    def __getattr__(cls, name: str) -> Any:
        hint = "; docs/from-g4f.md says what there is instead" if name == "create_async" else ""
        raise AttributeError(f"{cls.__name__} has no attribute {name!r}{hint}")


class ChatCompletion(metaclass=_Names):
    """Ask as the first versions of g4f did: the answer is a string, or its pieces."""

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
        """Ask, and give the answer's text; with ``stream=True``, an iterator of its pieces, started.

        :param model: a model's name; "" or None for the default
        :param messages: a list of ``{"role": …, "content": …}``, or one string
        :param stream: False has the service send the answer as a whole, where it can
        :param provider: a provider, its class or its name; the environment's choice where None
        :param image: a picture to show, by g4f's name;  :param images: one or several
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param options: what else the provider can be told, such as ``temperature``
        :raises TypeError: an option that the provider cannot do
        :raises G4FLiteError: there is no answer
        """
        if messages is None:
            raise TypeError("messages is missing: ChatCompletion.create(model=…, messages=…)")
        answer = _client.stream(
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
