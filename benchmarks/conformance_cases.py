"""What real servers do, case by case: the bytes that they send, and what a client should keep of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .conformance_answers import (
    Answer,
    as_json,
    call,
    called,
    completion,
    piece,
    refused,
    response,
    stream,
    wants_back,
    without,
)

Facts = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One way of a server's.

    :param name: what it does
    :param who: a service or software that does so
    :param answers: its answers, in order; the last one goes on for ever
    :param facts: what a client should come to know
    :param how: how a client asks: for a ``"stream"``, a ``"whole"`` answer, ``"models"``, an ``"image"``, or in a
        ``"loop"`` of tool calls
    :param address: what the address of the server ends in
    """

    name: str
    who: str
    answers: tuple[Answer, ...]
    facts: Facts
    how: str = "stream"
    address: str = "/v1"
    options: dict[str, Any] = field(default_factory=dict)


STOP = piece({}, "stop")
PART, HELLO = piece({"content": "Once upon"}), stream(piece({"content": "Hello"}), STOP)
FAIL = {"code": 502, "message": "Provider disconnected"}
A, B = '{"city":"Oslo"}', '{"tz":"CET"}'
TWO = [["a", "weather", A], ["b", "clock", B]]
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TEXT = {"text": "Hello"}
FAILED = {"error": "Provider disconnected", "text": "Once upon"}
SIGNED = {"google": {"thought_signature": "CtYBAcu98P"}}


def _extra(name: str, who: str, event: dict[str, Any] | bytes) -> Case:
    return Case(name, who, (stream(event, piece({"content": "Hello"}), STOP),), TEXT)


EVENTS = [
    _extra("a ping", "Anthropic through gateways", {"type": "ping"}),
    _extra("sources", "Open WebUI", {"sources": [{"source": {"name": "a.pdf"}}]}),
    _extra("an empty object", "gateways", {}),
    _extra("`choices: null`", "gateways", {"id": "x", "choices": None}),
    _extra("empty data", "gateways", b"data: \n\n"),
    Case(
        "blanks around the end",
        "gateways",
        (stream(piece({"content": "Hello"}), STOP, end=b"data: [DONE] \n\n"),),
        TEXT,
    ),
    Case(
        "`message` in the place of `delta`",
        "gateways",
        (stream({**piece(), "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}),),
        TEXT,
    ),
    Case("one JSON where a stream was asked for", "gateways", (as_json(completion({"content": "Hello"})),), TEXT),
    Case(
        "no `finish_reason`, but `[DONE]`",
        "OpenRouter",
        (stream(piece({"content": "Hello"})),),
        {**TEXT, "finish": None},
    ),
    Case("a line of 3 MB", "OpenRouter", (stream(piece({"content": "x" * 3_000_000}), STOP),), {"length": 3_000_000}),
]
FAILURES = [
    Case(
        "an `error:` line",
        "llama.cpp",
        (stream(PART, b'error: {"code":500,"message":"Compute error."}\n\n'),),
        {"error": "Compute error", "text": "Once upon"},
    ),
    Case("an error object", "many", (stream(PART, {"error": FAIL}),), FAILED),
    Case("an event named error", "Groq", (stream(PART, b"event: error\n", {"error": FAIL}),), FAILED),
    Case("an error in a choice", "OpenRouter", (stream(PART, piece({"content": ""}, "error", error=FAIL)),), FAILED),
    Case("an error in a delta", "gateways", (stream(PART, piece({"error": FAIL})),), FAILED),
    Case("a finish reason", "OpenRouter", (stream(PART, piece({}, "error")),), {"error": "error", "text": "Once upon"}),
    Case("the object of an error", "vLLM", (stream(PART, {"object": "error", **FAIL}),), FAILED),
    Case("an error in a 200", "LM Studio", (as_json({"error": FAIL}),), {"error": "Provider disconnected"}, "whole"),
    Case(
        "an error in a choice of a whole answer",
        "OpenRouter",
        (as_json(completion({"content": ""}, "error", error=FAIL)),),
        {"error": "Provider disconnected"},
        "whole",
    ),
    Case("a stream that just ends", "gateways", (stream(PART, end=b""),), {"error": "", "text": "Once upon"}),
    Case(
        "the reason behind a gateway's phrase",
        "OpenRouter",
        (
            refused(
                {"message": "Provider returned error", "metadata": {"raw": '{"error":{"message":"at most 1 image"}}'}}
            ),
        ),
        {"error": "at most 1 image", "requests": 1},
    ),
    Case(
        "what the model wrote",
        "Groq",
        (refused({"message": "Failed to call a function.", "failed_generation": "<function=weather>"}),),
        {"error": "<function=weather>", "requests": 1},
    ),
    Case(
        "nothing but a finish reason",
        "models that think",
        (stream(piece({"content": ""}, "length"), {**piece(), "choices": [], "usage": USAGE}),),
        {"finish": "length", "usage": [9, 5]},
    ),
]
CONTENT = [
    *(
        Case(f"`{name}`", who, (stream(piece({"content": "", name: "hm"}), piece({"content": "Hello"}), STOP),), KEPT)
        for name, who in (
            ("reasoning_content", "DeepSeek"),
            ("reasoning", "vLLM"),
            ("reasoning_text", "GitHub Copilot"),
        )
        for KEPT in [{**TEXT, "reasoning": "hm"}]
    ),
    Case(
        "`reasoning_details` alone",
        "OpenRouter",
        (
            stream(
                piece({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
                piece({"content": "Hello"}),
                STOP,
            ),
        ),
        {**TEXT, "reasoning": "hm"},
    ),
    Case(
        "images in a delta",
        "OpenRouter",
        (stream(piece({"content": "Hello", "images": [{"type": "image_url", "image_url": {"url": PIXEL}}]}), STOP),),
        {"images": 1},
    ),
    Case(
        "usage in a choice",
        "Kimi",
        (stream(piece({"content": "Hello"}), piece({}, "stop", usage=USAGE)),),
        {"usage": [9, 5]},
    ),
    Case(
        "halves of a character",
        "gateways behind JavaScript",
        (stream(piece({"content": "\ud83d"}), piece({"content": "\ude42"}), STOP),),
        {"text": "🙂"},
    ),
    Case(
        "text and tool calls in two choices",
        "GitHub Copilot",
        (
            as_json(
                {
                    **completion({}),
                    "choices": [
                        {
                            "index": 0,
                            "message": {"role": "assistant", "content": "Hello"},
                            "finish_reason": "tool_calls",
                        },
                        {
                            "index": 1,
                            "message": {"role": "assistant", "content": None, "tool_calls": [call("a", "weather", A)]},
                            "finish_reason": "tool_calls",
                        },
                    ],
                }
            ),
        ),
        {**TEXT, "calls": TWO[:1]},
        "whole",
    ),
]
TOOLS = [
    Case(
        "calls as the API says",
        "OpenAI",
        (
            called(
                [call("a", "weather", "", index=0)], [call(None, None, A, index=0)], [call("b", "clock", B, index=1)]
            ),
        ),
        {"calls": TWO},
    ),
    Case(
        "calls all of index 0", "Ollama, Gemini", (called(*([call(*each, index=0)] for each in TWO)),), {"calls": TWO}
    ),
    Case("calls without an index", "Gemini", (called(*([call(*each)] for each in TWO)),), {"calls": TWO}),
    Case(
        "head of index 0, tail of index 1",
        "DeepSeek",
        (
            called(
                [call("a", "weather", A, index=0)], [call("b", "clock", "", index=0)], [call(None, None, B, index=1)]
            ),
        ),
        {"calls": TWO},
    ),
    Case(
        "arguments as an object",
        "gateways",
        (called([call("a", "weather", json.loads(A), index=0)]),),
        {"calls": [["a", "weather", json.dumps(json.loads(A))]]},
    ),
    Case(
        "empty ids and names in later pieces",
        "gateways",
        (
            called(
                [call("a", "weather", "", index=0)], [{"index": 0, "id": "", "function": {"name": "", "arguments": A}}]
            ),
        ),
        {"calls": TWO[:1]},
    ),
    Case(
        "pieces without a function",
        "gateways",
        (called([call("a", "weather", A, index=0), {"index": 0, "type": "function"}]),),
        {"calls": TWO[:1]},
    ),
    Case(
        "a thought signature that must go back",
        "Gemini",
        (
            as_json(
                completion(
                    {"content": None, "tool_calls": [call("a", "weather", A, extra_content=SIGNED)]}, "tool_calls"
                )
            ),
            wants_back("extra_content", SIGNED, HELLO, in_call=True),
        ),
        TEXT,
        "loop",
    ),
    Case(
        "reasoning that must go back",
        "DeepSeek",
        (
            as_json(
                completion(
                    {"content": None, "reasoning_content": "hm", "tool_calls": [call("a", "weather", A)]}, "tool_calls"
                )
            ),
            wants_back("reasoning_content", "hm", HELLO),
        ),
        TEXT,
        "loop",
    ),
]
REQUESTS = [
    Case(
        "`stream_options` refused",
        "vLLM, Azure, Mistral",
        (without("stream_options", refused({"message": "Extra inputs are not permitted: stream_options"}), HELLO),),
        TEXT,
    ),
    Case(
        "`stream` refused",
        "OpenAI, to who is not verified",
        (
            without(
                "stream",
                refused({"message": "not verified to stream", "param": "stream"}),
                as_json(completion({"content": "Hello"})),
            ),
        ),
        TEXT,
    ),
    Case(
        "`max_tokens` refused",
        "OpenAI's newer models",
        (
            without(
                "max_tokens",
                refused({"message": "Unsupported: use 'max_completion_tokens'", "param": "max_tokens"}),
                HELLO,
            ),
        ),
        TEXT,
        options={"max_tokens": 50},
    ),
    Case("an address with the endpoint in it", "people", (HELLO,), TEXT, address="/v1/chat/completions"),
    Case("an address with a query", "Azure", (HELLO,), {**TEXT, "query": "api-version=1"}, address="/v1?api-version=1"),
    Case(
        "a redirect within the server",
        "FastAPI",
        (response(b"", "text/plain", "307 Temporary Redirect", "Location: ./completions/"), HELLO),
        TEXT,
    ),
    Case(
        "a wait in milliseconds",
        "Azure",
        (refused({"message": "busy"}, "429 Busy", "retry-after-ms: 200"), HELLO),
        TEXT,
    ),
    Case(
        "a limit per minute in the words of a quota",
        "Gemini",
        (
            as_json(
                [
                    {
                        "error": {
                            "code": 429,
                            "message": "You exceeded your current quota, please check your plan.",
                            "status": "RESOURCE_EXHAUSTED",
                            "details": [{"retryDelay": "0.2s"}],
                        }
                    }
                ],
                "429 Too Many Requests",
            ),
            HELLO,
        ),
        TEXT,
    ),
    Case("529", "Anthropic", (refused({"message": "Overloaded"}, "529 Overloaded"), HELLO), TEXT),
    Case("409", "Azure", (refused({"message": "Conflict"}, "409 Conflict"), HELLO), TEXT),
    Case(
        "a prompt that no wait makes smaller",
        "Groq",
        (refused({"message": "Request too large", "code": "rate_limit_exceeded"}, "413 Too Large"),),
        {"error": "too large", "requests": 1},
    ),
    Case("a bare list of models", "Together", (as_json([{"id": "a"}, {"id": "b"}]),), {"models": ["a", "b"]}, "models"),
    Case(
        "models without an id",
        "gateways",
        (as_json({"data": [{"id": "a"}, {}, {"id": "b"}]}),),
        {"models": ["a", "b"]},
        "models",
    ),
    Case(
        "what was revised in a prompt for an image",
        "OpenAI",
        (
            as_json(
                {
                    "created": 7,
                    "data": [{"url": "http://x/", "revised_prompt": "a white cat"}],
                    "usage": {"total_tokens": 5},
                }
            ),
        ),
        {"image": ["http://x/", "a white cat", 7, 5]},
        "image",
    ),
]
CASES = {"Events": EVENTS, "Failures": FAILURES, "Content": CONTENT, "Tool calls": TOOLS, "Requests": REQUESTS}
