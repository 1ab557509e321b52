"""What the failure of a chain's member tells the callers after it: whether it is the member's own, and in which words.

The words are read by other callers than the one whose call failed, so they are this library's own, with the numbers
that it knows: nothing that a service sent or a caller wrote is in them.
"""

from __future__ import annotations

import os

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
from ..timeout import REFUSING_STATUSES

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
    if error.skipped or (kind in (ProviderError, ResponseStatusError) and status in REFUSING_STATUSES):
        return None
    if isinstance(error, EmptyResponseError) and error.finish_reason is not None:
        return None  # the service ended it so, as by the caller's own max_tokens
    if isinstance(error, AllProvidersFailedError) and not any(map(words_of, error.errors)):
        return None
    words = _WORDS[kind]
    if isinstance(error, TransportError):
        codes = (link.errno for link in links_of(error) if isinstance(link, OSError) and error.cause == "connection")
        code = next(filter(None, codes), None)  # the system's, such as that of a refused connection
        return f"{words}: {os.strerror(code)}" if code else _CAUSES.get(error.cause, words)
    if isinstance(error, DeadlineExceededError) and error.seconds is not None:
        return f"{_LIMITS.get(error.limit, 'no answer')} for {error.seconds:g} s"
    return f"{words}, status {status}" if words and isinstance(status, int) and status >= 400 else words
