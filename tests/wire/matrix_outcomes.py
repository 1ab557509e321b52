"""What can come of a call that a fault strikes: the outcomes that the rows name, and all that is seen of each.

Nothing here is worked out: an outcome states what the caller gets, ``SEEN`` what an error says and which
requests reach the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from g4f_lite.errors import (
    AuthenticationError,
    ChallengeError,
    ContentFilterError,
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)


@dataclass(frozen=True)
class Outcome:
    """What a caller gets.

    :param error: the class of the error; None is an answer
    :param course: what the call does about the fault, as ``SEEN`` names it
    :param text: what comes of the text: nothing, the ``"first"`` piece, ``"all"``, or a ``"cut"`` one
    :param limit: which limit a DeadlineExceededError names
    :param retry_after: the wait that the error tells, in seconds
    """

    error: type[G4FLiteError] | None
    course: str
    text: str = ""
    limit: str | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        if self.error is None:
            return {"all": "the answer", "first": "the first piece", "cut": "the text as cut"}[self.text]
        limit = f" ({self.limit})" if self.limit else ""
        text = {"": "", "first": ", the first piece kept", "all": ", the text kept"}[self.text]
        return f"{self.error.__name__}{limit}{text}{COURSES[self.course]}"


# What the documentation says of each course.
COURSES = {
    "answered": "",
    "raised": "",
    "empty": "",
    "kept": "",
    "followed": "",
    "nowhere": "",
    "second address": "",
    "repeated": ", tried again",
    "dropped": ", tried again",
    "unreached": ", tried again",
    "renewed": ", token renewed",
    "sought": ", token sought elsewhere",
}


class Seen(NamedTuple):
    """What is seen of a call that takes some course.

    :param step: where the error says that it happened; either will do where there are two
    :param attempts: how many the error says there were
    :param always: the requests that reach the server, in order, where the fault strikes each time
    :param once: the same where it strikes the first time only, and an answer comes; None where it is no different
    """

    step: str | None
    attempts: int | None
    always: str
    once: str | None = None


class Both(NamedTuple):
    """What is seen of OpenAICompatible, which has no bootstrap, and of the others, which have one."""

    plain: Seen | None
    bootstrapped: Seen


# By the request that is struck, then by the course. There are two attempts, as the cells' policy says.
SEEN: dict[str, dict[str, Both]] = {
    "text": {
        "answered": Both(Seen(None, None, "prompt"), Seen(None, None, "bootstrap prompt")),
        "raised": Both(Seen("prompt", 1, "prompt"), Seen("prompt", 1, "bootstrap prompt")),
        "empty": Both(Seen("prompt or stream", 1, "prompt"), Seen("prompt or stream", 1, "bootstrap prompt")),
        "kept": Both(Seen("stream", 1, "prompt"), Seen("stream", 1, "bootstrap prompt")),
        "repeated": Both(
            Seen("prompt", 2, "prompt prompt", once="prompt prompt"),
            Seen("prompt", 2, "bootstrap prompt prompt", once="bootstrap prompt prompt"),
        ),
        # A connection that served a bootstrap is replaced at once, besides the attempts; a fresh one is not.
        "dropped": Both(
            Seen("prompt", 2, "prompt prompt", once="prompt prompt"),
            Seen("prompt", 2, "bootstrap prompt prompt prompt", once="bootstrap prompt prompt"),
        ),
        "unreached": Both(
            Seen("prompt", 2, "", once="prompt"),
            Seen("bootstrap", 2, "", once="bootstrap prompt"),
        ),
        "renewed": Both(
            Seen("prompt", 1, "prompt"),
            Seen("prompt", 1, "bootstrap prompt bootstrap prompt", once="bootstrap prompt bootstrap prompt"),
        ),
        "followed": Both(Seen("prompt", 1, "prompt other"), Seen("prompt", 1, "bootstrap prompt other")),
        # A fresh token of AI Engine that is refused may be one for guests where somebody is logged in: WordPress
        # and the page are asked for another one, which the emulator's site has not.
        "sought": Both(None, Seen("prompt", 1, "bootstrap prompt bootstrap bootstrap")),
    },
    # OpenAICompatible asks for the models that the server has when none is named, and where there is no such list
    # at a second address.
    "bootstrap": {
        "answered": Both(Seen(None, None, "models prompt"), Seen(None, None, "bootstrap prompt")),
        "raised": Both(Seen("bootstrap", 1, "models"), Seen("bootstrap", 1, "bootstrap")),
        "repeated": Both(
            Seen("bootstrap", 2, "models models", once="models models prompt"),
            Seen("bootstrap", 2, "bootstrap bootstrap", once="bootstrap bootstrap prompt"),
        ),
        "followed": Both(Seen("bootstrap", 1, "models other other"), Seen("bootstrap", 1, "bootstrap other")),
        "second address": Both(Seen("bootstrap", 1, "models other"), Seen("bootstrap", 1, "bootstrap")),
        "nowhere": Both(None, Seen("bootstrap", 1, "bootstrap bootstrap bootstrap")),  # each source of a token
        "renewed": Both(
            None,
            Seen("prompt", 1, "bootstrap prompt bootstrap prompt", once="bootstrap prompt bootstrap prompt"),
        ),
    },
    "drawing": {
        "raised": Both(Seen("image", 1, "prompt"), Seen("prompt", 1, "bootstrap prompt")),
        "repeated": Both(
            Seen("image", 2, "prompt prompt", once="prompt prompt image"),
            Seen("prompt", 2, "bootstrap prompt prompt", once="bootstrap prompt prompt image"),
        ),
        "dropped": Both(
            Seen("image", 2, "prompt prompt", once="prompt prompt image"),
            Seen("prompt", 2, "bootstrap prompt prompt prompt", once="bootstrap prompt prompt image"),
        ),
        "renewed": Both(
            Seen("image", 1, "prompt"),
            Seen("prompt", 1, "bootstrap prompt bootstrap prompt", once="bootstrap prompt bootstrap prompt image"),
        ),
    },
    # An image of AiChats is part of its answer: the prompt is sent again. OpenAICompatible fetches it on its own.
    "image": {
        "raised": Both(Seen("image", 1, "prompt image"), Seen("image", 1, "bootstrap prompt image")),
        "followed": Both(Seen("image", 1, "prompt image other"), Seen("image", 1, "bootstrap prompt image other")),
        "repeated": Both(
            Seen("image", 2, "prompt image image", once="prompt image image"),
            Seen("image", 2, "bootstrap prompt image prompt image", once="bootstrap prompt image prompt image"),
        ),
        "dropped": Both(
            Seen("image", 2, "prompt image image image", once="prompt image image"),
            Seen("image", 2, "bootstrap prompt image image prompt image image", once="bootstrap prompt image image"),
        ),
    },
}


def raised(error: type[G4FLiteError], **more: Any) -> Outcome:
    return Outcome(error, "raised", **more)


def repeated(error: type[G4FLiteError], **more: Any) -> Outcome:
    return Outcome(error, "repeated", **more)


def kept(error: type[G4FLiteError], text: str = "first", **more: Any) -> Outcome:
    return Outcome(error, "kept", text, **more)


ANSWER = Outcome(None, "answered", "all")
FIRST = Outcome(None, "answered", "first")
CUT = Outcome(None, "answered", "cut")
UNREACHED = Outcome(TransportError, "unreached")
DROPPED = Outcome(TransportError, "dropped")
LOST = repeated(TransportError)
SILENCE = repeated(DeadlineExceededError, limit="read")
THINKING = raised(DeadlineExceededError, limit="first")  # the model may be, and the prompt was received completely
LATE = raised(DeadlineExceededError, limit="total")
REFUSED = raised(AuthenticationError)
RENEWED = Outcome(AuthenticationError, "renewed")
SOUGHT = Outcome(AuthenticationError, "sought")
NO_TOKEN = Outcome(ServiceError, "nowhere")
PROXY = raised(TransportError)
STATUS = repeated(ResponseStatusError)
STATUS_SOON = repeated(ResponseStatusError, retry_after=0.02)
STATUS_LATER = raised(ResponseStatusError, retry_after=30.0)
STATUS_AT_ONCE = raised(ResponseStatusError)
CHALLENGE = raised(ChallengeError)
FOLLOWED = Outcome(ResponseStatusError, "followed")  # a redirect, to where nothing is
SERVICE = raised(ServiceError)
FILTERED = raised(ContentFilterError)
LIMIT = repeated(RateLimitError)
QUOTA = raised(QuotaExceededError)
FORMAT = raised(ResponseFormatError)
EMPTY = Outcome(EmptyResponseError, "empty")
BROKEN = kept(StreamInterruptedError)
BROKEN_END = kept(StreamInterruptedError, "all")
