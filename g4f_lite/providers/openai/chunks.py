"""One object of an answer, a chunk of a stream or a whole completion → deltas."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...answers.attached import size_of
from ...answers.buffer import MAX_CHOICES, PIECE_BYTES
from ...answers.deltas import (
    Attached,
    Delta,
    Finish,
    Identity,
    OtherChoice,
    Reasoning,
    Refusal,
    ToolCallDelta,
)
from ...answers.images import ImageResponse
from ...errors import ResponseFormatError
from ...http.checks import shorten
from .ends import Ends, is_reason
from .errors import failure_beside, failure_in, failure_of_choice
from .fields import check_sent_back, is_said, objects_in, text_in
from .parts import REASONING, begins, may_be_piece, read_images, read_parts, read_reasoning, unreadable
from .text_so_far import TextSoFar
from .tool_calls import ToolCalls, index_in
from .usage import read_usage

# Fields of a delta or a message that are read here; what else is in one is the service's own.
_READ = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "images", "error", "errors"})
_KNOWN = _READ | frozenset(REASONING)
_PLAIN = frozenset({"role", "content"})  # all that nearly every delta has
# The same of a choice, and of a chunk; ``obfuscation`` is random filling, which hides the lengths of the chunks.
_KNOWN_OF_CHOICE = frozenset({"index", "delta", "message", "text", "finish_reason", "usage", "error", "errors"})
_KNOWN_OF_CHUNK = frozenset(
    {"id", "object", "created", "model", "system_fingerprint", "choices", "usage", "error", "errors", "obfuscation"}
)
# Where a chunk with choices says that something failed, if anywhere.
_SAYS_FAILURE = frozenset({"base_resp", "error", "errors", "ok", "status", "success", "type", "x_groq"})
_MOST_EXTRA = 1024 * 1024  # characters of further fields of the chunks
_THOUGHTS = frozenset({"reasoning_details", *REASONING})
MAX_HELD = 4 * 1024 * 1024  # characters before the answer begins
MAX_COMPARED = 16 * 1024 * 1024  # bytes of text that a message may say once more
MAX_REMEMBERED = 100_000  # images
MAX_NAME = 1_000  # characters of an id or the name of a model; `g4f-lite serve` repeats both in each event


class ChunkReader:
    """Reads the objects of one answer, in order.

    Where one choice was asked for, what a service puts into several is one answer: GitHub Copilot sends the text in
    one and the tool calls in another.  Two texts are not joined: the first choice that has one is the answer.  Nor are
    the calls of two choices, as a function would run twice.

    :param several: whether more than one choice was asked for
    :param whole: whether the answer comes as one JSON object, and not in chunks
    :ivar ends: where the choices end
    :ivar has_read: whether anything of the answer could be read
    """

    def __init__(self, *, several: bool = False, whole: bool = False) -> None:
        self.ends = Ends(several=several)
        self.has_read = False
        self._several = several
        self._places = ("message", "delta") if whole else ("delta", "message")
        self._whole = whole
        self._calls: dict[int, ToolCalls] = defaultdict(ToolCalls)  # of each choice
        self._main: dict[type, int] = {}  # the choice that has the answer's text, reasoning and so on
        self._text_index = 0 if several else -1  # the choice whose text is the answer's, once it is known
        self._is_apart = False  # whether another has text as well, where one was asked for
        self._images: set[int] = set()  # hashes, as an image may be its own URL
        self._named = False
        self._identity = Identity()
        self._extra: dict[str, Any] = {}
        self._extra_size = 0
        self._held: list[Delta] = []  # what came before the answer had begun, and says nothing by itself
        self._room_to_hold = MAX_HELD
        self._choices: set[int] = set()
        self._pieces: dict[int, list[str]] = defaultdict(list)  # of the text of each choice
        self._said: dict[int, TextSoFar] = {}  # the same, once a message has come, which may say it once more
        self._room_to_compare = MAX_COMPARED
        self._streamed: set[type] = set()  # what else has come in a delta, so that a message says it once more

    def read(self, chunk: Any) -> Iterator[Delta]:
        """Read a chunk or a completion; one that has nothing of the answer in it gives nothing.

        :raises G4FLiteError: if it says that something failed
        :raises ResponseFormatError: if it is not what the protocol says
        """
        if not isinstance(chunk, dict):
            raise ResponseFormatError(f"expected an object of an answer, got {shorten(json.dumps(chunk), 100)}")
        given = chunk.get("choices")
        choices = _choices_in(given)
        self._note_extra(chunk)
        if choices:
            for choice, index in zip(choices, self._indices(choices), strict=True):
                yield from self._read_choice(choice, index, chunk)
            failure = None if _SAYS_FAILURE.isdisjoint(chunk) else failure_in(chunk)
            failure = failure or next(filter(None, map(failure_of_choice, choices)), None)
        else:
            failure = failure_in(chunk, whole=self._whole)
            self.has_read = self.has_read or given is not None
            if failure is None and "type" not in chunk and may_be_piece(chunk):
                raise unreadable("a chunk without choices", chunk)
        beside = chunk.get("x_groq")  # where Groq puts its usage, and what failed
        if isinstance(beside, dict):
            failure = failure or failure_beside(beside)
        yield from read_usage(chunk, *choices, beside)
        if failure is not None:  # behind the text that came with it
            raise failure

    def text_alone(self, chunk: Any) -> str | None:
        """Return the text of a chunk that has nothing else for an answer which has begun, as nearly all; else None.

        It says no more than ``read`` does, at a third of the cost.
        """
        try:
            (choice,) = chunk["choices"]
            delta = choice["delta"]
            text = delta["content"]
        except (LookupError, TypeError, ValueError):
            return None
        is_alone = (
            type(text) is str
            and text
            and self._named
            and not self.ends.reasons
            and (len(delta) == 1 or (len(delta) == 2 and "role" in delta))
            and choice.get("index", 0) == self._text_index
            and not choice.get("finish_reason")
            and not chunk.get("usage")
            and not ("error" in choice or "usage" in choice or "text" in choice)
            and _SAYS_FAILURE.isdisjoint(chunk)
            and not choice.get("logprobs")
        )
        if is_alone:  # and noted as by _note_text, without its call, which would be one more for each piece
            self._room_to_compare -= PIECE_BYTES + len(text)
            if self._room_to_compare > 0:
                self._pieces[self._text_index].append(text)
        return text if is_alone else None

    def rest(self) -> list[Delta]:
        """Return what was held until the answer began, where it never did."""
        held, self._held = self._held, []
        return held

    def end(self) -> list[Delta]:
        """Return what is certain only when nothing more comes, and the end of each choice.

        :raises ResponseFormatError: if the text stood in several choices, as where each piece has an index of its own
        """
        if self._is_apart and not self._whole and self._text_index not in self.ends.reasons:
            raise ResponseFormatError("the text stands in several choices, and no finish reason says which is whole")
        deltas = self.rest()
        for index, calls in self._calls.items():
            deltas += (OtherChoice(index, delta) if index else delta for delta in calls.rest())
        if self._named and self._extra != self._identity.extra:
            deltas.append(replace(self._identity, extra=self._extra))
        if self._several:
            deltas += (OtherChoice(index, Finish(reason)) for index, reason in self.ends.reasons.items() if index)
        return [*deltas, Finish(self._reason)]

    @property
    def _reason(self) -> str | None:
        """Why the answer ended; None where the service did not say."""
        reasons = self.ends.reasons
        if self._several:
            return reasons.get(0)
        wants_calls = [reason for reason in reasons.values() if reason in ("tool_calls", "function_call")]
        if self._calls and wants_calls:
            return wants_calls[0]
        return reasons.get(self._main.get(str, 0)) or next(iter(reasons.values()), None)

    def _indices(self, choices: list[dict[str, Any]]) -> list[int]:
        """Return the index of each choice; of a whole answer its place, where the indices do not tell them apart.

        :raises ResponseFormatError: if there are too many of them in the answer
        """
        indices = self._given_indices(choices)
        if len(indices) > 1 or indices[0] not in self._choices:
            choices_so_far = self._choices.union(indices)
            if max(len(choices_so_far), len(choices)) > MAX_CHOICES:
                raise ResponseFormatError(f"the answer has more than {MAX_CHOICES} choices")
            self._choices = choices_so_far
        return indices

    def _given_indices(self, choices: list[dict[str, Any]]) -> list[int]:
        if len(choices) == 1 and type(index := choices[0].get("index")) is int:  # as in nearly all chunks
            return [index]
        given = [index_in(choice) for choice in choices]
        if self._whole and (None in given or len(set(given)) < len(given)):
            is_one = not self._several and _are_parts(choices)
            return [0 if is_one else place for place in range(len(choices))]
        return [index if index is not None else self._several * place for place, index in enumerate(given)]

    def _read_choice(self, choice: dict[str, Any], index: int, chunk: dict[str, Any]) -> Iterator[Delta]:
        for delta in self._deltas(choice, index):
            self.has_read = True
            if self.ends.reasons or self._several:
                self.ends.note(index, delta)
            if self._several or isinstance(delta, (str, Reasoning, Refusal, ToolCallDelta)):
                number = self._number_of(index, str if isinstance(delta, str) else type(delta))
                delta = OtherChoice(number, delta) if number else delta
            if not self._named:
                if not begins(delta) and self._room_to_hold > 0:
                    self._room_to_hold -= size_of(delta.fields) if isinstance(delta, Attached) else 8
                    self._held.append(delta)
                    continue
                self._named = True
                self._identity = read_identity(chunk, dict(self._extra))
                if self._identity != Identity():
                    yield self._identity
                yield from self.rest()
            yield delta
        if is_reason(reason := choice.get("finish_reason")):
            self.has_read = True
            self.ends.add_reason(index, reason)

    def _number_of(self, index: int, kind: type) -> int:
        """Return which choice has a delta; where one was asked for, 0 is the first that has one of this kind."""
        if self._several:
            return index
        main = self._main.setdefault(kind, index)
        self._text_index = self._main.get(str, -1)
        self._is_apart = self._is_apart or (kind is str and index != main)
        return 0 if index == main else index or main

    def _deltas(self, choice: dict[str, Any], index: int) -> Iterator[Delta]:
        """Read the delta of a choice, or the message that stands in its place."""
        given = [name for name in self._places if choice.get(name)]
        place = next((name for name in given if _says_more_than_role(choice[name])), given[0] if given else None)
        more = {name: value for name, value in choice.items() if name not in _KNOWN_OF_CHOICE and _is_given(value)}
        if more and ("delta" in choice or "message" in choice or choice.get("finish_reason") or choice.get("text")):
            yield Attached(more, "choice")
        if place is None:
            if text := text_in(choice, "text"):  # of the API for completions that are not chats
                yield text
            elif any(map(is_said, map(choice.get, ("text", "content", *self._places)))):
                raise unreadable("a choice without a delta", choice)
            return
        delta = choice[place]
        if not isinstance(delta, dict):
            raise unreadable(f"a {place}", delta)
        self.has_read = True
        if (beside := choice.get("content") or choice.get("text")) and beside != delta.get("content"):
            raise unreadable(f"a choice with a text beside its {place}", choice)
        if place == "message" and not self._whole:
            delta = self._not_yet_said(delta, index, choice.get("finish_reason"))
        content = delta.get("content")
        more = {name: value for name, value in delta.items() if name not in _PLAIN and _is_given(value)}
        if more:
            if not content and delta.get("text"):
                raise unreadable(f"a {place} without content", delta)
            if own := {name: value for name, value in more.items() if name not in _KNOWN}:
                check_sent_back(own)
                yield Attached(own)
            yield from self._noted(read_reasoning(delta), place)
        has_parts = _is_given(content) and not isinstance(content, str)
        for part in read_parts(content) if has_parts else [content] if content else ():
            if isinstance(part, str) and not self._whole:
                self._note_text(index, part)
                if place == "delta":
                    self._streamed.add(str)
            yield part
        if more:
            again = place == "message" and ToolCallDelta in self._streamed
            yield from self._noted(self._besides_content(delta, index, again), place)

    def _noted(self, deltas: Iterator[Delta], place: str) -> Iterator[Delta]:
        for delta in deltas:
            if place == "delta":
                self._streamed.add(type(delta))
            yield delta

    def _note_text(self, index: int, text: str) -> None:
        """Keep a piece of text, to compare it with a message at the end; not of an answer that is too long for that."""
        self._room_to_compare -= PIECE_BYTES + len(text)
        if self._room_to_compare > 0:
            self._pieces[index].append(text)

    def _not_yet_said(self, message: dict[str, Any], index: int, reason: Any) -> dict[str, Any]:
        """Return of a message, which says the whole once more at the end of a stream, what was not said before.

        Where there were no deltas, messages stand in their place until the end.

        :raises ResponseFormatError: if it has another text than was said, and more of it, or may be either
        """
        message = dict(message)
        for kind, names in ((Reasoning, _THOUGHTS), (Refusal, {"refusal"})):
            if kind in self._streamed:
                message = {name: value for name, value in message.items() if name not in names}
        content = message.get("content")
        if index not in self._pieces:
            return message
        before = self._said.setdefault(index, TextSoFar(self._pieces[index]))
        if not is_said(content):
            return {**message, "content": None}
        parts = [content] if isinstance(content, str) else list(read_parts(content))
        whole = "".join(part for part in parts if isinstance(part, str))
        if str not in self._streamed and index not in self.ends.reasons:
            if not whole.startswith(before.pieces[0]):
                return message
            if not is_reason(reason):
                raise unreadable("a message, which may be the next piece or the whole once more,", content)
        if self._room_to_compare <= 0:
            return {**message, "content": None}
        rest = before.rest_of(whole)
        if rest is None:
            raise unreadable("a message at the end, whose text is not that of its pieces,", content)
        return {**message, "content": rest}

    def _besides_content(self, delta: dict[str, Any], index: int, again: bool) -> Iterator[Delta]:
        if delta.get("tool_calls"):
            yield from self._calls_of(index).read(delta["tool_calls"], again=again)
        if delta.get("function_call"):
            yield from self._calls_of(index).read_function_call(delta["function_call"])
        if refusal := text_in(delta, "refusal"):
            yield Refusal(refusal)
        elif is_said(delta.get("refusal")):
            raise unreadable("a refusal", delta["refusal"])
        for url in read_images(delta.get("images") or []):
            if hash(url) not in self._images:  # some services send all images once more at the end
                if len(self._images) < MAX_REMEMBERED:
                    self._images.add(hash(url))
                yield ImageResponse(url)

    def _note_extra(self, chunk: dict[str, Any]) -> None:
        """Note the further fields of a chunk; of those that come again, as citations do, the last one counts."""
        if chunk.keys() <= _KNOWN_OF_CHUNK:
            return
        extra = {name: value for name, value in chunk.items() if name not in _KNOWN_OF_CHUNK and _is_given(value)}
        self._extra_size += size_of(extra)
        if self._extra_size <= _MOST_EXTRA:
            self._extra.update(extra)

    def _calls_of(self, index: int) -> ToolCalls:
        """Return the tool calls of a choice."""
        return self._calls[self._number_of(index, ToolCallDelta)]


def read_identity(chunk: dict[str, Any], extra: dict[str, Any]) -> Identity:
    """Read what the server calls the answer, where it says so.

    :param extra: further fields of the server
    """
    created: Any = chunk.get("created")
    return Identity(
        text_in(chunk, "id")[:MAX_NAME] or None,
        int(created) if type(created) in (int, float) and 0 < created < 1e11 else None,
        text_in(chunk, "model")[:MAX_NAME] or None,
        text_in(chunk, "system_fingerprint")[:MAX_NAME] or None,
        extra,
    )


def _choices_in(given: Any) -> list[dict[str, Any]]:
    """Return the choices of a chunk; none where it says none.

    :raises ResponseFormatError: if they are not a list of objects
    """
    if isinstance(given, list) and all(isinstance(choice, dict) for choice in given):
        return given
    if is_said(given):
        raise unreadable("a list of choices", given)
    return []


def _are_parts(choices: list[dict[str, Any]]) -> bool:
    """Return whether choices are one answer: GitHub Copilot puts the text, and each tool call, into one of its own.

    Without calls they are whole answers, and so they are where one says the same call as another.
    """
    messages = [choice.get("message") for choice in choices]
    calls = [objects_in(message.get("tool_calls")) for message in messages if isinstance(message, dict)]
    called = [json.dumps([call.get("function") for call in each]) for each in calls if each]
    return bool(called) and len(set(called)) == len(called)


def _says_more_than_role(delta: Any) -> bool:
    return not isinstance(delta, dict) or any(_is_given(value) for name, value in delta.items() if name != "role")


def _is_given(value: Any) -> bool:
    return value is not None and value not in ("", [], {})
