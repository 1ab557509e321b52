"""Read a prompt as the plugin does, and refuse it as the plugin does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..answers import Message
from ..record import ReceivedRequest
from ..settings import Settings
from .answer import REJECTED
from .plugin import Plugin
from .wordpress import php_trim

UNSUPPORTED = "Unsupported message type."


class Rejected(Exception):
    """The plugin refuses the prompt before it looks at the bot."""


class PhpFatal(Exception):
    """A value has a type that ends PHP with a fatal error."""


class Failed(Exception):
    """The plugin fails before its stream begins; the argument is its message."""


@dataclass(frozen=True)
class Prompt:
    """Hold what a client asks of a bot."""

    text: str
    bots: tuple[str, ...]
    streams: bool
    session: str | None
    earlier: object

    @classmethod
    def read(cls, body: object, plugin: Plugin) -> Prompt:
        """Read the body of a request.

        :raises PhpFatal: if the new message is a list or an object
        :raises Rejected: if there is no message, or no bot
        """
        fields: dict[str, Any] = body if isinstance(body, dict) else {}
        new_message = fields.get("newMessage")
        if isinstance(new_message, (list, dict)):
            raise PhpFatal
        text = php_trim(new_message)
        bots = tuple(str(bot) for bot in (fields.get("customId"), fields.get("botId")) if bot)
        if not text or not bots or (text == "0" and not plugin.accepts_zero):
            raise Rejected
        session = fields.get("session")
        streams = bool(fields.get("stream"))
        return cls(text, bots, streams, str(session) if session else None, fields.get("messages"))

    def check(self, settings: Settings, plugin: Plugin) -> None:
        """Check the bot and the length of the message.

        :raises Failed: if the bot does not exist, or the message is too long
        """
        length = len(self.text.encode() if plugin.counts_bytes else self.text)
        too_long = settings.message_limit is not None and length > settings.message_limit
        if too_long or not (self.bot(settings) or plugin.has_default_bot):
            raise Failed(REJECTED)

    def bot(self, settings: Settings) -> str | None:
        """Return the first bot of those that the prompt names which the site has."""
        return next((bot for bot in self.bots if bot in (*settings.bots, *settings.image_bots)), None)

    def messages(self, limit: int | None) -> list[Message]:
        """Return what the model gets: the first earlier turn, the last ``limit`` ones, and the new message.

        :raises PhpFatal: if the earlier turns are not an array
        :raises Failed: if a turn is neither an object nor an array
        """
        earlier = self.earlier
        if not earlier or earlier == "0":
            turns: list[Any] = []
        elif isinstance(earlier, dict):
            turns = list(earlier.values())  # PHP has one kind of array
        elif isinstance(earlier, list):
            turns = earlier
        else:
            raise PhpFatal
        if not all(isinstance(turn, (dict, list)) for turn in turns):
            raise Failed(UNSUPPORTED)
        if limit:
            turns = turns[:1] + turns[1:][-limit:]
        kept = [turn if isinstance(turn, dict) else {} for turn in turns]
        history = [{"role": turn.get("role"), "content": turn.get("content")} for turn in kept]
        return [*history, {"role": "user", "content": self.text}]


def wants_stream(request: ReceivedRequest) -> bool:
    """Return whether a request asks for a stream, whatever else is wrong with it."""
    try:
        body = request.json()
    except ValueError:
        return False
    return isinstance(body, dict) and bool(body.get("stream"))
