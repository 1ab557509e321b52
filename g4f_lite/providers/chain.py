"""One call of a chain: it asks the members in their turns, up to the first that answers."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from ..answers.buffer import Buffer, up_to_content
from ..answers.call_usage import CallUsage
from ..answers.deltas import Delta, Finish, no_end
from ..answers.response import Response
from ..answers.source import CheckedSource, Source, deltas_of
from ..arguments import warn
from ..errors import (
    AllProvidersFailedError,
    AuthenticationError,
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderError,
    QuotaExceededError,
    TransportError,
)
from ..prompt import Prompt
from ..timeout import Timeout
from .base import BaseProvider
from .failure_words import words_of
from .turns import Member, Turns, is_own_model

logger = logging.getLogger(__name__)

_NO_ANSWER = (EmptyResponseError, DeadlineExceededError)  # whole, or not to be waited for any longer
OnFallback = Callable[[list[G4FLiteError], str], None]
FAIR_SECONDS = 10.0  # a timeout of less than this does not count as a failure of the provider


class Chain(Protocol):
    """The part of a :class:`~g4f_lite.Fallback` that its calls use."""

    _members: list[Member]
    timeout: Timeout
    each: Timeout | float | None
    _usual: Timeout
    on_fallback: OnFallback | None
    told_lacking: set[str | None] | None
    _clock: Callable[[], float]

    def scrub(self, error: BaseException) -> None: ...


def all_failed(what: str, errors: list[G4FLiteError], step: str) -> AllProvidersFailedError:
    """Make the error of a chain.

    :param what: the first line of its message
    :param errors: the errors of the members
    :param step: the step of the call
    """
    lines = "".join(f"\n  {str(error) or type(error).__name__}" for error in errors)
    return AllProvidersFailedError(f"{what}:{lines}", errors=errors, step=step)


class Begun(NamedTuple):
    """The answer of a member.

    :param source: its call
    :param limits: its timeout
    :param first: the deltas up to the first content
    :param deltas: those behind it
    """

    source: Source
    limits: Timeout
    first: list[Delta]
    deltas: Generator[Delta, None, None]


class ChainCall(CheckedSource):
    """One call of a chain: the source of its deltas, which may be closed from any thread.

    :param chain: the chain
    :param prompt: the prompt
    :param refusals: the refusals of the first members; None for one that accepts the prompt
    """

    def __init__(self, chain: Chain, prompt: Prompt, refusals: list[Exception | None]) -> None:
        # Of the member that answers, once it has begun; None where it does not say.
        self.provider: str | None = None
        self.model: str | None = None
        self.member: Member | None = None  # itself; of a chain in this one, that one's
        self.attempts: int | None = None
        self.response: Response | None = None
        self.priced_at: Any = None  # of the member that is asked
        self.in_vain: list[CallUsage] = []  # what members took that did not answer
        self.passed_over: dict[str, str] = {}  # why they did not, by their names, once another one answers
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
            begun = self._ask(position, members_left, errors)
            if begun is None:
                if self._turns.ended.is_set():
                    return
                continue
            member, (source, limits, first, deltas) = self._members[position], begun
            provider, breaker = member.provider, member.breaker
            if breaker.failures:
                breaker.begun()
            answered = getattr(source, "provider", None) or provider.name
            self.provider = member.name if answered == provider.name else answered
            self.model = getattr(source, "model", None) or provider.get_model(self._prompt.model)
            self.member = getattr(source, "member", member)
            self.attempts = getattr(source, "attempts", None)
            self.response = getattr(source, "response", None)
            # Of a chain in this one, both are known now.
            self.priced_at = getattr(source, "priced_at", None)
            self.in_vain += getattr(source, "in_vain", ())
            if errors:
                self._tell([errors[each] for each in sorted(errors)], self.provider)
                failed = [errors[each] for each in sorted(errors) if each != position]  # not in a turn before this one
                self.passed_over = {error.provider or "": error.message for error in failed}
            self.passed_over |= getattr(source, "passed_over", {})
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
                if not self._turns.ended.is_set():  # by the caller
                    self._judge(member, error, asked_at, begun=True)
                raise
            finally:
                deltas.close()  # for a stage that needs no more
            return
        if self._turns.ended.is_set():
            return
        given = [errors[position] for position in sorted(errors)]
        raise all_failed("no provider answered", given, "prompt") from given[-1]

    def _ask(self, position: int, members_left: int, errors: dict[int, G4FLiteError]) -> Begun | None:
        """Ask a member, and return its answer once that has begun; None if the next member is to be asked.

        :param members_left: how many can still be asked, with this one
        :param errors: gets the member's error
        :raises G4FLiteError: if the model had begun its answer, or the call was closed
        """
        member = self._members[position]
        provider, breaker = member.provider, member.breaker
        refusal = self._refusal(position)
        if refusal is not None:  # which says nothing of whether the member works
            breaker.not_judged()
        if refusal is not None and not isinstance(refusal, G4FLiteError):
            # The next member may accept what this one does not, such as images.
            errors[position] = ProviderError(f"skipped: {refusal}", provider=member.name, skipped=True)
            return None
        began_at = self._clock()
        others = members_left > 1 or self._prompt.allowance.has_fallback
        limits, share = self._limits(provider, members_left, self._most if others else math.inf)
        before = Buffer()
        source: Source | None = None
        try:
            if refusal is not None:
                raise refusal
            member.note_asked(self._prompt.model)
            source = provider.begin(self._turns.prompt(position, limits, share, has_fallback=others))
            deltas = deltas_of(source, provider.name)
            self._source = source
            self.priced_at = getattr(source, "priced_at", None)
            if self._turns.ended.is_set():  # while this member was prepared
                breaker.not_judged()
                source.close()
                return None
            return Begun(source, limits, up_to_content(deltas, before), deltas)
        except G4FLiteError as error:
            self.scrub(error)  # here, because the next member does not know what this one has sent
            if self._turns.ended.is_set():
                breaker.not_judged()
                raise
            member.name_in(error)
            self._name_limit(error, limits)
            if source is not None:
                self._count_in_vain(source, error, before)
            self._turns.add_up(position, error)
            begun = before.usage or before.attached or before.choice_fields  # the model, if not its answer
            if begun and not isinstance(error, _NO_ANSWER):
                breaker.failed(error)
                raise
            # A refusal, such as for want of a key, costs nothing, and may be mended at any moment.
            if refusal is None:
                self._judge(member, error, began_at)
            if refusal is None and isinstance(error, ModelNotSupportedError):
                member.note_lacking(self._prompt.model)
            errors[position] = error
            logger.info("Fallback: no answer from %s", error)
            return None

    def _count_in_vain(self, source: Source, error: G4FLiteError, before: Buffer) -> None:
        """Count what a member took that did not answer.

        :param source: its call
        :param before: what had come from it
        """
        self.in_vain += getattr(source, "in_vain", ())
        model = getattr(source, "model", None) or self._prompt.model  # a member that lacks the model has none
        call = CallUsage.in_vain(source, error, model, before.usage, begun=bool(before.deltas))
        if not call.took_nothing:
            self.in_vain.append(call)

    def _tell(self, errors: list[G4FLiteError], answering: str) -> None:
        """Tell the program which members failed before the one that answers, or at least what is wrong with them."""
        if self._chain.on_fallback is not None:
            try:
                self._chain.on_fallback(errors, answering)
            except Exception as failure:  # noqa: BLE001  the answer has begun, and is paid for
                warn(f"on_fallback failed, and the answer goes on: {type(failure).__name__}: {failure}")
            return
        for error in errors:
            if isinstance(error, AuthenticationError):
                why = "has no usable key" if error.status is None else "rejected its key"
                warn(f"another provider answers, as this one {why}: {error}")
            elif isinstance(error, QuotaExceededError) and not error.skipped:
                warn(f"another provider answers, as this one has used up its quota: {error}")
            elif isinstance(error, ModelNotSupportedError) and not self._prompt.model:
                warn(f"another provider answers, as this one lacks its model: {error}")
            elif isinstance(error, ModelNotSupportedError) and self._is_news(error.provider):
                warn(f"another provider answers, as this one lacks the model of the call: {error}")

    def _is_news(self, name: str | None) -> bool:
        """Return whether nobody was told yet that a member lacks the model of a call, which is not another one's own.

        :param name: the member's
        """
        told = self._chain.told_lacking
        if told is None or name in told or is_own_model(self._members, self._prompt.model or ""):
            return False
        told.add(name)
        return True

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
        return min(self._left(self._whole.total), self._left(self._prompt.allowance.share))

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
            text, error.seconds = f"the total time limit of {whole:g} s passed; pass a longer timeout=", whole
        else:
            text = f"the member's own limit of {limits.total:g} s passed; give it a longer timeout=, or the chain each="
            error.seconds = limits.total
        error.message = text
        error.args = (text,)

    def _judge(self, member: Member, error: G4FLiteError, began_at: float, *, begun: bool = False) -> None:
        """Count a failure of a member, unless the time or the proxy of this call is what failed.

        :param began_at: since when it was awaited
        :param begun: whether the first piece had come
        """
        if self._is_of_this_call(error, member.provider, began_at):
            member.breaker.not_judged()
        else:
            member.breaker.failed(error, begun=begun)

    def _is_of_this_call(self, error: G4FLiteError, provider: BaseProvider, began_at: float) -> bool:
        """Return whether an error is of the call's own proxy, or a timeout that is too short to count as a failure."""
        if isinstance(error, AllProvidersFailedError):  # of a chain in this one
            of_member = [each for each in error.errors if words_of(each) is not None]
            return all(self._is_of_this_call(each, provider, began_at) for each in of_member)
        if isinstance(error, TransportError):
            return error.cause == "proxy" and self._prompt.proxy is not None
        if not isinstance(error, DeadlineExceededError):
            return False
        own = getattr(self._own_limits(provider), error.limit, None) or FAIR_SECONDS
        return self._clock() - began_at < min(own, FAIR_SECONDS, self._most)
