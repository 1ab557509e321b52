"""Which provider answers a client's call, which model of it is asked, and within which limits."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..answers.deltas import Delta
from ..answers.stream import AnswerStream
from ..arguments import check_model_name, check_proxy
from ..errors import AllProvidersFailedError, G4FLiteError, ModelNotSupportedError
from ..http.retry import RetryLike, check_retry
from ..prompt import Prompt
from ..providers.base import RETRY, BaseProvider
from ..providers.registry import is_provider_name
from ..providers.selection import ProviderLike, choose_provider, default_provider, members_of, provider_of
from ..providers.settings import check_verify
from ..timeout import Timeout, TimeoutLike
from .options import divide

ModelMap = Mapping[str, BaseProvider | type[BaseProvider] | str | None]


class Router:
    """Finds the provider and the model for a call, and keeps the providers that it made.

    The parameters are those of :class:`~g4f_lite.client.Client`.

    :ivar own: the client's provider; None where the environment chooses
    :ivar spelling: how the caller writes a call with a map of models, with ``{}`` for it; for hints
    """

    spelling = "Client(…, {})"

    def __init__(
        self,
        provider: ProviderLike | None = None,
        *,
        model: str | None = None,
        models: ModelMap | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: RetryLike = RETRY,
        verify: bool | str | None = None,
        drop_unsupported: bool = False,
    ) -> None:
        if model:
            check_model_name(model)
        self.model = model
        self.models = _checked(models)
        self.proxy = proxy
        self.timeout = None if timeout is None else Timeout.of(timeout)
        self.drop_unsupported = drop_unsupported
        self._made: dict[Any, BaseProvider] = {}
        self._settings: dict[str, Any] = {}  # for the providers that are made here
        if retry is not RETRY:
            self._settings["retry"] = check_retry(retry)
        if verify is not None:
            self._settings["verify"] = check_verify(verify)
        given = {
            "api_key": api_key,
            "base_url": base_url,
            "default_headers": default_headers,
            "default_query": default_query,
        }
        own = {name: value for name, value in given.items() if value is not None}
        if provider is None and api_key is not None and base_url is None:
            raise TypeError("a key alone chooses no service: give provider= or base_url= with api_key=")
        if provider is not None and not isinstance(provider, (BaseProvider, str)):
            provider = members_of(provider)
        _refuse_useless(provider, [*own, *self._settings])
        if proxy is not None:
            self._settings["proxy"] = proxy
        self.own = self._first(provider, own)

    def answer(self, prompt: Prompt, provider: ProviderLike | None = None) -> AnswerStream:
        """Prepare the answer to a prompt, by the provider and the model that it leads to.

        :param provider: who answers this call, in place of the client's provider
        :raises TypeError: an option that the provider cannot do
        :raises ModelNotSupportedError: the provider has no such model
        :raises ProviderNotFoundError: no provider has the name
        """
        name = self._name(prompt.model, provider)
        asked, model = self.find(name, provider)
        prompt, stages = divide(
            replace(
                prompt,
                model=model,
                proxy=prompt.proxy or self.proxy,
                timeout=self.timeout if prompt.timeout is None else prompt.timeout,
            ),
            asked,
            drop=self.drop_unsupported,
        )
        with self.explaining(name, asked):
            stream = asked.answer(prompt)
        if name:
            stream.through(lambda deltas: self._explained(deltas, name, asked))
        for stage in stages:
            stream.through(stage)
        return stream

    @contextmanager
    def explaining(self, model: str | None, provider: BaseProvider) -> Iterator[None]:
        """Add to an error about an unknown model, in a ``with`` block, what could be written about it."""
        try:
            yield
        except G4FLiteError as error:
            add_hint(error, model, provider, self.spelling)
            raise

    def _explained(
        self, deltas: Generator[Delta, None, None], model: str, provider: BaseProvider
    ) -> Generator[Delta, None, None]:
        """Do for an answer that is read what ``explaining`` does: a stage of its stream."""
        with self.explaining(model, provider):
            yield from deltas

    def _name(self, model: str | None, provider: ProviderLike | None) -> str | None:
        """Give the name of the model that is wanted; the client's own is for the client's provider."""
        return model or (self.model if provider is None else None)

    def find(self, model: str | None, provider: ProviderLike | None = None) -> tuple[BaseProvider, str | None]:
        """Give the provider to ask, and the name of its model; None for its default.

        A call's own provider is asked for the model as it is named; else ``models`` says where it is.

        :raises ProviderNotFoundError: no such provider
        """
        model = self._name(model, provider)
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

    def get_models(self) -> list[str]:
        """List the names in the map of models, and those that the provider lists.

        :raises G4FLiteError: the provider's service could not be asked
        """
        mapped = [name for name in self.models if name != "*"]
        return list(dict.fromkeys([*mapped, *self.provider().get_models()]))

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


class RoutedProvider(BaseProvider):
    """Adapt a client to BaseProvider, so that a Conversation uses its routes, limits and options.

    :param model: the model to ask where a prompt names none
    """

    def __init__(self, router: Router, model: str | None = None) -> None:
        self._router = router
        self._model = model

    @property
    def name(self) -> str:
        return self._router.find(self._model)[0].name

    @property
    def known_options(self) -> frozenset[str] | None:
        return self._router.find(self._model)[0].known_options

    def answer(self, prompt: Prompt) -> AnswerStream:
        return self._router.answer(prompt)

    def begin(self, prompt: Prompt) -> Generator[Delta, None, None]:
        yield from self.answer(prompt).deltas()

    def get_models(self) -> list[str]:
        return self._router.get_models()
