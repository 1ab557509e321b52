"""The conversation of a notebook, which lives between its cells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...answers.markdown import safe_markdown
from ...arguments import service_of
from ...client.client import Client
from ...conversation import Conversation
from ...errors import G4FLiteError, sanitize
from ...http.checks import shorten
from ...http.retry import reason_to_wait
from ...messages import Messages, text_of
from ...providers.base import BaseProvider
from ...providers.openai.listing import near_names
from ...providers.registry import is_provider_name, name_and_model, names_providers, suggested_names
from .models import ModelLists

MOST = 5  # models that are named where none is similar


class Answerer(NamedTuple):
    """Who answers.

    :ivar source: a variable's provider, client or conversation; None lets the name of the model choose, or the
        environment
    :ivar model: the model that is asked, which a provider's name may precede; None for the default model
    :ivar variable: the name of the variable
    """

    source: BaseProvider | Client | Conversation | None = None
    model: str | None = None
    variable: str | None = None

    @property
    def name(self) -> str:
        """What ``%chat model`` is given; "" for the one of the environment."""
        return ":".join(filter(None, (self.variable, self.model)))


class History(list[dict[str, Any]]):
    """The messages of a conversation, which a notebook renders as it renders an answer."""

    def _repr_markdown_(self) -> str:
        parts = (f"**{message['role']}**\n\n{_shown(message.get('content'))}" for message in self)
        return safe_markdown("\n\n".join(parts)) or "*no messages yet*"


def _shown(content: Any) -> str:
    """Return the text of a message, and how many images it has."""
    parts = content if isinstance(content, list) else []
    images = sum(part.get("type") == "image_url" for part in parts)
    return text_of(content) + (f"\n\n*({images} image{'' if images == 1 else 's'})*" if images else "")


class Talk:
    """The messages so far, and who answers the next one.

    :ivar model: who answers
    :ivar own: the messages of the notebook's own conversation
    :ivar lists: the models that there are
    """

    def __init__(self) -> None:
        self.lists = ModelLists()
        self.model = Answerer()
        self.own: Messages = []
        self._clients: dict[str | BaseProvider | None, Client] = {}

    @property
    def messages(self) -> Messages:
        """The messages that the next cell goes on with: those of the chosen Conversation, or the notebook's own."""
        source = self.model.source
        return source.messages if isinstance(source, Conversation) else self.own

    @messages.setter
    def messages(self, messages: Messages) -> None:
        source = self.model.source
        if isinstance(source, Conversation):
            source.messages = messages
        else:
            self.own = messages

    def named(self, name: str) -> Answerer:
        """Return who answers for a name: the provider that it begins with, or else who answers now, with this model.

        The first of a list of providers counts as who answers now.
        """
        source, model, variable = self.model
        chosen, _ = name_and_model((model or "").partition(",")[0])
        if names_providers(name):
            return Answerer(model=name)
        if source is None and chosen and names_providers(chosen):
            return Answerer(model=f"{chosen}:{name}")
        return Answerer(source, name, variable)

    def client(self, answerer: Answerer) -> Client:
        """Return the client of who answers: the same one each time, which keeps its connections."""
        source, model, _ = answerer
        if isinstance(source, Client):
            return source
        provider = source.provider if isinstance(source, Conversation) else source
        key = model if provider is None else provider
        if key not in self._clients:
            made = Client(models={key: key}) if isinstance(key, str) else Client(key)
            made._router.call_template = None
            made._router.server_template = "%%chat -m ollama:{}"
            self._clients[key] = made
        return self._clients[key]

    def conversation(self, answerer: Answerer) -> Conversation:
        """Return a conversation that goes on with the notebook's messages; a Conversation goes on with its own.

        :raises G4FLiteError: if its provider cannot be made
        """
        if isinstance(answerer.source, Conversation):
            return answerer.source
        client, messages = self.client(answerer), self.own or None
        return client.conversation(model=answerer.model, messages=messages, keep_interrupted=True)

    def addressed(self, answerer: Answerer) -> tuple[BaseProvider, str | None]:
        """Return the provider that answers, and the model that it is asked for; None for its default.

        :raises G4FLiteError: if its provider cannot be made
        """
        source, model, _ = answerer
        if isinstance(source, Conversation):
            model = model or source.model
        provider, asked = self.client(answerer)._router.find(model)
        return provider, asked or getattr(provider, "model", None)

    def who_answers(self, answerer: Answerer) -> str:
        """Return who answers the next cells, and what to try if the provider's list of models does not have the model.

        The list is asked for anew, but not waited for longer than a second.  A model that is not in it may work.

        :raises G4FLiteError: if its provider cannot be made
        """
        source, model, variable = answerer
        provider, asked = self.addressed(answerer)
        members = getattr(provider, "providers", [provider])
        names = " or ".join(one.name for one in members)
        behind = names if variable and (source is not provider or len(members) > 1) else None
        text = " with ".join(filter(None, (f"{variable or names} answers the next cells", asked or behind)))
        listed = self.lists.of(provider, anew=True) if model and asked else []
        if not listed or {asked, f"{asked}:latest"} & {*listed}:  # Ollama's tag need not be written
            return text
        if "," in str(asked):
            return f"{text}, which is not a model: several names must be providers, as in ollama:llama3.2,local"
        near = near_names(str(asked), list(listed))
        first = [shorten(name, 100) for name in listed[:MOST]]
        others = [] if near or source else [f"or the provider {name}" for name in near_provider(str(model))]
        return f"{text}, which is not in its list of models; try {', '.join([*(near or first), *others])}"

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


@contextmanager
def noted(provider: BaseProvider) -> Iterator[None]:
    """Note in a ``with`` block how long a provider, or a member of a chain, waits, and which members do not answer.

    One that has an ``on_retry`` or an ``on_fallback`` of the user's tells it by that.
    """
    told = {"on_retry": _note_wait, "on_fallback": _note_fallback}
    every = [provider, *getattr(provider, "providers", [])]
    silent = [(one, name) for one in every for name in told if getattr(one, name, _note) is None]
    for one, name in silent:
        setattr(one, name, told[name])
    try:
        yield
    finally:
        for one, name in silent:
            setattr(one, name, None)


def _note_wait(error: G4FLiteError, attempt: int, wait: float) -> None:
    if reason := reason_to_wait(error.provider or "the service", error, wait):
        _note(f"{reason}; waiting (an interrupt ends it)")


def _note_fallback(errors: list[G4FLiteError], answering: str) -> None:
    for error in errors:
        _note(f"{error.provider} did not answer ({error.message}); {answering} answers")


def _note(text: str) -> None:
    sys.stderr.write(f"Note: {shorten(sanitize(text), 300)}\n")
    sys.stderr.flush()


def near_provider(model: str) -> list[str]:
    """Return the name of the provider that an unknown model may be a misprint of, if there is one."""
    import difflib

    written = model.partition(":")[0]
    if is_provider_name(written):
        return []
    service = service_of(written)
    return [service] if service else difflib.get_close_matches(written.lower(), suggested_names(), n=1, cutoff=0.75)


def explain(error: G4FLiteError, answerer: Answerer) -> None:
    """Say that an unknown model may be the name of a provider, misprinted."""
    source, model, _ = answerer
    if source is not None or model is None or (":" not in model and service_of(model)):  # the message has the service
        return
    if near := near_provider(model):
        error.message = f"there is no model {model!r}, and no provider {model.partition(':')[0]!r}; try {near[0]}"
        error.args = (error.message,)
