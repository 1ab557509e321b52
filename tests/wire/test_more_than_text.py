"""What comes beside a text: reasoning, images, usage, refusals, and the halves of characters."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite import Identity, Reasoning, ResponseFormatError, RetryPolicy, StreamInterruptedError, Usage
from g4f_lite.answers.images import ImageResponse
from g4f_lite.providers.openai.answer import MAX_EVENT_PARTS, MAX_EVENT_VALUES

from .conftest import Ask, Provide
from .openai_answers import STOP, data, piece, streamed, whole
from .raw_server import Connection, RawServer, chunked, every

CALL = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("delta", "reasoning"),
    [
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_text": "hm"}, "hm"),
        ({"thinking": "hm"}, "hm"),
        ({"reasoning": "hm", "reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "hm"),
        (
            {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.text", "text": "m"}]},
            "hm",
        ),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}, "hm"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, ""),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, "hm"),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, "hm"),
        ({"reasoning": {"content": [{"type": "text", "text": "hm"}]}}, "hm"),
        ({"reasoning_content": ""}, ""),
        ({"reasoning_content": 3}, ""),
    ],
)
def test_reasoning_under_its_many_names(delta: dict[str, Any], reasoning: str, provide: Provide) -> None:
    for answer in (
        streamed(piece({"content": "", **delta}), piece({"content": "Hi"}), STOP),
        whole({"choices": [{"message": {**delta, "content": delta.get("content", "Hi")}, "finish_reason": "stop"}]}),
    ):
        with RawServer(every(answer)) as server:
            assert provide(server).create(messages="hi").reasoning == reasoning


IMAGES: dict[str, Any] = {
    "OpenRouter's": [{"type": "image_url", "image_url": {"url": PIXEL}}],
    "a text in its place": [{"type": "image_url", "image_url": PIXEL}],
    "a url": [{"url": PIXEL}],
    "a text": [PIXEL],
    "one alone": {"image_url": {"url": PIXEL}},
    "Base64": [{"b64_json": "iVBORw0KGgo="}],
    "a type and its data": [{"type": "image", "source": {"media_type": "image/png", "data": "iVBORw0KGgo="}}],
}


@pytest.mark.product
@pytest.mark.parametrize("form", IMAGES)
@pytest.mark.parametrize("text", ["", "Here:"])
def test_images_in_a_delta(form: str, text: str, provide: Provide, ask: Ask) -> None:
    events = [piece({"content": text}), piece({"content": "", "images": IMAGES[form]}), STOP]
    with RawServer(every(streamed(*events))) as server:
        answer = ask(provide(server))
    assert [image.urls for image in answer.images] == [[PIXEL]]
    assert text in answer


def test_images_among_the_parts_of_content(provide: Provide) -> None:
    parts = [{"type": "text", "text": "Here:"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    with RawServer(every(streamed(piece({"content": parts}), STOP))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer.images[0].urls, answer.startswith("Here:")) == ([PIXEL], True)


def test_the_scheme_of_an_image_may_be_in_upper_case(provide: Provide) -> None:
    images = [{"image_url": {"url": "HTTPS://x.test/a.png"}}, {"image_url": {"url": "Data:image/png;base64,AA=="}}]
    with RawServer(every(streamed(piece({"content": "Here:", "images": images}), STOP))) as server:
        answer = provide(server).create(messages="hi")
    assert [image.urls for image in answer.images] == [["https://x.test/a.png"], ["data:image/png;base64,AA=="]]


def test_images_that_come_once_more_at_the_end_are_the_same(provide: Provide) -> None:
    images = {"images": [{"image_url": {"url": PIXEL}}]}
    with RawServer(every(streamed(piece(images), piece(images, "stop")))) as server:
        assert len(provide(server).create(messages="hi").images) == 1


def test_an_image_of_megabytes_in_a_line(provide: Provide) -> None:
    large = "data:image/png;base64," + "A" * 3_000_000
    with RawServer(every(streamed(piece({"content": "Here:"}), piece({"images": [{"url": large}]}), STOP))) as server:
        deltas = list(provide(server).create_generator(messages="hi").deltas())
    assert [delta.urls for delta in deltas if isinstance(delta, ImageResponse)] == [[large]]


@pytest.mark.once
def test_a_line_beyond_the_bound(provide: Provide) -> None:
    line = b"data: " + b"x" * (32 * 1024 * 1024) + b"\n\n"
    with RawServer(every(streamed(piece({"content": "Hi"}), line, STOP))) as server:
        stream = provide(server).create_generator(messages="hi")
        with pytest.raises(ResponseFormatError, match="33,554,432 bytes"):
            stream.text()


@pytest.mark.product
@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, Usage(3, 4, 7)),
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4, 7)),
        ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4, 7)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4.0, "total_tokens": None}, Usage(3, 4, 7)),
        ({"prompt_tokens": 3, "total_tokens": 7}, Usage(3, 4, 7)),
        ({"completion_tokens": 4, "total_tokens": 7}, Usage(3, 4, 7)),
        ({"prompt_tokens": 3}, Usage(3, 0, 3)),
        ({"completion_tokens": 4}, Usage(0, 4, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_cache_hit_tokens": 2}, Usage(3, 4, 7, 2)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "cached_tokens": 2}, Usage(3, 4, 7, 2)),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 1}},
            Usage(3, 4, 7, 1),
        ),
        ({"total_tokens": 7}, None),
        ({"prompt_tokens": "3", "completion_tokens": True}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("place", ["chunk", "choice", "x_groq"])
def test_usage_wherever_it_stands(usage: dict[str, Any], counted: Usage | None, place: str, provide: Provide) -> None:
    last = piece({}, "stop", usage=usage) if place == "choice" else {**STOP, "usage": usage}
    if place == "x_groq":
        last = {**STOP, "x_groq": {"id": "r", "usage": usage}}
    with RawServer(every(streamed(piece({"content": "Hi"}), last))) as server:
        assert provide(server).create(messages="hi").usage == counted


EMOJI = "\ud83d\ude42"
HALVES = {
    "in two chunks": ([{"content": "hi \ud83d"}, {"content": "\ude42"}], "hi 🙂", ""),
    "with other chunks between": (
        [{"content": "\ud83d"}, {"reasoning_content": "hm"}, {"content": "\ude42"}],
        "🙂",
        "hm",
    ),
    "in one chunk": ([{"content": EMOJI}], "🙂", ""),
    "a lone first half": ([{"content": "a\ud83d"}, {"content": "b"}], "a\ufffdb", ""),
    "a lone first half at the end": ([{"content": "a\ud83d"}], "a\ufffd", ""),
    "a lone second half": ([{"content": "\ude42b"}], "\ufffdb", ""),
    "of reasoning": ([{"reasoning_content": "\ud83d"}, {"reasoning_content": "\ude42"}, {"content": "a"}], "a", "🙂"),
    "twice": ([{"content": "\ud83d"}, {"content": "\ude42\ud83d"}, {"content": "\ude42"}], "🙂🙂", ""),
}


@pytest.mark.parametrize("case", HALVES)
def test_halves_of_a_character_are_joined(case: str, provide: Provide, ask: Ask) -> None:
    deltas, text, reasoning = HALVES[case]
    with RawServer(every(streamed(*map(piece, deltas), STOP))) as server:
        answer = ask(provide(server))
    assert (answer, answer.reasoning) == (text, reasoning)
    assert answer.encode()


def test_a_refusal_and_what_it_is_called_come_through(provide: Provide) -> None:
    events = ({**piece({"refusal": "I can"}), "model": "real", "created": 5.0}, piece({"refusal": "not."}), STOP)
    with RawServer(every(streamed(*events))) as server:
        stream = provide(server).create_generator(messages="hi")
        answer = stream.text()
    assert (answer, answer.refusal, stream.identity) == ("I cannot.", "I cannot.", Identity("c-1", 5, "real"))


def test_reasoning_comes_before_the_text_of_the_same_chunk(provide: Provide) -> None:
    with RawServer(every(streamed(piece({"content": "Hi", "reasoning": "hm"}), STOP))) as server:
        deltas = list(provide(server).create_generator(messages="hi").deltas())
    assert [delta for delta in deltas if isinstance(delta, (str, Reasoning))] == [Reasoning("hm"), "Hi"]


def test_a_whole_message_behind_its_deltas_says_nothing_twice(provide: Provide) -> None:
    whole_message = {"content": "Hi", "reasoning_content": "hm", "tool_calls": [CALL], "refusal": None}
    events = [
        piece({"reasoning_content": "hm"}),
        piece({"content": "Hi"}),
        piece({"tool_calls": [{"index": 0, **CALL}]}),
        {"choices": [{"index": 0, "message": whole_message, "finish_reason": "tool_calls"}]},
    ]
    with RawServer(every(streamed(*events))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer, answer.reasoning, len(answer.tool_calls)) == ("Hi", "hm", 1)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"reasoning_details": "x"},
        {"reasoning_opaque": "x"},
        {"encrypted_content": "x"},
        {"reasoning": {"encrypted": "x"}},
        {"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]},
        {"content": [{"type": "redacted_thinking", "data": "x"}]},
    ],
    ids=str,
)
def test_after_thoughts_that_nobody_can_read_nothing_is_sent_again(delta: dict[str, Any], provide: Provide) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(data(piece(delta)), last=b""))

    policy = RetryPolicy(attempts=2, backoff=0.01)
    with RawServer(serve) as server, pytest.raises(StreamInterruptedError):
        provide(server, retry=policy).create(messages="hi")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("own", "told"),
    [([[]] * MAX_EVENT_PARTS, "100,000 objects and lists"), ([1] * (MAX_EVENT_VALUES + 1), "300,000 values")],
    ids=["parts", "values"],
)
def test_an_event_of_very_many_parts_is_refused(provide: Provide, own: list[Any], told: str) -> None:
    answer = streamed(piece({"content": "a", "own": own}, "stop"))
    told = f"more than {told}"
    with RawServer(every(answer)) as server, pytest.raises(ResponseFormatError, match=told):
        provide(server).create(messages="hi")
