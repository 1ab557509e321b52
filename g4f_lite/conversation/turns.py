"""The turns of a conversation: what is sent, and what is added to the history."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..answers.answer import Answer
from ..answers.deltas import Delta
from ..answers.interruption import part_of
from ..answers.short_traceback import with_short_errors
from ..answers.stream import AnswerStream
from ..arguments import ASK_IS_WHOLE
from ..messages import Image, Message, Messages, text_of
from ..prompt import Prompt
from ..providers.base import BaseProvider
from ..timeout import TimeoutLike

if TYPE_CHECKING:
    from ..typed.ask import Question
    from ..typed.loop import ToolUse
    from ..typed.stream import TypedStream
    from ..typed.tools import Approve, OnTool, Toolbox, ToolLike

_DRAWING = r"!\[((?:[^\[\]\\\n]|\\.)*)\]\(data:image/[^()\s]*\)"

T = TypeVar("T")


class Turns:
    """The methods ``ask`` and ``stream`` of a conversation."""

    provider: BaseProvider
    messages: Messages
    model: str | None
    max_characters: int | None
    keep_interrupted: bool
    on_turn: Callable[[Messages], object] | None
    ask_timeout: TimeoutLike
    approve: Approve | None
    max_turns: int
    _toolbox: Toolbox | None
    _chat_id: str

    @overload
    def ask(
        self,
        prompt: str,
        *,
        output: None = None,
        repairs: int = 1,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> Answer: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        output: type[T],
        repairs: int = 1,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> T: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        output: Any,
        repairs: int = 1,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> Any: ...

    @with_short_errors
    def ask(
        self,
        prompt: str,
        *,
        output: Any = None,
        repairs: int = 1,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> Any:
        """Send a message and return the whole answer, or with ``output`` a value of that type.

        See :meth:`stream` for the other arguments.

        :param output: the type of the value, as for :meth:`Client.ask() <g4f_lite.Client.ask>`
        :param repairs: how many times to ask again, with what was wrong, if the answer is not a value of the type; what
            was asked again is not in the history
        :raises OutputError: if the answer is not a value of the type; the history is unchanged then
        :raises G4FLiteError: if there is no whole answer; the history is unchanged then
        """
        if options.get("stream"):
            raise TypeError(ASK_IS_WHOLE)
        use = self._use(tools, max_turns, approve, on_tool)
        checked, turn = self._prompt(
            prompt,
            model=model,
            images=images,
            proxy=proxy,
            timeout=self.ask_timeout if timeout is None else timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            tools=None if use is None else use.toolbox.declared,
            **options,
        )
        if output is None:
            return self._answer(checked, turn, use).text()
        return self._question(checked, turn, output, use).ask(repairs)

    @overload
    def stream(
        self,
        prompt: str,
        *,
        output: None = None,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> AnswerStream: ...

    @overload
    def stream(
        self,
        prompt: str,
        *,
        output: type[T],
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> TypedStream[T]: ...

    @overload
    def stream(
        self,
        prompt: str,
        *,
        output: Any,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> TypedStream[Any]: ...

    @with_short_errors
    def stream(
        self,
        prompt: str,
        *,
        output: Any = None,
        model: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int | None = None,
        approve: Approve | None = None,
        on_tool: OnTool | None = None,
        **options: Any,
    ) -> AnswerStream | TypedStream[Any]:
        """Send a message and return the answer as a stream; the turn is added to the history when it ends.

        :param prompt: the text of the message, or a list of messages
        :param output: the type of the value that the stream gives as well; the turn is added if the answer fits
        :param model: the model for this turn; None for the conversation's
        :param images: images to send with it: bytes, paths or URLs
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param temperature: the sampling temperature
        :param max_tokens: the maximum number of tokens in the answer
        :param stop: the answer ends before this text, or the first of several
        :param response_format: the JSON format of the answer, as in OpenAI's API
        :param tools: functions that the model may call in this turn; None for those of the conversation
        :param max_turns: how many answers the model may be asked for; None for the conversation's number
        :param approve: called with each call before any function runs; None for the conversation's function
        :param on_tool: called after each call with what the function returned or raised
        :param options: further options of the provider
        :raises TypeError: if the provider does not support an option
        """
        use = self._use(tools, max_turns, approve, on_tool)
        checked, turn = self._prompt(
            prompt,
            model=model,
            images=images,
            proxy=proxy,
            timeout=timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            tools=None if use is None else use.toolbox.declared,
            **options,
        )
        if output is None:
            return self._answer(checked, turn, use)
        from ..typed.stream import TypedStream

        return TypedStream(self._question(checked, turn, output, use))

    def _prompt(self, prompt: Any, *, model: str | None, **arguments: Any) -> tuple[Prompt, Messages]:
        """Check the arguments of a turn; return what to send, and the messages of the turn."""
        turn = turn_of(prompt)
        if "chat_id" in (self.provider.known_options or ()):  # the service keeps conversations apart by it
            arguments.setdefault("chat_id", self._chat_id)
        checked = Prompt.of(model or self.model, [*map(_without_drawings, self.messages), *turn], **arguments)
        turn = checked.messages[-len(turn) :]
        return replace(checked, messages=trim(checked.messages, self.max_characters)), turn

    def _answer(self, prompt: Prompt, turn: Messages, use: ToolUse | None) -> AnswerStream:
        stream = self._answers(use)(prompt)
        return stream.through(partial(self._remember, stream, turn))

    def _question(self, prompt: Prompt, turn: Messages, output: Any, use: ToolUse | None) -> Question[Any]:
        from ..typed.ask import Question

        def keep(messages: Messages) -> None:
            self._add([*turn, *messages])

        return Question.of(prompt, output, self.provider, self._answers(use, json=True), keep)

    def _answers(self, use: ToolUse | None, *, json: bool = False) -> Callable[[Prompt], AnswerStream]:
        """Return what answers a prompt: the provider, or the provider and the tools."""
        if use is None:
            return self.provider.answer
        return use.around(self.provider.answer, getattr(self.provider, "timeout", None), json=json)

    def _use(
        self, tools: Iterable[ToolLike] | None, max_turns: int | None, approve: Approve | None, on_tool: OnTool | None
    ) -> ToolUse | None:
        """Return the tools of a turn and how they are run: its own settings, or those of the conversation."""
        toolbox = self._toolbox if tools is None else toolbox_of(tools)
        if toolbox is None:
            return None
        from ..typed.loop import ToolUse

        max_turns = self.max_turns if max_turns is None else max_turns
        return ToolUse(toolbox, max_turns, self.approve if approve is None else approve, on_tool)

    def _remember(
        self, stream: AnswerStream, turn: Messages, deltas: Generator[Delta, None, None]
    ) -> Generator[Delta, None, None]:
        """Pass on the deltas of an answer, and add the turn to the history when it ends."""
        try:
            yield from deltas
            stream.check_complete()
        except BaseException as error:  # Ctrl-C too; a failure leaves the history as it was
            is_failure = isinstance(error, Exception) and not stream.closed
            if self.keep_interrupted and not is_failure and (text := str(part_of(stream))):
                self._add([*turn, {"role": "assistant", "content": text}])
            raise
        self._add([*turn, *stream.messages])

    def _add(self, messages: Messages) -> None:
        """Add the messages of a turn to the history, and hand them over first: what cannot be stored is not added."""
        if self.on_turn is not None:
            self.on_turn(copy.deepcopy(messages))
        self.messages += messages


def toolbox_of(tools: Iterable[ToolLike]) -> Toolbox:
    """Check tools; see :class:`~g4f_lite.typed.tools.Toolbox`."""
    from ..typed.tools import Toolbox  # which few conversations need

    return Toolbox.of(tools)


def _without_drawings(message: Message) -> Message:
    """Leave out of an answer the bytes of what the model drew: as text they would be a million tokens."""
    text = message.get("content")
    if message.get("role") != "assistant" or not isinstance(text, str) or "](data:" not in text:
        return message
    return {
        **message,
        "content": re.sub(_DRAWING, lambda found: f"[image: {found[1]}]" if found[1] else "[image]", text),
    }


def trim(messages: Messages, max_characters: int | None) -> Messages:
    """Leave out the oldest turns beyond ``max_characters``, but never a system message or the last message.

    The results of tools that the caller runs stay with the calls, and the question of these.
    """
    if max_characters is None:
        return messages
    first = len(messages) - 1
    while first and messages[first]["role"] in ("tool", "function", "assistant"):
        first -= 1
    before, last = messages[:first], messages[first:]
    system = [message for message in before if message["role"] in ("system", "developer")]
    left = max_characters - sum(len(text_of(message.get("content"))) for message in [*system, *last])
    kept: Messages = []
    for message in reversed([message for message in before if message not in system]):
        left -= len(text_of(message.get("content")))
        if left < 0:
            break
        kept.insert(0, message)
    while kept and kept[0]["role"] != "user":  # an answer without its question would confuse the model
        kept.pop(0)
    return [*system, *kept, *last]


def turn_of(prompt: Any) -> Messages:
    """Return a prompt as a list of messages.

    :raises TypeError: if it has the wrong type
    :raises ValueError: if it is blank
    """
    if isinstance(prompt, str) and prompt.strip():
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, (list, tuple)) and prompt:
        return list(prompt)
    if isinstance(prompt, (str, list, tuple)):
        raise ValueError("the prompt is blank; give a text or a list of messages")
    hint = ": pass its .read_text()" if isinstance(prompt, os.PathLike) else ""
    raise TypeError(f"prompt must be a string or a list of messages, not {type(prompt).__name__}{hint}")
