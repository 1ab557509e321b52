"""What the error of one prompt says about the others of its batch."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor

from ..errors import (
    AllProvidersFailedError,
    AuthenticationError,
    DeadlineExceededError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderError,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    QuotaExceededError,
    RateLimitError,
    StoreError,
    TransportError,
)
from .workers import LONGEST_PAUSE

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
_OUT_OF_REACH = frozenset({502, 503, 504, *range(520, 525), 529})  # statuses of what stands before a service


def is_hopeless(error: Exception) -> bool:
    """Return whether an error would meet all other prompts too."""
    if isinstance(error, AllProvidersFailedError):
        return bool(error.errors) and all(map(is_hopeless, error.errors))
    return isinstance(error, HOPELESS)


def is_outage(error: Exception) -> bool:
    """Return whether an error says that the service, or the way to it, is down for now.

    One that came in the midst of an answer does not count: what had begun is never sent again by itself.
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


def wait_named_by(error: Exception) -> float | None:
    """Return the seconds after which a service that refuses a prompt for now says it takes one; None for others.

    None too if functions have been called for the prompt, as they would be called again.
    """
    if getattr(error, "after_calls", False):
        return None
    if isinstance(error, AllProvidersFailedError):
        waits = [wait for wait in map(wait_named_by, error.errors) if wait is not None]
        return min(waits, default=None)
    if not isinstance(error, RateLimitError) or isinstance(error, QuotaExceededError) or error.retry_after is None:
        return None
    return error.retry_after if error.retry_after <= LONGEST_PAUSE else None
