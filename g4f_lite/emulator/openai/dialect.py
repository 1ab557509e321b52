"""What a dialect is: a name, and the places where a server differs from OpenAI's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..answers import Delta
from ..exchange import Exchange
from ..record import ReceivedRequest
from ..reply import Reply
from .call import Call, Event, Events
from .failure import Failure


@dataclass(frozen=True)
class Dialect:
    """Describe how some servers differ. What is ``None`` is as with OpenAI's own.

    * ``name``, ``summary``: one sentence, ``software``: which real software does so.
    * ``refuses``: a reply in place of an answer, if the request is one that they refuse.
    * ``streams``: whether they stream, whatever the request asks; ``content_type`` of what they stream.
    * ``deltas``: what they answer; ``message``: each delta of a stream, and the message of a whole answer.
    * ``events``: the events of a stream; ``whole``: the JSON of a whole answer.
    * ``failure``: a reply that fails before an answer; ``None`` for a failure that is none of theirs.
    * ``failure_events``: the events that end a stream that fails.
    * ``path``: the usual path for a request's; ``None`` for a request that goes to ``not_found``.
    * ``key_header``: where the key is, besides ``Authorization``.
    * ``models``, ``images``: what they list, and what they answer about images.
    """

    name: str
    summary: str
    software: str
    refuses: Callable[[Call], Reply | None] | None = None
    streams: bool | None = None
    content_type: str | None = None
    deltas: Callable[[Iterator[Delta], Call], Iterator[Delta]] | None = None
    message: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    events: Callable[[Events, Call], Events] | None = None
    whole: Callable[[dict[str, Any], Call], dict[str, Any]] | None = None
    failure: Callable[[Failure, Call], Reply | None] | None = None
    failure_events: Callable[[Failure, Call], list[Event]] | None = None
    path: Callable[[ReceivedRequest], str | None] | None = None
    not_found: Callable[[Exchange], Reply] | None = None
    key_header: str | None = None
    models: Callable[[list[dict[str, Any]]], Any] | None = None
    images: Callable[[dict[str, Any], Call], dict[str, Any]] | None = None
