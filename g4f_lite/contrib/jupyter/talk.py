"""The conversation of a notebook, which lives between its cells."""

from __future__ import annotations

from typing import Any, TypeAlias

from ...answers.markdown import safe_markdown
from ...arguments import service_of
from ...client.client import Client
from ...conversation import Conversation
from ...errors import G4FLiteError
from ...messages import Messages, text_of
from ...providers.base import BaseProvider
from ...providers.registry import is_provider_name, suggested_names

Answerer: TypeAlias = str | BaseProvider | Client | Conversation


class History(list[dict[str, Any]]):
    """The messages of a conversation, which a notebook renders as it renders an answer."""

    def _repr_markdown_(self) -> str:
        parts = (f"**{message['role']}**\n\n{text_of(message.get('content'))}" for message in self)
        return safe_markdown("\n\n".join(parts)) or "*no messages yet*"


class Talk:
    """The messages so far, and who answers the next one.

    :ivar model: who answers: the name of a model, of a provider, or of both, ``"groq:llama-3.3-70b"``, or an object;
        None lets the environment choose
    :ivar messages: the messages so far
    """

    def __init__(self) -> None:
        self.model: Answerer | None = None
        self.messages: Messages = []
        self._clients: dict[str | BaseProvider | None, Client] = {}

    def client(self, model: Answerer | None) -> Client:
        """Return the client of who answers: the same one each time, which keeps its connections."""
        if isinstance(model, Client):
            return model
        if isinstance(model, Conversation):
            model = model.provider
        if model not in self._clients:
            made = Client(models={model: model}) if isinstance(model, str) else Client(model)
            made._router.call_template = None
            made._router.server_template = "%%chat -m ollama:{}"
            self._clients[model] = made
        return self._clients[model]

    def conversation(self, model: Answerer | None = None) -> Conversation:
        """Return a conversation that goes on with the messages so far; a Conversation goes on with its own.

        :param model: answers instead of the notebook's model
        :raises G4FLiteError: if its provider cannot be made
        """
        model = model or self.model
        if isinstance(model, Conversation):
            return model
        name = model if isinstance(model, str) else None
        return self.client(model).conversation(model=name, messages=self.messages or None, keep_interrupted=True)

    def undo(self) -> bool:
        """Take the last question and its answer back; False if there is none."""
        asked = [number for number, message in enumerate(self.messages) if message["role"] == "user"]
        self.messages = self.messages[: asked[-1]] if asked else self.messages
        return bool(asked)

    def reset(self) -> None:
        """Forget all messages but the system message."""
        self.messages = [message for message in self.messages if message["role"] == "system"]

    @property
    def system(self) -> str | None:
        """The system message."""
        first = next((message for message in self.messages if message["role"] == "system"), None)
        return None if first is None else text_of(first.get("content"))

    @system.setter
    def system(self, text: str | None) -> None:
        others = [message for message in self.messages if message["role"] != "system"]
        self.messages = [*([] if text is None else [{"role": "system", "content": text}]), *others]


def explain(error: G4FLiteError, model: Answerer | None) -> None:
    """Say that an unknown model may be the name of a provider, misprinted."""
    import difflib

    written = model.partition(":")[0] if isinstance(model, str) else ""
    service = service_of(written)
    if service and written == model:
        return  # the message names the service
    near = [service] if service else difflib.get_close_matches(written.lower(), suggested_names(), n=1, cutoff=0.75)
    if near and not is_provider_name(written):
        error.message = f"there is no model {model!r}, and no provider {written!r}; try {near[0]}"
        error.args = (error.message,)
