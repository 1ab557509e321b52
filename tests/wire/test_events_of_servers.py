"""What a server adds, leaves out or says in its own way is never a reason to lose an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4f_lite import Answer, EmptyResponseError, ResponseFormatError, Usage

from .conftest import Ask, Provide
from .openai_answers import HELLO, STOP, call, completion, data, piece, streamed, whole
from .raw_server import RawServer, every, length


def _part(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": [fields]}}]}


EXTRA_EVENTS: dict[str, dict[str, Any] | bytes] = {
    "a ping": {"type": "ping"},
    "an event named ping": b'event: ping\ndata: {"type": "ping"}\n\n',
    "a comment": b": keep-alive\n\n",
    "nothing": {},
    "empty data": b"data: \n\n",
    "blank data": b"data:   \n\n",
    "null": b"data: null\n\n",
    "a word": b"data: ping\n\n",
    "a beginning": b"data: [START]\n\n",
    "an event of a type of its own": b"event: progress\ndata: 3 of 4\n\n",
    "empty texts": b'data: ""\n\ndata: []\n\n',
    "a sign of life": b"data: keep-alive\n\n",
    "sources": {"sources": [{"source": {"name": "a.pdf"}}]},
    "citations": {"citations": ["https://x.test/"], "object": "chat.completion.chunk"},
    "no choices": {"id": "x", "choices": None},
    "no choice": {"choices": []},
    "a filter's result of Azure": {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
    "a choice without a delta": {"choices": [{"index": 0, "content_filter_offsets": {}, "finish_reason": None}]},
    "a delta that is null": {"choices": [{"index": 0, "delta": None}]},
    "a reference": _part(type="reference", reference_ids=[1]),
    "a reference to a tool": _part(type="tool_reference", tool="web_search", title="A", url="https://x.test/"),
    "thoughts that nobody can read": _part(type="redacted_thinking", data="x"),
    "a signature of thoughts": _part(type="thinking", signature="x"),
    "an empty part": _part(type="text", text="", annotations=[{"url": "https://x.test/"}]),
    "a flag in an empty part": _part(type="text", text="", final=True, status="done"),
    "a part that is null": _part(type="text", text=None, index=0),
    "a result of a search": {"type": "search_result", "content": "found"},
    "usage of another type": {"choices": [], "usage": 3},
    "a status": {"type": "status", "status": "searching", "message": "searching the web"},
    "an unknown field": b"priority: u=3\n\n",
    "a retry": b"retry: 3000\n\n",
    "a line of blanks": b"   \t\n\n",
}


@pytest.mark.product
@pytest.mark.parametrize("extra", EXTRA_EVENTS)
@pytest.mark.parametrize("place", ["first", "in the middle", "last"])
def test_an_event_that_holds_nothing_of_the_answer_is_skipped(extra: str, place: str, provide: Provide) -> None:
    events: list[dict[str, Any] | bytes] = [piece({"content": "Hel"}), piece({"content": "lo"}), STOP]
    events.insert({"first": 0, "in the middle": 1, "last": 3}[place], EXTRA_EVENTS[extra])
    with RawServer(every(streamed(*events))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer, answer.finish_reason) == ("Hello", "stop")


def _choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **fields}]}


MAY_BE_PIECES: dict[str, dict[str, Any] | bytes] = {
    "a word": b"data: lost\n\n",
    "a line that is no field": b"lost\n\n",
    "a number": b"data: 3\n\n",
    "a text": b'data: "lost"\n\n',
    "a list": b"data: [1, 2]\n\n",
    "broken JSON": b'data: {"choi\n\n',
    "choices that are a number": {"choices": 0},
    "choices that are a text": {"choices": "lost"},
    "a choice that is a text": {"choices": ["lost"]},
    "a choice with content": _choice(content="lost"),
    "a choice whose text is a number": _choice(text=3),
    "a delta that is a text": _choice(delta="lost"),
    "a delta that is 0": _choice(delta=0),
    "a delta without choices": {"object": "chat.completion.chunk", "delta": {"content": "lost"}},
    "content without choices": {"content": "lost"},
    "an answer without choices": {"response": "lost"},
    "a message without choices": {"message": {"content": "lost"}},
    "a chunk in data": {"data": _choice(delta={"content": "lost"})},
    "candidates": {"candidates": [{"content": {"parts": [{"text": "lost"}]}}]},
    "a token with a text": {"token": {"text": "lost"}},
    "a call that is a text": _choice(delta={"function_call": "lost"}),
    "a delta beside an empty list of choices": {"choices": [], "delta": {"content": "lost"}},
    "content beside an empty list of choices": {"choices": [], "content": "lost"},
    "content that is 0": _choice(delta={"content": 0}),
    "content that is true": _choice(delta={"content": True}),
    "content that is a list of numbers": _choice(delta={"content": [3]}),
    "content whose text is a number": _choice(delta={"content": [{"type": "text", "text": 3}]}),
    "a part whose content is a list": _choice(delta={"content": [{"type": "text", "content": ["lost"]}]}),
    "a part with a value": _choice(delta={"content": [{"type": "text", "value": "lost"}]}),
    "a part of an unknown type": _choice(delta={"content": [{"type": "voice", "transcript": "lost"}]}),
    "a part without a type": _choice(delta={"content": [{"words": "lost"}]}),
    "an image without an address": _choice(delta={"content": [{"type": "image_url", "image_url": {"url": [1]}}]}),
    "a delta with a text": _choice(delta={"text": "lost"}),
    "a delta with a role and a text": _choice(delta={"role": "assistant", "content": "", "text": "lost"}),
    "content beside a delta": _choice(delta={"role": "assistant"}, content="lost"),
    "a text beside another in a delta": _choice(delta={"content": "found"}, text="lost"),
    "a text beside a delta": _choice(delta={"role": "assistant"}, text="lost"),
    "a field name in upper case": b'Data: {"choices":[{"index":0,"delta":{"content":"lost"}}]}\n\n',
    "a text after a field name in upper case": b"DATA: lost\n\n",
    "a field name without its beginning": b'ata: {"choices":[{"index":0,"delta":{"content":"lost"}}]}\n\n',
    "a refusal that is a number": _choice(delta={"refusal": 3}),
    "tool calls that are a number": _choice(delta={"tool_calls": 3}),
    "a tool call that is a text": _choice(delta={"tool_calls": ["f"]}),
    "a name that is a number": _choice(delta={"tool_calls": [{"index": 0, "function": {"name": 5}}]}),
    "a function that is a text": _choice(delta={"tool_calls": [{"index": 0, "function": "f"}]}),
}


@pytest.mark.product
@pytest.mark.parametrize("lost", MAY_BE_PIECES)
@pytest.mark.parametrize("before", ["", "Hel"])
def test_an_answer_with_a_hole_is_an_error(lost: str, before: str, provide: Provide) -> None:
    pieces = [piece({"content": before})] if before else []
    with RawServer(every(streamed(*pieces, MAY_BE_PIECES[lost], piece({"content": "lo"}), STOP))) as server:
        stream = provide(server).create_generator(messages="hi")
        with pytest.raises(ResponseFormatError) as caught:
            list(stream)
    assert caught.value.partial == before


@pytest.mark.parametrize(
    ("pieces", "message", "answer"),
    [
        (["Hel", "lo"], "Hello", "Hello"),
        (["Hel"], "Hello", "Hello"),
        ([" Hel", "lo\n"], "Hello", " Hello\n"),
        ([], "Hello", "Hello"),
        (["Hel", "lo"], [{"type": "text", "text": "Hello!"}], "Hello!"),
        (["Hel", "lo"], None, "Hello"),
    ],
)
def test_a_message_at_the_end_adds_what_its_pieces_left_out(
    pieces: list[str], message: Any, answer: str, provide: Provide
) -> None:
    events = [piece({"content": text}) for text in pieces]
    end = {"choices": [{"index": 0, "message": {"content": message}, "finish_reason": "stop"}]}
    with RawServer(every(streamed(piece({"reasoning": "hm"}), *events, end))) as server:
        assert provide(server).create(messages="hi") == answer


@pytest.mark.parametrize("delta", [{}, {"role": "assistant"}, {"role": "assistant", "content": "", "tool_calls": []}])
@pytest.mark.parametrize(
    ("pieces", "message", "answer"),
    [(["Hel", "lo"], "Hello", "Hello"), (["Hel"], "Hello", "Hello"), ([], "Hello", "Hello"), (["Hello"], "", "Hello")],
)
def test_a_message_beside_a_delta_that_has_only_a_role_is_read(
    pieces: list[str], message: str, answer: str, delta: dict[str, Any], provide: Provide
) -> None:
    end = _choice(delta=delta, message={"role": "assistant", "content": message}, finish_reason="stop")
    with RawServer(every(streamed(*(piece({"content": text}) for text in pieces), end))) as server:
        assert provide(server).create(messages="hi") == answer


def test_a_message_at_the_end_that_says_more_than_its_pieces_and_otherwise_is_an_error(provide: Provide) -> None:
    end = {"choices": [{"index": 0, "message": {"content": "Transfer 1,000,000"}, "finish_reason": "stop"}]}
    with (
        RawServer(every(streamed(piece({"content": "Transfer 1"}), piece({"content": "000"}), end))) as server,
        pytest.raises(ResponseFormatError, match="not that of its pieces") as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "Transfer 1000"


@pytest.mark.parametrize(("message", "is_said"), [("Take two.", True), ("吃两片。", False), ("Stop.", False)])
def test_a_shorter_message_at_the_end_is_said_already_or_a_hole(message: str, is_said: bool, provide: Provide) -> None:
    end = {"choices": [{"index": 0, "message": {"content": message}, "finish_reason": "stop"}]}
    with RawServer(every(streamed(piece({"content": "Ta"}), piece({"content": "ke two [1]."}), end))) as server:
        stream = provide(server).create_generator(messages="hi")
        if is_said:
            assert stream.text() == "Take two [1]."
        else:
            with pytest.raises(ResponseFormatError, match="not that of its pieces"):
                stream.text()


A, B = '{"city":"Oslo"}', '{"tz":"CET"}'
A_SPELLED_ANEW = '{"city": "\\u004fslo"}'


@pytest.mark.parametrize(
    ("pieces", "message", "calls"),
    [
        ([("a", A)], [("a", A_SPELLED_ANEW)], [("a", A)]),
        ([("a", A)], [("a", {"city": "Oslo"})], [("a", A)]),
        ([("a", A)], [("x", A)], [("a", A)]),
        ([("a", A)], [(None, A_SPELLED_ANEW)], [("a", A)]),
        ([(None, A)], [("a", A_SPELLED_ANEW)], [("a", A)]),
        ([("a", A), ("b", A)], [("x", A_SPELLED_ANEW), ("y", A_SPELLED_ANEW)], [("a", A), ("b", A)]),
        ([(None, A), (None, B)], [(None, A), (None, B)], [(None, A), (None, B)]),
        ([("a", "{}")], [("x", {})], [("a", "{}")]),
        ([("a", "")], [("a", A)], [("a", A)]),
        ([("a", A)], [("x", A_SPELLED_ANEW), ("b", B)], [("a", A), ("b", B)]),
        ([("a", A)], [("x", A), ("b", A)], [("a", A), ("b", A)]),
        ([("a", '{"n":1}')], [("b", '{"n":true}')], [("a", '{"n":1}'), ("b", '{"n":true}')]),
    ],
)
def test_a_message_at_the_end_adds_only_calls_that_its_pieces_left_out(
    pieces: list[Any], message: list[Any], calls: list[Any], provide: Provide
) -> None:
    events = [piece({"tool_calls": [call(id_, "f", text, index=at)]}) for at, (id_, text) in enumerate(pieces)]
    again = [call(id_, "f", arguments) for id_, arguments in message]
    end = {"choices": [{"index": 0, "message": {"tool_calls": again}, "finish_reason": "tool_calls"}]}
    with RawServer(every(streamed(*events, end))) as server:
        answer = provide(server).create(messages="hi", tools=[])
    assert [(each.id, each.arguments) for each in answer.tool_calls] == calls


def _message(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"content": text}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        ([_message("Paris is", "stop"), _message("Paris is")], "Paris is"),
        ([_message("Paris is"), _message("Paris is", "stop")], "Paris is"),
        ([piece({"content": "Paris"}), _message("Paris is"), _message("Paris is big"), STOP], "Paris is big"),
        ([piece({"content": "Paris"}), _message("Paris is big", "stop"), _message("Paris is big")], "Paris is big"),
        ([_message("Paris"), _message(" is"), _message(" big", "stop")], "Paris is big"),
        ([_message("Paris"), _message(" is"), _message("Paris is big", "stop")], "Paris is big"),
        ([_message("Paris"), _message(" is"), STOP, _message("Paris is")], "Paris is"),
    ],
)
def test_a_message_that_comes_again_says_nothing_twice(
    events: list[dict[str, Any]], answer: str, provide: Provide
) -> None:
    with RawServer(every(streamed(*events))) as server:
        assert provide(server).create(messages="hi") == answer


def test_a_message_that_may_be_the_next_piece_or_the_whole_is_an_error(provide: Provide) -> None:
    with (
        RawServer(every(streamed(_message("1"), _message("10"), STOP))) as server,
        pytest.raises(ResponseFormatError, match="the whole once more") as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "1"


@pytest.mark.parametrize("end", [b"data:[DONE]\n\n", b"data:  [DONE] \n\n", b"data: [DONE]", b"data: data: [DONE]\n\n"])
def test_blanks_around_the_end(end: bytes, provide: Provide) -> None:
    with RawServer(every(streamed(piece({"content": "Hello"}), end=end))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer, answer.finish_reason) == ("Hello", None)


@pytest.mark.parametrize(
    "events",
    [
        data({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}),
        data({"choices": [{"index": 0, "delta": None, "message": {"content": "Hello"}}]}, STOP),
        data({"choices": [{"index": 0, "text": "Hello"}]}, STOP),
        data({"choices": [{"delta": {"content": "Hello"}}]}, {"choices": [{"finish_reason": "stop"}]}),
        data(piece({"content": "Hel"}, "null"), piece({"content": "lo"}, "stop")),
        data(piece({"content": "Hel"}, ""), piece({"content": "lo"}, "stop")),
        data(piece({"content": "Hello"}), {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}),
        data(
            piece({"reasoning_content": "hm"}),
            piece({"content": "Hello"}, message={"content": "Hello"}),
            {"choices": [{"message": {"content": "Hello", "reasoning_content": "hm"}, "finish_reason": "stop"}]},
        ),
        data(piece({"content": {"type": "text", "text": "Hello"}}), STOP),
        data(piece({"content": ["Hel", {"type": "output_text", "text": "lo"}]}), STOP),
        b"data: " + data(piece({"content": "Hello"}), STOP),
        data(piece({"content": "Hello"}), STOP).replace(b"data: ", b"  data: "),
        data(piece({"content": "Hello"}), STOP).replace(b"data: ", b""),
        data(piece({"content": "Hello"}), STOP).replace(b"\n\n", b"\r\n\r\n"),
        data(piece({"role": "assistant", "content": "Hel"}), piece({"role": "assistant", "content": "lo"}), STOP),
    ],
)
def test_an_answer_said_in_another_way(events: bytes, provide: Provide) -> None:
    with RawServer(every(length(events))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer, answer.finish_reason) == ("Hello", "stop")


@pytest.mark.parametrize(
    "answer",
    [
        completion({"content": "Hello"}),
        {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]},
        {"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]},
        {"choices": [{"text": "Hello", "finish_reason": "stop"}]},
        [completion({"content": "Hello"})],
        [piece({"content": "Hel"}), piece({"content": "lo"}), STOP],
        [piece({"content": "Hello"}), piece({}, {"type": "stop"})],  # type: ignore[arg-type]
    ],
    ids=json.dumps,
)
def test_one_json_where_a_stream_was_asked_for(answer: Any, provide: Provide, ask: Ask) -> None:
    with RawServer(every(whole(answer))) as server:
        got = ask(provide(server))
    assert (got, got.finish_reason) == ("Hello", "stop")


def test_what_could_not_be_read_is_said_where_the_end_is_missing(provide: Provide) -> None:
    events = (piece({"content": "Hel"}), {"choices": "none"})
    with (
        RawServer(every(streamed(*events, end=b""))) as server,
        pytest.raises(ResponseFormatError, match="none") as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "Hel"


def test_an_event_that_is_broken_in_the_middle_is_a_hole_in_the_answer(provide: Provide) -> None:
    with RawServer(every(streamed(piece({"content": "Hel"}), b'data: {"choi\n\n', STOP))) as server:
        stream = provide(server).create_generator(messages="hi")
        assert next(stream) == "Hel"
        with pytest.raises(ResponseFormatError) as caught:
            next(stream)
    assert caught.value.partial == "Hel"


def test_a_choice_without_an_index_is_the_first(provide: Provide) -> None:
    without = piece({"content": "Hel"})
    del without["choices"][0]["index"]
    with RawServer(every(streamed(without, piece({"content": "lo"}), STOP))) as server:
        assert provide(server).create(messages="hi") == "Hello"


# An empty answer says why


@pytest.mark.product
@pytest.mark.parametrize("reason", ["length", "content_filter", "stop", None])
@pytest.mark.parametrize("place", ["a chunk", "a choice", "one JSON"])
def test_an_empty_answer_says_why(reason: str | None, place: str, provide: Provide) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 500, "total_tokens": 509}
    answer = {
        "a chunk": streamed(piece({"content": ""}, reason), {"choices": [], "usage": usage}),
        "a choice": streamed(piece({"content": ""}, reason, usage=usage)),
        "one JSON": whole({**completion({"content": ""}, reason), "usage": usage}),
    }[place]
    with RawServer(every(answer)) as server, pytest.raises(EmptyResponseError) as caught:
        provide(server).create(messages="hi")
    error = caught.value
    assert (error.finish_reason, error.usage, error.reasoning) == (reason, Usage(9, 500, 509), "")
    assert reason is None or (repr(reason) in str(error) and "500 tokens" in str(error))
    assert ("max_tokens" in str(error), "filter held" in str(error)) == (reason == "length", reason == "content_filter")


def test_an_answer_of_its_end_alone_is_empty_and_quoted(provide: Provide) -> None:
    with RawServer(every(streamed(STOP))) as server, pytest.raises(EmptyResponseError) as caught:
        provide(server).create(messages="hi")
    assert (caught.value.finish_reason, caught.value.status, caught.value.attempts) == ("stop", 200, 1)
    assert '"finish_reason": "stop"' in caught.value.body


def test_reasoning_alone_is_an_answer(provide: Provide) -> None:
    with RawServer(every(streamed(piece({"reasoning_content": "hm"}, "stop")))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer, answer.reasoning, answer.finish_reason) == ("", "hm", "stop")


def test_an_answer_that_was_cut_before_it_began_is_empty(provide: Provide) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 500, "total_tokens": 509}
    answer = streamed(piece({"reasoning_content": "hm"}), piece({"content": ""}, "length", usage=usage))
    with RawServer(every(answer)) as server, pytest.raises(EmptyResponseError) as caught:
        provide(server).create(messages="hi")
    error = caught.value
    assert (error.finish_reason, error.usage, error.reasoning) == ("length", Usage(9, 500, 509), "hm")
    assert "only reasoning" in str(error)
    assert "after 500 tokens: give a larger max_tokens" in str(error)


TOOL_CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize("delta", [{"content": "H"}, {"refusal": "No"}, {"tool_calls": [TOOL_CALL]}])
def test_what_came_behind_the_reasoning_is_an_answer_though_it_is_cut(delta: dict[str, Any], provide: Provide) -> None:
    with RawServer(every(streamed(piece({"reasoning_content": "hm", **delta}, "length")))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer.reasoning, answer.is_cut) == ("hm", True)


def test_nothing_is_lost_between_two_calls_on_one_connection(provide: Provide) -> None:
    with RawServer(every(HELLO)) as server:
        provider = provide(server)
        answers: list[Answer] = [provider.create(messages="hi") for _ in range(3)]
        assert (answers, server.connections) == (["Hello"] * 3, 1)
