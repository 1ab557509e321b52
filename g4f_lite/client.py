"""The client that people already know, and the two functions that need no more than a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urlsplit

from .answer import Answer, AnswerStream
from .chat import Chat
from .choice import ProviderLike
from .completions import Model, ModelList
from .conversation import Conversation
from .errors import G4FLiteError
from .generations import Images
from .http.deadline import Timeout, TimeoutLike
from .http.retry import RetryLike
from .messages import Image, Message
from .providers.arguments import check_model_name, check_proxy, unknown_name, what_is_said
from .providers.base import RETRY, BaseProvider
from .routing import ModelMap, Router, add_hint, one_proxy
from .shaping import Shape


class Client:
    """Ask in the way of OpenAI's and g4f's clients, synchronously.

        client = Client("groq", models={"gpt-4o-mini": "llama-3.3-70b-versatile"})
        client.chat.completions.create("Hello", model="gpt-4o-mini").choices[0].message.content

    Making one sends nothing.  It may be shared between threads.

    :param provider: a provider, its class, its name, ``"name:model"``, or a list of these: a Fallback.
        Where None, the environment chooses, and the embedded model answers where it does not
    :param model: the model to ask where a call names none
    :param models: where a model's name leads: ``"provider"``, ``"provider:model"``, another model's name,
        a provider, or None for the default model; ``"*"`` stands for all other names
    :param api_key: the key of the one provider that is named;  :param base_url: its address, or that of an
        OpenAI-compatible server
    :param proxy: the URL of a proxy for every request; ``proxies`` is g4f's name
    :param timeout: limits for each call: seconds, a (connect, read) pair, or a Timeout
    :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt
    :param verify: False, or the path of a CA bundle
    :param image_provider: who draws, where that is another
    :param drop_unsupported: whether options that a provider cannot do are dropped with a warning; else
        they are a TypeError
    :raises ProviderNotFoundError: no provider has the name
    :raises TypeError: settings for a provider that is made already, or what a client does not take
    """

    _with_models = "Client(…, {})"  # how a call with a map of models is written, for hints

    def __init__(
        self,
        provider: ProviderLike | None = None,
        *,
        model: str | None = None,
        models: ModelMap | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        proxy: str | None = None,
        proxies: str | Mapping[str, str] | None = None,
        timeout: TimeoutLike = None,
        retry: RetryLike = RETRY,
        verify: bool | str | None = None,
        image_provider: ProviderLike | None = None,
        drop_unsupported: bool = False,
        **unknown: NoReturn,
    ) -> None:
        for name in unknown:
            raise TypeError(unknown_name("option", name, [*(Client.__init__.__kwdefaults__ or ())], "Client"))
        self._proxy = one_proxy(proxy, proxies)
        self._timeout = None if timeout is None else Timeout.of(timeout)
        self._router = Router(
            provider, models=models, api_key=api_key, base_url=base_url, proxy=self._proxy, retry=retry, verify=verify
        )
        self._drop_unsupported = drop_unsupported
        if model:
            check_model_name(model)
        self.model = model
        self.chat = Chat(self)
        self.images = Images(self, image_provider)
        self.models = Models(self)

    @property
    def provider(self) -> BaseProvider:
        """The provider that answers where a call names none."""
        return self._router.provider()

    def ask(
        self,
        prompt: str | Sequence[Message],
        *,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Answer:
        """Ask, and give the whole answer.

        :param prompt: one string, or a list of ``{"role": …, "content": …}``
        :param model: a model's name;  :param provider: who answers this call
        :param system: a system text;  :param images: pictures to show: bytes, paths or URLs
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param max_tokens: the most tokens of the answer;  :param stop: where it ends
        :param response_format: the JSON that it must be, as in OpenAI's API
        :param options: what else the provider can be told
        :raises TypeError: an option that the provider cannot do
        :raises G4FLiteError: there is no whole answer
        """
        return self.stream(
            prompt,
            model=model,
            provider=provider,
            system=system,
            images=images,
            proxy=proxy,
            timeout=timeout,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        ).text()

    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AnswerStream:
        """Ask, and give the answer piece by piece; nothing is sent before the first is wanted.

        :param prompt: one string, or a list of ``{"role": …, "content": …}``
        :param model: a model's name;  :param provider: who answers this call
        :param system: a system text;  :param images: pictures to show: bytes, paths or URLs
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param max_tokens: the most tokens of the answer;  :param stop: where it ends
        :param response_format: the JSON that it must be, as in OpenAI's API
        :param options: what else the provider can be told
        :raises TypeError: an option that the provider cannot do
        :raises ModelNotSupportedError: the provider has no such model
        """
        asked, name = self._find(model, provider)
        named = {"temperature": temperature, "max_tokens": max_tokens, "stop": stop, "response_format": response_format}
        shape = Shape(asked, {**named, **options}, drop=self._drop_unsupported)
        said = shape.messages(what_is_said(name, prompt, system, images))
        with self._explaining(model, asked):
            answer = shape.answer(asked.create_generator(name, said, *self._limits(proxy, timeout), **shape.options))
        answer.explain = lambda error: add_hint(error, model or self.model, asked, self._with_models)
        return answer

    def conversation(
        self,
        *,
        system: str | None = None,
        messages: str | Sequence[Message] | None = None,
        model: str | None = None,
        max_characters: int | None = None,
        keep_interrupted: bool = False,
    ) -> Conversation:
        """Begin a conversation, which remembers what was said; see :class:`~g4f_lite.Conversation`."""
        return Conversation(
            ClientProvider(self, model),
            system=system,
            messages=messages,
            model=model,
            max_characters=max_characters,
            keep_interrupted=keep_interrupted,
        )

    def close(self) -> None:
        """End idle connections of the providers that this client made; those it was given are left alone."""
        self._router.close()

    def _find(self, model: str | None, provider: ProviderLike | None) -> tuple[BaseProvider, str | None]:
        """Give who answers a call, and the name of the model that is asked there; None for its default.

        :raises ProviderNotFoundError: no provider has the name
        """
        return self._router.find(model or self.model if provider is None else model, provider)

    def _limits(self, proxy: str | None, timeout: TimeoutLike) -> tuple[str | None, TimeoutLike]:
        """Give a call's proxy and timeout: its own, or else the client's."""
        if proxy:
            check_proxy(proxy)
        return proxy or self._proxy, self._timeout if timeout is None else timeout

    @contextmanager
    def _explaining(self, model: str | None, provider: BaseProvider) -> Iterator[None]:
        """Add to an error about an unknown model what could be written about it."""
        try:
            yield
        except G4FLiteError as error:
            add_hint(error, model or self.model, provider, self._with_models)
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        if self._proxy and urlsplit(self._proxy).password:
            raise TypeError("a client whose proxy has a password is not pickled; set G4F_LITE_PROXY instead")
        return vars(self)

    def __repr__(self) -> str:
        own = [] if self._router.own is None else [repr(self._router.own)]
        return f"Client({', '.join([*own, *([f'model={self.model!r}'] if self.model else [])])})"


class Models:
    """What ``client.models`` is."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> ModelList:
        """List what ``model=`` can be: the names in ``models={…}``, and those that the provider lists.

        :raises G4FLiteError: the provider's service could not be asked
        """
        provider = self._client.provider
        mapped = [name for name in self._client._router.models if name != "*"]
        return ModelList([Model(name, provider.name) for name in dict.fromkeys([*mapped, *provider.get_models()])])


class ClientProvider(BaseProvider):
    """A client as a provider, for what asks one: its routes, limits and shapes hold there too."""

    def __init__(self, client: Client, model: str | None = None) -> None:
        self._client = client
        self._model = model

    @property
    def name(self) -> str:
        return self._client._find(self._model, None)[0].name

    @property
    def known_options(self) -> frozenset[str] | None:
        return self._client._find(self._model, None)[0].known_options

    def create_generator(
        self,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> AnswerStream:
        said = what_is_said(model, messages, system, images)
        return self._client.stream(said, model=model, proxy=proxy, timeout=timeout, **options)

    def get_models(self) -> list[str]:
        return [model.id for model in self._client.models.list()]


_environment = Client()
_environment._with_models = "g4f_lite.Client({}).ask(…)"
ask = _environment.ask
stream = _environment.stream
