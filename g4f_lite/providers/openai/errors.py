"""Errors as servers of OpenAI's API say them, in whatever place and form → our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from ...errors import (
    AuthenticationError,
    ContentFilterError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderError,
    QuotaExceededError,
    ResponseStatusError,
    ServiceError,
)
from ...http.checks import ERROR_BODY_BYTES, names_failure, shorten
from ...timeout import PASSING_STATUSES
from ..too_long import is_too_long, too_long
from .fields import number_in, text_in
from .rate_limits import is_limit, limit_error
from .reasons import attempt_of, reason_of

_LABELS = ("code", "type", "status", "error_code", "error")
_WORDS = ("message", "msg", "detail", "error_msg", "error_message", "error_description", "status_msg")
_MODEL_CHARACTERS = 1000  # that are shown of the refusal of a model, which may name others, as a chain of several does
_READ_CHARACTERS = 8 * 1024  # of an error's words: to search a million takes a quarter of a second
LOADING_SECONDS = 2.0  # between two looks at whether a server has loaded its model
_SUCCESS = (None, False, "", 0, "0", 200, "200", "ok", "OK", "success", "Success", "SUCCESS")
_GOOD_WORDS = ("complete", "completed", "done", "end", "finished", "length", "ok", "stop", "success", "succeeded")
_FAILED_STATES = ("error", "failed", "fail", "failure")
# Patterns are compiled by re at their first use: a failure needs them, an import does not.
_LOADING = r"(?i)\s*loading (?:the )?model\b|.{0,300}\bis (?:currently |still )?loading\b"
# Codes of Azure and OpenAI, Alibaba, and Mistral.
_FILTERED = r"content_?(?:filter|policy)|responsibleai|data_?inspection_?failed|moderation|guardrail"
# As OpenAI, Google and xAI say it with status 400; and of a model OpenAI, Mistral, Groq and OpenRouter.
_BAD_KEY = r"invalid_api_key|api key not valid|incorrect api key"
_NO_MODEL = r"(?:model_not_found|invalid_model|model_decommissioned)\b|is not a valid model id"
_OF_PROMPT = r"(?i)\bimage input\b|\bmmproj\b|does not support (?:images|image input|vision)"
# Codes that say that the service itself failed, inside an answer whose status says that all is well.
_OF_SERVICE = r"server_?error|internal_?(?:server )?error|api_error|overloaded|unavailable"
_WORDS_OF_FAILURE = r"(?i)error|exception|fail|timed? ?out|unavailable|overloaded"


def tells_of_failure(text: str) -> bool:
    """Return whether plain text in the place of an answer says that something failed."""
    return bool(re.search(_WORDS_OF_FAILURE, text))


def failure_in(fields: dict[str, Any], *, whole: bool = False) -> G4FLiteError | None:
    """Make the error that an object of an answer says; None where it says none.

    :param fields: a chunk, a choice, a delta, or a whole JSON answer
    :param whole: whether the object is all that came, and has no answer in it, so that any words in it are an error's
    """
    told = _told(fields, whole)
    return None if told is None else _of_answer(told, fields)


def failure_beside(fields: dict[str, Any]) -> G4FLiteError | None:
    """Make the error that stands in the ``error`` of a choice, a delta or a message; None where none does."""
    told = _told_apart(fields)
    return None if told is None else _of_answer(told, fields)


def failure_of_choice(choice: dict[str, Any]) -> G4FLiteError | None:
    """Make the error that a choice, its delta or its finish reason says; None where none does."""
    delta = choice.get("delta") or choice.get("message")
    failure = failure_beside(choice) or (failure_beside(delta) if isinstance(delta, dict) else None)
    reason = choice.get("finish_reason")
    if failure is not None or not reason or not names_failure(str(reason)):
        return failure
    own = text_in(choice, "native_finish_reason", "stop_reason")
    more = f" ({own!r})" if own and own != reason else ""
    text = f"the service broke the answer off with finish_reason {reason!r}{more}"
    is_of_model = "malformed" in str(reason).lower()  # as a function call that the model wrote wrong
    return with_body(ServiceError(text) if is_of_model else _failed_in_answer(text, 500), choice)


def _of_answer(told: Any, sent: dict[str, Any]) -> G4FLiteError:
    error = error_of(told, None, sent) or ServiceError(f"the service says that it failed: {shorten(json.dumps(sent))}")
    return with_body(error, sent)


def with_body(error: G4FLiteError, sent: Any) -> G4FLiteError:
    """Put what a service sent into the error that was made of it."""
    if isinstance(error, (ProviderError, ModelNotSupportedError)) and not error.body:
        error.body = (sent if isinstance(sent, str) else json.dumps(sent, ensure_ascii=False))[:ERROR_BODY_BYTES]
    return error


def _told(fields: dict[str, Any], whole: bool) -> Any:
    """Return what of an object says failure; None where nothing does."""
    if (told := _told_apart(fields)) is not None:
        return told
    states = (fields.get("object"), fields.get("type"), fields.get("status"))
    if any(state.lower() in _FAILED_STATES for state in states if isinstance(state, str)):
        return fields
    if fields.get("success") is False or fields.get("ok") is False or fields.get("failed") is True:
        return fields
    if (number_in(fields.get("base_resp"), "status_code") or 0) != 0:  # as MiniMax says it
        return {"code": fields["base_resp"]["status_code"], **fields["base_resp"]}
    if fields.get("choices"):
        return None
    codes = [fields.get(name) for name in ("code", "error_code")]
    has_code = _status_in(fields) is not None or any(map(_is_error_code, codes))
    if text_in(fields, *_WORDS) and (whole or has_code):
        return fields
    return fields if whole and (fields.get("detail") or _is_told_alone(fields)) else None


def _is_told_alone(fields: dict[str, Any]) -> bool:
    """Return whether an object that is all there is tells of a failure by its kind, an exception or a reason."""
    kinds = [fields.get(name) for name in ("type", "event", "status", "state")]
    says_so = bool(fields.get("exception")) or tells_of_failure(text_in(fields, "reason"))
    return says_so or any(names_failure(kind) for kind in kinds if isinstance(kind, str))


def told_at_end(chunks: Iterable[Any]) -> G4FLiteError | None:
    """Make the error of the last object of an answer which did not say that it was complete; None where it says none.

    :param chunks: the last ones, the very last first
    """
    for chunk in chunks:
        if not isinstance(chunk, dict) or chunk.get("choices"):
            return None
        words = text_in(chunk, *_WORDS)
        if not (words and words.lower() in _GOOD_WORDS) and (failure := failure_in(chunk, whole=True)):
            return failure
        if not chunk.get("usage"):
            return None
    return None


def _told_apart(fields: dict[str, Any]) -> Any:
    """Return what an ``error`` field says; None where there is none."""
    for name in ("error", "errors"):
        told = fields.get(name)
        if told and _says_something(told):
            # Some write a code there, and the words beside it.
            return fields if told is True or (isinstance(told, str) and text_in(fields, *_WORDS)) else told
    return None


def _says_something(value: Any) -> bool:
    """Return whether a field says anything: ``{"message": "", "code": 0}`` does not."""
    if isinstance(value, dict):
        return any(_says_something(inner) for inner in value.values())
    if isinstance(value, list):
        return any(map(_says_something, value))
    return bool(value) and value not in ("null", "None", "none")


def _is_error_code(code: Any) -> bool:
    return isinstance(code, (int, str)) and code not in _SUCCESS


def service_error(status: int, parsed: Any) -> G4FLiteError | None:
    """Read the JSON of a refused request; None where it is not an error of the service's own."""
    if isinstance(parsed, list) and len(parsed) == 1:  # as Google sends it
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return None
    return error_of(_told(parsed, whole=True), status, parsed)


def error_of(error: Any, status: int | None, sent: dict[str, Any]) -> G4FLiteError | None:
    """Make our error of an error object, of any of the shapes in use.

    The error has the status that services agree on: of some refusals a server says another one.

    :param status: the HTTP status of a refused request; None inside an answer, where the error's code may be one
    :param sent: the object that the error stood in
    """
    if not _says_something(error):
        return None
    if isinstance(error, list) and len(error) == 1:
        error = error[0]
    said = reason_of(error)[:_READ_CHARACTERS]
    text = shorten(said or json.dumps(error))
    if attempt := attempt_of(error):
        text += f" The model wrote: {shorten(attempt)}"
    labels = [error.get(name) for name in _LABELS] if isinstance(error, dict) else []
    label = " ".join(str(each) for each in labels if isinstance(each, (str, int)))
    label = label[:_READ_CHARACTERS].lower()
    code = _status_in(error) if status is None else status
    if is_too_long(label, said, code):
        return too_long(text, code)
    if re.search(_OF_PROMPT, said):  # llama.cpp and Ollama say 500, which would look as if it could pass
        return ServiceError(text, status=400, may_retry=False)
    is_passing = status is not None and (status in PASSING_STATUSES or status >= 500)
    if is_passing:  # else the words alone say what has to be mended
        text = f"status {status}: {text}"
    if is_limit(label, said, code):
        return limit_error(error if isinstance(error, dict) else sent, label, said, text, code)
    words = re.sub(r"/\S*", "", said).lower()  # without paths, such as that of a list of models
    if re.search(_NO_MODEL, f"{label} {words}") or (code == 404 and "model" in words):
        return ModelNotSupportedError(shorten(said, _MODEL_CHARACTERS) or text, status=code)
    kind: type[ProviderError] = ServiceError
    is_moderated = code == 403 and "input was flagged" in words  # as OpenRouter says it
    if (
        (code in (401, 403) and not is_moderated)
        or "authentica" in label
        or re.search(_BAD_KEY, f"{label} {said.lower()}")
    ):
        kind = AuthenticationError
    elif code == 402:
        kind = QuotaExceededError
    elif is_moderated or re.search(_FILTERED, label):
        kind = ContentFilterError
    elif status is None and (code in PASSING_STATUSES or (code is None and re.search(_OF_SERVICE, label))):
        return _failed_in_answer(text, code or (529 if "overloaded" in label else 500))
    elif status == 503 and re.match(_LOADING, said) and not re.search(_WORDS_OF_FAILURE, said):
        return _still_loading(text)
    elif is_passing:
        return ResponseStatusError(text, status=status)
    return kind(text, status=code, may_retry=False)


def _failed_in_answer(text: str, status: int) -> ServiceError:
    """Make the error of a service that failed after it had taken the prompt: it may be billed, and works later.

    :param status: the status that such a failure has where it is told in time
    """
    error = ServiceError(text, status=status)
    error.in_answer = True
    return error


def _still_loading(text: str) -> ResponseStatusError:
    """Make the error of a server that loads its model, such as llama.cpp's, which may take minutes."""
    text += "; wait until the server has loaded it, or pass a longer timeout="
    error = ResponseStatusError(text, status=503, retry_after=LOADING_SECONDS)
    error.loading = True
    return error


def _status_in(error: Any) -> int | None:
    """Find the HTTP status that gateways put into an error inside an answer, as its code."""
    for name in ("code", "status", "status_code", "error_code"):
        code = error.get(name) if isinstance(error, dict) else None
        if isinstance(code, str) and re.fullmatch(r"[45]\d\d", code, re.ASCII):
            code = int(code)
        if isinstance(code, int) and 400 <= code <= 599:
            return code
    return None
