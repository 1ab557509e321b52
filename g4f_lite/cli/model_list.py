"""The models that the provider of an interactive chat lists."""

from __future__ import annotations

import difflib
from contextlib import suppress

from ..errors import DeadlineExceededError, G4FLiteError, TransportError
from ..http.checks import shorten
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.hooks import CallSettings, owners_of
from ..providers.openai.listing import near_names
from ..providers.registry import suggested_names
from ..timeout import Timeout, TimeoutLike
from .failure import Failure
from .notes import note
from .options import named_members, note_unlisted

SECONDS = 3.0  # that the Tab key and /model wait for a server to list its models
MOST = 8  # names in an error
DEFAULT = "default"  # the argument of /model that goes back to the start


class ModelList:
    """The list of one provider, which is asked for it when it is needed.

    :param provider: the provider
    :param proxy: the proxy of the chat
    """

    def __init__(self, provider: BaseProvider, proxy: str | None) -> None:
        self._provider = provider
        self._proxy = proxy
        self._owners: dict[str, str] = {}  # of each model, the name of the provider, or those of a chain's members
        self._errors: list[G4FLiteError] = []  # why there is no list, or not of all members

    def ask(self, timeout: TimeoutLike) -> list[str]:
        """Ask the provider for its models.

        :raises G4FLiteError: if it does not tell them
        """
        return self._ask(CallSettings(self._proxy, None if timeout is None else Timeout.of(timeout)))

    def begun(self, text: str) -> list[str]:
        """Return the names that begin with a text; the provider is asked once."""
        if not self._owners:
            self._ask_briefly()
        return [name for name in self._owners if name.startswith(text)]

    def has(self, name: str) -> bool:
        """Return whether the provider lists a model; it is asked again if it did not list it before."""
        if not self.owners(name):
            self._ask_briefly()
        return bool(self.owners(name))

    def owners(self, name: str) -> str:
        """Return the name of the provider if it has listed a model, or those of a chain's members that have."""
        return self._owners.get(name) or self._owners.get(f"{name}:latest", "")  # Ollama's tag need not be written

    def note_unlisted(self) -> None:
        """Note which members of a chain, or that the only provider, did not list their models when asked last."""
        note_unlisted(self._errors)

    def note_lacking(self, name: str) -> None:
        """Note now, and not with the next message, that not all members of a chain list a model."""
        if not isinstance(self._provider, Fallback) or not (owners := self.owners(name)):
            return
        members = [member for member, _ in named_members(self._provider)]
        if owners != " or ".join(dict.fromkeys(members)):
            self._provider.told_lacking = set(members)
            note(f"of the providers, only {owners} lists {name}; /model {DEFAULT} lets each use its own model")

    def check_name(self, name: str) -> None:
        """Raise if a name is a file of this machine, or several names, and not that of a model here.

        :raises click.ClickException: if so
        """
        is_file = name.endswith(".gguf") and self._provider.name != "Local"
        if not (is_file or "," in name) or self.has(name):
            return
        if is_file:
            raise Failure(f"{name} is a file on this machine, which Local can read; write /model local:{name}")
        raise Failure(f"{name} is not a model: several names must be providers, as in /model openai:gpt-5,local")

    def check(self, name: str) -> None:
        """Raise if the provider lists models, and not this one; note if that could not be checked.

        :raises click.ClickException: if so
        """
        if self.has(name):
            return
        self.note_unlisted()
        if not self._owners:
            if self._errors:
                note(f"the model {name} could not be checked")
            return
        names = [*self._owners]
        near = near_names(name, names) or [shorten(listed, 100) for listed in names[:MOST]]
        is_chain = isinstance(self._provider, Fallback)
        lacking = "no provider of the chat lists" if is_chain else f"{self._provider.name} does not list"
        raise Failure(f"{lacking} the model {name!r}; try {', '.join(near)}{_near_provider(name)}")

    def reach(self) -> None:
        """Raise if the provider cannot be reached; it may have no list.

        :raises TransportError: if so
        """
        try:
            self._ask(CallSettings(self._proxy, Timeout.of(SECONDS), None))
        except TransportError:
            raise
        except G4FLiteError:
            return
        finally:
            for error in self._errors:
                if isinstance(error, DeadlineExceededError):  # which advises a longer timeout
                    error.message = f"no list came within {SECONDS:g} s"

    def _ask_briefly(self) -> None:
        with suppress(TransportError):
            self.reach()

    def _ask(self, settings: CallSettings) -> list[str]:
        self._errors = []
        try:
            self._owners = owners_of(self._provider, settings, self._errors)
        except G4FLiteError as error:
            self._errors = self._errors or [error]
            raise
        return [*self._owners]


def _near_provider(name: str) -> str:
    """Say how the provider is written whose name is misspelt, also before a model; "" if there is none."""
    provider, colon, model = name.partition(":")
    if not provider.isalpha():  # as mistral-7b, which is a model
        return ""
    near = difflib.get_close_matches(provider.lower(), suggested_names(), n=1, cutoff=0.75)
    return f"; for the provider, write /model {near[0]}{colon}{model}" if near else ""
