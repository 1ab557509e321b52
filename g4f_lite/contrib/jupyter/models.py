"""Which models the providers of a notebook have."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ...providers.base import BaseProvider
from ...providers.hooks import models_of

WAIT_SECONDS = 1.0  # for a server's list of models; what comes later is there the next time


class ModelLists:
    """The models that providers list."""

    def __init__(self) -> None:
        self._lists: dict[BaseProvider, list[str]] = {}

    def of(self, provider: BaseProvider, *, anew: bool = False) -> Sequence[str]:
        """Return the models of a provider, or those that are known without its server if that does not answer soon.

        :param anew: whether to ask again
        """
        if anew:
            self._lists.pop(provider, None)
        if provider not in self._lists:
            asking = threading.Thread(target=self._ask, args=(provider,), daemon=True)
            asking.start()
            asking.join(WAIT_SECONDS)
        return self._lists.get(provider, provider.models)

    def _ask(self, provider: BaseProvider) -> None:
        try:
            # Any other could move the cursor of a terminal, or add a line to a cell where it is completed.
            self._lists[provider] = [name for name in models_of(provider) if name.isprintable()]
        except Exception:  # noqa: BLE001  another package's provider may raise anything
            self._lists[provider] = []
