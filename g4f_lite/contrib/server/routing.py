"""Which provider and model a client of the server gets by a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...client.routing import Router
from ...errors import ModelNotSupportedError
from ...providers.base import BaseProvider
from ...providers.fallback import Fallback
from ...providers.local.base import EngineProvider
from ...providers.selection import ProviderLike

ANY_MODEL = "g4f-lite serve --any-model"
# What ``Local`` takes for a file on this machine, or for one to download: both are for the one who runs the server.
_FILE = re.compile(
    r"hf:|https?:|(?:www\.)?(?:hf|huggingface)\.co/|[/\\.~]|[A-Z]:|.*\.gguf$|.*\.\.", re.DOTALL | re.IGNORECASE
)


class ClientsRouter(Router):
    """Finds providers and models by the names that clients send, of which none may be that of a file."""

    call_template = f"{ANY_MODEL}, or create_app(…, {{}})"
    server_template = "g4f-lite serve ollama"
    chain_template = f"{ANY_MODEL} lets each answer with its own"

    def find(self, model: str | None, provider: ProviderLike | None = None) -> tuple[BaseProvider, str | None]:
        found, name = super().find(model, provider)
        if isinstance(found, Fallback):
            found.warns_of_model = False
        if name is not None and model not in self.models and _FILE.match(name):
            for engine in _engines(found):
                own = engine.get_model()
                if name not in (own, Path(own).stem):
                    raise ModelNotSupportedError(f"it has no model {name!r:.200}", provider=found.name)
        return found, name


def _engines(provider: BaseProvider) -> Iterator[EngineProvider]:
    """Iterate what runs models on this machine: the provider, or members of the chain that it is."""
    if isinstance(provider, EngineProvider):
        yield provider
    for member in getattr(provider, "providers", ()):
        yield from _engines(member)
