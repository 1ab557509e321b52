"""The exceptions of g4f_lite: one tree with one root::

    G4FLiteError
    ├── ProviderError                   an error on the service's side
    │   ├── ResponseStatusError         an HTTP status without a more specific error
    │   ├── RateLimitError              too many requests, even if reported with status 200
    │   │   └── QuotaExceededError      a used-up quota, which waiting does not restore
    │   ├── AuthenticationError         a rejected key, or a token rejected after one refresh
    │   ├── ChallengeError              a bot challenge or captcha page
    │   ├── ServiceError                the service's own error message
    │   │   ├── ContextLengthExceededError  a prompt that is too long for the model
    │   │   └── ContentFilterError  a prompt, or an answer, that the service's filter holds back
    │   ├── HookError                   a mistake in the code of a provider
    │   ├── ResponseFormatError         an answer that violates the protocol or a size limit
    │   │   ├── NotJsonError            text that is not JSON, where Answer.json() or a tool needs it
    │   │   └── OutputError             a typed answer that does not fit its type
    │   │       └── OutputTruncatedError    one that was cut: by max_tokens or by a content filter
    │   ├── RefusalError                a refusal in the place of a typed answer
    │   ├── EmptyResponseError          a complete answer without content
    │   └── StreamInterruptedError      an answer cut or closed after the first delta
    ├── TransportError                  connection, DNS, TLS or proxy
    ├── DeadlineExceededError           a timeout
    ├── ModelNotSupportedError
    ├── ProviderNotFoundError
    ├── ProviderNotConfiguredError
    ├── AllProvidersFailedError
    ├── ConversationChangedError        a file that another program has changed
    ├── ConversationNotFoundError       an id that is not in a file of ``Conversations``
    ├── EngineError                     the process of the embedded model crashed, or lacks memory
    ├── BatchStoppedError               a batch that cannot go on
    ├── CostLimitError                  the max_cost of a batch, which is reached
    ├── StoreError                      a file of answers or conversations that cannot be used
    │   └── ConversationFileError       a file that is not a list of messages
    ├── ToolDenied                      a tool call that was not allowed; the model is told
    ├── TurnsExceededError              a model that goes on calling tools
    └── MissingDependencyError

Many of them also derive from the ``requests`` exception that a script written for ``requests`` already catches.
Invalid arguments raise plain ``ValueError`` and ``TypeError``.  All can be pickled; none holds a request or a response.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import requests

# A terminal obeys control characters: they move the cursor, set its title or the clipboard.  A carriage return could
# hide what is before it, and the characters that turn the direction of writing show a text as another one.
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HARMLESS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *_TURNING), "\N{REPLACEMENT CHARACTER}")
_HARMLESS |= {ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}
# Where texts are joined by semicolons: the period of "Slow down.; try again", the semicolon of "Is it on?; start it".
_DOUBLE_MARKS = r"(?<!\.)[.。](?=; )|(?<=[?!]);(?= )"
PARTIAL_HINT = "; what had arrived is in .partial of this error"
_NOT_OWN = (os.path.dirname(__file__), os.path.dirname(os.__file__), "<")  # files that are not the caller's
_UNPICKLED = {"request", "response", "results"}
_MAGIC = "get_ipython().run_"  # the beginning of what IPython makes of a magic: all of its cell, in one line


def sanitize(text: str) -> str:
    """Return a text without the characters that a terminal obeys: control characters, and turns of its direction."""
    return text.translate(_HARMLESS)


def without_double_marks(text: str) -> str:
    """Return a text that was joined by semicolons, without a second mark where a part ends with a mark of its own."""
    return re.sub(_DOUBLE_MARKS, "", text)


class G4FLiteError(Exception):
    """The base class of all errors of this library.

    :param message: what happened and what to do, in one sentence
    :param provider: the name of the provider
    :param step: where the call failed: ``"bootstrap"``, ``"prompt"``, ``"stream"``, ``"image"`` or ``"batch"``
    :param attempts: how many times the request was sent
    :param elapsed: seconds since the call began
    :param partial: the text of the answer that had arrived
    :param skipped: whether a chain left the provider out, so that it was not asked
    :ivar waited: seconds of ``elapsed`` that the call waited because the service had asked for it
    :ivar after_calls: whether the model had called tools before: to ask again is to call the functions again
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        step: str | None = None,
        attempts: int | None = None,
        elapsed: float | None = None,
        partial: str = "",
        skipped: bool = False,
    ) -> None:
        message = sanitize(message)  # it may quote a service
        super().__init__(message)
        self.message, self.provider, self.step = message, provider, step
        self.attempts, self.elapsed, self.waited = attempts, elapsed, 0.0
        self.partial, self.skipped, self.after_calls = partial, skipped, False

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.provider, self.step) if part)
        text = f"{place}: {self.message}" if place else self.message
        if self.attempts and self.attempts > 1 and self.elapsed is not None:
            text += f" ({self.attempts} attempts in {self.elapsed:.1f} s)"
        if self.waited:
            text += f"; the call waited {self.waited:.1f} s because the service had asked for it"
        if isinstance(self, RateLimitError) and (wait := self.retry_after):
            text += f"; try again in {wait:.2g} s" if wait < 9.5 else f"; try again in {wait:.0f} s"
        if self.partial and not isinstance(self, (ResponseFormatError, RefusalError)):  # whose messages are about it
            text += PARTIAL_HINT
        return without_double_marks(text)  # as the message may be a service's own sentence

    def _render_traceback_(self: BaseException) -> list[str]:
        """Return the lines that IPython and notebooks show: the end of the caller's own code, and the message."""
        import traceback

        frames = [step for step in traceback.extract_tb(self.__traceback__) if _MAGIC not in str(step.line)]
        own = [frame for frame in frames if not (frame.filename.startswith(_NOT_OWN) or "-packages" in frame.filename)]
        return [*map(str.rstrip, traceback.format_list(own[-5:])), f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._state())

    def _state(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _UNPICKLED}


def _restore(kind: type[G4FLiteError], state: dict[str, Any]) -> G4FLiteError:
    error = kind.__new__(kind)
    error.args = (state["message"],)
    vars(error).update(dict.fromkeys(_UNPICKLED), **state)
    return error


class ProviderError(G4FLiteError):
    """An error on the service's side.

    :param status: the HTTP status, if there was a response
    :param retry_after: the seconds to wait that the service requested, if it did
    :param body: the body of the service's response, at most 64 KiB and without secrets; "" if there was none
    :param request_id: the service's id of the request, which its support asks for
    :param may_retry: whether the same request may be sent again: if its status passes, or at the end of a batch
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        body: str = "",
        request_id: str | None = None,
        may_retry: bool = True,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.status, self.body, self.request_id = status, body, request_id
        self.retry_after, self.may_retry = retry_after, may_retry

    @property
    def status_code(self) -> int | None:
        """The HTTP status, by the name that OpenAI's client uses."""
        return self.status


class ResponseStatusError(ProviderError, requests.HTTPError):
    """An HTTP status other than success; ``loading`` is True if a server says by it that it still loads its model."""

    loading = False


class RateLimitError(ProviderError, requests.HTTPError):
    """Too many requests, reported by the status or by the text of the response."""


class QuotaExceededError(RateLimitError):
    """A used-up quota, such as credit, free tries or a daily limit."""


class AuthenticationError(ProviderError, requests.HTTPError):
    """A wrong or missing key, or a token that was rejected twice."""


class ChallengeError(ProviderError):
    """A bot challenge or captcha page, which is neither retried nor evaded."""


class ServiceError(ProviderError):
    """The service's own error message; ``in_answer`` is True if it says inside an answer that it failed itself."""

    in_answer = False


class ContextLengthExceededError(ServiceError):
    """A prompt that is too long for the model: shorten it, trim the conversation, or use a larger context."""


class ContentFilterError(ServiceError):
    """A prompt, or an answer, that the service's filter holds back: the same prompt fails again."""


class HookError(ProviderError):
    """A mistake in the code of a provider: a hook gave a wrong value, or raised its cause; ``step`` names the hook."""

    def __str__(self) -> str:
        return f"{self.provider or 'the provider'}.{self.step} {self.message}"


class ResponseFormatError(ProviderError, requests.exceptions.InvalidJSONError):
    """An answer that violates the protocol or a size limit."""


class OutputError(ResponseFormatError, ValueError):
    """A typed answer that does not fit its type; its cause says why.

    :ivar attempts: how many answers were asked for
    :ivar usage: the token counts of all of them, if the service reported them
    """

    usage: Any = None

    @property
    def text(self) -> str:
        """The text of the last answer."""
        return self.partial


class OutputTruncatedError(OutputError):
    """A typed answer that was cut, by ``max_tokens`` or by a content filter; it is not asked for again.

    :param finish_reason: ``"length"`` or ``"content_filter"``
    """

    def __init__(self, message: str, *, finish_reason: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.finish_reason = finish_reason


class RefusalError(ProviderError):
    """A refusal of the model in the place of a typed answer; ``partial`` is its text.

    :ivar usage: the token counts, if the service reported them
    """

    usage: Any = None


class EmptyResponseError(ProviderError):
    """A complete answer without text, image or tool call: empty, or cut while the model was still reasoning.

    :param finish_reason: why the service ended it, such as ``"length"`` or ``"content_filter"``
    :param usage: token counts, as the service reports them
    :param reasoning: the model's reasoning
    :ivar ended: whether the service ended it as its protocol says, so that the service works
    """

    def __init__(
        self, message: str, *, finish_reason: str | None = None, usage: Any = None, reasoning: str = "", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.finish_reason, self.usage, self.reasoning = finish_reason, usage, reasoning
        self.ended = finish_reason is not None


class StreamInterruptedError(ProviderError, requests.exceptions.ChunkedEncodingError):
    """An answer that was cut, or closed by the caller, after it had begun."""


class TransportError(G4FLiteError, requests.ConnectionError):
    """A connection that could not be established, or was lost.

    :param cause: ``"connection"``, ``"dns"``, ``"tls"`` or ``"proxy"``
    """

    def __init__(self, message: str, *, cause: str = "connection", **context: Any) -> None:
        super().__init__(message, **context)
        self.cause = cause


class DeadlineExceededError(G4FLiteError, requests.Timeout):
    """A timeout.

    :param limit: the limit that was exceeded: ``"connect"``, ``"read"``, ``"total"`` or ``"first"``
    :param seconds: how long it is
    """

    def __init__(self, message: str, *, limit: str = "total", seconds: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.limit, self.seconds = limit, seconds


class ModelNotSupportedError(G4FLiteError, ValueError):
    """A model that the provider does not have.

    :param status: the HTTP status, if the service reported the error
    :param body: the body of the service's response
    :param request_id: the service's id of the request
    """

    def __init__(
        self, message: str, *, status: int | None = None, body: str = "", request_id: str | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.status, self.body, self.request_id = status, body, request_id

    status_code = ProviderError.status_code


class ProviderNotFoundError(G4FLiteError, ValueError):
    """An unknown provider name."""


class ProviderNotConfiguredError(G4FLiteError):
    """A provider that lacks a setting, its weights or a permission."""


class AllProvidersFailedError(G4FLiteError):
    """No provider of a chain answered; ``errors`` holds the error of each, ``retry_after`` the shortest wait."""

    def __init__(self, message: str, *, errors: list[G4FLiteError] | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.errors = errors or []
        self.retry_after = min(filter(None, (getattr(each, "retry_after", None) for each in self.errors)), default=None)


class ConversationChangedError(G4FLiteError):
    """A conversation's file that someone else has written since this conversation read or wrote it."""


class ConversationNotFoundError(G4FLiteError, LookupError):
    """An id that no conversation of the file has."""


class EngineError(G4FLiteError):
    """The process of the embedded model crashed, or has too little memory; the next call starts it again.

    :param last_words: the end of what the process wrote
    """

    def __init__(self, message: str, *, last_words: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.last_words = last_words


class BatchStoppedError(G4FLiteError):
    """A batch that stopped, because every later prompt would have failed as well.

    :param results: the results so far, which can be read on; a pickled error has none
    :param error: the error that stopped it
    """

    def __init__(self, message: str, *, results: Any = None, error: Exception | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.results, self.error = results, error


class StoreError(G4FLiteError):
    """A file of answers or conversations that cannot be opened, read or written.

    :param path: the file
    :param reason: ``"directory"``, ``"foreign"``, ``"newer"``, ``"full"``, ``"unwritable"``, ``"locked"`` or
        ``"damaged"``
    """

    def __init__(self, message: str, path: Any = None, *, reason: str = "damaged", **context: Any) -> None:
        super().__init__(message, **context)
        self.path, self.reason = path, reason


class ToolDenied(G4FLiteError):
    """A tool call that is not allowed: raise it in ``approve=`` or in a tool to tell the model why."""

    def __init__(self, message: str = "the user did not allow this call", **context: Any) -> None:
        super().__init__(message, **context)


class TurnsExceededError(G4FLiteError):
    """The model still called tools in the last of the ``max_turns`` answers that it was asked for.

    :param messages: the messages so far; the tools that the last one calls have not run
    """

    def __init__(self, message: str, *, messages: list[dict[str, Any]] | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.messages = messages or []


class MissingDependencyError(G4FLiteError, ImportError):
    """A missing optional package; the message says how to install it, or that a program of PyInstaller lacks it."""

    def __init__(self, message: str, **context: Any) -> None:
        if getattr(sys, "frozen", False):
            message = message.partition(": pip install")[0] + ", which this program was built without"
        super().__init__(message, **context)
