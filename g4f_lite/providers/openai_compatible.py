"""Any server that speaks OpenAI's chat completions: local ones, and most services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests

from ..deltas import Delta
from ..errors import (
    AuthenticationError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderNotFoundError,
    ResponseStatusError,
)
from ..http.body import Body
from ..http.exchange import Exchange
from ..messages import Messages
from . import openai_wire as wire
from .arguments import unknown_name
from .call import fetch
from .keys import Key
from .openai_images import MakesImages
from .presets import PRESETS, Preset

if TYPE_CHECKING:
    from .settings import Settings, Unpack

Self = TypeVar("Self", bound="OpenAICompatible")


class OpenAICompatible(MakesImages):
    """A server that speaks OpenAI's chat completions.

    :param base_url: its address, up to and with ``/v1``
    :param api_key: its key; where None, the environment's, if one belongs to this address
    :param more: the settings of every :class:`Provider`
    """

    api_endpoint = "/chat/completions"
    supports_message_history = True
    known_options = wire.OPTIONS
    _preset = Preset("", "")

    def __init__(self, base_url: str | None = None, *, api_key: str | None = None, **more: Unpack[Settings]) -> None:
        super().__init__(base_url=self._preset.base_url if base_url is None else base_url, **more)
        self.default_model = self._preset.default_model
        self._key = Key.of(api_key, self.base_url, self._preset.key_variable, home=self._preset.base_url)
        self._served_model = ""

    @classmethod
    def preset(cls: type[Self], name: str, **settings: Any) -> Self:
        """Make the provider for a service that is known by name, such as ``"groq"`` or ``"ollama"``.

        :param settings: as for the class itself
        :raises ProviderNotFoundError: no such name
        """
        if name not in PRESETS:
            raise ProviderNotFoundError(unknown_name("preset", str(name), sorted(PRESETS), cls.__name__))
        provider = cls.__new__(cls)
        provider._preset = PRESETS[name]
        provider.__init__(**settings)  # type: ignore[misc]
        return provider

    @property
    def name(self) -> str:
        return self._preset.title or super().name

    def get_models(self) -> list[str]:
        """Ask the server for the names of its models."""
        return list(self._run(self._list_models))

    def _list_models(self, exchange: Exchange) -> list[str]:
        request = requests.Request("GET", self.base_url + "/models", headers=self._headers(), auth=self._auth())
        body = fetch(exchange, request, "bootstrap", self)
        try:
            return wire.read_models(body.json())
        finally:
            body.close()

    def _unnamed_model(self, exchange: Exchange) -> str:
        """Ask the server for its models, once, and take the first."""
        if not self._served_model:
            self._served_model = next(iter(self._list_models(exchange)), "")
        return self._served_model

    def _request(self, model: str, messages: Messages, token: str, options: dict[str, Any]) -> requests.Request:
        body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
        if self._preset.reports_usage:
            body["stream_options"] = {"include_usage": True}
        body.update(options)
        body.update(body.pop("extra_body", None) or {})
        url = self.base_url + self.api_endpoint
        return requests.Request("POST", url, json=body, headers=self._headers(), auth=self._auth())

    def _deltas(self, response: Body) -> Iterator[Delta]:
        return wire.read_answer(response)

    def _service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        error = wire.service_error(status, parsed)
        refused = status in (404, 405, 501) and not isinstance(error, ModelNotSupportedError)
        if refused and not urlsplit(self.base_url).path:
            hint = f"the address of such a server usually ends in /v1, and {self.base_url} does not"
            return ResponseStatusError(f"status {status}: {hint}", status=status)
        return error

    def _auth(self) -> Any:
        """Give what signs a request; a callable, because ~/.netrc would replace a plain header."""
        return self._key.auth(keep_session=self._own_session is not None)

    def _check_ready(self) -> None:
        super()._check_ready()
        if self._key.missing():
            raise AuthenticationError(self._key.remedy(), provider=self.name)

    def _secrets(self) -> list[str]:
        return [*super()._secrets(), self._key.value() or ""]
