"""Which provider answers a client's call, and which model of it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .choice import choose_provider, default_provider
from .errors import ModelNotSupportedError
from .fallback import Fallback
from .http.retry import RetryLike
from .providers.base import RETRY, BaseProvider, check_proxy
from .providers.registry import is_provider_name

ProviderLike = BaseProvider | type[BaseProvider] | str | Iterable[BaseProvider | type[BaseProvider] | str]
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
        self.models = dict(models or {})
        self._made: dict[Any, BaseProvider] = {}
        self._settings: dict[str, Any] = {}  # for the providers that are made here
        if retry is not RETRY:
            self._settings["retry"] = retry
        if verify is not None:
            self._settings["verify"] = verify
        own = {name: value for name, value in (("api_key", api_key), ("base_url", base_url)) if value is not None}
        if provider is None and api_key is not None and base_url is None:
            raise TypeError("a key alone chooses no service: give provider= or base_url= with api_key=")
        if not isinstance(provider, (BaseProvider, str, type, type(None))):
            provider = tuple(provider)
        _refuse_useless(provider, [*own, *self._settings])
        if proxy is not None:
            self._settings["proxy"] = proxy
        self.own = self._first(provider, own)

    def find(self, model: str | None, provider: ProviderLike | None = None) -> tuple[BaseProvider, str | None]:
        """Give the provider to ask, and the name of its model; None for its default.

        A call's own provider is asked for the model as it is named; else ``models`` says where it is.

        :raises ProviderNotFoundError: no such provider
        """
        model = model or None  # g4f's scripts write model=""
        if provider is not None:
            return self._known(provider), model
        if model is not None and (model in self.models or "*" in self.models):
            target = self.models[model] if model in self.models else self.models["*"]
            if target is None:
                return self.provider(), None
            if isinstance(target, str) and not is_provider_name(target.partition(":")[0]):
                return self.provider(), target
            return self._known(target), None
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
        if own and (isinstance(provider, tuple) or (isinstance(provider, str) and "," in provider)):
            raise TypeError(
                f"{next(iter(own))}= belongs to one provider, and there are several: make each with its own"
            )
        if provider is None or isinstance(provider, str):
            made = choose_provider(provider, **self._settings, **own)
        else:
            made = self._make(provider, own)
        return self._made.setdefault("", made)

    def _known(self, provider: ProviderLike) -> BaseProvider:
        """Give a provider for what names it; the same one each time."""
        if isinstance(provider, BaseProvider):
            return provider
        if not isinstance(provider, (str, type)):
            provider = tuple(provider)
        if provider not in self._made:  # two threads may both make one, which sends nothing
            self._made[provider] = self._make(provider, {})
        return self._made[provider]

    def _make(self, provider: ProviderLike, own: dict[str, Any]) -> BaseProvider:
        if isinstance(provider, BaseProvider):
            return provider
        if isinstance(provider, str):
            return choose_provider(provider, **self._settings)
        if isinstance(provider, type):
            if not issubclass(provider, BaseProvider):
                raise TypeError(f"provider must be a provider, not the class {provider.__name__}")
            return provider(**self._settings, **own)
        if not isinstance(provider, Iterable):
            raise TypeError(f"provider must be a provider, its name, or a list of them, not {type(provider).__name__}")
        members = [self._make(member, {}) for member in provider]
        return members[0] if len(members) == 1 else Fallback(members)


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


def add_hint(error: ModelNotSupportedError, model: str | None, provider: BaseProvider) -> None:
    """Add a line to paste to the error about an unknown model: one that maps its name."""
    if model and "models={" not in error.message:
        default = getattr(provider, "model", None) or getattr(provider, "default_model", None)
        target = default or next(iter(provider.models), None)  # None asks the default model
        line = f"Client(…, models={{{model!r}: {target!r}}})"
        which = "its default model" if target is None else "another model"
        error.message += f"\nto ask {which} by this name, write: {line}"
        error.args = (error.message,)
