"""Several providers as one: the next is asked where one does not answer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import Any

from ..answers.deltas import Delta, up_to_content
from ..answers.stream import AnswerStream, Source
from ..errors import AllProvidersFailedError, DeadlineExceededError, G4FLiteError, ProviderError
from ..http.redact import redact
from ..prompt import Prompt
from ..timeout import Timeout, TimeoutLike
from .base import BaseProvider
from .circuit_breaker import CircuitBreaker
from .registry import make, make_provider

logger = logging.getLogger(__name__)

FOR_ONE_SERVICE = frozenset({"extra_headers", "extra_query"})  # which another one must not see
PATIENCE = 10.0  # seconds; a call that gave a provider less time, and got nothing, says nothing about it


class Fallback(BaseProvider):
    """An ordered chain of providers, itself a provider.

        Fallback([OpenAICompatible.preset("groq"), OpenAICompatible.preset("ollama"), Local()])

    The next one is asked only while nothing of an answer was given.  One that does not take what is
    asked, such as a picture or an option, is passed over.  One that failed three times in a row is
    left out for 30 s, or as long as it asked to be with Retry-After, at most an hour; then one call
    tries it.  The answer's ``provider`` says who answered.

    :param providers: whom to ask, in order: objects, classes or names, as a Client takes them
    :param each: limits for each of them, within the ``timeout`` of a call
    :param clock: gives the time in seconds
    """

    def __init__(
        self,
        providers: Iterable[BaseProvider | type[BaseProvider] | str],
        *,
        each: TimeoutLike = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        given: Any = providers
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(f"a Fallback is made of a list of providers, not of {type(given).__name__}")
        self.providers = [_member(provider) for provider in given]
        if not self.providers:
            raise ValueError("a Fallback needs at least one provider")
        self.each = None if each is None else Timeout.of(each)
        self.timeout = Timeout.of_environment() or Timeout()  # of a call that gives none
        self._clock = clock
        self._breakers = [CircuitBreaker(clock) for _ in self.providers]

    @property
    def known_options(self) -> frozenset[str] | None:
        """The options that all members can be told."""
        known = [options for provider in self.providers if (options := provider.known_options) is not None]
        return frozenset.intersection(*known) - FOR_ONE_SERVICE if known else None

    def check(self, prompt: Prompt) -> None:
        self._refusals(prompt)

    def answer(self, prompt: Prompt) -> AnswerStream:
        """Prepare the answer to a prompt; see :meth:`create_generator`.

        Its ``timeout`` bounds the whole chain, the environment's or the default where it is None.  Until the first
        delta, what is left of it is shared among the members that are left, so that the last one is reached.
        """
        refusals = self._refusals(prompt)
        return AnswerStream(lambda: _Chain(self, prompt, refusals), provider=self.name, model=prompt.model)

    def begin(self, prompt: Prompt) -> _Chain:
        return _Chain(self, prompt, self._refusals(prompt))

    def _refusals(self, prompt: Prompt) -> list[Exception | None]:
        """Ask the members, up to the first that takes the prompt, why they refuse it; nothing is sent.

        :raises TypeError: the first member's refusal, where none takes the prompt; so does ValueError
        """
        for name in prompt.options.keys() & FOR_ONE_SERVICE:
            raise TypeError(
                f"{self.name} takes no {name}, which is for one service: ask that, or make it with headers="
            )
        refusals: list[Exception | None] = []
        for provider in self.providers:
            refusals.append(provider.refusal(prompt))
            if refusals[-1] is None:
                return refusals
        for refusal in refusals:
            if isinstance(refusal, G4FLiteError):  # raised with those of the others, when it is sent
                return refusals
        assert refusals[0] is not None
        raise refusals[0]

    def get_models(self) -> list[str]:
        """Give the names of all models of all members, without asking any service."""
        return list(dict.fromkeys(name for provider in self.providers for name in provider.models))

    def close(self) -> None:
        for provider in self.providers:
            provider.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.providers, self.each)

    def __repr__(self) -> str:
        return f"Fallback({self.providers!r})"


def _member(given: Any) -> BaseProvider:
    """Give a provider for what names it.

    :raises ProviderNotFoundError: no provider has the name;  :raises TypeError: it is nothing of the kind
    """
    if isinstance(given, BaseProvider):
        return given
    if isinstance(given, str):
        return make_provider(given)
    if isinstance(given, type) and issubclass(given, BaseProvider):
        return make(given, given.__name__, {})
    raise TypeError(f"a Fallback is made of providers, their classes or their names, and {given!r:.80} is none")


def _rebuild(providers: list[BaseProvider], each: Timeout | None) -> Fallback:
    return Fallback(providers, each=each)


class _Chain:
    """One call through a chain: the source of its deltas, which may be closed from any thread.

    :param prompt: what is asked
    :param refusals: of the first members, why they cannot be asked it; None for one that can
    """

    def __init__(self, chain: Fallback, prompt: Prompt, refusals: list[Exception | None]) -> None:
        self.provider: str | None = None
        self.model: str | None = None
        self._chain = chain
        self._prompt = prompt
        self._refusals = refusals
        self._clock = chain._clock
        self._whole = Timeout.of(prompt.timeout, chain.timeout)
        self._began = self._clock()
        self._source: Source | None = None
        self._closed = False
        self._deltas = self._run()

    def __iter__(self) -> Generator[Delta, None, None]:
        return self._deltas

    def close(self) -> None:
        self._closed = True
        if self._source is not None:
            self._source.close()
        self._deltas.close()

    def _run(self) -> Generator[Delta, None, None]:
        errors: list[G4FLiteError] = []
        members = list(zip(self._chain.providers, self._chain._breakers, strict=True))
        for position, (provider, breaker) in enumerate(members):
            if wait := breaker.wait():
                text = f"not asked, as it failed before; tried again in {wait:.0f} s"
                errors.append(ProviderError(text, provider=provider.name, retry_after=wait))
                logger.info("Fallback: no answer from %s", errors[-1])
                continue
            refusal = self._refusals[position] if position < len(self._refusals) else provider.refusal(self._prompt)
            if refusal is not None and not isinstance(refusal, G4FLiteError):
                # The next one may take what this one does not, such as images.
                errors.append(ProviderError(f"not asked: {refusal}", provider=provider.name))
                continue
            asked_at = self._clock()
            limits, share = self._limits(provider, len(members) - position)
            try:
                if refusal is not None:
                    raise refusal
                source = self._source = provider.begin(replace(self._prompt, timeout=limits, share=share))
                if self._closed:  # while this one was prepared
                    source.close()
                    return
                deltas = iter(source)
                first = up_to_content(deltas)
            except G4FLiteError as error:
                if self._closed:
                    raise
                error.provider = error.provider or provider.name
                if not self._was_rushed(error, provider, asked_at):
                    breaker.failed(error)
                errors.append(error)
                logger.info("Fallback: no answer from %s", redact(str(error)))
                continue
            breaker.succeeded()
            self.provider = getattr(source, "provider", None) or provider.name
            self.model = getattr(source, "model", None) or provider.get_model(self._prompt.model)
            try:
                yield from first
                yield from deltas
            except DeadlineExceededError as error:  # which is not the provider's failure, as it did answer
                whole = self._whole.total
                if error.limit == "total" and whole is not None and self._clock() >= self._began + whole:
                    error.message = f"the total time limit of {whole:g} s passed; give a longer timeout= to the chain"
                    error.args = (error.message,)
                raise
            except G4FLiteError as error:
                breaker.failed(error)
                raise
            return
        lines = "".join(f"\n  {str(error) or type(error).__name__}" for error in errors)
        raise AllProvidersFailedError(f"no provider answered:{lines}", errors=errors) from errors[-1]

    def _own_limits(self, provider: BaseProvider) -> Timeout | None:
        """Give the limits of a member that hold for every call."""
        own = getattr(provider, "timeout", None) if self._prompt.timeout is None else None
        return self._chain.each or (own if isinstance(own, Timeout) else None)

    def _limits(self, provider: BaseProvider, members_left: int) -> tuple[Timeout, float | None]:
        """Give a member the time that is left, and its share of that until its first delta."""
        limits = self._own_limits(provider) or self._whole
        left = self._left(self._whole.total)
        share = min(left, self._left(self._prompt.share)) / members_left
        return replace(limits, total=min(limits.total or left, left)), None if share == math.inf else share

    def _left(self, seconds: float | None) -> float:
        """Give what is left of a limit of this call, in hundredths of a second."""
        if seconds is None:
            return math.inf
        return max(1, math.ceil((self._began + seconds - self._clock()) * 100)) / 100

    def _was_rushed(self, error: G4FLiteError, provider: BaseProvider, asked_at: float) -> bool:
        """Tell whether a limit passed that was this call's alone, and too short to judge the provider by."""
        if not isinstance(error, DeadlineExceededError):
            return False
        own = getattr(self._own_limits(provider), error.limit, None) or PATIENCE
        return self._clock() - asked_at < min(own, PATIENCE)
