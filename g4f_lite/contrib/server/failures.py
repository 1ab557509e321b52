"""Errors as OpenAI's API reports them: a status, and a body that clients of the API read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    G4FLiteError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderError,
    ProviderNotConfiguredError,
    QuotaExceededError,
    RateLimitError,
    TransportError,
)
from ...timeout import REFUSING_STATUSES
from ..failure_status import MAY_PASS, members_of, status_of
from ..replies import retry_after

INVALID = "invalid_request_error"
UPSTREAM = "upstream_error"
NEVER_RETRY = ("x-should-retry", "false")  # OpenAI's clients obey it: the provider's own retries are used up


@dataclass
class ApiError(Exception):
    """A failed request.

    :param status: the HTTP status
    :param message: what happened and what to do, for the person who sent the request
    :param type: the kind of error, as the API names it
    :param code: a word that programs compare, or None
    :param param: the field of the request that is wrong, or None
    :param headers: further headers of the response
    """

    status: int
    message: str
    type: str = INVALID
    code: str | None = None
    param: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the body of the response."""
        fields = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": fields}


def api_error(error: Exception) -> ApiError:
    """Convert an error of a call: the request's own fault is a 4xx, and the provider's a 5xx.

    A key that the provider refused is not the client's key, and therefore not a 401.

    :param error: a G4FLiteError, or the TypeError or ValueError of an argument
    """
    if isinstance(error, AllProvidersFailedError) and error.errors:
        return _of_all(error)
    message = str(error)
    if isinstance(error, ModelNotSupportedError):
        return ApiError(404, message, code="model_not_found", param="model")
    if isinstance(error, ContextLengthExceededError):
        return ApiError(400, message, code="context_length_exceeded")
    if isinstance(error, ContentFilterError):
        return ApiError(400, message, code="content_filter")
    if isinstance(error, QuotaExceededError):
        return ApiError(429, message, "insufficient_quota", "insufficient_quota", headers=[NEVER_RETRY])
    if isinstance(error, RateLimitError):
        return ApiError(
            429, message, "rate_limit_error", "rate_limit_exceeded", headers=_retry_after(error.retry_after)
        )
    if isinstance(error, DeadlineExceededError):
        return ApiError(504, message, UPSTREAM, "timeout", headers=[NEVER_RETRY])
    if isinstance(error, (ProviderNotConfiguredError, MissingDependencyError)):
        return ApiError(503, message, "server_error", "not_configured", headers=[NEVER_RETRY])
    if isinstance(error, AuthenticationError):
        return ApiError(502, message, UPSTREAM, "upstream_authentication", headers=[NEVER_RETRY])
    if isinstance(error, TransportError):
        return ApiError(502, message, UPSTREAM, "connection", headers=[NEVER_RETRY])
    if isinstance(error, ProviderError) and error.status in REFUSING_STATUSES:  # which means the same here
        return ApiError(error.status, message)
    if isinstance(error, G4FLiteError):
        return ApiError(502, message, UPSTREAM, headers=[NEVER_RETRY])
    return ApiError(400, message)


def _of_all(error: AllProvidersFailedError) -> ApiError:
    """Convert the error of a chain: that of the members that decide its status, where they agree.

    A model that no member has is not found, whatever those say that could not be asked.
    """
    asked = [each for each in members_of(error) if not _was_not_asked(each)]
    if asked and all(isinstance(each, ModelNotSupportedError) for each in asked):
        return replace(api_error(asked[0]), message=str(error))
    status, deciding = status_of(error)
    converted = [api_error(each) for each in deciding]
    made = converted[0]
    may_pass, agree = status == MAY_PASS, len({(each.status, each.code) for each in converted}) == 1
    if not agree or (may_pass and made.status != 429):
        made = ApiError(status, "", UPSTREAM, headers=[NEVER_RETRY])
    waits = [wait for each in deciding if may_pass and (wait := getattr(each, "retry_after", None)) is not None]
    return replace(made, message=str(error), headers=_retry_after(min(waits)) if waits else made.headers)


def _was_not_asked(error: G4FLiteError) -> bool:
    """Return whether a member was skipped, lacks a key or could not be reached."""
    if isinstance(error, AuthenticationError):
        return error.status is None
    return error.skipped or isinstance(error, (TransportError, ProviderNotConfiguredError))


def _retry_after(seconds: float | None) -> list[tuple[str, str]]:
    return [] if seconds is None else [("Retry-After", retry_after(seconds))]
