"""The conversation of a notebook, which lives between its cells."""

from __future__ import annotations

from typing import Any

from ...answers.markdown import safe_markdown
from ...client.client import Client
from ...conversation import Conversation
from ...messages import Messages, text_of


class History(list[dict[str, Any]]):
    """The messages of a conversation, which a notebook shows as text."""

    def _repr_markdown_(self) -> str:
        parts = (f"**{message['role']}**\n\n{text_of(message.get('content'))}" for message in self)
        return safe_markdown("\n\n".join(parts)) or "*no messages yet*"


class Talk:
    """The messages so far, and who answers the next one.

    :ivar model: the name of a model, of a provider, or of both, ``"groq:llama-3.3-70b"``; None lets the environment
        choose
    :ivar messages: the messages so far
    """

    def __init__(self) -> None:
        self.model: str | None = None
        self.messages: Messages = []
        self._clients: dict[str | None, Client] = {}

    def client(self, name: str | None) -> Client:
        """Return the client that knows a model by its name: the same one each time, which keeps its connections."""
        if name not in self._clients:
            self._clients[name] = Client(models={name: name} if name else None)
        return self._clients[name]

    def conversation(self, model: str = "") -> Conversation:
        """Return a conversation that goes on with the messages so far.

        :param model: answers instead of the notebook's model; "" for that one
        :raises G4FLiteError: if its provider cannot be made
        """
        name = model or self.model
        return self.client(name).conversation(model=name, messages=self.messages or None, keep_interrupted=True)

    def reset(self) -> None:
        """Forget all messages but the system message."""
        self.messages = [message for message in self.messages if message["role"] == "system"]

    @property
    def system(self) -> str | None:
        """The system message."""
        first = next((message for message in self.messages if message["role"] == "system"), None)
        return None if first is None else text_of(first.get("content"))

    @system.setter
    def system(self, text: str) -> None:
        others = [message for message in self.messages if message["role"] != "system"]
        self.messages = [{"role": "system", "content": text}, *others]
