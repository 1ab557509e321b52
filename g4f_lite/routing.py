"""Which provider answers a client's call, and which model of it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .choice import ProviderLike, choose_provider, default_provider, members_of, provider_of
from .errors import AllProvidersFailedError, G4FLiteError, ModelNotSupportedError
from .http.retry import RetryLike, check_retry
from .providers.arguments import check_proxy, check_verify
from .providers.base import RETRY, BaseProvider
from .providers.registry import is_provider_name

ModelMap = Mapping[str, BaseProvider | type[BaseProvider] | str | None]


class Router:
    """Finds the provider and the model for a call, and keeps the providers that it made.

    The parameters are those of :class:`~g4f_lite.client.Client`.

    :ivar own: the client's provider; None where the environment chooses
    """

    def __init__(
        self,
        provider: ProviderLike | None,
        *,
        models: ModelMap | None,
        api_key: str | None,
        base_url: str | None,
        proxy: str | None,
        retry: RetryLike,
        verify: bool | str | None,
    ) -> None:
        self.models = _checked(models)
        self._made: dict[Any, BaseProvider] = {}
        self._settings: dict[str, Any] = {}  # for the providers that are made here
        if retry is not RETRY:
            self._settings["retry"] = check_retry(retry)
        if verify is not None:
            self._settings["verify"] = check_verify(verify)
        own = {name: value for name, value in (("api_key", api_key), ("base_url", base_url)) if value is not None}
        if provider is None and api_key is not None and base_url is None:
            raise TypeError("a key alone chooses no service: give provider= or base_url= with api_key=")
        if provider is not None and not isinstance(provider, (BaseProvider, str)):
            provider = members_of(provider)
        _refuse_useless(provider, [*own, *self._settings])
        if proxy is not None:
            self._settings["proxy"] = proxy
        self.own = self._first(provider, own)

    def find(self, model: str | None, provider: ProviderLike | None = None) -> tuple[BaseProvider, str | None]:
        """Give the provider to ask, and the name of its model; None for its default.

        A call's own provider is asked for the model as it is named; else ``models`` says where it is.

        :raises ProviderNotFoundError: no such provider
        """
        if model is not None and not isinstance(model, str):
            raise TypeError(f"model must be a name, not {type(model).__name__}")
        model = model or None  # g4f's scripts write model=""
        if provider is not None:
            return self.known(provider), model
        if model is not None and (model in self.models or "*" in self.models):
            target = self.models[model] if model in self.models else self.models["*"]
            if target is None:
                return self.provider(), None
            if isinstance(target, str) and not is_provider_name(target.partition(":")[0]):
                return self.provider(), target
            return self.known(target), None
        return self.provider(), model

    def provider(self) -> BaseProvider:
        """Give the client's provider: the one it was made with, or what the environment chooses now."""
        if self.own is not None:
            return self.own
        if not self._settings:
            return default_provider()
        if None not in self._made:
            self._made[None] = choose_provider(**self._settings)
        return self._made[None]

    def close(self) -> None:
        """Close the providers that were made here; those that were given are their owner's."""
        for provider in self._made.values():
            provider.close()

    def _first(self, provider: ProviderLike | None, own: dict[str, Any]) -> BaseProvider | None:
        if provider is None and not own:
            return None
        if isinstance(provider, BaseProvider):
            return provider
        if own and (len(provider) > 1 if isinstance(provider, tuple) else "," in str(provider)):
            raise TypeError(
                f"{next(iter(own))}= belongs to one provider, and there are several: make each with its own"
            )
        settings = {**self._settings, **own}
        made = choose_provider(**settings) if provider is None else provider_of(provider, **settings)
        return self._made.setdefault("", made)

    def known(self, provider: ProviderLike) -> BaseProvider:
        """Give a provider for what names it; the same one each time."""
        if isinstance(provider, BaseProvider):
            return provider
        key = provider if isinstance(provider, str) else members_of(provider)
        if key not in self._made:  # two threads may both make one, which sends nothing
            self._made[key] = provider_of(key, **self._settings)
        return self._made[key]


def _checked(models: Any) -> dict[str, Any]:
    """Check ``models=``.

    :raises TypeError: it is no dict that leads from names to providers
    """
    if models is None:
        return {}
    if not isinstance(models, Mapping):
        raise TypeError(f"models must be a dict such as {{'gpt-4o': 'groq'}}, not {type(models).__name__}")
    for name, target in models.items():
        is_class = isinstance(target, type) and issubclass(target, BaseProvider)
        if not isinstance(name, str) or not (is_class or isinstance(target, (BaseProvider, str, type(None)))):
            raise TypeError(
                f"models must lead from names to names, providers or None; {name!r} leads to {target!r:.80}"
            )
    return dict(models)


def _refuse_useless(provider: ProviderLike | None, settings: list[str]) -> None:
    """Raise where settings are given for providers, and none is made here that could have them."""
    members = provider if isinstance(provider, tuple) else (provider,)
    if settings and all(isinstance(member, BaseProvider) for member in members):
        raise TypeError(f"{settings[0]}= belongs to the provider: give it where that is made")


def one_proxy(proxy: str | None, proxies: str | Mapping[str, str] | None) -> str | None:
    """Read ``proxy=`` or g4f's ``proxies=``.

    :param proxies: one URL, or a dict as of requests, all of whose values are the same
    :raises TypeError: both are given, or a wrong type;  :raises ValueError: there are several proxies, or none
    """
    if proxies is not None:
        if proxy is not None:
            raise TypeError("proxy= and proxies= are the same thing: give one of them")
        if isinstance(proxies, Mapping):
            different = set(proxies.values())
            if len(different) != 1:
                raise ValueError("proxies= must name one proxy, for every request: give it as proxy=")
            proxies = different.pop()
        proxy = proxies
    return None if proxy is None else check_proxy(proxy)


def add_hint(error: G4FLiteError, model: str | None, provider: BaseProvider, call: str = "Client(…, {})") -> None:
    """Add a line to paste to an error about an unknown model: one that maps its name.

    :param call: how the caller writes it, with ``{}`` for ``models=…``
    """
    causes = error.errors if isinstance(error, AllProvidersFailedError) else [error]
    unknown = any(isinstance(cause, ModelNotSupportedError) for cause in causes)
    if model and unknown and "models={" not in error.message:
        default = getattr(provider, "model", None) or getattr(provider, "default_model", None)
        target = default or next(iter(provider.models), None)  # None asks the default model
        line = call.format(f"models={{{model!r}: {target!r}}}")
        which = "its default model" if target is None else "another model"
        error.message += f"\nto ask {which} by this name, write: {line}"
        error.args = (error.message,)
