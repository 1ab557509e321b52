"""What a visitor is told of an error: a status and a sentence, without the provider's name or a service's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, jsonify

from ...errors import ConversationNotFoundError, RateLimitError
from .. import replies
from ..failure_status import MAY_PASS, status_of
from .failed_calls import asked_now, log

SENTENCES_KEY = "G4F_LITE_SENTENCES"
CUT = "cut"  # in the place of a status
SENTENCES: dict[int | str, str] = {
    404: "There is no such conversation.",
    413: "The question, or the chat before it, is too long. Please shorten the question, or start a new chat.",
    502: "There is no answer at the moment. Please try again later.",
    503: "The service is not available at the moment. Please try again later.",
    504: "The answer took too long. Please try again.",
    CUT: "The answer was cut off. Please try again.",  # in the place of 502's, to somebody who has read its beginning
}
LIMIT_SECONDS = 60.0  # of a rate limit of unknown length; most of them are per minute
OUTAGE_SECONDS = 30.0  # of an outage of unknown length; a chain skips a member that is down for as long


class Explanation(NamedTuple):
    """What a visitor is told.

    :param retry_after: with status 503, the seconds after which to try again
    """

    status: int
    text: str
    retry_after: float | None = None


def explain(error: BaseException, app: Flask, *, begun: bool = False) -> Explanation:
    """Return what a visitor of an app is told of an error.

    :param begun: whether the visitor has the beginning of the answer
    """
    status, retry_after = _status(error)
    if begun and status == 503 and getattr(error, "retry_after", None) is None:
        status, retry_after = 502, None  # a service that has begun an answer is not down
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
    """Return the status for an error, and when to try again."""
    if isinstance(error, ConversationNotFoundError):
        return 404, None
    status, errors = status_of(error)
    return status, min(map(_wait, errors)) if status == MAY_PASS else None


def _wait(error: BaseException) -> float:
    """Return the seconds after which a call may work that has failed with this error."""
    wait: float | None = getattr(error, "retry_after", None)
    if wait is not None:
        return wait
    return LIMIT_SECONDS if isinstance(error, RateLimitError) else OUTAGE_SECONDS


def error_response(error: BaseException) -> Response:
    """Return the response for an error of a call, and log the error with ``app.logger``; it is also an error handler::

        app.register_error_handler(G4FLiteError, error_response)

    The status is

    - 413 for a prompt that is too long for the model; of a chain, for one of its models at least,
    - 503, with Retry-After, for what may pass by itself: a rate limit, a server that is down or says that it fails, and
      of a chain, if that is so for one member at least, whether it was asked or skipped; Retry-After is the shortest
      of the waits, each 30 s for an outage and 60 s for a rate limit where neither the service nor the chain names it,
    - 504 for a timeout, 404 for a conversation that does not exist,
    - 502 for all else, such as a wrong key, a used-up quota or an answer that was cut.

    Each but 404 is one line of the log, with the request: a warning for 413 and what may pass by itself, else an error,
    with a traceback only for a mistake in the code of the app or of a provider.  The body is a sentence for visitors,
    as JSON: ``{"error": …}``; those of ``app.config["G4F_LITE_SENTENCES"]``, by status, replace the English ones.

    :param error: what the call raised
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    status, text, retry_after = explain(error, app)
    if status != 404:  # what a visitor asked for in vain is in the server's log of requests
        log(app, error, asked_now())
    response = jsonify(error=text)
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = replies.retry_after(retry_after)
    return response
