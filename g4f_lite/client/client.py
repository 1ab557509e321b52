"""The client that people already know, and the two functions that need no more than a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..arguments import unknown_name
from ..conversation import Conversation
from ..http.retry import RetryLike
from ..messages import Image, Message
from ..prompt import Prompt
from ..providers.base import RETRY, BaseProvider
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
from .chat import Chat
from .images import Images
from .results import Model, ModelList
from .routing import ModelMap, RoutedProvider, Router, one_proxy


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
    :param default_headers: headers for every request to it
    :param default_query: what goes behind the ``?`` of every address of it
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
        self._router = Router(
            provider,
            model=model,
            models=models,
            api_key=api_key,
            base_url=base_url,
            default_headers=default_headers,
            default_query=default_query,
            proxy=one_proxy(proxy, proxies),
            timeout=timeout,
            retry=retry,
            verify=verify,
            drop_unsupported=drop_unsupported,
        )
        self.chat = Chat(self._router)
        self.images = Images(self._router, image_provider)
        self.models = Models(self._router)

    @property
    def model(self) -> str | None:
        """The model that is asked where a call names none."""
        return self._router.model

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
        asked = Prompt.of(
            model or None,
            prompt,
            proxy,
            timeout,
            system=system,
            images=images,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=stop,
            response_format=response_format,
            **options,
        )
        return self._router.answer(asked, provider)

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
            RoutedProvider(self._router, model),
            system=system,
            messages=messages,
            model=model,
            max_characters=max_characters,
            keep_interrupted=keep_interrupted,
        )

    def close(self) -> None:
        """End idle connections of the providers that this client made; those it was given are left alone."""
        self._router.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        proxy = self._router.proxy
        if proxy and urlsplit(proxy).password:
            raise TypeError("a client whose proxy has a password is not pickled; set G4F_LITE_PROXY instead")
        return vars(self)

    def __repr__(self) -> str:
        own = [] if self._router.own is None else [repr(self._router.own)]
        return f"Client({', '.join([*own, *([f'model={self.model!r}'] if self.model else [])])})"


class Models:
    """What ``client.models`` is."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def list(self) -> ModelList:
        """List what ``model=`` can be: the names in ``models={…}``, and those that the provider lists.

        :raises G4FLiteError: the provider's service could not be asked
        """
        owner = self._router.provider().name
        return ModelList([Model(name, owner) for name in self._router.get_models()])


_environment = Client()
_environment._router.spelling = "g4f_lite.Client({}).ask(…)"
ask = _environment.ask
stream = _environment.stream
