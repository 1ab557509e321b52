"""What a visitor is told of an error: a status and a sentence, without the provider's name or a service's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, jsonify

from ...errors import (
    AllProvidersFailedError,
    ConversationNotFoundError,
    DeadlineExceededError,
    ProviderError,
    RateLimitError,
)
from ...http.retry import may_pass
from .. import replies
from .log import asked_now, log

SENTENCES_KEY = "G4F_LITE_SENTENCES"
CUT = "cut"  # in the place of a status
SENTENCES: dict[int | str, str] = {
    404: "There is no such conversation.",
    502: "There is no answer at the moment. Please try again later.",
    503: "The service is not available at the moment. Please try again later.",
    504: "The answer took too long. Please try again.",
    CUT: "The answer was cut off. Please try again.",  # in the place of 502's, to somebody who has read its beginning
}
RETRY_SECONDS = 60.0  # after a rate limit of unknown length; most of them are per minute


class Explanation(NamedTuple):
    """What a visitor is told.

    :param retry_after: the seconds after which to try again, if that may help
    """

    status: int
    text: str
    retry_after: float | None = None


def explain(error: BaseException, app: Flask, *, begun: bool = False) -> Explanation:
    """Return what a visitor of an app is told of an error.

    :param begun: whether the visitor has the beginning of the answer
    """
    status, retry_after = _status(error)
    key = CUT if begun and status == 502 else status
    return Explanation(status, {**SENTENCES, **(app.config.get(SENTENCES_KEY) or {})}[key], retry_after)


def check_sentences(config: Mapping[str, Any]) -> None:
    """Check the app's own sentences.

    :raises TypeError: if they are not strings by the number of a status, or ``"cut"``
    :raises ValueError: if there is one for something else, such as a status that visitors do not get
    """
    own = config.get(SENTENCES_KEY) or {}
    if not isinstance(own, Mapping) or not all(isinstance(sentence, str) for sentence in own.values()):
        raise TypeError(
            f"{SENTENCES_KEY} must be strings by status, such as {{502: 'Keine Antwort.'}}, not {own!r:.80}"
        )
    for status in own:
        if status not in SENTENCES:
            raise ValueError(f"{SENTENCES_KEY}: {status!r:.80} is not one of {', '.join(map(str, SENTENCES))}")


def _status(error: BaseException) -> tuple[int, float | None]:
    """Return the status for an error, and when to try again: of a chain's, when the first member may answer."""
    if isinstance(error, AllProvidersFailedError) and error.errors:
        parts = [_status(part) for part in error.errors]
        waits = [wait for _, wait in parts if wait is not None]
        statuses = {status for status, _ in parts}
        return (503, min(waits)) if waits else (statuses.pop() if len(statuses) == 1 else 502, None)
    if isinstance(error, ProviderError) and may_pass(error):
        if error.retry_after is not None:
            return 503, error.retry_after
        if isinstance(error, RateLimitError):
            return 503, RETRY_SECONDS
    if isinstance(error, DeadlineExceededError):
        return 504, None
    return (404 if isinstance(error, ConversationNotFoundError) else 502), None


def error_response(error: BaseException) -> Response:
    """Return the response for an error of a call, and log the error with ``app.logger``; it is also an error handler::

        app.register_error_handler(G4FLiteError, error_response)

    The status is 503 with Retry-After for a rate limit, where the service names a wait, and of a chain while a member
    is skipped because its server is down; 504 for a timeout; 404 for a conversation that does not exist; 502 for all
    else, such as a used-up quota.  What may pass by itself is logged as a warning of one line, the rest as
    an error with its traceback; a 404 is not logged.  The body is a sentence for visitors, as JSON: ``{"error": …}``;
    those of ``app.config["G4F_LITE_SENTENCES"]``, by status, replace the English ones.

    :param error: what the call raised
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    status, text, retry_after = explain(error, app)
    if status >= 500:  # what a visitor asked for in vain is in the server's log of requests
        log(app, error, asked_now())
    response = jsonify(error=text)
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = replies.retry_after(retry_after)
    return response
