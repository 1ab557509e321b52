"""What the error of one prompt says about the others of its batch."""

from __future__ import annotations

import re
from concurrent.futures import BrokenExecutor
from typing import NamedTuple

from ..errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderError,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    StoreError,
    StreamInterruptedError,
    TransportError,
)
from ..http.failures import closed_by_peer
from ..providers.failure_words import is_of_one_prompt
from ..timeout import PASSING_STATUSES
from .workers import LEAST_PAUSE, LONGEST_PAUSE

MOST_FAILURES = 20  # in a row
_OF_PROMPTS = 5  # times as many stop a batch where each is of its own prompt

# Errors that would meet every later prompt as well.
HOPELESS = (
    BrokenExecutor,
    AuthenticationError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    QuotaExceededError,
    StoreError,
)
_OF_TEXT = (ContentFilterError, ContextLengthExceededError)  # of which many may come first, as in a sorted table
_OF_SERVER = frozenset(status for status in PASSING_STATUSES if status >= 500)
_OUT_OF_REACH = frozenset({502, 503, 504, *range(520, 525), 529})  # statuses of what stands before a service


class TooMany(NamedTuple):
    """So many failures in a row that they stop a batch.

    :param told: the number, and how to change it
    :param of_prompts: whether most of them say nothing about the service, so that the prompts would fail again
    """

    told: str
    of_prompts: bool


class FailuresInARow:
    """Counts the failures since the last answer, up to those that stop the batch.

    What is of one prompt says nothing about the others, so that more of these are let pass.  Some have to stop it, too,
    because a service that is out of order may fail in such a way, as by empty answers to all.

    :param most: how many failures of the service stop the batch
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_service = self._of_prompts = 0
        self._alike: dict[str, int] = {}  # how often each, before the first answer

    def end(self) -> None:
        """Begin anew, after an answer."""
        self._of_service = self._of_prompts = 0

    def add(self, error: Exception, *, has_answered: bool = True) -> TooMany | None:
        """Count a failure, and return whether they are too many now.

        :param has_answered: whether the service has answered any prompt; if not, what all say alike may be of none of
            them, as a parameter that it refuses
        """
        if is_of_one_prompt(error):
            self._of_prompts += 1
            if not has_answered and not isinstance(error, _OF_TEXT):
                kind = re.sub(r"\d+", "", str(error))
                self._alike[kind] = self._alike.get(kind, 0) + 1
                if self._alike[kind] >= self._most:
                    kind = f"{self._most} prompts that fail alike before the first answer"
                    return TooMany(f"{kind}, or N with max_failures_in_a_row=N", of_prompts=False)
        else:
            self._of_service += 1
        if self._of_service >= self._most:
            return TooMany(f"{self._most} failures in a row, or N with max_failures_in_a_row=N", of_prompts=False)
        if self._of_service + self._of_prompts >= (most := _OF_PROMPTS * self._most):
            kind = f"{most} prompts in a row that fail for reasons of their own"
            return TooMany(f"{kind}, or {_OF_PROMPTS} × N with max_failures_in_a_row=N", of_prompts=True)
        return None


def is_hopeless(error: Exception, *, has_answered: bool) -> bool:
    """Return whether an error would meet all other prompts too.

    :param has_answered: whether the service has answered before; a 403 is then of one prompt, as a filter gives it
    """
    if isinstance(error, AllProvidersFailedError):
        return bool(error.errors) and all(is_hopeless(each, has_answered=has_answered) for each in error.errors)
    if has_answered and isinstance(error, AuthenticationError) and is_of_one_prompt(error):
        return False
    return isinstance(error, HOPELESS)


def is_outage(error: Exception) -> bool:
    """Return whether an error says that the service, or the way to it, is down for now.

    One that came in the midst of an answer does not count: such a prompt may be paid for again, and is sent once more.
    """
    if getattr(error, "after_calls", False):
        return False
    if isinstance(error, AllProvidersFailedError):
        return bool(error.errors) and all(map(is_outage, error.errors))
    if isinstance(error, DeadlineExceededError):
        return error.limit == "connect"
    if isinstance(error, TransportError):
        return True
    if type(error) is ProviderError and error.status is None:  # a member of a chain that is skipped for this time
        return error.retry_after is not None
    in_answer = isinstance(error, ProviderError) and (error.step == "stream" or error.partial)
    return not isinstance(error, RateLimitError) and not in_answer and getattr(error, "status", None) in _OUT_OF_REACH


def is_unmistakable(error: Exception) -> bool:
    """Return whether an outage is one of the service: there was no connection, so that no prompt can be the reason."""
    if isinstance(error, AllProvidersFailedError):  # a member that is left out says nothing of the prompt
        return all(each.skipped or is_unmistakable(each) for each in error.errors)
    if isinstance(error, DeadlineExceededError):
        return error.limit == "connect"
    return isinstance(error, TransportError) and not closed_by_peer(error)


def may_be_sent_again(error: Exception, *, has_answered: bool) -> bool:
    """Return whether a server cut an answer or failed, or sent nothing in time, and the call may be repeated.

    A page in the place of an answer, as of a gateway that is being looked after, is a failure too.  An answer of which
    a part came within the time limit is not asked for again: it would be as long.

    Nobody has seen a part of an answer in a batch.

    :param has_answered: whether the service has answered before; one that never did fails at everything
    """
    if isinstance(error, AllProvidersFailedError):
        return any(may_be_sent_again(each, has_answered=has_answered) for each in error.errors)
    if _is_unanswered(error):
        return has_answered
    if not isinstance(error, ProviderError) or isinstance(error, RateLimitError) or error.after_calls:
        return False
    is_page = isinstance(error, ResponseFormatError) and not is_of_one_prompt(error) and not error.partial
    is_of_server = has_answered and (error.status in _OF_SERVER or is_page)
    return error.may_retry and (isinstance(error, StreamInterruptedError) or is_of_server)


def _is_unanswered(error: Exception) -> bool:
    """Return whether a call was sent, and nothing of its answer came in time."""
    if not isinstance(error, DeadlineExceededError) or error.limit == "connect":
        return False
    return not error.partial and not error.after_calls


def is_refused_for_now(error: Exception) -> bool:
    """Return whether a service refuses a prompt because of a rate limit, and may take it within a day.

    Not so if functions have been called for the prompt, because they would be called again, and if a member of a chain
    refused this prompt only: the others need not wait for a busy member while that one answers them.
    """
    if getattr(error, "after_calls", False):
        return False
    if isinstance(error, AllProvidersFailedError):
        is_of_prompt = any(is_of_one_prompt(each) and not is_hopeless(each, has_answered=True) for each in error.errors)
        return not is_of_prompt and any(map(is_refused_for_now, error.errors))
    if not isinstance(error, RateLimitError) or isinstance(error, QuotaExceededError):
        return False
    return error.retry_after is None or error.retry_after <= LONGEST_PAUSE


def wait_named_by(error: Exception) -> float | None:
    """Return the seconds after which a service that refuses a prompt for now says it takes one; None for others.

    None too for less than a second, as after ``Retry-After: 0`` of a service that then refuses it again.  Of a chain it
    is the shortest wait, and None if one of those that refuse for now names none.
    """
    if not is_refused_for_now(error):
        return None
    if isinstance(error, AllProvidersFailedError):
        waits = [wait_named_by(each) for each in error.errors if is_refused_for_now(each)]
        named = [wait for wait in waits if wait is not None]
        return min(named) if len(named) == len(waits) else None
    wait = error.retry_after if isinstance(error, RateLimitError) else None
    return None if wait is None or wait < LEAST_PAUSE else wait
