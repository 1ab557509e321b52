"""What a visitor is told of an error: a status and a sentence, without the provider's name or a service's words."""

from __future__ import annotations

import math
from typing import NamedTuple

from flask import Flask, Response, current_app, jsonify

from ...errors import (
    AllProvidersFailedError,
    ConversationNotFoundError,
    DeadlineExceededError,
    QuotaExceededError,
    RateLimitError,
)
from .. import replies

RETRY_SECONDS = 60.0  # after a rate limit of unknown length; most of them are per minute


class Explanation(NamedTuple):
    """What a visitor is told.

    :param retry_after: the seconds after which to try again, if that may help
    """

    status: int
    text: str
    retry_after: float | None = None


def explain(error: BaseException) -> Explanation:
    """Return what a visitor is told of an error; of a chain's, by the errors of all its members."""
    if isinstance(error, AllProvidersFailedError) and error.errors:
        parts = [explain(part) for part in error.errors]
        if len({part.status for part in parts}) == 1:
            return min(parts, key=lambda part: math.inf if part.retry_after is None else part.retry_after)
    if isinstance(error, RateLimitError):
        wait = error.retry_after
        if wait is None and not isinstance(error, QuotaExceededError):
            wait = RETRY_SECONDS
        return Explanation(503, "There are too many requests at the moment. Please try again later.", wait)
    if isinstance(error, DeadlineExceededError):
        return Explanation(504, "The answer took too long. Please try again.")
    if isinstance(error, ConversationNotFoundError):
        return Explanation(404, "There is no such conversation.")
    return Explanation(502, "There is no answer at the moment. Please try again later.")


def error_response(error: BaseException) -> Response:
    """Return the response for an error of a call, and log the error with ``app.logger``; it is also an error handler::

        app.register_error_handler(G4FLiteError, error_response)

    The status is 503 for a rate limit, with Retry-After; 504 for a timeout; 404 for a conversation that does not exist;
    502 for all else.  A 404 is not logged.  The body is a sentence for visitors, as JSON: ``{"error": …}``.

    :param error: what the call raised
    """
    status, text, retry_after = explain(error)
    if status >= 500:  # what a visitor asked for in vain is in the server's log of requests
        log(current_app._get_current_object(), error)  # type: ignore[attr-defined]
    response = jsonify(error=text)
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = replies.retry_after(retry_after)
    return response


def log(app: Flask, error: BaseException) -> None:
    """Log an error, whose text is for the people who run the app, where they read the app's own errors.

    Python is silent about a logger without a handler, as this library's are; Flask gives the app's one.
    """
    app.logger.error("no answer: %s", error, exc_info=error)
