"""The deltas of an answer, and the check of those that a provider yields: what each is, and whole characters."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..errors import EmptyResponseError, HookError, StreamInterruptedError
from ..messages import finite, is_valid, valid_text
from .images import ImageResponse
from .json_text import parse_arguments


@dataclass(frozen=True)
class Reasoning:
    """A piece of the model's reasoning, which is not part of the text.

    :param name: the service's own name for it, under which it is sent back; None if it has none
    """

    text: str
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Refusal:
    """A piece of the model's refusal, if the service distinguishes it from an answer."""

    text: str


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of a tool call: the first one has ``id`` and ``name``, and each one adds to ``arguments``.

    :param type: ``"function"``, ``"custom"``, or ``"function_call"`` for the older form of the API
    :param extra: fields that the service adds to the call
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    type: str = "function"
    extra: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ToolCall:
    """A tool call that the model requests.

    :param arguments: JSON, as the model wrote it; the input of a custom tool
    :param type: ``"function"``, ``"custom"``, or ``"function_call"`` for the older form of the API
    :param extra: fields that the service adds to the call, such as ``extra_content``
    """

    id: str | None
    name: str
    arguments: str
    type: str = "function"
    extra: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def args(self) -> dict[str, Any]:
        """The arguments as a dict; empty if there are none.

        :raises ResponseFormatError: if they are not a JSON object; the error is also a ValueError
        """
        return parse_arguments(self.arguments)

    def to_dict(self) -> dict[str, Any]:
        """Return the call as the API writes it, so that it can be sent back in a message."""
        kind = "custom" if self.type == "custom" else "function"
        inner = {"name": self.name, "input" if kind == "custom" else "arguments": self.arguments}
        return {"id": self.id, "type": kind, **self.extra, kind: {**inner, **self.extra.get(kind, {})}}


@dataclass(frozen=True)
class Attached:
    """A piece of what a service adds to an answer under names of its own, such as ``annotations`` or ``audio``.

    :param to: ``"message"`` for fields of the message; ``"choice"`` for those beside it, such as ``logprobs``
    """

    fields: dict[str, Any] = field(hash=False)
    to: Literal["message", "choice"] = "message"


COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens")


@dataclass(frozen=True)
class Usage:
    """Token counts, as the service reports them.

    :param prompt_tokens: tokens of the prompt
    :param completion_tokens: tokens of the answer
    :param total_tokens: the sum of both, also where it is left out
    :param cached_tokens: tokens of the prompt that were in the service's cache, or None if not reported
    :param reasoning_tokens: tokens of the answer that were reasoning, or None if not reported
    :param extra: what else the service reports, as it writes it, such as ``prompt_tokens_details.audio_tokens``
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int = -1  # until __post_init__
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.total_tokens == -1:
            object.__setattr__(self, "total_tokens", self.prompt_tokens + self.completion_tokens)

    def __add__(self, other: Usage) -> Usage:
        """Return the counts of two answers together; what neither service reported is still None."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in COUNTS)
        return Usage(*(one if two is None else (one or 0) + two for one, two in pairs))

    def to_dict(self) -> dict[str, Any]:
        """Return what the service reports as plain JSON types, without what it leaves out."""
        return {name: finite(count) for name, count in asdict(self).items() if count not in (None, {})}


@dataclass(frozen=True)
class Identity:
    """The service's own data about an answer, which precedes its first delta; what it adds later comes in another one.

    :param id: the id of the answer
    :param created: when the service began it, in seconds since 1970
    :param model: the model that really answers
    :param system_fingerprint: identifies the service's configuration
    :param extra: further fields of the service, such as ``service_tier`` or ``citations``
    """

    id: str | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    extra: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Finish:
    """The end of an answer, as the protocol marks it.

    :param reason: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or a reason of the service's own;
        None if the service does not report one
    """

    reason: str | None = "stop"


@dataclass(frozen=True)
class Revision:
    """The whole text that a service sends at the end, if it differs from the text that it streamed."""

    text: str


@dataclass(frozen=True)
class OtherChoice:
    """A delta of a choice other than the first, if several were requested.

    :param index: the index of the choice, which is not 0
    """

    index: int
    delta: Delta


NO_CONTENT = "the answer has no text, no image, no tool call and no reasoning"

Delta = (
    str | ImageResponse | Reasoning | Refusal | ToolCallDelta | Attached | Usage | Identity | Finish | Revision
    | OtherChoice
)  # fmt: skip
Piece = str | ImageResponse
DELTAS = (
    str, ImageResponse, Reasoning, Refusal, ToolCallDelta, Attached, Usage, Identity, Finish, Revision, OtherChoice
)  # fmt: skip


def is_content(delta: Delta) -> bool:
    """Return whether a delta is part of the answer itself: not usage, identity, finish, revision or an empty piece."""
    if isinstance(delta, OtherChoice):
        return is_content(delta.delta)
    if isinstance(delta, Attached):
        return "audio" in delta.fields and delta.to == "message"
    return bool(delta) and not isinstance(delta, (Usage, Identity, Finish, Revision))


def shown(value: object) -> str:
    """Return the type and the beginning of a value, for a message."""
    return "None" if value is None else f"{type(value).__name__} ({value!r:.80})"


def no_content(
    end: Finish | None, usage: Usage | None = None, reasoning: str = "", **context: Any
) -> EmptyResponseError:
    """Make the error for an answer without content, which says why the service ended it.

    :param end: its end; None if it has none
    """
    finish_reason = None if end is None else end.reason
    text = "the answer has no text, only reasoning" if reasoning else NO_CONTENT
    if finish_reason is not None:
        text += f"; it ended with finish_reason {finish_reason!r}"
        if usage is not None:
            text += f" after {usage.completion_tokens:,} tokens"
    if finish_reason == "length":
        text += ": give a larger max_tokens, which a model that thinks first may use up"
    elif finish_reason == "content_filter":
        text += ": the service's filter held the answer back"
    error = EmptyResponseError(text, finish_reason=finish_reason, usage=usage, reasoning=reasoning, **context)
    error.ended = end is not None
    return error


def no_end() -> StreamInterruptedError:
    """Make the error for an answer that has content, and no end."""
    return StreamInterruptedError("the answer ended without the end that its protocol requires")


# JSON writes a character such as an emoji as a pair of surrogates, \ud83d\ude42.  A service that cuts between them
# sends two halves that are valid JSON, and no text that could be printed or saved.
_FIRST_HALVES = "\ud800", "\udbff"  # from, and up to
_LONE = "\ufffd"
MAX_HALVES = 1_000  # that wait for the other one, each in a choice or a call of its own
_WITH_NAMES = (Identity, Finish, ToolCallDelta)
_WITH_TEXT = (str, ToolCallDelta, Reasoning, Refusal)

Where = tuple[type[Any], int, int]  # the kind of delta, its choice, and its tool call

# What the fields of a delta must be; everything that is made of an answer relies on it.
_FIELDS: dict[type, tuple[tuple[str, str, tuple[type, ...]], ...]] = {
    Reasoning: (("text", "str", (str,)), ("name", "str or None", (str, type(None)))),
    Refusal: (("text", "str", (str,)),),
    Revision: (("text", "str", (str,)),),
    ToolCallDelta: (
        ("index", "int", (int,)),
        ("arguments", "str", (str,)),
        *((name, "str or None", (str, type(None))) for name in ("id", "name")),
        ("type", "str", (str,)),
        ("extra", "dict", (dict,)),
    ),
    Attached: (("fields", "dict", (dict,)),),
    ImageResponse: (("alt", "str", (str,)),),
    Identity: (
        *((name, "str or None", (str, type(None))) for name in ("id", "model", "system_fingerprint")),
        ("created", "int or None", (int, type(None))),
        ("extra", "dict", (dict,)),
    ),
    Usage: (
        *((name, "int", (int,)) for name in COUNTS[:3]),
        *((name, "int or None", (int, type(None))) for name in COUNTS[3:]),
        ("extra", "dict", (dict,)),
    ),
    Finish: (("reason", "str or None", (str, type(None))),),
    OtherChoice: (("index", "int", (int,)),),
}


def checked(deltas: object, hook: str) -> Generator[Delta, None, None]:
    """Return a provider's deltas with the halves of a character joined, and a lone half as U+FFFD.

    :param deltas: what the method that yields them returned
    :param hook: the name of that method, for the error
    :raises HookError: if they cannot be iterated, one is not a delta, or one of its fields has a wrong type
    """
    if not isinstance(deltas, Iterable) or isinstance(deltas, (str, bytes, Mapping)):
        raise HookError(f"returned {shown(deltas)}; return an iterator: write it with yield", step=hook)
    halves: dict[Where, str] = {}
    for delta in deltas:
        if type(delta) is str and not halves and (delta.isascii() or is_valid(delta)):
            yield delta
            continue
        _check(delta, hook)
        if halves and isinstance(delta, Finish):
            yield from _left_over(halves)
        choice, inner = (delta.index, delta.delta) if isinstance(delta, OtherChoice) else (0, delta)
        if isinstance(inner, _WITH_NAMES):
            inner = _with_valid_names(inner)
            delta = OtherChoice(choice, inner) if choice else inner
        if not isinstance(inner, _WITH_TEXT):
            yield delta
            continue
        text = inner if isinstance(inner, str) else inner.arguments if isinstance(inner, ToolCallDelta) else inner.text
        where = type(inner), choice, inner.index if isinstance(inner, ToolCallDelta) else 0
        if where not in halves and (text.isascii() or is_valid(text)):
            yield delta
            continue
        text = halves.pop(where, "") + text
        if len(halves) == MAX_HALVES:
            yield from _left_over(halves)
        if _FIRST_HALVES[0] <= text[-1:] <= _FIRST_HALVES[1]:
            halves[where], text = text[-1], text[:-1]
        if text or isinstance(inner, ToolCallDelta):
            whole = _with_text(inner, valid_text(text))
            yield OtherChoice(choice, whole) if choice else whole
    if halves:
        yield from _left_over(halves)


def _with_valid_names(delta: Identity | Finish | ToolCallDelta) -> Identity | Finish | ToolCallDelta:
    """Return a delta whose names and ids can be printed; the arguments of a call are text, which goes on."""
    broken: dict[str, Any] = {
        name: valid_text(value)
        for name, value in vars(delta).items()
        if isinstance(value, str) and name != "arguments" and not (value.isascii() or is_valid(value))
    }
    return replace(delta, **broken) if broken else delta


def _left_over(halves: dict[Where, str]) -> Iterator[Delta]:
    for kind, choice, index in halves:
        empty: Delta = ToolCallDelta(index) if kind is ToolCallDelta else "" if issubclass(kind, str) else kind("")
        delta = _with_text(empty, _LONE)
        yield OtherChoice(choice, delta) if choice else delta
    halves.clear()


def _with_text(delta: Delta, text: str) -> Delta:
    if isinstance(delta, (Reasoning, Refusal)):
        return replace(delta, text=text)
    return replace(delta, arguments=text) if isinstance(delta, ToolCallDelta) else text


def _check(value: object, hook: str) -> None:
    """Check what a hook of a provider yielded, and was not text.

    :raises HookError: if it is not a delta, or one of its fields has a wrong type
    """
    if not isinstance(value, DELTAS):
        raise not_a_delta(value, hook)
    for name, wanted, kinds in _FIELDS.get(type(value), ()):
        if not isinstance(found := getattr(value, name), kinds):
            what = f"{type(value).__name__} with {name}={found!r:.80}"
            raise HookError(f"yielded {what}; make it {wanted}", step=hook)
    if isinstance(value, ImageResponse) and not value.urls:
        raise HookError("yielded ImageResponse without a URL; leave it out where there is no image", step=hook)
    if isinstance(value, OtherChoice):
        _check(value.delta, hook)


def not_a_delta(value: object, hook: str) -> HookError:
    """Make the error for what a hook of a provider yielded in place of a delta."""
    hint = "yield str, Finish or another Delta"
    if isinstance(value, (bytes, bytearray)):
        hint = (
            'write .decode("utf-8", "replace") for a whole line; where a piece may end inside a character, decode each '
            'with the same codecs.getincrementaldecoder("utf-8")("replace")'
        )
    return HookError(f"yielded {shown(value)}; {hint}", step=hook)
