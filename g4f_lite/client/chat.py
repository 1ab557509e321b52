"""``client.chat.completions``: answers in the format of OpenAI's API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ..answers.buffer import MAX_CHOICES
from ..answers.deltas import Identity
from ..answers.short_traceback import with_short_errors
from ..arguments import check_whole_number
from ..messages import Image, Message
from ..prompt import Prompt
from ..providers.selection import ProviderLike
from ..timeout import CallRetry, TimeoutLike
from .completion_stream import CompletionStream
from .results import Completion, now
from .routing import Router

if TYPE_CHECKING:
    from .parsing import ParsedCompletion
    from .raw_response import RawCompletions

T = TypeVar("T")
_USUAL: Mapping[str, Any] = MappingProxyType({})  # nothing is said about a stream


class Completions:
    """The object ``client.chat.completions``.

    :param router: finds the provider of a call
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def __repr__(self) -> str:
        return "<client.chat.completions, with create(…), stream(…) and parse(…)>"

    @cached_property
    def with_raw_response(self) -> RawCompletions:
        """The same methods, which return the head of the response too."""
        from .raw_response import RawCompletions

        return RawCompletions(self.create, self.parse)

    @overload
    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: Literal[False] | None = None,
        provider: ProviderLike | None = None,
        images: Image | Iterable[Image] | None = None,
        image: Image | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        stream_options: Mapping[str, Any] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> Completion: ...

    @overload
    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: Literal[True],
        provider: ProviderLike | None = None,
        images: Image | Iterable[Image] | None = None,
        image: Image | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        stream_options: Mapping[str, Any] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> CompletionStream: ...

    @overload
    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: bool | None,
        **options: Any,
    ) -> Completion | CompletionStream: ...

    def create(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        stream: bool | None = None,
        provider: ProviderLike | None = None,
        images: Image | Iterable[Image] | None = None,
        image: Image | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        stream_options: Mapping[str, Any] | None = _USUAL,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> Completion | CompletionStream:
        """Return a Completion, or with ``stream=True`` an iterator of its chunks.

        The stream has already started, so that errors before the first piece are raised here.  Its connection is
        released when the answer ends, when ``close()`` is called, or at the end of a ``with`` block.

        :param messages: a list of ``{"role": …, "content": …}``, or a string
        :param model: the name of a model; see ``Client(models=…)``
        :param stream: True for an iterator of chunks; False for a Completion that the service sends as a whole; if
            left out, a Completion that is read as it arrives
        :param provider: the provider to use for this call instead of the client's
        :param images: images to add to the last user message: bytes, paths or URLs
        :param image: one image; g4f's name for ``images``
        :param max_tokens: the maximum number of tokens in the answer; for a service that does not support it the
            client cuts the answer, and approximates tokens
        :param stop: the answer ends before this text, or the first of several; for a service that does not support
            it the client cuts the answer
        :param response_format: ``{"type": "json_schema", …}`` or ``{"type": "json_object"}``; for a service that does
            not support it the client adds it to the prompt, and checks the answer
        :param stream_options: ``{"include_usage": True}`` for a last chunk with the usage; None for a service that
            rejects the field
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt; ``"own"`` for the client's
        :param options: further options of the provider
        :raises TypeError: if the provider does not support an option
        :raises G4FLiteError: if there is no answer
        """
        if stream_options is not None and not isinstance(stream_options, Mapping):
            raise TypeError(f"stream_options must be a dict, not {type(stream_options).__name__}")
        wants_usage = bool(stream and stream_options and stream_options.get("include_usage"))
        created = now()
        n = options.pop("n", None)
        count = 1 if n is None else check_whole_number(n, "n", most=MAX_CHOICES)
        prompt = Prompt.of(
            model or None,
            messages,
            proxy,
            timeout if stream or timeout is not None else self._router.ask_timeout,
            images=image if images is None else images,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            max_completion_tokens=max_completion_tokens,
            stop=stop,
            seed=seed,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            response_format=response_format,
            tools=tools,
            tool_choice=tool_choice,
            reasoning_effort=reasoning_effort,
            stream=stream,
            retry=retry,
            **({"stream_options": None} if stream_options is None else {}),
            **options,
        )
        if count > 1:
            prompt = replace(prompt, options={**prompt.options, "n": count})
        answer = self._router.answer(prompt, provider)
        if stream:
            return CompletionStream(answer.start(), created, wants_usage=wants_usage)
        whole = answer.text()
        made = Completion.of(whole, answer.identity or Identity(), created, answer.other_choices)
        made._response, made._attempts = getattr(answer.source, "response", None), answer.attempts
        return made

    @overload
    def parse(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        response_format: type[T],
        repairs: int = 0,
        **options: Any,
    ) -> ParsedCompletion[T]: ...

    @overload
    def parse(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        response_format: Any,
        repairs: int = 0,
        **options: Any,
    ) -> ParsedCompletion[Any]: ...

    @with_short_errors
    def parse(
        self,
        messages: str | Sequence[Message],
        model: str | None = None,
        *,
        response_format: Any,
        repairs: int = 0,
        provider: ProviderLike | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        **options: Any,
    ) -> ParsedCompletion[Any]:
        """Return a Completion with a value: ``completion.choices[0].message.parsed``.

        :param messages: a list of ``{"role": …, "content": …}``, or a string
        :param model: the name of a model; see ``Client(models=…)``
        :param response_format: the type or schema of the value, as ``output`` of :meth:`~g4f_lite.Client.ask`
        :param repairs: how many times to ask again, with what was wrong, if the answer is not a value of the type
        :param provider: the provider to use for this call instead of the client's
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param options: the other arguments of :meth:`create`
        :raises OutputError: if the answer is not a value of the type, or was cut
        :raises G4FLiteError: if there is no answer
        """
        from .parsing import parse

        if response_format is None:
            raise TypeError("response_format must be a type such as a dataclass, or a JSON schema")
        image = options.pop("image", None)
        options.setdefault("images", image)
        seconds = self._router.ask_timeout if timeout is None else timeout
        prompt = Prompt.of(model or None, messages, proxy, seconds, **options)
        return parse(self._router, prompt, response_format, provider, repairs)

    def stream(self, messages: str | Sequence[Message], model: str | None = None, **options: Any) -> CompletionStream:
        """Return an iterator of chunks, like :meth:`create` with ``stream=True``; the method has g4f's name."""
        chunks: CompletionStream = self.create(messages, model, stream=True, **options)
        return chunks


class Chat:
    """The object ``client.chat``."""

    def __init__(self, router: Router) -> None:
        self.completions = Completions(router)

    def __repr__(self) -> str:
        return "<client.chat, with completions.create(…)>"
