"""The models that a server lists: which of them is used where none is named, and what is said of one that it lacks."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import requests

from ...arguments import service_of, to_compare
from ...errors import (
    G4FLiteError,
    ModelNotSupportedError,
    ProviderError,
    ProviderNotConfiguredError,
    TransportError,
    sanitize,
)
from ...http.checks import shorten
from ...http.exchange import Exchange
from ..call import fetch
from .address import NO_LIST, NO_SUCH_PAGE, with_query
from .base import OpenAIProvider
from .models import is_for_chats, is_for_embeddings, model_for_chats, read_models
from .presets import NO_MODEL, PRESETS, Preset, plain

_PORT = 11434  # of Ollama
MOST_NAMES = 8  # in an error
_NAMES_NONE = (400, 403, 404, 422)  # statuses of servers that were told no model, or one for something else


class ListingProvider(OpenAIProvider):
    """A server that speaks OpenAI's chat completions and lists its models."""

    _preset = Preset("", "")
    _served_model = ""

    def get_models(self) -> list[str]:
        """Ask the server for the names of its models."""
        return list(self.run(self._list_models))

    def served_model(self, exchange: Exchange) -> str:
        """Ask the server for its models, once, and take the first that is for chats.

        :raises ProviderNotConfiguredError: if it is a program that cannot answer without one, and has none for chats
        """
        if not self._served_model:
            names = self._list_to_choose_from(exchange)
            if not names and self._preset.to_get:
                raise ProviderNotConfiguredError(f"it {no_model(self._preset)}")
            if names and self._preset.pull and all(map(is_for_embeddings, names)):
                found = f"it has no model for chats, only {_listed(names)}"
                raise ProviderNotConfiguredError(f"{found}: {self._preset.to_get}")
            self._served_model = model_for_chats(names)
        return self._served_model

    def without_models(self) -> str:
        """Say what follows from an empty list."""
        return no_model(self._preset) if self._preset.to_get else "lists no models: it has none, or takes any name"

    def advise(self, error: G4FLiteError, model: str, exchange: Exchange, *, embeds: bool = False) -> None:
        """Add to the refusal of a model what the server has instead; its list is asked for within the call's limits.

        To the error of a program on this machine that does not run, or of a service that is not found, it adds why.

        :param model: the model that was sent; "" for none
        :param embeds: whether texts were to be embedded
        """
        if isinstance(error, TransportError):
            if error.message.startswith("could not connect to "):
                error.message += self._preset.told_source(self.base_url)
                if self._preset.is_free_at(self.base_url):
                    error.message += f"; is {self._preset.title} running?"
            elif error.cause == "dns" and self.base_url == self._preset.base_url:  # so it is not misspelt
                error.message += "; is this machine online?"
            error.args = (error.message,)
            return
        refused = isinstance(error, ModelNotSupportedError)
        if error.step != "prompt" or not (refused or (not model and getattr(error, "status", None) in _NAMES_NONE)):
            return
        try:
            names = self._list_models(exchange) if model or embeds else []
        except G4FLiteError:
            return  # the refusal is what counts
        # Ollama is also known by its port, and by what it says.
        is_ollama = urlsplit(self.base_url).port == _PORT or "try pulling it first" in error.message
        program = PRESETS["ollama"] if is_ollama and not self._preset.title else self._preset
        if told := sanitize(advice(model, names, program, embeds=embeds)):
            error.message = error.message.removesuffix(".") + told
        error.args = (error.message,)

    def _list_to_choose_from(self, exchange: Exchange) -> list[str]:
        """List the models; where there is no list, the error says why it was asked for."""
        try:
            return self._list_models(exchange)
        except ProviderError as error:
            if NO_LIST in error.message:
                error.message += ", which was asked for because no model is named: set G4F_LITE_MODEL or model="
                error.args = (error.message,)
            raise

    def _list_models(self, exchange: Exchange) -> list[str]:
        try:
            return self._read_list(exchange, self.to_send("GET", "/models"))
        except ProviderError as error:
            if error.status not in NO_SUCH_PAGE:
                raise
            with suppress(G4FLiteError):  # Ollama had a list under another address before it had OpenAI's
                url = with_query(urljoin(self.base_url, "/api/tags"), self.query)
                return self._read_list(exchange, requests.Request("GET", url, auth=self.auth()))
            raise

    def _read_list(self, exchange: Exchange, request: requests.Request) -> list[str]:
        body = fetch(exchange, request, "bootstrap", self)
        try:
            return read_models(body.json())
        except G4FLiteError as error:
            self.explain(error)
            raise
        finally:
            body.close()


def no_model(program: Preset, model: str = "") -> str:
    """Say that a program has no model yet, and how it gets one.

    :param model: the model that was asked for
    """
    return NO_MODEL + (program.pull.format(model) if model and program.pull else program.to_get)


def advice(model: str, names: list[str], program: Preset, *, embeds: bool = False) -> str:
    """Return what an error says behind the refusal of a model: similar names, or all of a few, or how one is had.

    :param model: the model that was sent; "" for none
    :param names: those that the server lists
    :param program: what is known of the server
    :param embeds: whether texts were to be embedded
    """
    if model in names:
        return ""  # it is there, and was refused for another reason
    if not names and program.to_get:
        return f"; it {no_model(program, model)}"
    first, _, rest = model.partition("/")
    if rest and program.pull and plain(first) == plain(program.title):
        return f"; write it without the provider: {rest}"
    fitting = list(filter(is_for_embeddings if embeds else is_for_chats, names))
    if not model:
        such = f", such as {_listed(fitting)}" if fitting else ""
        return f"; name {'an embedding model' if embeds else 'a model'} with model={such}"
    near = near_names(model, names)
    told = f"; try {_listed(near)}" if near else f"; it has {_listed(fitting)}" if fitting else ""
    if model.endswith(".gguf"):
        told += "; a file on this machine is for Local(…)"
    elif program.pull and not service_of(model) and re.fullmatch(r"[\w./:-]+", model):
        told += f"{', or' if near else ';'} {program.pull.format(model)}"
    return told


def near_names(model: str, names: list[str]) -> list[str]:
    """Return the names that are like that of a model: with another tag or owner, or misspelt."""
    import difflib

    names, wanted = to_compare(names), plain(model)
    found = [name for name in names if len(wanted) > 2 and wanted in plain(name)]
    for name in names:
        base = plain(name.rpartition("/")[2].partition(":")[0])
        if len(base) > 2 and (wanted.startswith(base) or difflib.SequenceMatcher(None, wanted, base).ratio() > 0.7):
            found.append(name)
    return list(dict.fromkeys(found))[:MOST_NAMES]


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(shorten(name, 100) for name in names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
