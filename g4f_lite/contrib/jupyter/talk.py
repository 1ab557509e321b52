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
from ...providers.openai.listing import near_names
from ...providers.registry import is_provider_name, suggested_names
from .models import ModelLists

MOST = 5  # models that are named where none is similar

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
    :ivar lists: the models that there are
    """

    def __init__(self) -> None:
        self.lists = ModelLists()
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

    def addressed(self, model: str | None) -> tuple[BaseProvider, str | None]:
        """Return the provider that answers for a name, and the model that it is asked for; None for its default.

        :raises G4FLiteError: if its provider cannot be made
        """
        provider, asked = self.client(model)._router.find(model)
        return provider, asked or getattr(provider, "model", None)

    def who_answers(self, model: str | None) -> str:
        """Return who answers the next cells, and what to try if the provider's list of models does not have the model.

        The list is asked for anew, but not waited for longer than a second.  A model that is not in it may work.

        :raises G4FLiteError: if its provider cannot be made
        """
        provider, asked = self.addressed(model)
        text = f"{provider.name} answers the next cells" + (f" with {asked}" if asked else "")
        listed = self.lists.of(provider, anew=True) if model and asked else []
        if not listed or {asked, f"{asked}:latest"} & {*listed}:  # Ollama's tag need not be written
            return text
        near = near_names(str(asked), list(listed))
        others = [] if near else [f"or the provider {name}" for name in near_provider(str(model))]
        return f"{text}, which is not in its list of models; try {', '.join([*(near or listed[:MOST]), *others])}"

    def undo(self) -> str | None:
        """Take the last question and its answer back, and return the question; None if there is none."""
        asked = [number for number, message in enumerate(self.messages) if message["role"] == "user"]
        if not asked:
            return None
        question = text_of(self.messages[asked[-1]].get("content"))
        self.messages = self.messages[: asked[-1]]
        return question

    def reset(self) -> int:
        """Forget all messages but the system message, and return how many."""
        before = len(self.messages)
        self.messages = [message for message in self.messages if message["role"] == "system"]
        return before - len(self.messages)

    @property
    def system(self) -> str | None:
        """The system message."""
        first = next((message for message in self.messages if message["role"] == "system"), None)
        return None if first is None else text_of(first.get("content"))

    @system.setter
    def system(self, text: str | None) -> None:
        others = [message for message in self.messages if message["role"] != "system"]
        self.messages = [*([] if text is None else [{"role": "system", "content": text}]), *others]


def near_provider(model: str) -> list[str]:
    """Return the name of the provider that an unknown model may be a misprint of, if there is one."""
    import difflib

    written = model.partition(":")[0]
    if is_provider_name(written):
        return []
    service = service_of(written)
    return [service] if service else difflib.get_close_matches(written.lower(), suggested_names(), n=1, cutoff=0.75)


def explain(error: G4FLiteError, model: Answerer | None) -> None:
    """Say that an unknown model may be the name of a provider, misprinted."""
    if not isinstance(model, str) or (":" not in model and service_of(model)):  # the message names the service
        return
    if near := near_provider(model):
        error.message = f"there is no model {model!r}, and no provider {model.partition(':')[0]!r}; try {near[0]}"
        error.args = (error.message,)
