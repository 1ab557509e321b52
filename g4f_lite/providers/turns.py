"""The turns of a chain: which member a call asks next, and which one it waits for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import AllProvidersFailedError, DeadlineExceededError, G4FLiteError, ModelNotSupportedError
from ..http.retry import is_loading, is_retryable
from ..http.slices import Flag
from ..http.slices import wait as wait_for
from ..prompt import Prompt
from ..timeout import RETRY, WAIT_SHARE, Allowance, RetryLike, RetryPolicy, Timeout
from .base import BaseProvider, Provider
from .circuit_breaker import CircuitBreaker
from .registry import is_provider_name, is_url

logger = logging.getLogger(__name__)

LEAST_SECONDS = 0.01  # what a call has left at least, because no limit may be 0
MOST_MODELS = 1000  # of a member, that are remembered
LOOK_SECONDS = 1.0  # between two looks at whether a blocked member is free, which another call may have found out


class Member(NamedTuple):
    """A member of a chain.

    :param provider: the provider
    :param breaker: its circuit breaker
    :param name: its name in answers and errors, with its address or model where that tells it from others of its name
    :param asked: hashes of the models that it was asked for, and has not said that it lacks
    """

    provider: BaseProvider
    breaker: CircuitBreaker
    name: str
    asked: set[int]

    def refusal(self, prompt: Prompt) -> Exception | None:
        """Return its refusal of a prompt; None if it accepts the prompt."""
        return self.provider.refusal(self.fitting(prompt))

    def fitting(self, prompt: Prompt) -> Prompt:
        """Return a prompt without its ``optional`` options that this member does not support."""
        known = self.provider.known_options
        dropped = frozenset() if known is None else prompt.optional - known
        if not dropped:
            return prompt
        return replace(prompt, options={name: value for name, value in prompt.options.items() if name not in dropped})

    def lacks(self, model: str) -> bool:
        """Return whether it knows its models, and this is none of them."""
        try:
            self.provider.get_model(model)
        except ModelNotSupportedError:
            return True
        return False

    def note_asked(self, model: str | None) -> None:
        """Note that it is asked for a model; not for each of very many, as the clients of a server may name."""
        if len(self.asked) < MOST_MODELS:
            self.asked.add(self._hash_of(model))

    def note_lacking(self, model: str | None) -> None:
        """Note that its service has said that it lacks a model."""
        self.asked.discard(self._hash_of(model))

    def may_have(self, model: str | None) -> bool:
        """Return whether it was asked for a model, and its service has not said that it lacks it."""
        return self._hash_of(model) in self.asked

    def _hash_of(self, model: str | None) -> int:
        with suppress(ModelNotSupportedError):
            model = self.provider.get_model(model)
        return hash(model)

    def written(self, model: str) -> str:
        """Return how this member is written with a model: its name with the model behind it, in quotes, or a call.

        A call is written where a name would lose the key that it was given, or makes no such provider.
        """
        provider, name = self.provider, self.provider.name
        if name == "OpenAICompatible":
            name = getattr(provider, "base_url", name)
        is_keyed = getattr(getattr(provider, "key", None), "given", None) is not None
        if is_keyed or not (is_url(name) or is_provider_name(name)):
            return f"{type(provider).__name__}(…, model={model!r})"
        return repr(f"{name}:{model}")

    def name_in(self, error: G4FLiteError) -> None:
        """Name this member in an error of its provider."""
        if error.provider in (None, self.provider.name):
            error.provider = self.name


def members_of(providers: list[BaseProvider], clock: Callable[[], float]) -> list[Member]:
    """Return the members of a chain.

    :param clock: returns the time in seconds
    """

    def name(provider: BaseProvider) -> str:
        alike = [each for each in providers if each.name == provider.name]
        tell = max(_MARKS, key=lambda mark: len({mark(each) for each in alike}))  # the first that tells most apart
        mark = tell(provider)
        return f"{provider.name} ({mark})" if mark else provider.name

    return [Member(provider, CircuitBreaker(clock), name(provider), set()) for provider in providers]


def _host(provider: BaseProvider) -> str:
    return urlsplit(provider.base_url).netloc.rpartition("@")[2] if isinstance(provider, Provider) else ""


def _address(provider: BaseProvider) -> str:
    return _host(provider) + urlsplit(provider.base_url).path if isinstance(provider, Provider) else ""


def _model(provider: BaseProvider) -> str:
    model = getattr(provider, "model", None)
    return f"model {model!r}" if model else ""


def _address_and_model(provider: BaseProvider) -> str:
    return " ".join(filter(None, (_address(provider), _model(provider))))


#: What may tell members of the same name apart.
_MARKS: tuple[Callable[[BaseProvider], str], ...] = (lambda _: "", _host, _address, _model, _address_and_model)


def is_own_model(members: list[Member], model: str) -> bool:
    """Return whether a model is the own one of a member: then each has been given its own, and may lack this one."""
    return any(getattr(member.provider, "model", None) == model for member in members)


def without_model(members: list[Member], model: str, told: set[str | None]) -> str | None:
    """Say which members a call with this model skips, because others have it and they do not; None if there are none.

    :param model: the model of the call, which is asked of all members
    :param told: the names of those of which that has been said before; gets those of which it is said now
    """
    without = [member for member in members if member.lacks(model)]
    names = dict.fromkeys(member.name for member in without)
    if is_own_model(members, model) or told.issuperset(names) or len(without) == len(members):
        return None
    told.update(names)
    having = next(member for member in members if member not in without).written(model)
    advice = f"to let each member use its own model, name this one with its provider, as in {having}"
    return f"{' and '.join(names)} will be skipped for lack of the model {model!r}; {advice}"


class Turns:
    """The turns of the members of a chain in one call.

    :param members: the members, in order
    :param prompt: the prompt
    :param refusal: returns a member's refusal of the prompt by its position; None if it accepts the prompt
    :param left: returns the seconds that are left until the first delta
    :param clock: returns the time in seconds
    :ivar ended: set when the call is closed, which ends a wait
    """

    def __init__(
        self,
        members: list[Member],
        prompt: Prompt,
        refusal: Callable[[int], Exception | None],
        left: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self.ended = Flag()
        self._members = members
        self._prompt = prompt
        self._refusal = refusal
        self._left = left
        self._clock = clock
        self._began_at = clock()
        self._errors: dict[int, G4FLiteError] = {}
        self._waited = 0.0  # by this call in all, because services had asked for it

    def of(self, errors: dict[int, G4FLiteError]) -> Iterator[tuple[int, int]]:
        """Yield the position of each member that is to be asked, and how many are left.

        First those that are free, in order; then each that its service has blocked for a time, when it is free again:
        those that were skipped, and those that would have waited in this call if no other had been behind them.

        :param errors: the error of each member that has failed; that of a member that is skipped is put there
        """
        self._errors = errors
        blocked: list[int] = []
        for position, member in enumerate(self._members):
            breaker = member.breaker
            if self._is_over():
                text = "skipped, because no time is left"
                errors[position] = DeadlineExceededError(text, provider=member.name, skipped=True)
                continue
            if breaker.failures and (wait := breaker.wait()):
                errors[position] = breaker.skipped(wait, member.name)
                logger.info("Fallback: no answer from %s", errors[position])
                blocked.append(position)
                continue
            members_left = len(self._members) - position
            yield position, members_left
            if members_left > 1 and self._left_its_wait(errors[position], self._policy(member.provider)):
                blocked.append(position)
        told: set[int] = set()
        blocked = [each for each in blocked if self._refusal(each) is None and self._may_have_model(each)]
        while waits := {each: seconds for each in blocked if (seconds := self._wait(each)) is not None}:
            position = min(waits, key=lambda each: (waits[each], each))
            if waits[position]:
                if position not in told:
                    told.add(position)
                    self._tell_wait(position, waits[position])
                pause = min(waits[position], LOOK_SECONDS)
                wait_for(self.ended, pause)
                self._waited += pause
                if self.ended.is_set():
                    return
            elif not self._members[position].breaker.wait():
                blocked.remove(position)
                yield position, len(blocked) + 1

    def prompt(self, position: int, limits: Timeout, share: float | None, *, has_fallback: bool) -> Prompt:
        """Return the prompt that fits a member, with how often and long it may try.

        Its second turn has the attempts that the first one has left, and the waits that this call has left.

        :param limits: its timeout
        :param share: the seconds until its first delta; None without such a limit
        :param has_fallback: whether another provider can be asked
        """
        error, member, patience = self._errors.get(position), self._members[position], self._prompt.allowance.patience
        prompt = member.fitting(self._prompt)
        if error is not None:
            policy = self._policy(member.provider)
            patience = max(0.0, self._patience(policy) - self._waited)
            if isinstance(policy, RetryPolicy) and error.attempts and not is_loading(error):
                prompt = replace(prompt, retry=replace(policy, attempts=max(1, policy.attempts - error.attempts)))
        return replace(prompt, timeout=limits, allowance=Allowance(share, patience, has_fallback))

    def add_up(self, position: int, error: G4FLiteError) -> None:
        """Count the waits of a member's turn, and add to the error of a second turn what the call took before."""
        before = self._errors.get(position)
        self._waited += error.waited
        if before is None or before is error:
            return
        error.waited = self._waited
        if before.attempts and error.attempts:
            error.attempts += before.attempts
        if error.elapsed is not None:
            error.elapsed = self._clock() - self._began_at

    def _tell_wait(self, position: int, seconds: float) -> None:
        """Tell of a wait for a member as the member itself does of its own, by the log and ``on_retry``."""
        member, error = self._members[position], self._errors[position]
        logger.info("Fallback: waiting for %s, %.2f s", member.name, seconds)
        if (on_retry := getattr(member.provider, "on_retry", None)) is not None:
            on_retry(error, error.attempts or 0, seconds)

    def _wait(self, position: int) -> float | None:
        """Return the seconds until a member is free; None if that is not known, or longer than this call may wait."""
        member = self._members[position]
        seconds = member.breaker.known_wait()
        if seconds is None or self._is_over():
            return None
        policy = self._policy(member.provider)
        most = self._patience(policy)
        if self._prompt.allowance.has_fallback and isinstance(policy, RetryPolicy):  # a long wait is for that chain
            most = min(most, policy.max_backoff)
        return seconds if seconds <= min(most - self._waited, WAIT_SHARE * self._left()) else None

    def _may_have_model(self, position: int) -> bool:
        """Return whether a member is worth a wait: not if others lack the model, which it was never asked for.

        Such a model is mistyped more often than not, and that is to be told at once.
        """
        model = self._prompt.model
        is_lacked = any(isinstance(error, ModelNotSupportedError) for error in self._errors.values())
        return not (model and is_lacked) or self._members[position].may_have(model)

    def _is_over(self) -> bool:
        """Return whether other members have used up the time of the call."""
        return bool(self._errors) and self._left() <= LEAST_SECONDS

    def _left_its_wait(self, error: G4FLiteError, policy: RetryLike) -> bool:
        """Return whether a member would have waited for its service if there had been no other to ask."""
        if isinstance(error, AllProvidersFailedError):  # of a chain in this one
            return any(self._left_its_wait(each, policy) for each in error.errors)
        if not isinstance(policy, RetryPolicy) or policy.attempts == 1:
            return False
        asked = getattr(error, "retry_after", None) or 0.0
        is_left = is_loading(error) or (error.attempts or 0) < policy.attempts
        is_long = asked > 0 and asked + error.waited > policy.max_backoff
        return is_left and is_long and is_retryable(error, policy, WAIT_SHARE * self._left())

    def _patience(self, policy: RetryLike) -> float:
        """Return the most seconds that this call waits for a member, by its policy and by whoever sent the prompt."""
        most = self._prompt.allowance.patience
        own = 0.0 if policy is None else (policy if isinstance(policy, RetryPolicy) else RETRY).max_retry_after
        return own if most is None else min(most, own)

    def _policy(self, provider: BaseProvider) -> RetryLike:
        """Return the retry policy of a member in this call."""
        retry = self._prompt.retry
        own: RetryLike = getattr(provider, "retry", RETRY)
        return own if isinstance(retry, str) else retry
