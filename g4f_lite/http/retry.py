"""Sends a request again: when, and after which wait, is a policy in plain numbers, run by tenacity."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar

import tenacity

from ..errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from ..timeout import PASSING_STATUSES, RetryLike, RetryPolicy
from .cooldown import CoolDowns
from .forks import lock_free_in_children

if TYPE_CHECKING:
    from .deadline import Deadline
    from .exchange import Exchange

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
OnRetry = Callable[[G4FLiteError, int, float], None]

BUDGET_REFUND = 0.5  # given back by each success
TRUSTED_SECONDS = 0.1  # a shorter wait that a service asks for is kept once; one that refuses again has not meant it
TOLD_SECONDS = 2.0  # a wait of fewer is not worth a word
TOLD_AGAIN_SECONDS = 30.0  # between two words about a server that loads its model
_lock = lock_free_in_children()  # of all budgets


class RetryBudget:
    """Keeps many threads from hammering a dead service: a retry costs 1 token, a success gives back half a token.

    :ivar spent: the tokens that retries have cost, and that no success has given back yet
    """

    def __init__(self) -> None:
        self.spent = 0.0

    def take(self, size: float = RetryPolicy.budget) -> bool:
        """Take a token for a retry; False when none is left.

        :param size: the most that may be spent, by the policy of the call
        """
        with _lock:
            if size - self.spent < 1:
                return False
            self.spent += 1
            return True

    def give_back(self) -> None:
        """Count a success; it has nothing to give back where nothing is spent."""
        with _lock:
            self.spent = max(0.0, self.spent - BUDGET_REFUND)

    def __reduce__(self) -> tuple[Any, ...]:
        return RetryBudget, ()


class Retried(Protocol):
    """The part of a provider that is used here; see :class:`~g4f_lite.Provider`."""

    name: str
    on_retry: OnRetry | None
    budget: RetryBudget
    cool_downs: CoolDowns


def attempts(
    service: Retried,
    exchange: Exchange,
    action: Callable[[], Result],
    retry: RetryLike,
    *,
    model: str | None = None,
    may_be_text: bool = True,
) -> Result:
    """Call ``action`` under a retry policy and the provider's budget.

    Where another provider can be asked, a long wait is not for this call, nor another attempt after a timeout; a
    ``tenacity.Retrying`` goes on as it says.  While a server loads its model, the attempts of a prompt are not counted.

    :param model: the model whose cool-down is kept; None for what is not a prompt
    """
    deadline = exchange.deadline
    policy = _policy_of(retry)
    has_fallback = deadline.allowance.has_fallback and policy is retry
    if has_fallback:
        deadline.patience = min(deadline.patience, policy.max_backoff)

    def counted() -> Result:
        while pause := _pause(service, retry, model, deadline):
            logger.info("%s: waiting %.2f s for a rate limit that another call met", service.name, pause)
            if service.cool_downs.on_wait is not None:
                service.cool_downs.on_wait(pause)
            deadline.waited += pause
            deadline.sleep(pause)
        exchange.attempts += 1
        try:
            return action()
        except G4FLiteError as error:
            if model is not None and names_cool_down(error):
                # For other calls as well, which may have no other provider.
                service.cool_downs.begin(model, getattr(error, "retry_after", 0.0), policy.max_retry_after)
            exchange.scrub(error)  # before the caller's own callbacks see it
            exchange.abandon()
            raise

    def on_retry(error: G4FLiteError, attempt: int, wait: float) -> None:
        exchange.describe(error)
        if getattr(error, "retry_after", None):
            deadline.waited += wait
        logger.info("%s: attempt %d failed, retrying in %.2f s: %s", service.name, attempt, wait, error)
        if service.on_retry is not None:
            service.on_retry(error, attempt, wait)

    controller = retrying(
        retry,
        deadline,
        service.budget,
        on_retry,
        may_be_text=may_be_text,
        after_timeout=not has_fallback,
        while_loading=model is not None,
    )
    try:
        result: Result = controller(counted)
    finally:
        controller.iter_state.reset()  # which would keep the whole call until the next garbage collection
    if service.budget.spent:
        service.budget.give_back()
    return result


def _pause(service: Retried, retry: RetryLike, model: str | None, deadline: Deadline) -> float:
    """Return the seconds to wait before a prompt is sent, for a rate limit of its model; 0 for none."""
    if model is None or retry is None or not service.cool_downs.running:  # as nearly always
        return 0.0
    return service.cool_downs.wait(model, min(_policy_of(retry).max_retry_after, deadline.may_wait()))


def _policy_of(retry: RetryLike) -> RetryPolicy:
    """Return a policy as it is, or the usual numbers for another kind of one, or none."""
    return retry if isinstance(retry, RetryPolicy) else RetryPolicy()


def retrying(
    retry: RetryLike,
    deadline: Deadline,
    budget: RetryBudget,
    on_retry: OnRetry,
    *,
    may_be_text: bool = True,
    after_timeout: bool = True,
    while_loading: bool = True,
    draw: Callable[[float, float], float] = random.uniform,
) -> tenacity.Retrying:
    """Make the tenacity controller of one call; ``retrying(…)(function)`` runs a function under it.

    It is made for each call, not kept: tenacity's statistics are shared between threads (jd/tenacity#701).
    A ``tenacity.Retrying`` of the caller's is copied and keeps its waits and callbacks.

    :param retry: the caller's policy; None for one attempt
    :param deadline: the limits of the call, which ends no wait later than they do
    :param budget: the provider's retries in hand
    :param on_retry: called before each wait with the error, the number of the attempt and the wait in seconds
    :param may_be_text: whether a text from the caller's ``retry_error_callback`` may take the place of the result
    :param after_timeout: whether a request may be sent again after a timeout
    :param while_loading: whether a server that loads its model is waited for, however many attempts that takes
    :param draw: draws a number between two others; a test gives its own
    """
    policy = retry if isinstance(retry, RetryPolicy) else RetryPolicy() if retry else RetryPolicy(attempts=1)
    theirs = retry if isinstance(retry, tenacity.Retrying) else None

    def error_of(state: tenacity.RetryCallState) -> BaseException | None:
        return state.outcome.exception() if state.outcome else None

    def wait(state: tenacity.RetryCallState) -> float:
        asked = getattr(error_of(state), "retry_after", None)
        if asked is not None and (asked >= TRUSTED_SECONDS or state.attempt_number == 1):
            return float(asked)
        drawn = draw(0, min(policy.max_backoff, policy.backoff * 2.0 ** min(state.attempt_number - 1, 60)))
        return max(float(asked or 0.0), drawn)

    def may_help(error: BaseException) -> bool:
        if isinstance(error, DeadlineExceededError) and not after_timeout:
            return False
        return is_retryable(error, policy, deadline.may_wait())

    retryable = tenacity.retry_if_exception(may_help)

    def may_not_go_on(state: tenacity.RetryCallState) -> bool:
        if deadline.ended is not None or state.upcoming_sleep >= deadline.remaining():
            return True
        error = error_of(state)
        if names_cool_down(error) or is_loading(error) or budget.take(policy.budget):
            return False
        if isinstance(error, G4FLiteError):
            error.message += "; not sent again: too many calls of this provider are failing"
            error.args = (error.message,)
        return True

    not_counted = 0

    def was_last(state: tenacity.RetryCallState) -> bool:
        nonlocal not_counted
        not_counted += while_loading and policy.attempts > 1 and is_loading(error_of(state))
        return state.attempt_number - not_counted >= policy.attempts

    def before_sleep(state: tenacity.RetryCallState) -> None:
        error = error_of(state)
        assert isinstance(error, G4FLiteError)
        on_retry(error, state.attempt_number, state.upcoming_sleep)

    if theirs is None:
        return tenacity.Retrying(
            stop=lambda state: was_last(state) or may_not_go_on(state),
            wait=wait,
            retry=retryable,
            sleep=deadline.sleep,
            before_sleep=before_sleep,
            reraise=True,
        )

    def both_before_sleep(state: tenacity.RetryCallState) -> None:
        before_sleep(state)
        if theirs.before_sleep is not None:
            theirs.before_sleep(state)

    def text_instead(state: tenacity.RetryCallState) -> str:
        text = theirs.retry_error_callback(state) if theirs.retry_error_callback else None
        error = error_of(state)
        if isinstance(text, str) or error is None:
            return str(text)
        raise error  # the callback gave no text

    return theirs.copy(
        retry_error_callback=text_instead if may_be_text and theirs.retry_error_callback else None,
        stop=lambda state: bool(theirs.stop(state)) or may_not_go_on(state),
        retry=lambda state: bool(theirs.retry(state)) and retryable(state),
        sleep=deadline.sleep,
        before_sleep=both_before_sleep,
        reraise=True,
    )


def names_cool_down(error: BaseException | None) -> bool:
    """Return whether an error is a rate limit with a time to wait, whose retry costs nothing of the budget."""
    return isinstance(error, RateLimitError) and bool(error.retry_after) and not isinstance(error, QuotaExceededError)


def is_loading(error: BaseException | None) -> bool:
    """Return whether an error says that a server still loads its model, which costs nothing of the budget either."""
    return isinstance(error, ResponseStatusError) and error.loading


def reason_to_wait(name: str, error: G4FLiteError, wait: float) -> str | None:
    """Say for whoever looks on why a call waits now; None where that is not worth a word, or has just been said.

    :param name: the name of the provider
    :param error: the error of the attempt before
    :param wait: the seconds of the wait
    """
    if is_loading(error):
        after = f", after {error.waited:.0f} s" if error.waited else ""
        return f"{name} is still loading its model{after}" if error.waited % TOLD_AGAIN_SECONDS < wait else None
    is_long = getattr(error, "retry_after", None) and wait >= TOLD_SECONDS
    return f"{name} asks to wait {wait:.0f} s" if is_long else None


def is_retryable(error: BaseException | None, policy: RetryPolicy, most: float) -> bool:
    """Return whether the same request may be sent again, and may then succeed.

    :param most: the seconds that the call may wait
    """
    asked = error.retry_after if isinstance(error, ProviderError) else None
    if isinstance(error, ProviderError) and not error.may_retry:
        return False
    if isinstance(error, ServiceError) and error.in_answer:  # the prompt was taken, and may be billed
        return False
    if asked is not None and asked > min(policy.max_retry_after, most):
        return False
    if isinstance(error, TransportError):
        return error.cause in ("connection", "dns")
    if isinstance(error, DeadlineExceededError):
        return error.limit in ("connect", "read")
    if isinstance(error, RateLimitError):  # from status 429, or from a text that says so under any status
        return not isinstance(error, QuotaExceededError) and (error.status != 429 or 429 in policy.statuses)
    return _is_of_its_status(error) and error.status in policy.statuses


def may_pass(error: BaseException | None) -> bool:
    """Return whether an error may pass by itself, so that the same call may work later.

    A limit with an end, a connection, a timeout and a server's trouble may pass; the error of a chain may, if that of
    one member may.  A connection that TLS or a proxy refuses fails until somebody changes a setting, and a used-up
    quota until it is paid for or renewed, which the service may say when.
    """
    if isinstance(error, AllProvidersFailedError):
        return any(map(may_pass, error.errors))
    if isinstance(error, TransportError):
        return error.cause in ("connection", "dns")
    if isinstance(error, RateLimitError):
        return error.retry_after is not None or not isinstance(error, QuotaExceededError)
    if isinstance(error, (DeadlineExceededError, StreamInterruptedError)):
        return True
    return _is_of_its_status(error) and (error.status in PASSING_STATUSES or error.retry_after is not None)


def _is_of_its_status(error: BaseException | None) -> TypeGuard[ProviderError]:
    """Return whether the status of an error says what it is, as no kind of its own does.

    The class of a provider's own error counts as the one of this library that it derives from.
    """
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == ProviderError.__module__)
    return next(kinds, None) in (ProviderError, ResponseStatusError, ServiceError)
