"""The forms of the plugin's answers: events, the JSON of a whole answer, usage, the texts of failures."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from ..answers import Message
from ..settings import Settings
from .plugin import Plugin

REJECTED = "Sorry, your query has been rejected."

_LIMITS = {
    "guests": "You have reached the limit (check the {tab} Tab > Limits > Guests).",
    "users": "You have reached the limit (check the {tab} Tab > Limits > Users).",
    "system": "Our chatbot went to sleep. Please try again later.",
}
_QUOTA = "OpenAI: Error: You exceeded your current quota (insufficient_quota)"
_ERROR = (
    "OpenAI: Error: The server had an error while processing your request. Sorry about that!"
    " (server_error) (server_error)"
)
# What the site's event logs say before the text: data, visibility and metadata by subtype.
_LOGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "status": ("Generating response...", "collapsed", {}),
    "start": ("Starting stream...", "visible", {"model": "gpt-4o-mini", "id": "chatcmpl-1"}),
    "thinking": ("Let me see.", "collapsed", {}),
    "tool_call": ("Calling function: get_weather", "visible", {"tool_name": "get_weather", "args": {"city": "Oslo"}}),
    "tool_args": ('{"city":"Oslo"}', "hidden", {"tool_name": "get_weather"}),
    "tool_result": ("Got result from get_weather.", "visible", {"tool_name": "get_weather"}),
    "mcp_discovery": ("Discovered 2 tools.", "collapsed", {"server_count": 1, "tool_count": 2}),
    "embeddings": ("Found 3 embeddings.", "visible", {"count": 3}),
    "debug": ("Request sent.", "hidden", {"debug_data": {"attempt": 1}}),
    "warning": ("The context was shortened.", "visible", {}),
    "error": ("The tool failed.", "visible", {}),
    "heartbeat": ("", "hidden", {}),
}


class FunctionCalls:
    """Put the pieces of streamed tool calls together, into the ``actions`` of an answer."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}

    def add(self, pieces: object) -> None:
        """Take the ``tool_calls`` of one delta."""
        for piece in pieces if isinstance(pieces, list) else ():
            call = self._calls.setdefault(piece.get("index", len(self._calls)), {"name": "", "arguments": ""})
            for name in call:
                call[name] += piece.get("function", {}).get(name) or ""

    def actions(self) -> list[dict[str, Any]]:
        """Return the calls as the site's page gets them."""
        return [
            # PHP has one kind of array, and writes an empty object as [].
            {"type": "function", "data": {"name": call["name"], "args": json.loads(call["arguments"] or "{}") or []}}
            for call in self._calls.values()
        ]


def failure_message(kind: str, settings: Settings, plugin: Plugin, *, logged_in: bool) -> str:
    """Return the plugin's default text for a kind of failure."""
    if kind == "limit":
        whose = settings.site_limit
        if whose == "guests" and logged_in:
            whose = "users"
        return _LIMITS[whose].format(tab="Insights" if plugin.has_insights else "Queries")
    return {"rejected": REJECTED, "quota": _QUOTA}.get(kind, _ERROR)


def log_events(settings: Settings, plugin: Plugin) -> list[dict[str, Any]]:
    """Return the events that the site's event logs put before the text."""
    events = []
    for subtype in subtypes(settings, plugin):
        if subtype == "content":
            continue
        data, visibility, metadata = _LOGS.get(subtype, (f"An event of type {subtype}.", "visible", {}))
        event = {
            "type": "live",
            "data": data,
            "timestamp": time.time(),
            "subtype": subtype,
            "visibility": visibility,
        }
        events.append({**event, "metadata": metadata} if metadata else event)
    return events


def subtypes(settings: Settings, plugin: Plugin) -> tuple[str, ...]:
    """Return the subtypes of live events that the site sends."""
    if not plugin.has_event_logs or settings.status_events is False:
        return ()
    return ("status",) if settings.status_events is True else settings.status_events


def text_answer(
    settings: Settings, plugin: Plugin, messages: list[Message], reply: str, calls: FunctionCalls
) -> dict[str, Any]:
    """Return the JSON of a whole answer in text."""
    prompt = sum(len(str(message["content"]).split()) for message in messages)
    completion = len(reply.split())
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if plugin.has_response_ids:
        usage |= {"price": None, "queries": 1, "accuracy": "tokens"}
    # The plugin trims the reply, though it has streamed the blanks.
    return _answer(settings, plugin, reply.strip(), None, calls.actions(), usage)


def image_answer(settings: Settings, plugin: Plugin, prompt: str, urls: list[str]) -> dict[str, Any]:
    """Return the JSON of an image bot's answer, whose reply is Markdown of the images and nothing else."""
    tokens = len(prompt.split())
    usage = {"input_tokens": tokens, "output_tokens": 1024, "total_tokens": tokens + 1024}
    reply = "".join(f"![Image]({url})\n" for url in urls)
    return _answer(settings, plugin, reply, urls, [], usage)


def _answer(
    settings: Settings,
    plugin: Plugin,
    reply: str,
    images: list[str] | None,
    actions: list[dict[str, Any]],
    usage: dict[str, Any],
) -> dict[str, Any]:
    answer: dict[str, Any] = {"success": True, "reply": reply, "images": images}
    if plugin.sends_actions:
        answer |= {"actions": actions, "shortcuts": [], "blocks": []}
    answer["usage"] = usage if settings.usage else None
    if plugin.has_response_ids:
        answer["responseId"] = f"resp_{secrets.token_hex(6)}"
    return answer
