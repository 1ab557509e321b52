"""Which provider and model a client of the server gets by a name."""

from __future__ import annotations

from dataclasses import replace

from ...client.routing import Router
from ...prompt import Prompt
from ...providers.base import BaseProvider
from ...providers.fallback import Fallback
from ...providers.local.base import EngineProvider
from ...providers.selection import ProviderLike

ANY_MODEL = "g4f-lite serve --any-model"


class ClientsRouter(Router):
    """Finds providers and models by the names that clients send, of which none may be that of a file.

    Files on this machine, and those to download, are for the one who runs the server.
    """

    call_template = f"{ANY_MODEL}, or create_app(…, {{}})"
    server_template = "g4f-lite serve ollama"
    chain_template = f"{ANY_MODEL} lets each answer with its own"

    def find(self, model: str | None, provider: ProviderLike | None = None) -> tuple[BaseProvider, str | None]:
        found, name = super().find(model, provider)
        if isinstance(found, Fallback):
            found.told_lacking = None
        if isinstance(found, EngineProvider) and name is not None and not self._is_mapped(model):
            with self.explaining(name, found):
                found.check_known(name)
        return found, name

    def addressed(self, prompt: Prompt, provider: ProviderLike | None = None) -> tuple[BaseProvider, Prompt]:
        found, asked = super().addressed(prompt, provider)  # of a chain, its members check the name
        return found, replace(asked, may_name_file=self._is_mapped(prompt.model))

    def _is_mapped(self, model: str | None) -> bool:
        return model in self.models or "*" in self.models
