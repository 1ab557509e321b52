"""Everything that g4f_lite raises on its own account: one tree, one root.

    G4FLiteError
    ├── ProviderError                   what a service did
    │   ├── ResponseStatusError         an HTTP status that no better name fits
    │   ├── RateLimitError              too many requests, also when said inside a 200
    │   │   └── QuotaExceededError      a limit that waiting does not lift
    │   ├── AuthenticationError         a refused key, or a token refused after one refresh
    │   ├── ChallengeError              a page that asks for a human being
    │   ├── ServiceError                the service's own error message
    │   ├── ResponseFormatError         not what the protocol says, or larger than it may be
    │   ├── EmptyResponseError          a proper end, and nothing before it
    │   └── StreamInterruptedError      cut, or closed from elsewhere, after the first delta
    ├── TransportError                  refused, reset, DNS, TLS, proxy
    ├── DeadlineExceededError           a time limit of the caller's
    ├── ModelNotSupportedError
    ├── ProviderNotFoundError
    ├── ProviderNotConfiguredError
    ├── AllProvidersFailedError
    ├── EngineError                     the embedded model's process crashed
    └── MissingDependencyError

Many of them are also the `requests` exception that a script written for
`requests` already catches.  Wrong arguments are plain `ValueError` and
`TypeError`.  All pickle; none holds a request or a response.
"""

from __future__ import annotations

from typing import Any

import requests


class G4FLiteError(Exception):
    """The root of every error of this library.

    :param message: what was tried and what to do, in a sentence
    :param provider: the provider's name
    :param step: where it failed: ``"bootstrap"``, ``"prompt"``, ``"stream"`` or ``"image"``
    :param attempts: how many times the request was sent
    :param elapsed: seconds since the call began
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        step: str | None = None,
        attempts: int | None = None,
        elapsed: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.step = step
        self.attempts = attempts
        self.elapsed = elapsed

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.provider, self.step) if part)
        text = f"{place}: {self.message}" if place else self.message
        if self.attempts and self.attempts > 1 and self.elapsed is not None:
            text += f" ({self.attempts} attempts in {self.elapsed:.1f} s)"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._state())

    def _state(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _UNPICKLED}


_UNPICKLED = {"request", "response"}


def _restore(kind: type[G4FLiteError], state: dict[str, Any]) -> G4FLiteError:
    error = kind.__new__(kind)
    error.args = (state["message"],)
    vars(error).update(dict.fromkeys(_UNPICKLED), **state)
    return error


class ProviderError(G4FLiteError):
    """What a service did.

    :param status: the HTTP status, where one was involved
    :param retry_after: the wait in seconds that the service asks for, where it does
    :param partial: the text that had come before
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        partial: str = "",
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.status = status
        self.retry_after = retry_after
        self.partial = partial

    @property
    def status_code(self) -> int | None:
        """The status by the name that OpenAI's client has for it."""
        return self.status


class ResponseStatusError(ProviderError, requests.HTTPError):
    """An HTTP status other than success; ``body`` is the beginning of what came with it."""

    def __init__(self, message: str, *, body: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.body = body


class RateLimitError(ProviderError, requests.HTTPError):
    """Too many requests, whether the status says so or the text."""


class QuotaExceededError(RateLimitError):
    """A used-up limit: paid credit, free tries, a day's allowance."""


class AuthenticationError(ProviderError, requests.HTTPError):
    """A wrong or missing key, or a token that was refused twice."""


class ChallengeError(ProviderError):
    """A bot challenge or captcha page; it is neither retried nor evaded."""


class ServiceError(ProviderError):
    """The service's own error message, whatever the HTTP status."""


class ResponseFormatError(ProviderError, requests.exceptions.InvalidJSONError):
    """An answer that is not what the protocol says, or larger than it may be."""


class EmptyResponseError(ProviderError):
    """An answer with a proper end and no text, image, tool call or reasoning."""


class StreamInterruptedError(ProviderError, requests.exceptions.ChunkedEncodingError):
    """An answer that was cut, or closed from elsewhere, after it had begun."""


class TransportError(G4FLiteError, requests.ConnectionError):
    """The connection could not be made or did not hold.

    :param cause: ``"connection"``, ``"dns"``, ``"tls"`` or ``"proxy"``
    """

    def __init__(self, message: str, *, cause: str = "connection", **context: Any) -> None:
        super().__init__(message, **context)
        self.cause = cause


class DeadlineExceededError(G4FLiteError, requests.Timeout):
    """A time limit passed.

    :param limit: which: ``"connect"``, ``"read"``, ``"total"`` or ``"first"``
    :param partial: the text that had arrived
    """

    def __init__(self, message: str, *, limit: str, partial: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.limit = limit
        self.partial = partial


class ModelNotSupportedError(G4FLiteError, ValueError):
    """A model that the provider does not have.

    :param status: the HTTP status, where it was the service that said so
    """

    def __init__(self, message: str, *, status: int | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.status = status

    @property
    def status_code(self) -> int | None:
        """The status by the name that OpenAI's client has for it."""
        return self.status


class ProviderNotFoundError(G4FLiteError, ValueError):
    """A provider's name that is not registered."""


class ProviderNotConfiguredError(G4FLiteError):
    """A provider that lacks something only the user can give: an address, weights, a permission."""


class AllProvidersFailedError(G4FLiteError):
    """No provider of a chain answered; ``errors`` holds each one's error, in order."""

    def __init__(self, message: str, *, errors: list[G4FLiteError] | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.errors = errors or []


class EngineError(G4FLiteError):
    """The process that runs the embedded model crashed; the next call starts it anew.

    :param last_words: the end of what the process wrote
    :param partial: the text that had arrived
    """

    def __init__(self, message: str, *, last_words: str = "", partial: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.last_words = last_words
        self.partial = partial


class MissingDependencyError(G4FLiteError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""
