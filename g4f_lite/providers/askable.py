"""What every provider can be asked, with arguments instead of a Prompt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arguments import ASK_IS_WHOLE, NO_PROMPT
from ..prompt import Prompt

if TYPE_CHECKING:
    from ..answers.answer import Answer
    from ..answers.stream import AnswerStream
    from ..messages import Image, Message
    from ..timeout import TimeoutLike


class Askable(ABC):
    """The methods that make a Prompt of their arguments: ``ask`` and ``stream``, and the older names for them."""

    @abstractmethod
    def answer(self, prompt: Prompt) -> AnswerStream:
        """Return the answer to a prompt as a stream."""

    def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        model: str | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Answer:
        """Send a prompt and return the whole answer, as text.

        Typed answers and function tools need a client: ``g4f_lite.Client(provider).ask(…, output=…)``.
        See :meth:`stream` for the arguments.

        :raises TypeError: if the provider does not support an option
        :raises G4FLiteError: if there is no whole answer
        """
        if options.get("stream"):
            raise TypeError(ASK_IS_WHOLE)
        return self.stream(
            prompt,
            model=model,
            system=system,
            images=images,
            proxy=proxy,
            timeout=timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        ).text()

    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        model: str | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AnswerStream:
        """Return the answer to a prompt as a stream of text; nothing is sent before it is read.

        :param prompt: a string, or a list of ``{"role": …, "content": …}``
        :param model: the name of a model; the provider's default if None
        :param system: a system message to put first
        :param images: images to add to the last user message: bytes, paths or URLs
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param temperature: the sampling temperature
        :param max_tokens: the maximum number of tokens in the answer
        :param stop: the answer ends before this text, or the first of several
        :param response_format: the JSON format of the answer, as in OpenAI's API
        :param options: further options of the provider; None means not given
        :raises TypeError: if the provider does not support an option
        :raises ModelNotSupportedError: if the provider does not have the model
        """
        if prompt is None:
            raise TypeError(NO_PROMPT)
        return self.create_generator(
            model or None,
            prompt,
            proxy,
            timeout,
            system=system,
            images=images,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        )

    def create_generator(
        self,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> AnswerStream:
        """Return an answer as a stream.  Arguments are checked here, and nothing is sent before the stream is read.

        :param model: the name of a model; the provider's default if None
        :param messages: a string, or a list of ``{"role": …, "content": …}``
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param system: a system message to put first
        :param images: images to add to the last user message: bytes, paths or URLs
        :param options: further options, such as ``temperature``; None means not given
        :raises ValueError: if an argument has an invalid value
        :raises TypeError: if an argument has the wrong type
        :raises ModelNotSupportedError: if the provider does not have the model
        """
        return self.answer(Prompt.of(model, messages, proxy, timeout, system=system, images=images, **options))

    def create(
        self,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> Answer:
        """Send a prompt and return the whole answer; see :meth:`create_generator` for the arguments.

        :raises G4FLiteError: if there is no whole answer
        """
        return self.answer(Prompt.of(model, messages, proxy, timeout, system=system, images=images, **options)).text()
