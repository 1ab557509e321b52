"""Any server that speaks OpenAI's API: local ones, and most services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ...answers.price import PriceLike, check_price
from ...arguments import check_name
from ...errors import AuthenticationError, G4FLiteError, ProviderNotFoundError
from ...http.redact import names_secret
from ..settings import check_fields
from .address import address_of_environment, read_address
from .embeddings import EmbeddingProvider
from .extras import query_pairs
from .images import ImageProvider
from .keys import Key, KeyLike
from .presets import PRESETS, Preset, preset_named, unknown_preset

if TYPE_CHECKING:
    from ..settings import SettingsBesideURL, Unpack

Self = TypeVar("Self", bound="OpenAICompatible")


class OpenAICompatible(ImageProvider, EmbeddingProvider):
    """A server that speaks OpenAI's API.

    :param base_url: its address, up to and with ``/v1``; a query such as ``?api-version=…`` goes with every request; if
        None, that of ``G4F_LITE_BASE_URL``
    :param api_key: its key, or a function that returns it and is called before each request, as tokens expire; if None,
        the environment's, if one belongs to this address
    :param name: its name in answers and errors, where there are several servers; None is that of the preset or class
    :param default_headers: headers for every request, as ``headers``, by the name that OpenAI's client has for it
    :param default_query: what goes behind the ``?`` of every address
    :param price: dollars for a million tokens of prompts and of answers, as in ``(0.15, 0.60)``, or a dict of such
        pairs by model; otherwise what the extra ``prices`` knows; programs on this machine that are presets, such as
        Ollama, cost nothing, and so does a server with ``(0, 0)``
    :param more: the settings of every :class:`Provider`
    """

    _preset = Preset("", "")

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: KeyLike | None = None,
        name: str | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        price: PriceLike | None = None,
        **more: Unpack[SettingsBesideURL],
    ) -> None:
        if name is not None:
            check_name(name, "name")
        self._kind_name = self._preset.title or type(self).__name__
        self.name = name or self._kind_name
        if base_url is None:
            base_url = self._preset.address() or self.url or address_of_environment()
        address = read_address(base_url)
        if default_headers is not None:
            more["headers"] = {**check_fields(default_headers, "default_headers"), **(more.get("headers") or {})}
        super().__init__(base_url=address.base, **more)
        listed = "" if self._preset.is_free_at(self.base_url) else self.base_url
        self.priced_at = listed if price is None else check_price(price, otherwise=listed)
        self.query = [*address.query, *query_pairs(default_query or {}, "default_query")]
        self.default_model = self._preset.default_model or address.model
        self.reports_usage = self._preset.reports_usage
        self.reads_schema = self._preset.reads_schema
        self.key = Key.of(api_key, self.base_url, self._preset.key_variable, home=self._preset.base_url)

    @classmethod
    def preset(cls: type[Self], name: str, /, **settings: Any) -> Self:
        """Make the provider for a service that is known by name, such as ``"groq"`` or ``"ollama"``.

        :param settings: as for the class itself
        :raises ProviderNotFoundError: if no preset has this name
        """
        found = preset_named(str(name))
        if found is None:
            raise ProviderNotFoundError(unknown_preset(str(name), cls.__name__))
        provider: Self = cls.__new__(cls, **settings)
        provider._preset = PRESETS[found]
        provider.__init__(**settings)  # type: ignore[misc]
        return provider

    def auth(self) -> Any:
        """Return what signs a request; a callable, because requests lets ``~/.netrc`` replace a plain header."""
        return self.key.auth(keep_session=self._own_session is not None)

    def check_ready(self) -> None:
        super().check_ready()
        self.key.check(self.name)

    def explain(self, error: G4FLiteError) -> None:
        super().explain(error)
        if isinstance(error, AuthenticationError) and error.status == 401 and self.key.origin() not in error.message:
            error.message = f"{error.message} ({self.key.origin()})"
            error.args = (error.message,)

    def secrets(self) -> list[str]:
        in_query = [value for name, value in self.query if names_secret(name)]
        return [*super().secrets(), self.key.hidden(), *in_query]

    def identity(self) -> Any:
        # A function may return the key of whoever is asking, and secrets() has none of its keys.
        key = [self.key.value()] if callable(self.key.given) else []
        own = super().identity()
        own = {name: own[name] for name in own if name not in ("name", "price")}  # which change no answer
        return [own, self.query, *key]

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        public = [pair for pair in self.query if not names_secret(pair[0])]
        if public != self.query:
            state.update(query=public, _lost=[*state["_lost"], "default_query"])
        return state
