"""What the failure of a chain's member tells the callers after it: whether it is the member's own, and in which words.

What any other prompt would have met as well is the member's own.  What is said of one prompt only is not: a service
that says so works, and three such prompts of one caller would take it from all others.

The words are read by other callers than the one whose call failed, so they are this library's own, with the numbers
that it knows: nothing that a service sent or a caller wrote is in them.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ChallengeError,
    DeadlineExceededError,
    EmptyResponseError,
    EngineError,
    G4FLiteError,
    HookError,
    ModelNotSupportedError,
    OutputError,
    ProviderError,
    ProviderNotConfiguredError,
    QuotaExceededError,
    RateLimitError,
    RefusalError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from ..http.signals import links_of
from ..timeout import PASSING_STATUSES

# Of each kind of error, the words; None where it is no failure of the member, so that another call may well succeed.
_WORDS: dict[type[G4FLiteError], str | None] = {
    ProviderError: "an error",
    ResponseStatusError: "an error",
    RateLimitError: "too many requests",
    QuotaExceededError: "its quota is used up",
    AuthenticationError: "it did not accept the key",
    ChallengeError: "it asked for a human being",
    ServiceError: None,  # the service works, and refuses this call
    HookError: None,  # nothing is saved by leaving it out, and other prompts may not come to the mistake
    ResponseFormatError: "what it sent could not be read",
    OutputError: None,  # the caller's own type
    RefusalError: None,
    EmptyResponseError: "its answer was empty",
    StreamInterruptedError: "its answer was cut",
    TransportError: "the connection failed",
    DeadlineExceededError: "no answer in time",
    EngineError: "its process failed",
    AllProvidersFailedError: "no provider answered",
    ModelNotSupportedError: None,
    ProviderNotConfiguredError: None,  # it costs nothing to ask, and may be mended at any moment
    G4FLiteError: None,  # of files, tools and packages, which no service is at fault for
}
_CAUSES = {"dns": "its name could not be looked up", "tls": "TLS failed", "proxy": "the proxy did not let it through"}
_LIMITS = {"connect": "no connection", "read": "silence in its answer"}


def words_of(error: G4FLiteError) -> str | None:
    """Return how other callers are told of a member's failure; None if it is not one of the member itself.

    The class of a provider's own error counts as the one of this library that it derives from.
    """
    kind = next(kind for kind in type(error).__mro__ if kind in _WORDS)
    status = getattr(error, "status", None)
    if error.skipped or _is_of_this_prompt(kind, status):
        return None
    if isinstance(error, EmptyResponseError) and error.ended:
        return None  # as by the caller's own max_tokens, or a filter, behind which Gemini has no choices
    if isinstance(error, AllProvidersFailedError) and not any(map(words_of, error.errors)):
        return None
    words = "an error" if isinstance(error, ServiceError) and error.in_answer else _WORDS[kind]
    if isinstance(error, TransportError):
        codes = (link.errno for link in links_of(error) if isinstance(link, OSError) and error.cause == "connection")
        code = next(filter(None, codes), None)  # the system's, such as that of a refused connection
        return f"{words}: {os.strerror(code)}" if code else _CAUSES.get(error.cause, words)
    if isinstance(error, DeadlineExceededError) and error.seconds is not None:
        return f"{_LIMITS.get(error.limit, 'no answer')} for {error.seconds:g} s"
    return f"{words}, status {status}" if words and isinstance(status, int) and status >= 400 else words


def is_of_one_prompt(error: Exception) -> bool:
    """Return whether an error is of one prompt, so that another one may well be answered.

    One of a chain that asked none of its members says nothing about the prompt.
    """
    return isinstance(error, G4FLiteError) and not is_skipped(error) and words_of(error) is None


def is_skipped(error: Exception) -> bool:
    """Return whether nothing was sent, because a chain skips its members for now, or this one."""
    if isinstance(error, AllProvidersFailedError):
        return error.skipped or all(map(is_skipped, error.errors))
    return isinstance(error, G4FLiteError) and error.skipped


def _is_of_this_prompt(kind: type[G4FLiteError], status: Any) -> bool:
    """Return whether an error's status refuses one prompt, as a filter or a firewall does that dislikes its words.

    Those that pass by waiting are of all prompts, and so is 500: a service that is down answers each with it.
    """
    if kind is AuthenticationError:
        return bool(status == 403)
    if kind not in (ProviderError, ResponseStatusError) or not isinstance(status, int):
        return False
    return status == 501 or (400 <= status < 500 and status not in PASSING_STATUSES)
