"""A chain of providers that is a provider itself: if one does not answer, the next is used."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from ..answers.stream import AnswerStream
from ..arguments import check_callback, unknown_setting, warn
from ..errors import G4FLiteError
from ..prompt import Prompt
from ..timeout import Timeout, TimeoutLike
from .base import BaseProvider
from .chain import ChainCall, OnFallback, all_failed
from .hooks import listing, models_of
from .registry import member_of
from .turns import Member, members_of, without_model

FOR_ONE_SERVICE = frozenset({"extra_headers", "extra_query"})  # not for another service to see


class Fallback(BaseProvider):
    """An ordered chain of providers that is a provider itself::

        Fallback([OpenAICompatible.preset("groq"), OpenAICompatible.preset("ollama"), Local()])

    The next provider is used only before the answer has begun, and at once where the waits that a service names by
    Retry-After are longer in all than the ``max_backoff`` of its provider's retry policy, 8 s.  A provider that does
    not accept the prompt, for instance an image or an option, is skipped.  A provider that failed three times in a row,
    before its answer or in the middle of it, is skipped for 30 s, or for its Retry-After, at most an hour; then one
    call tries it again.  If no other provider answers, one whose Retry-After fits in the timeout and in the retry
    policy is waited for, unless another one lacks the call's model, and this one was never asked for it.  The
    ``provider`` of an answer is the name of the provider that answered, with its address where others of that name
    have another one.

    :param providers: the providers, in order: objects, classes or names
    :param each: seconds after which the next provider is asked if an answer has not begun; one that has is not cut, and
        the last provider has the time left.  A Timeout or a (connect, read) pair is that of each, the last one too
    :param on_fallback: called before an answer for which others failed first, with a list of their errors, and the name
        of the provider that answers, with its model if others have that name; what it raises is a warning.  Without it
        a key that one rejected, a used-up quota, or a model that it lacks, is a warning
    :param clock: returns the time in seconds
    :param shuffle: only False, because the order is kept; it is accepted for scripts that were written for g4f, like
        the next two
    :param single_provider_retry: only False, because each provider retries by its own ``retry``
    :param max_retries: without effect, like ``single_provider_retry``
    :raises TypeError: if something is not a provider, ``on_fallback`` does not take two arguments, or an argument asks
        for what a Fallback does not do
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
        self.on_fallback = _check_on_fallback(on_fallback)
        self._clock = clock
        self._members = members_of(self.providers, clock)
        self.priced_at = "" if all(one.priced_at == "" for one in self.providers) else None
        # The members of which a warning has said that they lack the model of a call; None where strangers name it.
        self.told_lacking: set[str | None] | None = set()

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
        if prompt.model and self.told_lacking is not None:
            skipped = without_model(self._members, prompt.model, self.told_lacking)
            if skipped:
                warn(skipped)
        return AnswerStream(lambda: ChainCall(self, prompt, refusals), provider=self.name, model=prompt.model)

    def begin(self, prompt: Prompt) -> ChainCall:
        return ChainCall(self, prompt, self._refusals(prompt))

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

    def first_member(self, model: str | None) -> Member:
        """Return the member that a call with a model asks first, as far as that is known before it is sent."""
        first = next((one for one in self._members if not (model and one.lacks(model))), self._members[0])
        return first.provider.first_member(model) if isinstance(first.provider, Fallback) else first

    def forgive(self) -> None:
        """Ask each member again, also one that is skipped because it failed, unless its service asked to wait."""
        for member in self._members:
            member.breaker.forgive()
            if isinstance(member.provider, Fallback):
                member.provider.forgive()

    def get_models(self) -> list[str]:
        """Return the names of the members' models, in order, of each member its own model first.

        A member that does not return its models is left out.

        :raises AllProvidersFailedError: if none returns them
        """
        return [*self._owners_of_models()]

    def _owners_of_models(self, errors: list[G4FLiteError] | None = None) -> dict[str, list[str]]:
        """Return the names of the models, as ``get_models`` does, each with the names of the members that have it.

        :param errors: takes the errors of the members that are left out
        """
        owners: dict[str, list[str]] = {}
        errors = [] if errors is None else errors
        for member in self._members:
            provider = member.provider
            try:
                listed = models_of(provider, listing.get())
                for name in [own, *listed] if (own := provider.get_model()) else listed:
                    owners.setdefault(name, []).append(member.name)
            except G4FLiteError as error:
                member.name_in(error)
                errors.append(error)
        if len(errors) == len(self.providers):
            raise all_failed("no provider listed its models", errors, "bootstrap") from errors[-1]
        return owners

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


def _check_on_fallback(function: Any) -> OnFallback | None:
    """Check ``on_fallback=``, and return it.

    :raises TypeError: if it cannot be called with the errors and a name
    """
    if check_callback(function, "on_fallback") is None:
        return None
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some functions that are written in C, whose arguments are not known
        return function  # type: ignore[no-any-return]
    try:
        signature.bind([], "name")
    except TypeError as error:
        raise TypeError(
            f"on_fallback must take two arguments, the errors and the name of the provider that answers: {error}"
        ) from None
    return function  # type: ignore[no-any-return]
