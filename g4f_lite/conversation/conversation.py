"""A conversation, which keeps its history."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..answers.answer import Answer
from ..answers.deltas import Delta
from ..answers.stream import AnswerStream
from ..arguments import check_model_name, check_whole_number
from ..errors import ConversationChangedError, ResponseFormatError
from ..messages import Image, Message, Messages, get_random_string, json_copy, to_messages
from ..prompt import Prompt
from ..providers.selection import ProviderLike, default_provider, provider_of
from ..timeout import TimeoutLike
from .file import digest, write_whole
from .history import trim, turn_of

if TYPE_CHECKING:
    from ..typed.ask import Question
    from ..typed.stream import TypedStream

T = TypeVar("T")


class Conversation:
    """A conversation with one provider, which keeps its history::

        conversation = Conversation("groq", system="You are a pirate.")
        conversation.ask("Who are you?")
        conversation.ask("And where is your ship?")

    A turn that fails leaves the history unchanged.

    :param provider: a provider, its class, its name, ``"name:model"``, or a list of these; None lets the environment
        choose
    :param system: a system message that stays first
    :param messages: the history so far
    :param model: the model to use
    :param max_characters: how much history to send: older turns are left out, but never the system message or the
        last message; None sends everything
    :param keep_interrupted: whether a turn that was interrupted or closed is kept, with the text so far
    :raises ProviderNotFoundError: if no provider has the name
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if an argument has an invalid value
    """

    def __init__(
        self,
        provider: ProviderLike | None = None,
        *,
        system: str | None = None,
        messages: str | Sequence[Message] | None = None,
        model: str | None = None,
        max_characters: int | None = None,
        keep_interrupted: bool = False,
    ) -> None:
        self.provider = default_provider() if provider is None else provider_of(provider)
        if model is not None:
            check_model_name(model)
        self.model = model
        self.max_characters = None if max_characters is None else check_whole_number(max_characters, "max_characters")
        self.keep_interrupted = keep_interrupted
        self._chat_id = get_random_string(11)
        self._files: dict[str, str] = {}  # the files that were read or written, and the digests of their contents
        self.messages: Messages = to_messages(messages, system=system) if messages else []
        if system is not None and not isinstance(system, str):
            raise TypeError(f"system must be a string, not {type(system).__name__}")
        if system is not None and not messages:
            self.messages = [{"role": "system", "content": system}]

    @overload
    def ask(
        self,
        prompt: str,
        *,
        output: None = None,
        repairs: int = 1,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Answer: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        output: type[T],
        repairs: int = 1,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        **options: Any,
    ) -> T: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        output: Any,
        repairs: int = 1,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Any: ...

    def ask(
        self,
        prompt: str,
        *,
        output: Any = None,
        repairs: int = 1,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
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
        checked, turn = self._prompt(
            prompt,
            images=images,
            proxy=proxy,
            timeout=timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        )
        if output is None:
            return self._answer(checked, turn).text()
        question = self._question(checked, output)
        value = question.ask(repairs)
        self._add(turn, question.stream.answer)
        return value

    @overload
    def stream(
        self,
        prompt: str,
        *,
        output: None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AnswerStream: ...

    @overload
    def stream(
        self,
        prompt: str,
        *,
        output: type[T],
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        **options: Any,
    ) -> TypedStream[T]: ...

    @overload
    def stream(
        self,
        prompt: str,
        *,
        output: Any,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        **options: Any,
    ) -> TypedStream[Any]: ...

    def stream(
        self,
        prompt: str,
        *,
        output: Any = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AnswerStream | TypedStream[Any]:
        """Send a message and return the answer as a stream; the turn is added to the history when it ends.

        :param prompt: the text of the message, or a list of messages
        :param output: the type of the value that the stream gives as well; the turn is added if the answer fits
        :param images: images to send with it: bytes, paths or URLs
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param temperature: the sampling temperature
        :param max_tokens: the maximum number of tokens in the answer
        :param stop: the answer ends before this text, or the first of several
        :param response_format: the JSON format of the answer, as in OpenAI's API
        :param options: further options of the provider
        :raises TypeError: if the provider does not support an option
        """
        checked, turn = self._prompt(
            prompt,
            images=images,
            proxy=proxy,
            timeout=timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        )
        if output is None:
            return self._answer(checked, turn)
        from ..typed.stream import TypedStream

        return TypedStream(self._question(checked, output), lambda answer: self._add(turn, answer))

    def _prompt(self, prompt: Any, **arguments: Any) -> tuple[Prompt, Messages]:
        """Check the arguments of a turn; return what to send, and the messages of the turn."""
        if "chat_id" in (self.provider.known_options or ()):  # the service keeps conversations apart by it
            arguments.setdefault("chat_id", self._chat_id)
        turn = turn_of(prompt)
        checked = Prompt.of(self.model, [*self.messages, *turn], **arguments)
        turn = checked.messages[-len(turn) :]
        return replace(checked, messages=trim(checked.messages, self.max_characters)), turn

    def _answer(self, prompt: Prompt, turn: Messages) -> AnswerStream:
        stream = self.provider.answer(prompt)
        return stream.through(lambda deltas: self._remember(deltas, stream, turn))

    def _question(self, prompt: Prompt, output: Any) -> Question[Any]:
        from ..typed.ask import Question

        return Question.of(prompt, output, self.provider, self.provider.answer)

    def _add(self, turn: Messages, answer: Answer) -> None:
        self.messages += [*turn, answer.to_message()]

    def _remember(
        self, deltas: Generator[Delta, None, None], stream: AnswerStream, turn: Messages
    ) -> Generator[Delta, None, None]:
        """Pass on the deltas of an answer, and add the turn to the history when it ends."""
        try:
            yield from deltas
            stream.check_complete()
        except BaseException:  # Ctrl-C too
            if self.keep_interrupted and (text := _text_so_far(stream)):
                self.messages += [*turn, {"role": "assistant", "content": text}]
            raise
        self._add(turn, stream.answer)

    def copy(self) -> Conversation:
        """Return a copy that continues independently, with the same provider."""
        branch = copy.copy(self)
        branch.messages = copy.deepcopy(self.messages)
        branch._chat_id = get_random_string(11)
        branch._files = dict(self._files)
        return branch

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the messages to a JSON file, whole or not at all.

        A new file can be read by its owner only.  A file that exists keeps its mode, and a link its target.

        :returns: the path of the file
        :raises ConversationChangedError: if the file changed since this conversation loaded or saved it
        :raises OSError: if the file cannot be written
        """
        target = Path(path)
        text = json.dumps(json_copy(self.messages, "messages"), ensure_ascii=False, indent=2) + "\n"
        real = os.path.realpath(target)
        try:
            known = self._files.get(real)
            if known is not None and os.path.exists(real) and digest(Path(real).read_bytes()) != known:
                raise ConversationChangedError(
                    f"{target} was changed since this conversation loaded or saved it; "
                    "load it again, or save to another file"
                )
            self._files[real] = write_whole(real, text.encode())
        except OSError as error:  # it names the temporary file, which the caller does not know
            raise OSError(error.errno, error.strerror, str(target)) from error
        return target

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        provider: ProviderLike | None = None,
        *,
        model: str | None = None,
        max_characters: int | None = None,
        keep_interrupted: bool = False,
    ) -> Conversation:
        """Continue a conversation from a file that :meth:`save` wrote, or any JSON list of messages.

        A site that keeps chats apart sees a new chat.  The other arguments are those of the class.

        :param path: the file
        :raises OSError: if the file cannot be read
        :raises ValueError: if the file is not a JSON list of messages
        """
        data = Path(path).read_bytes()
        try:
            messages = json.loads(data.decode("utf-8-sig"))
        except ValueError as error:
            raise ValueError(f"{path} is not a JSON file") from error
        except RecursionError as error:
            raise ValueError(f"{path} is not a JSON list of messages: it is nested too deeply") from error
        if not isinstance(messages, list):
            raise ValueError(f"{path} is not a JSON list of messages")
        conversation = cls(
            provider,
            messages=messages,
            model=model,
            max_characters=max_characters,
            keep_interrupted=keep_interrupted,
        )
        conversation._files[os.path.realpath(path)] = digest(data)
        return conversation


def _text_so_far(stream: AnswerStream) -> str:
    """Return the text so far, or its beginning if it is too long."""
    try:
        return str(stream.answer)
    except ResponseFormatError as error:
        return error.partial
