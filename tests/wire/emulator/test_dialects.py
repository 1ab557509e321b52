"""The dialects of the emulated OpenAI-compatible server: what each of them puts on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from g4f_lite.emulator import DIALECTS, Emulator

from .clients import complete

Delta = str | Mapping[str, Any]

PAGE = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")
USAGE = {"stream_options": {"include_usage": True}}


def call(index: int, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def tail(index: int, arguments: str) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}}


TWO_CALLS: list[Delta] = [
    {"tool_calls": [call(0, "weather", "")]},
    {"tool_calls": [tail(0, '{"city":"Oslo"}')]},
    {"tool_calls": [call(1, "clock", "")]},
    {"tool_calls": [tail(1, '{"tz":"CET"}')]},
]
THOUGHT: list[Delta] = [{"reasoning_content": "hm"}, "Hi"]


def speak(emulator: Emulator, name: str, answer: str | Iterable[Delta] | None = None, **body: Any) -> requests.Response:
    """Ask an emulator that speaks one dialect."""
    emulator.dialect(name)
    if answer is not None:
        emulator.answer(answer)
    return complete(emulator, **body)


def data_of(response: requests.Response) -> list[Any]:
    """Read the data lines: objects, and strings for what is not JSON."""
    lines = [line[5:].strip() for line in response.content.decode().splitlines() if line.startswith("data:")]
    return [json.loads(line) if line.startswith(("{", "[{")) else line for line in lines]


def choices_of(response: requests.Response) -> list[dict[str, Any]]:
    """Give the choices of all chunks but the first, which carries the role."""
    chunks = [data for data in data_of(response) if isinstance(data, dict) and data.get("choices")]
    return [choice for chunk in chunks for choice in chunk["choices"]][1:]


def deltas_of(response: requests.Response) -> list[dict[str, Any]]:
    """Give the deltas that are neither the first nor the last one."""
    return [choice["delta"] for choice in choices_of(response) if not choice["finish_reason"]]


# The registry


def test_the_page_lists_every_dialect() -> None:
    section = PAGE.partition("\n## Dialects\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `.*\|$", section, re.MULTILINE)
    assert rows == [f"| `{name}` | {row.summary} | {row.software} |" for name, row in DIALECTS.items()]


def test_a_summary_is_one_sentence() -> None:
    sentence = re.compile(r"[A-Z][^.]*(\.\w+[^.]*)*\.")
    assert [dialect.summary for dialect in DIALECTS.values() if not sentence.fullmatch(dialect.summary)] == []
    assert [name for name, dialect in DIALECTS.items() if not dialect.software] == []
    assert [name for name in DIALECTS if not re.fullmatch(r"[a-z0-9.-]+", name)] == []


def test_unknown_dialects_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no dialect 'klingon'; use the names in DIALECTS"):
        Emulator(dialects=("klingon",))
    with pytest.raises(ValueError, match="there is no dialect 'ping-event'; use ping-events"):
        Emulator(dialects=("ping-event",))
    with Emulator() as emulator:
        with pytest.raises(ValueError, match="klingon"):
            emulator.dialect("reasoning", "klingon")
        assert emulator.settings.dialects == ()


def test_dialects_are_spoken_together_until_they_are_changed(emulator: Emulator) -> None:
    emulator.dialect("reasoning", "ping-events")
    emulator.answer(THOUGHT)
    response = complete(emulator, stream=True)
    assert {"type": "ping"} in data_of(response)
    assert {"content": "", "reasoning": "hm"} in deltas_of(response)
    emulator.dialect()
    assert {"type": "ping"} not in data_of(complete(emulator, stream=True))
    emulator.dialect("ping-events")
    emulator.reset()
    assert emulator.settings.dialects == ()


@pytest.mark.product
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_answers_something(
    emulator: Emulator, session: requests.Session, name: str, stream: bool
) -> None:
    for answer in ("Hi \U0001f600", TWO_CALLS, THOUGHT):
        assert speak(emulator, name, answer, session=session, stream=stream).status_code in (200, 400, 404)
    emulator.fail("error")
    complete(emulator, session, stream=stream)
    assert all(request.status is not None for request in emulator.requests)


# Failures in an answer


def chunk_with(**fields: Any) -> list[Any]:
    return [fields, "[DONE]"]


IN_STREAM = [
    ("error-in-choice", lambda last: last["choices"][0]["error"] == {"code": 500, "message": "Broken."}),
    ("error-beside-choices", lambda last: last["error"] == {"code": 500, "message": "Broken."}),
    ("error-in-delta", lambda last: last["choices"][0]["delta"]["error"]["message"] == "Broken."),
    ("error-finish-reason", lambda last: last["choices"][0]["delta"] == {"content": ""}),
]


@pytest.mark.parametrize("after", [None, 1])
@pytest.mark.parametrize(("name", "is_right"), IN_STREAM, ids=[name for name, _ in IN_STREAM])
def test_failures_in_a_chunk(emulator: Emulator, name: str, is_right: Any, after: int | None) -> None:
    emulator.fail("error", after=after, message="Broken.")
    response = speak(emulator, name, stream=True)
    *text, last, done = data_of(response)
    assert (response.status_code, done, len(text)) == (200, "[DONE]", 0 if after is None else 2)
    assert is_right(last)
    assert (last["choices"][0]["finish_reason"] == "error") is (name != "error-in-delta")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("error-in-choice", ("choices", 0, "error", "message")),
        ("error-beside-choices", ("error", "message")),
        ("error-in-delta", ("choices", 0, "message", "error", "message")),
    ],
)
def test_failures_in_a_whole_answer(emulator: Emulator, name: str, path: tuple[Any, ...]) -> None:
    emulator.fail("error", message="Broken.")
    response = speak(emulator, name)
    value = response.json()
    assert (response.status_code, value["object"]) == (200, "chat.completion")
    for part in path:
        value = value[part]
    assert value == "Broken."


@pytest.mark.parametrize("name", ["llama.cpp-error-line", "error-in-choice", "error-event"])
def test_a_status_that_was_asked_for_is_kept(emulator: Emulator, name: str) -> None:
    emulator.fail("error", status=503)
    assert speak(emulator, name, stream=True).status_code == 503


@pytest.mark.parametrize("after", [None, 1])
def test_error_line_of_llama_cpp(emulator: Emulator, after: int | None) -> None:
    emulator.fail("error", after=after, message="Compute error.")
    response = speak(emulator, "llama.cpp-error-line", stream=True)
    assert response.text.endswith(
        'error: {"code": 500, "message": "Compute error.", "type": "server_error"}\n\ndata: [DONE]\n\n'
    )
    assert response.status_code == 200
    assert ('"Hi"' in response.text) is (after == 1)


def test_error_event(emulator: Emulator) -> None:
    emulator.fail("error", after=2, message="Broken.")
    response = speak(emulator, "error-event", stream=True)
    event = {"type": "error", "error": {"type": "server_error", "message": "Broken."}}
    assert response.text.endswith(f"event: error\ndata: {json.dumps(event)}\n\n")


GEMINI = [{"error": {"code": 500, "message": "Broken.", "status": "INTERNAL"}}]
RAW = {"raw": '{"error": {"message": "Broken."}}', "provider_name": "Crucible"}
FORMS: list[tuple[str, int, Any]] = [
    ("error-string", 500, {"error": "Broken."}),
    (
        "error-object",
        500,
        {"object": "error", "message": "Broken.", "type": "server_error", "param": None, "code": 500},
    ),
    ("error-detail", 500, {"detail": "Broken."}),
    ("error-message", 500, {"message": "Broken."}),
    ("error-list", 500, GEMINI),
    (
        "error-errors",
        500,
        {"result": {}, "success": False, "errors": [{"code": 500, "message": "Broken."}], "messages": []},
    ),
    ("error-type-field", 500, {"error": "Broken.", "error_type": "generation"}),
    ("minimax-base-resp", 200, {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "Broken."}}),
    (
        "error-in-200",
        200,
        {"error": {"message": "Broken.", "type": "server_error", "param": None, "code": "server_error"}},
    ),
    (
        "openrouter-provider-error",
        500,
        {"error": {"message": "Provider returned error", "code": 500, "metadata": RAW}},
    ),
]


@pytest.mark.parametrize(("name", "status", "body"), FORMS, ids=[name for name, *_ in FORMS])
def test_forms_of_errors(emulator: Emulator, name: str, status: int, body: Any) -> None:
    emulator.fail("error", message="Broken.")
    response = speak(emulator, name, stream=True)
    assert (response.status_code, response.json()) == (status, body)
    emulator.fail("error", message="Broken.", after=1)
    assert data_of(complete(emulator, stream=True))[-1] == body


def test_reasons_beside_the_message(emulator: Emulator) -> None:
    emulator.fail("success_false", message="<function=weather>{}</function>")
    failed = speak(emulator, "groq-failed-generation")
    assert (failed.status_code, failed.json()["error"]["code"]) == (400, "tool_use_failed")
    assert failed.json()["error"]["failed_generation"] == "<function=weather>{}</function>"
    emulator.fail("success_false")
    filtered = speak(emulator, "azure-content-filter").json()["error"]
    assert filtered["code"] == "content_filter"
    assert filtered["innererror"]["content_filter_result"]["violence"]["filtered"] is True
    emulator.fail("error")
    assert complete(emulator).status_code == 500


# Events besides the answer

SOURCES = {"sources": [{"source": {"name": "a.pdf"}, "document": ["A page."]}]}


@pytest.mark.parametrize(
    ("name", "extra"),
    [("ping-events", [{"type": "ping"}]), ("source-events", [SOURCES]), ("empty-events", ["{}", ""])],
)
def test_events_around_the_answer(emulator: Emulator, name: str, extra: list[Any]) -> None:
    lines = [
        line[6:] for line in speak(emulator, name, "Hi", stream=True).text.splitlines() if line.startswith("data:")
    ]
    extra = [data if isinstance(data, str) else json.dumps(data) for data in extra]
    assert lines[: len(extra)] == extra
    assert lines[-1 - len(extra) :] == [*extra, "[DONE]"]
    assert '"content": "Hi"' in lines[len(extra) + 1]


def test_comments(emulator: Emulator) -> None:
    text = speak(emulator, "comments", stream=True).text
    assert text.startswith(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: {")


def test_chunks_without_choices(emulator: Emulator) -> None:
    first, *_, last, _done = data_of(speak(emulator, "no-choices", stream=True))
    assert first["choices"] is None
    assert "choices" not in last
    first, *_, without_delta, _end, _done = data_of(speak(emulator, "azure-filter-results", stream=True))
    assert (first["choices"], first["prompt_filter_results"][0]["prompt_index"]) == ([], 0)
    assert "delta" not in without_delta["choices"][0]


def test_message_for_delta(emulator: Emulator) -> None:
    choices = choices_of(speak(emulator, "message-for-delta", "Hi", stream=True))
    assert [choice["message"] for choice in choices] == [{"content": "Hi"}, {}]
    assert all("delta" not in choice for choice in choices)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("blanks-around-done", "data:   [DONE]  \n\n"),
        ("no-done", '"finish_reason": "stop"}]}\n\n'),
        ("no-finish-reason", '"finish_reason": null}]}\n\ndata: [DONE]\n\n'),
        ("finish-with-text", '"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'),
    ],
)
def test_ends_of_streams(emulator: Emulator, name: str, end: str) -> None:
    assert speak(emulator, name, "Hi", stream=True).text.endswith(end)


def test_named_events(emulator: Emulator) -> None:
    text = speak(emulator, "named-events", "Hi", stream=True).text
    assert text.startswith("id: 0\nevent: message\ndata: {")
    assert text.endswith("id: 3\nevent: message\ndata: [DONE]\n\n")


def test_null_fields(emulator: Emulator) -> None:
    (delta,) = deltas_of(speak(emulator, "null-fields", "Hi", stream=True))
    assert (delta["content"], delta["tool_calls"], delta["function_call"]) == ("Hi", None, None)
    message = complete(emulator).json()["choices"][0]["message"]
    assert (message["content"], message["tool_calls"], message["refusal"]) == ("Hi there", None, None)


# Names and pieces

DETAILS = [{"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}]
THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]


@pytest.mark.parametrize(
    ("name", "deltas", "message"),
    [
        (
            "reasoning",
            [{"content": "", "reasoning": "hm"}, {"content": "Hi"}],
            {"role": "assistant", "content": "Hi", "reasoning": "hm"},
        ),
        (
            "reasoning-text",
            [{"content": "", "reasoning_text": "hm"}, {"content": "Hi"}],
            {"role": "assistant", "content": "Hi", "reasoning_text": "hm"},
        ),
        (
            "reasoning-details",
            [{"content": "", "reasoning_details": DETAILS}, {"content": "Hi"}],
            {"role": "assistant", "content": "Hi", "reasoning_details": DETAILS},
        ),
        (
            "think-tags",
            [{"content": "<think>\nhm"}, {"content": "\n</think>\n\n"}, {"content": "Hi"}],
            {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHi"},
        ),
        (
            "content-parts",
            [{"content": THINKING}, {"content": [{"type": "text", "text": "Hi"}]}],
            {"role": "assistant", "content": [*THINKING, {"type": "text", "text": "Hi"}]},
        ),
    ],
)
def test_reasoning(emulator: Emulator, name: str, deltas: list[dict[str, Any]], message: dict[str, Any]) -> None:
    assert deltas_of(speak(emulator, name, THOUGHT, stream=True)) == deltas
    assert speak(emulator, name, THOUGHT).json()["choices"][0]["message"] == message


def test_surrogate_pairs_are_split(emulator: Emulator) -> None:
    text = speak(emulator, "split-surrogates", ["a\U0001f600b", "\u00e9"], stream=True).text
    pieces = re.findall(r'"content": ("[^"]*")', text)
    assert pieces == ['"a\\ud83d"', '"\\ude00b"', '"\\u00e9"']


def test_images_in_deltas(emulator: Emulator) -> None:
    text, image = deltas_of(speak(emulator, "delta-images", "Here:", stream=True))
    assert text == {"content": "Here:"}
    (part,) = image["images"]
    assert part["type"] == "image_url"
    assert part["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")
    message = speak(emulator, "delta-images", "Here:").json()["choices"][0]["message"]
    assert (message["content"], message["images"]) == ("Here:", [part])


COUNTED = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}


def test_places_of_usage(emulator: Emulator) -> None:
    *_, end, done = data_of(speak(emulator, "usage-in-choice", "Hi", stream=True, **USAGE))
    assert (end["choices"][0]["usage"], end["choices"][0]["finish_reason"], done) == (COUNTED, "stop", "[DONE]")
    assert "usage" not in end
    *chunks, _done = data_of(speak(emulator, "usage-everywhere", "Hi", stream=True))
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == [0, 1, 1]
    *chunks, last, _done = data_of(speak(emulator, "usage-null", "Hi", stream=True, **USAGE))
    assert [chunk["usage"] for chunk in chunks] == [None] * 3
    assert last["usage"] == COUNTED
    *_, end, _done = data_of(speak(emulator, "usage-x-groq", "Hi", stream=True, **USAGE))
    assert (end["x_groq"]["usage"], end["choices"][0]["finish_reason"]) == (COUNTED, "stop")


@pytest.mark.parametrize(
    ("name", "reason", "fields"),
    [
        ("empty-length", "length", {"reasoning_content": "Let me see."}),
        ("empty-content-filter", "content_filter", {}),
        ("empty-stop", "stop", {}),
        ("empty-refusal", "stop", {"refusal": "I'm sorry, I can't help with that."}),
    ],
)
def test_empty_answers(emulator: Emulator, name: str, reason: str, fields: dict[str, Any]) -> None:
    answer = speak(emulator, name).json()
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "", **fields}
    assert choice["finish_reason"] == reason
    assert answer["usage"]["prompt_tokens"] == 2
    streamed = choices_of(speak(emulator, name, stream=True))
    assert streamed[-1] == {"index": 0, "delta": {}, "finish_reason": reason}
    assert all("content" not in choice["delta"] for choice in streamed)
