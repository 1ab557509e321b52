"""Choosing the provider, the model and the options for a client's call."""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..arguments import check_name, check_proxy, check_whole_number
from ..errors import G4FLiteError
from ..providers.base import BaseProvider
from ..providers.registry import names_providers
from ..providers.selection import OF_SERVER, ProviderLike, choose_provider, default_provider, members_of, provider_of
from ..providers.settings import check_verify
from ..timeout import RETRY, CallRetry, RetryLike, RetryPolicy, Timeout, TimeoutLike, check_retry
from .model_hints import add_model_hint
from .options import divide
from .usage import ClientUsage

if TYPE_CHECKING:
    from ..answers.deltas import Delta
    from ..answers.price import PriceLike
    from ..answers.stream import AnswerStream
    from ..batch.pace import Pace
    from ..prompt import Prompt
    from ..providers.openai.keys import KeyLike
    from ..store.cache import Cache
    from ..typed.ask import Question
    from ..typed.loop import ToolUse

ModelMap = Mapping[str, BaseProvider | type[BaseProvider] | str | None]


class Router:
    """Finds the provider and the model for a call, and keeps the providers that it created.

    The parameters are those of :class:`~g4f_lite.client.Client`.

    :ivar own: the client's provider; None if the environment chooses
    :ivar call_template: how the caller writes a call with ``models=``, as ``{}``; used in hints; None for no such hint
    :ivar server_template: how the caller names a server, whose model is ``{}``; used in hints
    :ivar chain_template: what the caller does if not all members of a chain have a model, ``{}`` in ``server_template``
    """

    call_template: str | None = "Client(…, {})"
    server_template = "provider='ollama:{}'"
    chain_template = "name it with those that have it, as in {}"

    def __init__(
        self,
        provider: ProviderLike | None = None,
        *,
        model: str | None = None,
        models: ModelMap | None = None,
        api_key: KeyLike | None = None,
        base_url: str | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        price: PriceLike | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        ask_timeout: TimeoutLike = None,
        retry: RetryLike = RETRY,
        max_retries: int | None = None,
        verify: bool | str | None = None,
        drop_unsupported: bool = False,
        cache: Cache | None = None,
        pace: Pace | None = None,
    ) -> None:
        if model:
            check_name(model)
        self.model = model
        self.models = _checked(models)
        self.proxy = proxy
        self.timeout = None if timeout is None else Timeout.of(timeout)
        self.ask_timeout = None if ask_timeout is None else Timeout.of(ask_timeout)
        self.drop_unsupported = drop_unsupported
        self.cache = cache
        self.pace = pace
        self._made: dict[Any, BaseProvider] = {}
        self._settings: dict[str, Any] = {}  # for the providers that this router creates
        self.usage = ClientUsage()
        self.retry: CallRetry = "own"  # only with_options changes it
        if max_retries is not None:
            retry = policy_of(max_retries, alone=retry is RETRY)
        if retry is not RETRY:
            self._settings["retry"] = check_retry(retry)
        if verify is not None:
            self._settings["verify"] = check_verify(verify)
        given = {
            "api_key": api_key,
            "base_url": base_url,
            "default_headers": default_headers,
            "default_query": default_query,
            "price": price,
        }
        own = {name: value for name, value in given.items() if value is not None}
        if provider is None and api_key is not None and base_url is None:
            raise TypeError("api_key= alone does not select a service; pass provider= or base_url= as well")
        if provider is not None and not isinstance(provider, (BaseProvider, str)):
            provider = members_of(provider)
        _refuse_unused(provider, [*own, *self._settings])
        if proxy is not None:
            self._settings["proxy"] = proxy
        self.own = self._first(provider, own)

    def answer(
        self, prompt: Prompt, provider: ProviderLike | None = None, use: ToolUse | None = None, *, json: bool = False
    ) -> AnswerStream:
        """Prepare the answer to a prompt, with the provider and the model that its model name maps to.

        :param provider: the provider to use for this call instead of the client's
        :param use: the tools of the prompt, and how they are run
        :param json: whether the answer is JSON, so that no text before a call of a tool belongs to it
        :raises TypeError: if the provider does not support an option
        :raises ModelNotSupportedError: if the provider does not have the model
        :raises ProviderNotFoundError: if no provider has the name
        """
        if use is not None:
            timeout = self.timeout_of(prompt.model, provider)
            return use.around(lambda prompt: self.answer(prompt, provider), timeout, json=json)(prompt)
        name = self._model_name(prompt.model, provider)
        found, asked = self.addressed(prompt, provider)
        prompt, stages = divide(asked, found, drop=self.drop_unsupported) if asked.options else (asked, [])
        try:
            stream = found.answer(prompt)
        except G4FLiteError as error:
            self._add_hint(error, name, found)
            raise
        if self.pace is not None:
            limit = Timeout.of(asked.timeout, getattr(found, "timeout", None)).total
            stream.through(self.pace.stage(stream, asked, limit))
        if name:
            stream.through(lambda deltas: self._explained(deltas, name, found))
        for stage in stages:
            stream.through(stage)
        if self.cache is not None:  # it is the last one, so that it keeps what the caller gets
            from ..providers.identity import identity_of

            stream.through(self.cache.stage(stream, lambda: identity_of(found, asked.model), asked))
        return stream.when_ended(self.usage.add_stream)

    def with_options(
        self, *, timeout: TimeoutLike, retry: CallRetry, max_retries: int | None, proxy: str | None, model: str | None
    ) -> Router:
        """Return a router with the same providers and other options for the calls; None and ``"own"`` keep them."""
        if max_retries is not None:
            retry = policy_of(max_retries, alone=retry == "own")
        if model is not None:
            check_name(model)
        router = copy.copy(self)
        if timeout is not None:
            router.timeout, router.ask_timeout = Timeout.of(timeout), None
        router.retry = self.retry if retry == "own" else check_retry(retry)
        router.proxy = self.proxy if proxy is None else check_proxy(proxy)
        router.model = model or self.model
        return router

    def addressed(self, prompt: Prompt, provider: ProviderLike | None = None) -> tuple[BaseProvider, Prompt]:
        """Return the provider for a prompt, and the prompt with the model and the settings that it gets.

        :raises ProviderNotFoundError: if no provider has the name
        """
        found, model = self.find(prompt.model, provider)
        return found, replace(
            prompt,
            model=model,
            proxy=prompt.proxy or self.proxy,
            timeout=self.timeout if prompt.timeout is None else prompt.timeout,
            retry=self.retry if prompt.retry == "own" else prompt.retry,
        )

    def question(
        self, prompt: Prompt, output: Any, provider: ProviderLike | None = None, use: ToolUse | None = None
    ) -> Question[Any]:
        """Prepare a prompt whose answer is to be a value of a type.

        :param output: the type
        :param provider: the provider to use for this call instead of the client's
        :param use: the tools of the prompt, and how they are run
        :raises MissingDependencyError: if the package msgspec is not installed
        :raises TypeError: if the type cannot be that of an answer, or the prompt has a ``response_format``
        :raises ProviderNotFoundError: if no provider has the name
        """
        from ..typed.ask import Question

        found, _ = self.find(prompt.model, provider)
        if prompt.timeout is None:  # so that it limits all the answers together
            prompt = replace(prompt, timeout=self.timeout)
        return Question.of(prompt, output, found, lambda prompt: self.answer(prompt, provider, use, json=True))

    def timeout_of(self, model: str | None, provider: ProviderLike | None = None) -> Timeout:
        """Return the timeout of calls that have none of their own: the client's, or that of the provider."""
        return Timeout.of(self.timeout, getattr(self.find(model, provider)[0], "timeout", None))

    @contextmanager
    def explaining(self, model: str | None, provider: BaseProvider, *, may_map: bool = True) -> Iterator[None]:
        """Add a hint to an error about an unknown model that a ``with`` block raises.

        :param may_map: whether the model that the provider uses for None might do as well
        """
        try:
            yield
        except G4FLiteError as error:
            self._add_hint(error, model, provider, may_map=may_map)
            raise

    def _explained(
        self, deltas: Generator[Delta, None, None], model: str, provider: BaseProvider
    ) -> Generator[Delta, None, None]:
        """Do the same as ``explaining`` while an answer is read: a stage of its stream."""
        with self.explaining(model, provider):
            yield from deltas

    def _add_hint(
        self, error: G4FLiteError, model: str | None, provider: BaseProvider, *, may_map: bool = True
    ) -> None:
        templates = self.call_template if may_map else None, self.server_template, self.chain_template
        add_model_hint(error, model, provider, *templates, mapped=self.models)

    def _model_name(self, model: str | None, provider: ProviderLike | None) -> str | None:
        """Return the name of the model for a call; the client's own model is only for the client's provider."""
        return model or (self.model if provider is None else None)

    def find(self, model: str | None, provider: ProviderLike | None = None) -> tuple[BaseProvider, str | None]:
        """Return the provider for a call, and the name of its model, or None for its default.

        A provider given for this call gets the model name unchanged; otherwise ``models`` maps it.

        :raises ProviderNotFoundError: if no provider has the name
        """
        model = self._model_name(model, provider)
        if provider is not None:
            return self.known(provider), model
        if model is not None and (model in self.models or "*" in self.models):
            target = self.models[model] if model in self.models else self.models["*"]
            if target is None:
                return self.provider(), None
            if isinstance(target, str) and not names_providers(target):
                return self.provider(), target
            return self.known(target), None
        return self.provider(), model

    def provider(self) -> BaseProvider:
        """Return the client's provider: the one given to the client, or the one that the environment chooses now."""
        if self.own is not None:
            return self.own
        if not self._settings:
            return default_provider()
        if None not in self._made:
            self._made[None] = choose_provider(**self._settings)
        return self._made[None]

    def owners(self) -> dict[str, str]:
        """List the model names in ``models``, and those that the provider lists, each with the name of who has it.

        Of a chain these are the members.

        :raises G4FLiteError: if the service does not return its models
        """
        from ..providers.hooks import CallSettings, owners_of  # which few programs need

        provider = self.provider()
        owners = owners_of(provider, CallSettings(self.proxy, self.timeout, self.retry))
        mapped = {name: owners.get(str(to), provider.name) for name, to in self.models.items() if name != "*"}
        return mapped | owners

    def __copy__(self) -> Router:
        made = Router.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __getstate__(self) -> dict[str, Any]:
        if self.proxy and "@" in self.proxy:  # a user's name alone may be a key
            raise TypeError("a client whose proxy has a user or password cannot be pickled; set G4F_LITE_PROXY instead")
        return vars(self)

    def close(self) -> None:
        """Close the providers that this router created, but not those that were passed to it."""
        for provider in self._made.values():
            provider.close()

    def _first(self, provider: ProviderLike | None, own: dict[str, Any]) -> BaseProvider | None:
        if provider is None and not own:
            return None
        if isinstance(provider, BaseProvider):
            return provider
        several = provider if isinstance(provider, tuple) else str(provider).split(",")
        of_one = own if isinstance(provider, tuple) else own.keys() - OF_SERVER  # which the name of one may be for
        if len(several) > 1 and of_one:
            name = next(iter(of_one))
            raise TypeError(f"{name}= needs a single provider, and there are several; create each with its own")
        settings = {**self._settings, **own}
        made = choose_provider(**settings) if provider is None else provider_of(provider, **settings)
        return self._made.setdefault("", made)

    def known(self, provider: ProviderLike) -> BaseProvider:
        """Return the provider for an object, class, name or list; the same one each time."""
        if isinstance(provider, BaseProvider):
            return provider
        key = provider if isinstance(provider, str) else members_of(provider)
        if key not in self._made:  # two threads may both create one, which sends nothing
            self._made[key] = provider_of(key, **self._settings)
        return self._made[key]


def policy_of(max_retries: Any, *, alone: bool) -> RetryPolicy:
    """Return the policy for ``max_retries=``, which leaves out the first attempt.

    :param alone: whether ``retry=`` is not given
    :raises TypeError: if it is given too, or this is not a whole number
    """
    if not alone:
        raise TypeError("max_retries= and retry= are the same setting; pass only one of them")
    return RetryPolicy(attempts=check_whole_number(max_retries, "max_retries", least=0) + 1)


def _checked(models: Any) -> dict[str, Any]:
    """Check ``models=``.

    :raises TypeError: if it is not a dict from names to providers
    """
    if models is None:
        return {}
    if not isinstance(models, Mapping):
        raise TypeError(f"models must be a dict such as {{'gpt-4o': 'groq'}}, not {type(models).__name__}")
    for name, target in models.items():
        is_class = isinstance(target, type) and issubclass(target, BaseProvider)
        if not isinstance(name, str) or not (is_class or isinstance(target, (BaseProvider, str, type(None)))):
            raise TypeError(f"models must map names to names, providers or None; {name!r} is mapped to {target!r:.80}")
    return dict(models)


def _refuse_unused(provider: ProviderLike | None, settings: list[str]) -> None:
    """Raise if there are settings for providers, but every provider is an object with settings of its own."""
    members = provider if isinstance(provider, tuple) else (provider,)
    if settings and all(isinstance(member, BaseProvider) for member in members):
        raise TypeError(f"{settings[0]}= cannot change a provider object; pass it when you create the provider")


def one_proxy(proxy: str | None, proxies: str | Mapping[str, str] | None) -> str | None:
    """Return the proxy from ``proxy=`` or g4f's ``proxies=``.

    :param proxies: a URL, or a dict as in requests with the same URL for every scheme
    :raises TypeError: if both are given, or one has the wrong type
    :raises ValueError: if ``proxies`` names several proxies, or none
    """
    if proxies is not None:
        if proxy is not None:
            raise TypeError("proxy= and proxies= are the same setting; pass only one of them")
        if isinstance(proxies, Mapping):
            urls = set(proxies.values())
            if len(urls) != 1:
                raise ValueError("proxies= must name one proxy for all schemes; pass it as proxy=")
            proxies = urls.pop()
        proxy = proxies
    return None if proxy is None else check_proxy(proxy)


class RoutedProvider(BaseProvider):
    """Adapts a Router to BaseProvider, so that a Conversation uses the client's models, timeout and options.

    :param model: the model for prompts that name none
    """

    def __init__(self, router: Router, model: str | None = None) -> None:
        self._router = router
        self._model = model
        self.ask_timeout = router.ask_timeout

    @property
    def name(self) -> str:  # type: ignore[override]
        return self._router.find(self._model)[0].name

    @property
    def known_options(self) -> frozenset[str] | None:
        return self._router.find(self._model)[0].known_options

    @property
    def timeout(self) -> Timeout:
        return self._router.timeout_of(self._model)

    @property
    def reads_schema(self) -> bool:  # type: ignore[override]
        return self._router.find(self._model)[0].reads_schema

    def answer(self, prompt: Prompt) -> AnswerStream:
        return self._router.answer(prompt)

    def begin(self, prompt: Prompt) -> Generator[Delta, None, None]:
        yield from self.answer(prompt).deltas()

    def get_models(self) -> list[str]:
        return [*self._router.owners()]
