"""A conversation, which keeps its history."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .answers.answer import Answer
from .answers.deltas import Delta
from .answers.stream import AnswerStream
from .arguments import check_model_name, check_whole_number
from .errors import ConversationChangedError, ResponseFormatError
from .messages import Image, Message, Messages, get_random_string, json_copy, text_of, to_messages
from .prompt import Prompt
from .providers.selection import ProviderLike, default_provider, provider_of
from .timeout import TimeoutLike


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
    :param on_turn: called with the messages of each turn before they are added to the history, to store them elsewhere
    :param ask_timeout: the timeout of :meth:`ask`, if none is given there
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
        on_turn: Callable[[Messages], object] | None = None,
        ask_timeout: TimeoutLike = None,
    ) -> None:
        self.provider = default_provider() if provider is None else provider_of(provider)
        if model is not None:
            check_model_name(model)
        self.model = model
        self.max_characters = None if max_characters is None else check_whole_number(max_characters, "max_characters")
        self.keep_interrupted = keep_interrupted
        self.on_turn = on_turn
        self.ask_timeout = ask_timeout
        self._chat_id = get_random_string(11)
        self._files: dict[str, str] = {}  # the files that were read or written, and the digests of their contents
        self.messages: Messages = to_messages(messages, system=system) if messages else []
        if system is not None and not isinstance(system, str):
            raise TypeError(f"system must be a string, not {type(system).__name__}")
        if system is not None and not messages:
            self.messages = [{"role": "system", "content": system}]

    def ask(
        self,
        prompt: str,
        *,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Answer:
        """Send a message and return the whole answer; see :meth:`stream` for the arguments.

        :raises G4FLiteError: if there is no whole answer; the history is unchanged then
        """
        return self.stream(
            prompt,
            images=images,
            proxy=proxy,
            timeout=self.ask_timeout if timeout is None else timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        ).text()

    def stream(
        self,
        prompt: str,
        *,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AnswerStream:
        """Send a message and return the answer as a stream; the turn is added to the history when it ends.

        :param prompt: the text of the message, or a list of messages
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
        if "chat_id" in (self.provider.known_options or ()):  # the service keeps conversations apart by it
            options.setdefault("chat_id", self._chat_id)
        turn = _turn(prompt)
        checked = Prompt.of(
            self.model,
            [*self.messages, *turn],
            proxy,
            timeout,
            images=images,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        )
        turn = checked.messages[-len(turn) :]
        stream = self.provider.answer(replace(checked, messages=trim(checked.messages, self.max_characters)))
        return stream.through(lambda deltas: self._remember(deltas, stream, turn))

    def _remember(
        self, deltas: Generator[Delta, None, None], stream: AnswerStream, turn: Messages
    ) -> Generator[Delta, None, None]:
        """Pass on the deltas of an answer, and add the turn to the history when it ends."""
        try:
            yield from deltas
            stream.check_complete()
        except BaseException:  # Ctrl-C too
            if self.keep_interrupted and (text := _text_so_far(stream)):
                self._add([*turn, {"role": "assistant", "content": text}])
            raise
        self._add([*turn, stream.answer.to_message()])

    def _add(self, turn: Messages) -> None:
        if self.on_turn is not None:
            self.on_turn(copy.deepcopy(turn))
        self.messages += turn

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
            if known is not None and os.path.exists(real) and _digest(Path(real).read_bytes()) != known:
                raise ConversationChangedError(
                    f"{target} was changed since this conversation loaded or saved it; "
                    "load it again, or save to another file"
                )
            self._files[real] = _write_whole(real, text.encode())
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
        conversation._files[os.path.realpath(path)] = _digest(data)
        return conversation


def _write_whole(path: str, data: bytes) -> str:
    """Write a file through a temporary one beside it, and return the digest of its content."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{get_random_string()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # which only Windows has, and needs
    try:
        # Private from the first byte on; what an existing file's owner allows others is allowed again.
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
        if os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o777)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return _digest(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def trim(messages: Messages, max_characters: int | None) -> Messages:
    """Leave out the oldest turns beyond ``max_characters``, but never a system message or the last message."""
    if max_characters is None:
        return messages
    system = [message for message in messages[:-1] if message["role"] in ("system", "developer")]
    left = max_characters - sum(len(text_of(message.get("content"))) for message in [*system, messages[-1]])
    kept: Messages = []
    for message in reversed([message for message in messages[:-1] if message not in system]):
        left -= len(text_of(message.get("content")))
        if left < 0:
            break
        kept.insert(0, message)
    while kept and kept[0]["role"] != "user":  # an answer without its question would confuse the model
        kept.pop(0)
    return [*system, *kept, messages[-1]]


def _turn(prompt: Any) -> Messages:
    """Return a prompt as a list of messages.

    :raises TypeError: if it has the wrong type
    :raises ValueError: if it is blank
    """
    if isinstance(prompt, str) and prompt.strip():
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, (list, tuple)) and prompt:
        return list(prompt)
    if isinstance(prompt, (str, list, tuple)):
        raise ValueError("prompt is blank; give a text or a list of messages")
    raise TypeError(f"prompt must be a string or a list of messages, not {type(prompt).__name__}")


def _text_so_far(stream: AnswerStream) -> str:
    """Return the text so far, or its beginning if it is too long."""
    try:
        return str(stream.answer)
    except ResponseFormatError as error:
        return error.partial
