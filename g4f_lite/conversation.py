"""A conversation: remembers what was said."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .answers.answer import Answer
from .answers.deltas import Delta
from .answers.stream import AnswerStream
from .arguments import check_model_name, check_whole_number
from .errors import ResponseFormatError
from .messages import Image, Message, Messages, get_random_string, text_of, to_messages
from .prompt import Prompt
from .providers.selection import ProviderLike, default_provider, provider_of
from .timeout import TimeoutLike


class Conversation:
    """A conversation with one provider.

        conversation = Conversation("groq", system="You are a pirate.")
        conversation.ask("Who are you?")
        conversation.ask("And where is your ship?")

    A turn that fails leaves the history as it was.

    :param provider: who answers: a provider, its class, its name, ``"name:model"``, or a list of these; the
        environment's choice where None
    :param system: a system text that stays in front
    :param messages: what was said before
    :param model: the model to ask
    :param max_characters: of history to send; older turns are left out, the system text and the last
        message never are.  None sends all
    :param keep_interrupted: whether a turn that was cut or closed is kept, with the text that came
    :raises ProviderNotFoundError: no provider has the name
    :raises TypeError: an argument has the wrong type;  :raises ValueError: it makes no sense
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
        """Say something and give the whole answer; for the arguments see :meth:`stream`.

        :raises G4FLiteError: there is none; the history is as before
        """
        return self.stream(
            prompt,
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
        """Say something and give the answer piece by piece; the turn is remembered at its end.

        :param prompt: what is said;  :param images: pictures to show: bytes, paths or URLs
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param max_tokens: the most tokens of the answer;  :param stop: where it ends
        :param response_format: the JSON that it must be, as in OpenAI's API
        :param options: what else the provider can be told
        :raises TypeError: an option that the provider cannot do
        """
        if "chat_id" in (self.provider.known_options or ()):  # the service can tell conversations apart
            options.setdefault("chat_id", self._chat_id)
        turn = _turn(prompt)
        asked = Prompt.of(
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
        turn = asked.messages[-len(turn) :]
        stream = self.provider.answer(replace(asked, messages=trim(asked.messages, self.max_characters)))
        return stream.through(lambda deltas: self._remember(deltas, stream, turn))

    def _remember(
        self, deltas: Generator[Delta, None, None], stream: AnswerStream, turn: Messages
    ) -> Generator[Delta, None, None]:
        """Pass the deltas of an answer on, and remember the turn when it is over."""
        try:
            yield from deltas
            stream.check_complete()
        except BaseException:  # Ctrl-C too
            if self.keep_interrupted and (text := _text_so_far(stream)):
                self.messages += [*turn, {"role": "assistant", "content": text}]
            raise
        answer = stream.answer
        self.messages += [*turn, answer.to_message()]

    def copy(self) -> Conversation:
        """Branch: a conversation that goes on from here on its own, with the same provider."""
        branch = copy.copy(self)
        branch.messages = copy.deepcopy(self.messages)
        branch._chat_id = get_random_string(11)
        return branch

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the messages to a file as JSON, whole or not at all.

        :raises OSError: it cannot be written
        """
        target = Path(path)
        written = target.with_name(f".{target.name}.{get_random_string()}")
        try:
            written.write_text(json.dumps(self.messages, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            os.replace(written, target)
        except OSError as error:  # which names the file that nobody asked for
            raise OSError(error.errno, error.strerror, str(target)) from error
        finally:
            written.unlink(missing_ok=True)
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
        """Go on with a conversation from a file of :meth:`save`, or any list of messages in JSON.

        To a site that keeps chats apart it is a new one.

        :param path: the file;  :param provider: who answers; this and the others are as for the class
        :raises ValueError: the file holds something else
        """
        try:
            messages = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no JSON file of messages") from error
        if not isinstance(messages, list):
            raise ValueError(f"{path} holds no list of messages")
        return cls(
            provider,
            messages=messages,
            model=model,
            max_characters=max_characters,
            keep_interrupted=keep_interrupted,
        )


def trim(messages: Messages, max_characters: int | None) -> Messages:
    """Leave out the oldest turns until the rest is short enough; system texts and the last message stay."""
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
    while kept and kept[0]["role"] != "user":  # an answer without its question confuses a model
        kept.pop(0)
    return [*system, *kept, messages[-1]]


def _turn(prompt: Any) -> Messages:
    """Give what is said as messages.

    :raises TypeError: it has the wrong type
    :raises ValueError: it is blank
    """
    if isinstance(prompt, str) and prompt.strip():
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, (list, tuple)) and prompt:
        return list(prompt)
    if isinstance(prompt, (str, list, tuple)):
        raise ValueError("prompt is blank: there is nothing to answer")
    raise TypeError(f"prompt must be a string or a list of messages, not {type(prompt).__name__}")


def _text_so_far(stream: AnswerStream) -> str:
    """Give the text that came; of one that is too long, the beginning."""
    try:
        return str(stream.answer)
    except ResponseFormatError as error:
        return error.partial
