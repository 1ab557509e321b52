"""The client, and the functions ``ask`` and ``stream``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from ..answers.short_traceback import with_short_errors
from ..arguments import hide_keys, missing_attribute, unknown_setting
from ..messages import Message, Messages
from ..providers.base import BaseProvider
from ..providers.selection import ProviderLike, setting_of_provider
from ..timeout import RETRY, CallRetry, RetryLike, TimeoutLike
from .asking import Asking
from .hosting import HostedPrompts
from .mapping import ManyPrompts, cache_of, checked_pace
from .routing import ModelMap, RoutedProvider, Router, one_proxy
from .usage import ClientUsage

if TYPE_CHECKING:
    from ..answers.price import PriceLike
    from ..batch.pace import Pace
    from ..conversation import Conversation
    from ..providers.openai.keys import KeyLike
    from ..store.cache import Cache
    from ..typed.tools import Approve, ToolLike
    from .chat import Chat
    from .embeddings import Embeddings
    from .images import Images
    from .models import Models
    from .token_count import TokenCount


class Client(Asking, ManyPrompts, HostedPrompts):
    """A synchronous client with the interface of OpenAI's and g4f's clients::

        client = Client("groq", models={"gpt-4o-mini": "llama-3.3-70b-versatile"})
        client.chat.completions.create("Hello", model="gpt-4o-mini").choices[0].message.content

    Creating a client sends nothing.  A client may be shared between threads.

    :param provider: a provider, its class, its name, ``"name:model"``, or a list of these for a Fallback; None lets
        the environment choose, or else uses the embedded model
    :param model: the model for calls that name none
    :param models: maps model names to ``"provider"``, ``"provider:model"``, another model's name, a provider, or None
        for the default model; ``"*"`` stands for all other names
    :param api_key: the key of the named provider, or a function that returns it, for tokens that expire
    :param base_url: the URL of the named provider, or of an OpenAI-compatible server
    :param default_headers: headers for every request to it
    :param default_query: query parameters for every request to it
    :param price: dollars for a million tokens of its prompts and of its answers, as in ``(0.15, 0.60)``, or a dict of
        such pairs by model; otherwise what the extra ``prices`` knows
    :param proxy: the URL of a proxy for every request
    :param proxies: g4f's name for ``proxy``
    :param timeout: the timeout of each call: seconds, a (connect, read) pair, or a Timeout
    :param ask_timeout: the timeout of calls that return a whole answer, if it is not ``timeout``
    :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt
    :param max_retries: the number of attempts after the first one; OpenAI's name for ``retry=RetryPolicy(attempts=…)``
    :param verify: False, or the path of a CA bundle
    :param image_provider: the provider that generates images, if it is not ``provider``
    :param drop_unsupported: whether to drop options that a provider does not support, with a warning, instead of
        raising TypeError
    :param cache: True keeps answers on disk, so that what was asked once is not asked again; a path, or a Cache, says
        where and how
    :param pace: a Pace, which spreads the calls
    :raises ProviderNotFoundError: if no provider has the name
    :raises TypeError: if a setting is unknown, or the provider is an object, which has settings of its own
    """

    @with_short_errors
    def __init__(
        self,
        provider: ProviderLike | None = None,
        *others: NoReturn,
        model: str | None = None,
        models: ModelMap | None = None,
        api_key: KeyLike | None = None,
        base_url: str | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, Any] | None = None,
        price: PriceLike | None = None,
        proxy: str | None = None,
        proxies: str | Mapping[str, str] | None = None,
        timeout: TimeoutLike = None,
        ask_timeout: TimeoutLike = None,
        retry: RetryLike = RETRY,
        max_retries: int | None = None,
        verify: bool | str | None = None,
        image_provider: ProviderLike | None = None,
        drop_unsupported: bool = False,
        cache: bool | str | os.PathLike[str] | Cache = False,
        pace: Pace | None = None,
        **unknown: NoReturn,
    ) -> None:
        if others:
            raise TypeError("Client takes one provider, or a list; write the rest by name, as in Client(…, model=…)")
        for name in unknown:
            known, options = (list(inspect.signature(each).parameters) for each in (Client.__init__, Client.ask))
            message = setting_of_provider(name, provider) or unknown_setting(name, known, options, "Client")
            if message.endswith(f" {name}="):
                message += (
                    f": pass an option to the call, as in ask(…, {name}=…), and a provider's setting to its class"
                )
            raise TypeError(message)
        self._router = Router(
            provider,
            model=model,
            models=models,
            api_key=api_key,
            base_url=base_url,
            default_headers=default_headers,
            default_query=default_query,
            price=price,
            proxy=one_proxy(proxy, proxies),
            timeout=timeout,
            ask_timeout=ask_timeout,
            retry=retry,
            max_retries=max_retries,
            verify=verify,
            drop_unsupported=drop_unsupported,
            cache=None if cache is False else cache_of(cache),
            pace=None if pace is None else checked_pace(pace),
        )
        self._image_provider = None if image_provider is None else self._router.known(image_provider)

    # What ``ask`` and ``stream`` do not need is imported when it is used.

    @cached_property
    def chat(self) -> Chat:
        """Answers in the shape of OpenAI's API."""
        from .chat import Chat

        return Chat(self._router)

    @cached_property
    def images(self) -> Images:
        """Images in the shape of OpenAI's API."""
        from .images import Images

        return Images(self._router, self._image_provider)

    @cached_property
    def embeddings(self) -> Embeddings:
        """Texts as vectors, in the shape of OpenAI's API."""
        from .embeddings import Embeddings

        return Embeddings(self._router)

    @cached_property
    def models(self) -> Models:
        """The models that can be asked."""
        from .models import Models

        return Models(self._router)

    @property
    def usage(self) -> ClientUsage:
        """What the calls of this client took: how many they were, their tokens, and their cost."""
        return self._router.usage

    @property
    def model(self) -> str | None:
        """The model for calls that name none."""
        return self._router.model

    @property
    def provider(self) -> BaseProvider:
        """The provider for calls that name none."""
        return self._router.provider()

    @with_short_errors
    def conversation(
        self,
        *others: NoReturn,
        system: str | None = None,
        messages: str | Sequence[Message] | None = None,
        model: str | None = None,
        max_characters: int | None = None,
        keep_interrupted: bool = False,
        tools: Iterable[ToolLike] | None = None,
        approve: Approve | None = None,
        max_turns: int = 5,
        on_turn: Callable[[Messages], object] | None = None,
        **unknown: NoReturn,
    ) -> Conversation:
        """Start a conversation; see :class:`~g4f_lite.Conversation` for the arguments."""
        from ..conversation import Conversation

        return Conversation(
            self,
            *others,
            system=system,
            messages=messages,
            model=model,
            max_characters=max_characters,
            keep_interrupted=keep_interrupted,
            tools=tools,
            approve=approve,
            max_turns=max_turns,
            on_turn=on_turn,
            **unknown,
        )

    def _as_provider(self, model: str | None = None) -> BaseProvider:
        """Return what a Conversation asks in the place of a provider."""
        return RoutedProvider(self._router, model)

    @with_short_errors
    def count_tokens(
        self, prompt: str | Sequence[Message], *, model: str | None = None, provider: ProviderLike | None = None
    ) -> TokenCount:
        """Count the tokens of a text, or of a list of messages with what is added to them; no service is asked.

        The embedded model counts exactly.  For models of OpenAI's ``tiktoken`` counts, if it is installed and has
        their vocabulary in its cache, as it downloads nothing here.  Otherwise the count is an estimate, and says so::

            count = client.count_tokens("Why is the sky blue?", model="gpt-4o")
            print(count, count.method)

        :param prompt: a text, or a list of ``{"role": …, "content": …}``
        :param model: the name of a model; see ``Client(models=…)``
        :param provider: the provider to count for instead of the client's
        """
        from .token_count import count_tokens

        found, name = self._router.find(model, provider)
        return count_tokens(found, name, prompt)

    @with_short_errors
    def with_options(
        self,
        *,
        timeout: TimeoutLike = None,
        max_retries: int | None = None,
        retry: CallRetry = "own",
        proxy: str | None = None,
        model: str | None = None,
        **unknown: NoReturn,
    ) -> Client:
        """Return a client with other options, which shares the providers and the usage of this one::

            client.with_options(timeout=5, max_retries=0).chat.completions.create("Hello")

        What is left out stays as it is.

        :param timeout: the timeout of each call
        :param max_retries: the number of attempts after the first one
        :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt
        :param proxy: the URL of a proxy for every request
        :param model: the model for calls that name none
        :raises TypeError: if an option is a setting of a provider, such as ``api_key``
        """
        for name in unknown:
            raise TypeError(f"with_options has no option {name!r}; pass {name}= to a new Client")
        made = Client.__new__(type(self))
        made._router = self._router.with_options(
            timeout=timeout, retry=retry, max_retries=max_retries, proxy=proxy, model=model
        )
        made._image_provider = self._image_provider
        return made

    copy = with_options

    def close(self) -> None:
        """Close the idle connections of the providers that this client created, but not of those passed to it."""
        self._router.close()
        if self._router.cache is not None:
            self._router.cache.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(missing_attribute(type(self).__name__, name))

    def __repr__(self) -> str:
        own = [] if self._router.own is None else [repr(self._router.own)]
        return f"Client({', '.join([*own, *([f'model={hide_keys(self.model)!r}'] if self.model else [])])})"


_environment = Client()
_environment._router.call_template = "g4f_lite.Client({}).ask(…)"
ask = _environment.ask
stream = _environment.stream
