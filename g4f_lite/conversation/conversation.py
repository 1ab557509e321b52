"""A conversation, which keeps its history."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, runtime_checkable

from ..answers.short_traceback import with_short_errors
from ..arguments import check_callback, check_name, check_whole_number, unknown_setting
from ..messages import Message, Messages, get_random_string, to_messages
from ..providers.base import BaseProvider
from ..providers.selection import ProviderLike, default_provider, provider_of
from ..timeout import TimeoutLike
from .file import read_messages, write_messages
from .turns import Turns, toolbox_of

if TYPE_CHECKING:
    from ..typed.tools import Approve, ToolLike


@runtime_checkable
class ClientLike(Protocol):
    """A :class:`~g4f_lite.Client`."""

    def _as_provider(self, model: str | None = None) -> BaseProvider: ...


class Conversation(Turns):
    """A conversation with one provider, which keeps its history::

        conversation = Conversation("groq", system="You are a pirate.")
        conversation.ask("Who are you?")
        conversation.ask("And where is your ship?")

    A turn that fails leaves the history unchanged.

    :param provider: a provider, its class, its name, ``"name:model"``, or a list of these; or a client, with its
        models, options and usage; None lets the environment choose
    :param system: a system message that stays first
    :param messages: the history so far
    :param model: the model to use
    :param max_characters: how much history to send: older turns are left out, but never the system message or the
        last message; None sends everything
    :param keep_interrupted: whether a turn that was interrupted or closed is kept, with the text so far
    :param tools: functions that the model may call, as in ``Client.ask``; their calls and results are in the history
    :param approve: called with each call before any function of the turn runs; only True allows it
    :param max_turns: how many answers the model may be asked for in one turn, while it calls functions
    :param on_turn: called with the messages of each turn before they are added to the history, to store them elsewhere
    :param ask_timeout: the timeout of :meth:`ask`, if none is given there; None is that of the client
    :raises ProviderNotFoundError: if no provider has the name
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if an argument has an invalid value
    """

    @with_short_errors
    def __init__(
        self,
        provider: ProviderLike | ClientLike | None = None,
        *others: NoReturn,
        system: str | None = None,
        messages: str | Sequence[Message] | None = None,
        model: str | None = None,
        max_characters: int | None = None,
        keep_interrupted: bool = False,
        tools: Iterable[ToolLike] | None = None,
        approve: Approve | None = None,
        max_turns: int = 5,
        on_turn: Callable[[Messages], object] | None = None,
        ask_timeout: TimeoutLike = None,
        **unknown: NoReturn,
    ) -> None:
        if others:
            raise TypeError("Conversation takes one provider, or a list; write the rest by name, as in system=…")
        for name in unknown:
            known, options = (list(inspect.signature(each).parameters) for each in (Conversation.__init__, self.ask))
            raise TypeError(unknown_setting(name, known, options, "Conversation"))
        if isinstance(provider, ClientLike):
            provider = provider._as_provider(model)
        self.provider = default_provider() if provider is None else provider_of(provider)
        if model is not None:
            check_name(model)
        self.model = model
        self.max_characters = None if max_characters is None else check_whole_number(max_characters, "max_characters")
        self.keep_interrupted = keep_interrupted
        self.approve = check_callback(approve, "approve")
        self.max_turns = check_whole_number(max_turns, "max_turns")
        self._toolbox = None if tools is None else toolbox_of(tools)
        self.on_turn = on_turn
        self.ask_timeout = getattr(self.provider, "ask_timeout", None) if ask_timeout is None else ask_timeout
        self._chat_id = get_random_string(11)
        self._files: dict[str, str] = {}  # the files that were read or written, and the digests of their contents
        self.messages: Messages = to_messages(messages, system=system) if messages else []
        if system is not None and not isinstance(system, str):
            raise TypeError(f"system must be a string, not {type(system).__name__}")
        if system is not None and not messages:
            self.messages = [{"role": "system", "content": system}]

    def __repr__(self) -> str:
        known = vars(self)  # without some of it where its arguments were refused, and a tool shows it in a traceback
        count, model = len(known.get("messages", ())), f", model={known['model']!r}" if known.get("model") else ""
        return f"<Conversation({known.get('provider')!r}{model}), {count} message{'s' * (count != 1)}>"

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
        write_messages(self.messages, target, self._files)
        return target

    @classmethod
    @with_short_errors
    def load(
        cls,
        path: str | os.PathLike[str],
        provider: ProviderLike | ClientLike | None = None,
        *,
        model: str | None = None,
        max_characters: int | None = None,
        keep_interrupted: bool = False,
        tools: Iterable[ToolLike] | None = None,
        approve: Approve | None = None,
        max_turns: int = 5,
    ) -> Conversation:
        """Continue a conversation from a file that :meth:`save` wrote, or any JSON list of messages.

        A site that keeps chats apart sees a new chat.  The other arguments are those of the class::

            Conversation.load("talk.json", client).ask("Where were we?")

        :param path: the file
        :raises OSError: if the file cannot be read
        :raises ConversationFileError: if the file is not a JSON list of messages; it is also a ValueError
        """
        messages, found = read_messages(path)
        conversation = cls(
            provider,
            messages=messages,
            model=model,
            max_characters=max_characters,
            keep_interrupted=keep_interrupted,
            tools=tools,
            approve=approve,
            max_turns=max_turns,
        )
        conversation._files[os.path.realpath(path)] = found
        return conversation
