"""What servers put into a stream besides the answer, and what they leave out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..call import Call, Event, Events
from ..dialect import Dialect

_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def _around(*extra: Event) -> Callable[[Events, Call], Events]:
    """Put events before the first chunk, and again before the end marker."""

    def events(events: Events, call: Call) -> Events:
        yield from extra
        for event in events:
            if event.data == "[DONE]":
                yield from extra
            yield event

    return events


def _without_choices(events: Events, call: Call) -> Events:
    yield Event(call.chunk(choices=None))
    for event in events:
        if event.data == "[DONE]":
            yield Event(call.common)
        yield event


def _filter_results(events: Events, call: Call) -> Events:
    prompt = [{"prompt_index": 0, "content_filter_results": _SAFE}]
    yield Event({**call.chunk(choices=[], prompt_filter_results=prompt), "id": "", "model": "", "created": 0})
    for event in events:
        if event.choice and event.choice.get("finish_reason"):
            found = {"index": 0, "finish_reason": None, "content_filter_results": _SAFE}
            offsets = {"check_offset": 0, "start_offset": 0, "end_offset": 8}
            yield Event(call.chunk(choices=[{**found, "content_filter_offsets": offsets}]))
        yield event


def _message(events: Events, call: Call) -> Events:
    for event in events:
        choice = event.choice
        if choice is None:
            yield event
            continue
        rest = {name: value for name, value in choice.items() if name != "delta"}
        yield event.with_fields(choices=[{**rest, "message": event.delta}])


def _blank_done(events: Events, call: Call) -> Events:
    for event in events:
        yield Event(b"data:   [DONE]  \n\n") if event.data == "[DONE]" else event


def _no_done(events: Events, call: Call) -> Events:
    return (event for event in events if event.data != "[DONE]")


def _named(events: Events, call: Call) -> Events:
    for number, event in enumerate(events):
        yield Event(f"id: {number}\n".encode())
        yield Event(event.data, event.text, "message", event.field)


def _no_finish_reason(events: Events, call: Call) -> Events:
    for event in events:
        if event.choice and event.choice.get("finish_reason"):
            event = event.with_choice(delta={"role": "assistant", "content": ""}, finish_reason=None)
        yield event


def _finish_with_text(events: Events, call: Call) -> Events:
    """Hold each chunk back until it is known whether the next one is the end."""
    held: Event | None = None
    for event in events:
        reason = (event.choice or {}).get("finish_reason")
        if held is not None and reason:
            event = Event(held.with_choice(finish_reason=reason).data, held.text)
        elif held is not None:
            yield held
        held = None if reason else event
        if reason:
            yield event
    if held is not None:
        yield held


def _nulls(message: dict[str, Any]) -> dict[str, Any]:
    names = ("role", "content", "refusal", "function_call", "tool_calls", "reasoning_content", "audio")
    return {**dict.fromkeys(names), **message}


DIALECTS = [
    Dialect(
        "ping-events",
        'Send `{"type": "ping"}` before the first chunk and before the end.',
        "proxies before Claude",
        events=_around(Event({"type": "ping"})),
    ),
    Dialect(
        "source-events",
        "Send an event with sources before the first chunk and before the end.",
        "Open WebUI",
        events=_around(Event({"sources": [{"source": {"name": "a.pdf"}, "document": ["A page."]}]})),
    ),
    Dialect(
        "empty-events",
        "Send `{}` and empty data before the first chunk and before the end.",
        "gateways that keep a connection alive so",
        events=_around(Event({}), Event("")),
    ),
    Dialect(
        "comments",
        "Send comment lines before the first chunk and before the end.",
        "OpenRouter while a model starts",
        events=_around(Event(b": OPENROUTER PROCESSING\n\n"), Event(b": OPENROUTER PROCESSING\n\n")),
    ),
    Dialect(
        "no-choices",
        "Send chunks whose `choices` are null or absent.",
        "Claude through proxies",
        events=_without_choices,
    ),
    Dialect(
        "azure-filter-results",
        "Send chunks with the filter's findings, one without choices and one without a delta.",
        "Azure OpenAI",
        events=_filter_results,
    ),
    Dialect("message-for-delta", "Send `message` where `delta` belongs.", "older proxies", events=_message),
    Dialect("blanks-around-done", "Send blanks around `[DONE]`.", "gateways", events=_blank_done),
    Dialect("no-done", "End a stream without `[DONE]`.", "proxies that end a stream by its body", events=_no_done),
    Dialect(
        "named-events",
        "Send every event with an id and the type `message`.",
        "servers with an event library",
        events=_named,
    ),
    Dialect(
        "no-finish-reason",
        "End a stream with `[DONE]` and no finish reason.",
        "OpenRouter",
        events=_no_finish_reason,
    ),
    Dialect(
        "finish-with-text",
        "Send the finish reason in the last chunk of text.",
        "Gemini, Mistral",
        events=_finish_with_text,
    ),
    Dialect(
        "null-fields",
        "Send every field of a delta or a message, null if it is not used.",
        "LiteLLM, vLLM",
        message=_nulls,
    ),
]
