"""The methods ``ask`` and ``stream`` of a client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..answers.short_traceback import with_short_errors
from ..arguments import ASK_IS_WHOLE, NO_PROMPT
from ..messages import Image, Message
from ..prompt import Prompt
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
from .routing import Router

if TYPE_CHECKING:
    from ..answers.answer import Answer
    from ..answers.stream import AnswerStream
    from ..typed.loop import ToolUse
    from ..typed.stream import TypedStream
    from ..typed.tools import Approve, OnTool, ToolLike

T = TypeVar("T")


class Asking:
    """What a client and the functions ``ask`` and ``stream`` have in common.

    :param router: finds the provider of a call
    """

    _router: Router

    @overload
    def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        output: None = None,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> Answer: ...

    @overload
    def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        output: type[T],
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> T: ...

    @overload
    def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        output: Any,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> Any: ...

    @with_short_errors
    def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        output: Any = None,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> Any:
        """Send a prompt and return the whole answer, or with ``output`` a value of that type or schema.

        :param prompt: a string, or a list of ``{"role": …, "content": …}``
        :param output: the type of the value: a dataclass, TypedDict, NamedTuple, Enum, pydantic model, or made of
            these with ``list``, ``dict``, ``Literal``, ``Annotated`` and ``|``; or a JSON schema as a dict, of which
            the value is plain JSON types
        :param repairs: how many times to ask again, with what was wrong, if the answer is not a value of the type
        :param model: the name of a model; see ``Client(models=…)``
        :param provider: the provider to use for this call instead of the client's
        :param system: a system message to put first
        :param images: images to add to the last user message: bytes, paths or URLs
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param temperature: the sampling temperature
        :param max_tokens: the maximum number of tokens in the answer
        :param stop: the answer ends before this text, or the first of several
        :param response_format: the JSON format of the answer, as in OpenAI's API
        :param tools: functions that the model may call; each is a function, a Tool, or a dict as in OpenAI's API, whose
            calls are returned instead of run
        :param max_turns: how many answers the model may be asked for while it calls functions
        :param approve: called with each call before any function of the turn runs; only True allows it
        :param on_tool: called after each call with what the function returned or raised
        :param options: further options of the provider, ``retry``: the retry policy of this call, and ``fresh=True``,
            which asks even if the answer is cached
        :raises TypeError: if the provider does not support an option, or a tool cannot be described to a model
        :raises ValueError: if ``output`` is a dict that is not a valid schema
        :raises TurnsExceededError: if the model still calls functions after ``max_turns`` answers
        :raises OutputError: if the answer is not a value of the type
        :raises G4FLiteError: if there is no whole answer
        """
        if options.get("stream"):
            raise TypeError(ASK_IS_WHOLE)
        if prompt is None:
            raise TypeError(NO_PROMPT)
        use = None if tools is None else tool_use(tools, max_turns, approve, on_tool)
        checked = Prompt.of(
            model or None,
            prompt,
            proxy,
            self._router.ask_timeout if timeout is None else timeout,
            system=system,
            images=images,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            tools=None if use is None else use.toolbox.declared,
            **options,
        )
        if output is None:
            return self._router.answer(checked, provider, use).text()
        return self._router.question(checked, output, provider, use).ask(repairs)

    @overload
    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        output: None = None,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> AnswerStream: ...

    @overload
    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        output: type[T],
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> TypedStream[T]: ...

    @overload
    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        output: Any,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> TypedStream[Any]: ...

    @with_short_errors
    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        output: Any = None,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> AnswerStream | TypedStream[Any]:
        """Return the answer to a prompt as a stream; nothing is sent before it is read.

        :param prompt: a string, or a list of ``{"role": …, "content": …}``
        :param output: the type of the value that the stream gives as well; see :meth:`ask`
        :param model: the name of a model; see ``Client(models=…)``
        :param provider: the provider to use for this call instead of the client's
        :param system: a system message to put first
        :param images: images to add to the last user message: bytes, paths or URLs
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param temperature: the sampling temperature
        :param max_tokens: the maximum number of tokens in the answer
        :param stop: the answer ends before this text, or the first of several
        :param response_format: the JSON format of the answer, as in OpenAI's API
        :param tools: functions that the model may call; each is a function, a Tool, or a dict as in OpenAI's API, whose
            calls are returned instead of run
        :param max_turns: how many answers the model may be asked for while it calls functions
        :param approve: called with each call before any function of the turn runs; only True allows it
        :param on_tool: called after each call with what the function returned or raised
        :param options: further options of the provider, ``retry``: the retry policy of this call, and ``fresh=True``,
            which asks even if the answer is cached
        :raises TypeError: if the provider does not support an option
        :raises ModelNotSupportedError: if the provider does not have the model
        """
        if prompt is None:
            raise TypeError(NO_PROMPT)
        use = None if tools is None else tool_use(tools, max_turns, approve, on_tool)
        checked = Prompt.of(
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
            tools=None if use is None else use.toolbox.declared,
            **options,
        )
        if output is None:
            return self._router.answer(checked, provider, use)
        from ..typed.stream import TypedStream

        return TypedStream(self._router.question(checked, output, provider, use))


def tool_use(tools: Iterable[ToolLike], max_turns: int, approve: Approve | None, on_tool: OnTool | None) -> ToolUse:
    from ..typed.loop import ToolUse  # which few calls need
    from ..typed.tools import Toolbox

    return ToolUse(Toolbox.of(tools), max_turns, approve, on_tool)
