"""A chain of providers that is a provider itself: if one does not answer, the next is used."""

from __future__ import annotations

import inspect
import itertools
import logging
import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from ..answers.deltas import Attached, Delta, Finish, Usage, no_end, up_to_content
from ..answers.response import Response
from ..answers.source import CheckedSource, Source, deltas_of
from ..answers.stream import AnswerStream
from ..arguments import unknown_setting, warn
from ..errors import (
    AllProvidersFailedError,
    AuthenticationError,
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    ProviderError,
)
from ..prompt import Prompt
from ..timeout import Timeout, TimeoutLike
from .base import BaseProvider
from .hooks import listing, models_of
from .registry import member_of
from .turns import Turns, members_of, without_model

logger = logging.getLogger(__name__)

FOR_ONE_SERVICE = frozenset({"extra_headers", "extra_query"})  # not for another service to see
_NO_ANSWER = (EmptyResponseError, DeadlineExceededError)  # whole, or not to be waited for any longer
_BEGUN = (Attached, Usage)  # what is no content, and shows that a model has begun all the same
OnFallback = Callable[[list[G4FLiteError], str], None]
FAIR_SECONDS = 10.0  # a timeout of less than this does not count as a failure of the provider


class Fallback(BaseProvider):
    """An ordered chain of providers that is a provider itself::

        Fallback([OpenAICompatible.preset("groq"), OpenAICompatible.preset("ollama"), Local()])

    The next provider is used only before the answer has begun, and at once where the waits that a service names by
    Retry-After are longer in all than the ``max_backoff`` of its provider's retry policy, 8 s.  A provider that does
    not accept the prompt, for instance an image or an option, is skipped.  A provider that failed three times in a row,
    before its answer or in the middle of it, is skipped for 30 s, or for its Retry-After, at most an hour; then one
    call tries it again.  If no other provider answers, one whose Retry-After fits in the timeout and in the retry
    policy is waited for.  The ``provider`` of an answer is the name of the provider that answered, with its address
    where others of that name have another one.

    :param providers: the providers, in order: objects, classes or names
    :param each: seconds after which the next provider is asked if an answer has not begun; one that has is not cut, and
        the last provider has the time left.  A Timeout or a (connect, read) pair is that of each, the last one too
    :param on_fallback: called before an answer for which others failed first, with a list of their errors, and the name
        of the provider that answers, with its model if others have that name; else a key that one rejected is a warning
    :param clock: returns the time in seconds
    :param shuffle: only False, because the order is kept; it is accepted for scripts that were written for g4f, like
        the next two
    :param single_provider_retry: only False, because each provider retries by its own ``retry``
    :param max_retries: without effect, like ``single_provider_retry``
    :raises TypeError: if something is not a provider, or an argument asks for what a Fallback does not do
    """

    def __init__(
        self,
        providers: Iterable[BaseProvider | type[BaseProvider] | str],
        *others: NoReturn,
        each: TimeoutLike = None,
        on_fallback: OnFallback | None = None,
        clock: Callable[[], float] = time.monotonic,
        shuffle: bool = False,
        single_provider_retry: bool = False,
        max_retries: int | None = None,
        **unknown: NoReturn,
    ) -> None:
        if others or isinstance(providers, (str, BaseProvider)):
            raise TypeError('a Fallback needs a list of providers, as in Fallback(["groq", "ollama"], each=10)')
        for name in unknown:
            message = unknown_setting(name, list(inspect.signature(Fallback).parameters), (), "Fallback")
            hint = ": pass it to the members, or to the call" if message.endswith(f" {name}=") else ""
            raise TypeError(message + hint)
        if shuffle:
            raise TypeError("shuffle=True is not supported; pass random.sample(providers, len(providers))")
        if single_provider_retry:
            times = "…" if max_retries is None else max_retries
            raise TypeError(
                "single_provider_retry=True is not supported, as each member retries by itself; "
                f"to change how often, create the member with retry=RetryPolicy(attempts={times})"
            )
        given: Any = providers
        if not isinstance(given, Iterable):
            raise TypeError(f"a Fallback needs a list of providers, not {type(given).__name__}")
        self.providers = [member_of(provider) for provider in given]
        if not self.providers:
            raise ValueError("a Fallback needs at least one provider")
        limits = None if each is None else Timeout.of(each)
        self.each = limits.first if limits and isinstance(each, (int, float)) else limits
        self._usual = Timeout.of_environment() or Timeout()  # which a member has that was given none
        self.timeout = self._usual  # for calls without a timeout
        self.on_fallback = on_fallback
        self._clock = clock
        self._members = members_of(self.providers, clock)
        self.warns_of_model = True  # of members without that of a call: once, and not where strangers name it

    @property
    def known_options(self) -> frozenset[str] | None:
        """The options that all members support."""
        known = [options for provider in self.providers if (options := provider.known_options) is not None]
        return frozenset.intersection(*known) - FOR_ONE_SERVICE if known else None

    @property
    def reads_schema(self) -> bool:  # type: ignore[override]
        return all(provider.reads_schema for provider in self.providers)

    def check(self, prompt: Prompt) -> None:
        self._refusals(prompt)

    def answer(self, prompt: Prompt) -> AnswerStream:
        """Return the answer to a prompt as a stream; :meth:`create_generator` does so for arguments.

        The timeout of the prompt, of the environment or the default bounds the whole chain.  Until the first delta,
        the time left is shared among the members left, so that the last one gets its turn.
        """
        refusals = self._refusals(prompt)
        if prompt.model and self.warns_of_model and (skipped := without_model(self._members, prompt.model)):
            self.warns_of_model = False
            warn(skipped)
        return AnswerStream(lambda: _Chain(self, prompt, refusals), provider=self.name, model=prompt.model)

    def begin(self, prompt: Prompt) -> _Chain:
        return _Chain(self, prompt, self._refusals(prompt))

    def _refusals(self, prompt: Prompt) -> list[Exception | None]:
        """Return each member's refusal of the prompt, up to the first member that accepts it; nothing is sent.

        :raises TypeError: if no member accepts the prompt: the refusal of the first one
        :raises ValueError: likewise
        """
        for name in prompt.options.keys() & FOR_ONE_SERVICE:
            raise TypeError(f"{self.name} takes no {name}, which is for one service: ask it, or make it with headers=")
        refusals: list[Exception | None] = []
        for member in self._members:
            refusals.append(member.refusal(prompt))
            if refusals[-1] is None:
                return refusals
        for refusal in refusals:
            if isinstance(refusal, G4FLiteError):  # raised with the errors of the others, when the answer is read
                return refusals
        assert refusals[0] is not None
        raise refusals[0]

    def get_models(self) -> list[str]:
        """Return the names of the members' models, in order, of each member its own model first.

        A member that does not return its models is left out.

        :raises AllProvidersFailedError: if none returns them
        """
        names: list[str] = []
        errors: list[G4FLiteError] = []
        for member in self._members:
            provider = member.provider
            try:
                listed = models_of(provider, listing.get())
                names += [own, *listed] if (own := provider.get_model()) else listed
            except G4FLiteError as error:
                member.name_in(error)
                errors.append(error)
        if len(errors) == len(self.providers):
            raise all_failed("no provider listed its models", errors, "bootstrap") from errors[-1]
        return list(dict.fromkeys(names))

    def secrets(self) -> list[str]:
        """List the strings that messages must not show: those of all members."""
        found: list[str] = []
        for provider in self.providers:
            with suppress(ValueError):  # the environment's key of this one cannot be a key, so it was skipped
                found += provider.secrets()
        return found

    def close(self) -> None:
        for provider in self.providers:
            provider.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Fallback, self.providers, each=self.each, on_fallback=self.on_fallback), ()

    def __repr__(self) -> str:
        return f"Fallback({self.providers!r})"


def all_failed(
    what: str, errors: list[G4FLiteError], step: str, models: Iterable[str | None] = ()
) -> AllProvidersFailedError:
    """Make the error of a chain.

    :param what: the first line of its message
    :param errors: the errors of the members
    :param step: the step of the call
    :param models: of each member, the model that tells it from others of its name
    """
    lines = "".join(
        f"\n  {str(error) or type(error).__name__}" + (f" (model {model!r})" if model else "")
        for error, model in itertools.zip_longest(errors, models)
    )
    return AllProvidersFailedError(f"{what}:{lines}", errors=errors, step=step)


class _Chain(CheckedSource):
    """One call of a chain: the source of its deltas, which may be closed from any thread.

    :param chain: the chain
    :param prompt: the prompt
    :param refusals: the refusals of the first members; None for one that accepts the prompt
    """

    def __init__(self, chain: Fallback, prompt: Prompt, refusals: list[Exception | None]) -> None:
        # Of the member that answers, once it has begun; None where it does not say.
        self.provider: str | None = None
        self.model: str | None = None
        self.attempts: int | None = None
        self.response: Response | None = None
        self.priced_at: Any = None  # of the member that is asked
        self._chain = chain
        self._prompt = prompt
        self._refusals = refusals
        self._clock = chain._clock
        self._whole = Timeout.of(prompt.timeout, chain.timeout)
        self._most = chain.each if isinstance(chain.each, float) else math.inf  # where others are left
        self._began_at = self._clock()
        self._source: Source | None = None
        self._members = chain._members
        self._turns = Turns(self._members, prompt, self._refusal, self._left_until_first, self._clock)
        super().__init__()

    def scrub(self, error: BaseException) -> None:
        """Take out of an error the secrets of all members, and what the member that was asked last has sent."""
        if (scrub := getattr(self._source, "scrub", None)) is not None:
            scrub(error)
        self._chain.scrub(error)

    def close(self) -> None:
        self._turns.ended.set()
        if self._source is not None:
            self._source.close()
        self._deltas.close()

    def _run(self) -> Generator[Delta, None, None]:
        errors: dict[int, G4FLiteError] = {}
        for position, members_left in self._turns.of(errors):
            member = self._members[position]
            provider, breaker = member.provider, member.breaker
            refusal = self._refusal(position)
            if refusal is not None and not isinstance(refusal, G4FLiteError):
                # The next member may accept what this one does not, such as images.
                errors[position] = ProviderError(f"skipped: {refusal}", provider=member.name)
                continue
            began_at = self._clock()
            others = members_left > 1 or self._prompt.has_fallback
            limits, share = self._limits(provider, members_left, self._most if others else math.inf)
            first: list[Delta] = []
            try:
                if refusal is not None:
                    raise refusal
                asked = self._turns.prompt(position, members_left)
                source = provider.begin(replace(asked, timeout=limits, share=share))
                deltas = deltas_of(source, provider.name)
                self._source = source
                self.priced_at = getattr(source, "priced_at", None)
                if self._turns.ended.is_set():  # while this member was prepared
                    source.close()
                    return
                up_to_content(deltas, first)
            except G4FLiteError as error:
                self.scrub(error)  # here, because the next member does not know what this one has sent
                if self._turns.ended.is_set():
                    raise
                member.name_in(error)
                self._name_limit(error, limits)
                self._turns.add_up(position, error)
                if not isinstance(error, _NO_ANSWER) and any(isinstance(one, _BEGUN) for one in first):
                    breaker.failed(error)
                    raise
                # A refusal, such as for want of a key, costs nothing, and may be mended at any moment.
                if refusal is None and not self._had_too_little_time(error, provider, began_at):
                    breaker.failed(error)
                errors[position] = error
                logger.info("Fallback: no answer from %s", error)
                continue
            if breaker.failures:
                breaker.begun()
            answered = getattr(source, "provider", None) or provider.name
            self.provider = member.name if answered == provider.name else answered
            self.model = getattr(source, "model", None) or provider.get_model(self._prompt.model)
            self.attempts = getattr(source, "attempts", None)
            self.response = getattr(source, "response", None)
            if errors:
                model = self._telling_model(position)
                answering = self.provider + (f" (model {model!r})" if model else "")
                self._tell([errors[each] for each in sorted(errors)], answering)
            is_whole, asked_at = False, self._clock()
            try:
                for delta in itertools.chain(first, deltas):
                    if isinstance(delta, Finish):
                        is_whole = True
                        breaker.ended()
                    yield delta
                    asked_at = self._clock()  # for the next one: until now, the caller may have taken its time
                if not is_whole and not self._turns.ended.is_set():
                    raise no_end()
            except G4FLiteError as error:
                self.scrub(error)
                member.name_in(error)
                self._name_limit(error, limits)
                # A caller who closes the answer, or whose time ends while pieces come, is not a failure of the member.
                if not self._turns.ended.is_set() and not self._had_too_little_time(error, provider, asked_at):
                    breaker.failed(error, begun=True)
                raise
            finally:
                deltas.close()  # for a stage that needs no more
            return
        if self._turns.ended.is_set():
            return
        given = [errors[position] for position in sorted(errors)]
        models = map(self._telling_model, sorted(errors))
        raise all_failed("no provider answered", given, "prompt", models) from given[-1]

    def _tell(self, errors: list[G4FLiteError], answering: str) -> None:
        """Tell the program which members failed before the one that answers, or at least which keys were rejected."""
        if self._chain.on_fallback is not None:
            self._chain.on_fallback(errors, answering)
            return
        for error in errors:
            if isinstance(error, AuthenticationError) and error.status is not None:
                warn(f"another provider answers, as this one rejected its key: {error}")

    def _telling_model(self, position: int) -> str | None:
        """Return the model of a member whose name others have too, if the prompt names none for all of them."""
        member = self._members[position]
        is_alone = sum(each.name == member.name for each in self._members) == 1
        return None if is_alone or self._prompt.model else member.provider.get_model()

    def _refusal(self, position: int) -> Exception | None:
        """Return a member's refusal of the prompt; None if it accepts it."""
        if position < len(self._refusals):
            return self._refusals[position]
        return self._members[position].refusal(self._prompt)

    def _own_limits(self, provider: BaseProvider) -> Timeout | None:
        """Return the timeout that a member has for every call, of its own or by ``each``; None if nobody gave one."""
        each = self._chain.each if isinstance(self._chain.each, Timeout) else None
        own = getattr(provider, "timeout", None)
        if not isinstance(own, Timeout) or own == self._chain._usual:
            return each
        return own if each is None else own.within(each)

    def _limits(self, provider: BaseProvider, members_left: int, most: float) -> tuple[Timeout, float | None]:
        """Return the timeout of a member, and the seconds until its first delta: at most its share of the time left."""
        own = self._own_limits(provider)
        limits = self._whole if own is None else own if self._prompt.timeout is None else own.within(self._whole)
        left, share = self._left(self._whole.total), min(self._left_until_first() / members_left, most)
        return replace(limits, total=min(limits.total or left, left)), None if share == math.inf else share

    def _left_until_first(self) -> float:
        """Return the seconds left until the first delta."""
        return min(self._left(self._whole.total), self._left(self._prompt.share))

    def _left(self, seconds: float | None) -> float:
        """Return the seconds left of a limit of this call, rounded up to hundredths."""
        if seconds is None:
            return math.inf
        return max(1, math.ceil((self._began_at + seconds - self._clock()) * 100)) / 100

    def _name_limit(self, error: G4FLiteError, limits: Timeout) -> None:
        """Say of a member's error whose total limit it was: that of the whole call, or the member's own."""
        if not isinstance(error, DeadlineExceededError) or error.limit != "total":
            return
        whole = self._whole.total
        if whole is not None and self._clock() >= self._began_at + whole:
            text = f"the total time limit of {whole:g} s passed; pass a longer timeout="
        else:
            text = f"the member's own limit of {limits.total:g} s passed; give it a longer timeout=, or the chain each="
        error.message = text
        error.args = (text,)

    def _had_too_little_time(self, error: G4FLiteError, provider: BaseProvider, began_at: float) -> bool:
        """Return whether an error is a timeout of this call only, and too short to count as a failure."""
        if not isinstance(error, DeadlineExceededError):
            return False
        own = getattr(self._own_limits(provider), error.limit, None) or FAIR_SECONDS
        return self._clock() - began_at < min(own, FAIR_SECONDS, self._most)
