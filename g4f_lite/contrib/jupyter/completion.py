"""What a notebook completes in a line of ``%%chat`` or ``%chat``."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from ...client.client import Client
from ...errors import G4FLiteError
from ...providers.base import BaseProvider
from ...providers.registry import provider_names
from .magics import COMMANDS, FORMS, ChatMagics

OPTIONS = ("-m", "--model", "-f", "--format", "-o", "--output", "-s", "--schema", "-i", "--interpolate")
WAIT_SECONDS = 1.0  # for a server's list of models; what comes later is there the next time


class Completer:
    """Completes models, providers, variables, forms, types and commands.

    :param magics: whose conversation says which provider's models are meant
    """

    def __init__(self, magics: ChatMagics) -> None:
        self._magics = magics
        self._models: dict[BaseProvider, list[str]] = {}

    @context_matcher(identifier="g4f_lite")
    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return what may stand where the cursor is, and nothing of what Python could go on with there."""
        known = self._known(context.text_until_cursor[: len(context.text_until_cursor) - len(context.token)].split())
        fitting = [word for word in known if word.startswith(context.token)]
        fitting = fitting or [word for word in known if word.lower().startswith(context.token.lower())]
        return {"completions": [SimpleCompletion(text=word) for word in fitting], "suppress": True, "ordered": True}

    def _known(self, words: list[str]) -> list[str]:
        """Return the words that may follow those before the cursor."""
        if not words or words[0] not in ("%chat", "%%chat"):
            return []
        last = words[-1]
        if words[0] == "%chat":
            return self._answerers() if words[1:] == ["model"] else [*COMMANDS] if len(words) == 1 else []
        if last in ("-m", "--model"):
            return self._answerers()
        if last in ("-f", "--format"):
            return [*FORMS]
        if last in ("-s", "--schema"):
            names = self._magics.shell.user_ns
            return sorted(name for name, value in names.items() if isinstance(value, type) and name[0] != "_")
        return [] if last in ("-o", "--output") else [*OPTIONS]

    def _answerers(self) -> list[str]:
        return sorted({*self._known_models(), *provider_names(), *self._magics.variables()})

    def _known_models(self) -> Iterable[str]:
        """Return the models of the notebook's provider, which may have to ask a server for them, once."""
        try:
            client = self._magics.talk.client(None)
            provider = client.provider
        except (G4FLiteError, ValueError):
            return ()
        if provider not in self._models:
            asking = threading.Thread(target=self._ask_for_models, args=(client, provider), daemon=True)
            asking.start()
            asking.join(WAIT_SECONDS)
        return self._models.get(provider, provider.models)

    def _ask_for_models(self, client: Client, provider: BaseProvider) -> None:
        try:
            self._models[provider] = client.models.get_all()
        except Exception:  # noqa: BLE001  another package's provider may raise anything
            self._models[provider] = []
