"""Tool calls as servers really send them, and as they want them back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4f_lite import Answer, Client, Conversation, ToolCall

from .conftest import Provide
from .openai_answers import STOP, call, completion, piece, streamed, whole
from .raw_server import Connection, RawServer, every

A, B = '{"city":"Oslo"}', '{"tz":"CET"}'
BOTH = [("a", "weather", A), ("b", "clock", B)]
END = piece({}, "tool_calls")


def read(server: RawServer, provide: Provide) -> Answer:
    return provide(server).create(messages="hi", tools=[])


def triples(calls: list[ToolCall]) -> list[tuple[str | None, str, str]]:
    return [(each.id, each.name, each.arguments) for each in calls]


# Chunk by chunk, the lists of pieces in them; and the calls that they are.
TWO_CALLS: dict[str, list[list[dict[str, Any]]]] = {
    "as the API says": [
        [call("a", "weather", "", index=0)],
        [call(None, None, A[:5], index=0)],
        [call("b", "clock", "", index=1)],
        [call(None, None, A[5:], index=0), call(None, None, B, index=1)],
    ],
    "all of index 0": [[call("a", "weather", A, index=0)], [call("b", "clock", B, index=0)]],
    "all of index 0, in pieces": [
        [call("a", "weather", "", index=0)],
        [call(None, None, A, index=0)],
        [call("b", "clock", "", index=0)],
        [call(None, None, B, index=0)],
    ],
    "no index": [[call("a", "weather", A)], [call("b", "clock", B)]],
    "an index that is null": [[call("a", "weather", A, index=None)], [call("b", "clock", B, index=None)]],
    "an index that is a text": [[call("a", "weather", A, index="0")], [call("b", "clock", B, index="1")]],
    "in one list": [[call("a", "weather", A), call("b", "clock", B)]],
    "head 0, tail 1": [
        [call("a", "weather", A, index=0)],
        [call("b", "clock", "", index=0)],
        [call(None, None, B[:4], index=1)],
        [call(None, None, B[4:], index=1)],
    ],
    "numbered from 1": [
        [call("a", "weather", "", index=1)],
        [call(None, None, A, index=1)],
        [call("b", "clock", "", index=2)],
        [call(None, None, B, index=2)],
    ],
    "the id in each piece": [
        [call("a", "weather", "", index=0)],
        [call("a", None, A, index=0)],
        [call("b", "clock", "", index=1)],
        [call("b", None, B, index=1)],
    ],
    "id and name in each piece": [
        [call("a", "weather", "", index=0)],
        [call("a", "weather", A, index=0)],
        [call("b", "clock", "", index=1)],
        [call("b", "clock", B, index=1)],
    ],
    "ids alone say where pieces belong": [
        [call("a", "weather", ""), call("b", "clock", "")],
        [call("b", None, B)],
        [call("a", None, A)],
    ],
    "another id in each piece": [
        [call("a", "weather", "", index=0)],
        [call("a-2", None, A, index=0)],
        [call("b", "clock", "", index=1)],
        [call("b-2", None, B, index=1)],
    ],
    "empty ids and names in later pieces": [
        [call("a", "weather", "", index=0)],
        [call("", "", A, index=0)],
        [call("b", "clock", "", index=1)],
        [call("", "", B, index=1)],
    ],
    "nulls in later pieces": [
        [call("a", "weather", None, index=0, type="function")],
        [{"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": A}}],
        [call("b", "clock", B, index=1)],
    ],
    "ids before names": [
        [call("a", index=0, type="function")],
        [call(None, "weather", A, index=0)],
        [call("b", index=0, type="function")],
        [call(None, "clock", B, index=0)],
    ],
    "ids behind names": [
        [call(None, "weather", "", index=0)],
        [call("a", None, A, index=0)],
        [call(None, "clock", "", index=1)],
        [call("b", None, B, index=1)],
    ],
    "the whole once more at the end": [
        [call("a", "weather", A, index=0), call("b", "clock", B, index=1)],
        [call("a", "weather", A, index=0), call("b", "clock", B, index=1)],
    ],
    "pieces without a function": [
        [call("a", "weather", A, index=0), {"index": 0}],
        [{"index": 0, "type": "function"}, call("b", "clock", B, index=1)],
        [{}],
    ],
    "arguments as objects": [
        [call("a", "weather", json.loads(A), index=0)],
        [call("b", "clock", json.loads(B), index=1)],
    ],
    "an empty object before the arguments": [
        [call("a", "weather", {}, index=0)],
        [call(None, None, A, index=0)],
        [call("b", "clock", {}, index=1)],
        [call(None, None, B, index=1)],
    ],
    "head and arguments apart in one list": [
        [call("a", "weather", None, index=0), call(None, None, A, index=0)],
        [call("b", "clock", None, index=1), call(None, None, B, index=1)],
    ],
}


@pytest.mark.parametrize("case", TWO_CALLS)
def test_two_calls(case: str, provide: Provide) -> None:
    events = [piece({"tool_calls": pieces}) for pieces in TWO_CALLS[case]]
    with RawServer(every(streamed(*events, END))) as server:
        answer = read(server, provide)
    assert [(id_, name, json.loads(text)) for id_, name, text in triples(answer.tool_calls)] == [
        (id_, name, json.loads(text)) for id_, name, text in BOTH
    ]
    assert answer.finish_reason == "tool_calls"


WITHOUT_IDS: dict[str, list[list[dict[str, Any]]]] = {
    "of index 0": [[call(None, "weather", A, index=0)], [call(None, "clock", B, index=0)]],
    "in one list": [[call("", "weather", A), call("", "clock", B)]],
    "one behind the other": [[call(None, "weather", A)], [call(None, "clock", B)]],
    "side by side": [
        [call("", "weather", ""), call("", "clock", "")],
        [call(None, None, A[:5]), call(None, None, B[:5])],
        [call(None, None, A[5:]), call(None, None, B[5:])],
    ],
}


@pytest.mark.parametrize("case", WITHOUT_IDS)
def test_two_calls_without_ids(case: str, provide: Provide) -> None:
    events = [piece({"tool_calls": pieces}) for pieces in WITHOUT_IDS[case]]
    with RawServer(every(streamed(*events, END))) as server:
        answer = read(server, provide)
    assert triples(answer.tool_calls) == [(None, "weather", A), (None, "clock", B)]


@pytest.mark.parametrize("indices", [(0, 1), (0, 0), (None, None)])
def test_two_calls_of_one_id(indices: tuple[int | None, int | None], provide: Provide) -> None:
    heads = [("weather", A, indices[0]), ("clock", B, indices[1])]
    events = [piece({"tool_calls": [call("a", name, text, index=index)]}) for name, text, index in heads]
    with RawServer(every(streamed(*events, END))) as server:
        assert triples(read(server, provide).tool_calls) == [("a", "weather", A), ("a", "clock", B)]


@pytest.mark.parametrize("again", [A, json.dumps(json.loads(A), indent=2)], ids=["the same", "other blanks"])
@pytest.mark.parametrize("index", [0, 1, None])
def test_a_whole_call_that_comes_again_is_one(index: int | None, again: str, provide: Provide) -> None:
    calls = (call("a", "weather", A, index=0), call("a", "weather", again, index=index))
    events = [piece({"tool_calls": [whole]}) for whole in calls]
    with RawServer(every(streamed(*events, END))) as server:
        assert triples(read(server, provide).tool_calls) == [("a", "weather", A)]


@pytest.mark.parametrize("write", ["delta", "message"])
@pytest.mark.parametrize("late", [None, "a"])
def test_a_whole_call_that_comes_again_is_one_without_an_id_too(late: str | None, write: str, provide: Provide) -> None:
    again = {"choices": [{"index": 0, write: {"tool_calls": [call(late, "weather", A)]}}]}
    with RawServer(every(streamed(piece({"tool_calls": [call(None, "weather", A, index=0)]}), again, END))) as server:
        assert triples(read(server, provide).tool_calls) == [(late, "weather", A)]


def test_two_calls_of_one_function(provide: Provide) -> None:
    events = [piece({"tool_calls": [call(id_, "weather", A, index=0)]}) for id_ in ("a", "b")]
    with RawServer(every(streamed(*events, END))) as server:
        assert triples(read(server, provide).tool_calls) == [("a", "weather", A), ("b", "weather", A)]


def test_two_calls_of_one_function_without_ids(provide: Provide) -> None:
    paris = '{"city":"Paris"}'
    events = [piece({"tool_calls": [call(None, "weather", text, index=0)]}) for text in (A, paris)]
    with RawServer(every(streamed(*events, END))) as server:
        assert triples(read(server, provide).tool_calls) == [(None, "weather", A), (None, "weather", paris)]


@pytest.mark.parametrize("arguments", [{}, "{}"])
@pytest.mark.parametrize("write", ["streamed", "whole"])
def test_a_call_without_arguments(arguments: Any, write: str, provide: Provide) -> None:
    calls = [call("a", "now", arguments)]
    answer = streamed(piece({"tool_calls": calls}), END)
    if write == "whole":
        answer = whole(completion({"content": None, "tool_calls": calls}, "tool_calls"))
    with RawServer(every(answer)) as server:
        assert triples(read(server, provide).tool_calls) == [("a", "now", "{}")]


def test_a_custom_tool(provide: Provide) -> None:
    head = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "code", "input": "print"}}
    with RawServer(every(streamed(piece({"tool_calls": [head]}), piece({"tool_calls": [
        {"index": 0, "custom": {"input": "(1)"}}]}), END))) as server:  # fmt: skip
        client = Client(provide(server))
        message = client.chat.completions.create("hi", tools=[{"type": "custom", "custom": {"name": "code"}}])
    made = (message.choices[0].message.tool_calls or [])[0]
    assert (made.type, made.function.name, made.function.arguments) == ("custom", "code", "print(1)")
    assert made.to_dict() == {"id": "a", "type": "custom", "custom": {"name": "code", "input": "print(1)"}}


@pytest.mark.parametrize("write", ["streamed", "whole"])
def test_the_older_form_of_a_call(write: str, provide: Provide) -> None:
    function = {"name": "weather", "arguments": A}
    answer = whole(completion({"content": None, "function_call": function}, "function_call"))
    if write == "streamed":
        halves = (
            piece({"function_call": {"name": "weather", "arguments": A[:4]}}),
            piece({"function_call": {"arguments": A[4:]}}),
        )
        answer = streamed(*halves, piece({}, "function_call"))
    with RawServer(every(answer)) as server:
        completed = Client(provide(server)).chat.completions.create("hi", functions=[{"name": "weather"}])
    message = completed.choices[0].message
    assert message.to_dict() == {"role": "assistant", "content": None, "refusal": None, "function_call": function}
    assert (message.tool_calls, completed.choices[0].finish_reason) == (None, "function_call")


def test_what_later_pieces_do_not_say_is_none(provide: Provide) -> None:
    pieces = [call("a", "weather", "", index=0, type="function"), call(None, None, A, index=0), call("a", index=0)]
    events = [piece({"tool_calls": [each]}) for each in pieces]
    with RawServer(every(streamed(*events, END))) as server:
        chunks = list(Client(provide(server)).chat.completions.create("hi", stream=True))
    calls = [chunk.choices[0].delta.tool_calls[0] for chunk in chunks if chunk.choices[0].delta.tool_calls]
    assert [each.to_dict() for each in calls] == [
        {"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}, "type": "function"},
        {"index": 0, "function": {"arguments": A}},
        {"index": 0},
    ]
    assert [(each.id, each.type) for each in calls] == [("a", "function"), (None, None), (None, None)]
    assert calls[1].function is not None
    assert calls[1].function.name is None


# What is sent back

SIGNED = {"google": {"thought_signature": "CtYBAcu98P"}}
ASKED = [{"role": "user", "content": "weather?"}]
WEATHER = call("a", "weather", A, type="function")
CALLING: dict[str, dict[str, Any]] = {
    "a signature of Gemini's": {"tool_calls": [{**WEATHER, "extra_content": SIGNED}]},
    "a signature in the function": {
        "tool_calls": [{**WEATHER, "function": {"name": "weather", "arguments": A, "thought_signature": "x"}}]
    },
    "a signature of the message": {"extra_content": SIGNED, "tool_calls": [WEATHER]},
    "DeepSeek's reasoning": {"reasoning_content": "I need the tool.", "tool_calls": [WEATHER]},
    "reasoning as vLLM names it": {"reasoning": "I need the tool.", "tool_calls": [WEATHER]},
    "OpenRouter's details": {
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0}],
        "tool_calls": [WEATHER],
    },
    "GitHub Copilot's reasoning": {"reasoning_text": "Hm.", "reasoning_opaque": "sealed", "tool_calls": [WEATHER]},
    "annotations": {"annotations": [{"type": "url_citation"}], "tool_calls": [WEATHER]},
    "a custom tool": {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "code", "input": "print"}}]},
}


@pytest.mark.product
@pytest.mark.parametrize("case", CALLING)
@pytest.mark.parametrize("write", ["streamed", "whole"])
@pytest.mark.parametrize("way", ["the message", "its fields", "a conversation"])
def test_a_message_goes_back_as_it_came(case: str, write: str, way: str, provide: Provide) -> None:
    message = CALLING[case]
    first = streamed(piece({"role": "assistant", "content": None, **message}), END)
    if write == "whole":
        first = whole(completion({"content": None, **message}, "tool_calls"))
    with RawServer(every(first, streamed(piece({"content": "Sunny."}), STOP))) as server:
        provider = provide(server)
        if way == "a conversation":
            talk = Conversation(provider)
            talk.ask("weather?", tools=[])
            answer: Any = talk.ask([{"role": "tool", "tool_call_id": "a", "content": "sunny"}])  # type: ignore[arg-type]
        else:
            chat = Client(provider).chat.completions
            got = chat.create(ASKED, tools=[]).choices[0].message
            back: Any = got
            if way == "its fields":
                names = [name for name in message if name != "tool_calls"]
                fields = {name: getattr(got, name) for name in names}
                back = {"role": "assistant", "content": got.content, "tool_calls": got.tool_calls, **fields}
            tool = {"role": "tool", "tool_call_id": "a", "content": "sunny"}
            answer = chat.create([*ASKED, back, tool], tools=[]).choices[0].message.content
        sent = server.requests[1].json["messages"][1]
    assert answer == "Sunny."
    assert sent == {"role": "assistant", "content": None, **message}


def test_details_of_reasoning_in_pieces_are_joined(provide: Provide) -> None:
    details = [
        {"type": "reasoning.text", "text": "I need ", "index": 0, "format": "a-v1"},
        {"type": "reasoning.text", "text": "the tool.", "index": 0, "format": "a-v1"},
        {"type": "reasoning.text", "signature": "s", "index": 0, "format": "a-v1"},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
    ]
    events = [piece({"content": "", "reasoning_details": [each]}) for each in details]
    with RawServer(every(streamed(*events, piece({"content": "Hi"}), STOP))) as server:
        message = Client(provide(server)).chat.completions.create("hi").choices[0].message
    assert message.to_dict()["reasoning_details"] == [
        {"type": "reasoning.text", "text": "I need the tool.", "index": 0, "format": "a-v1", "signature": "s"},
        details[3],
    ]
    assert message.reasoning == "I need the tool."


def test_what_a_service_adds_to_a_message_is_an_attribute_of_it(provide: Provide) -> None:
    audio = [{"audio": {"id": "x", "data": "AAAA"}}, {"audio": {"data": "BBBB"}}, {"audio": {"transcript": "Hello"}}]
    with RawServer(every(streamed(*map(piece, audio), piece({}, "stop")))) as server:
        completed = Client(provide(server)).chat.completions.create("hi", modalities=["text", "audio"])
    message: Any = completed.choices[0].message
    assert message.audio == {"id": "x", "data": "AAAABBBB", "transcript": "Hello"}
    assert message.content is None
    assert message.annotations is None
    with pytest.raises(AttributeError, match="annotation"):
        _ = message.annotation


def test_chunks_carry_what_a_service_adds(provide: Provide) -> None:
    events = (
        piece({"content": "Hi", "annotations": [{"type": "url_citation"}]}),
        piece({"audio": {"data": "A"}}),
        piece({"reasoning": "hm", "reasoning_details": [{"text": "hm"}]}),
        piece({"provider_fields": {"a": 1}}),
        STOP,
    )
    with RawServer(every(streamed(*events))) as server:
        chunks = list(Client(provide(server)).chat.completions.create("hi", stream=True))
    added = [each.choices[0].delta.extra for each in chunks]
    assert added == [
        {"annotations": [{"type": "url_citation"}]},
        {"audio": {"data": "A"}},
        {"reasoning": "hm", "reasoning_details": [{"text": "hm"}]},
        {"provider_fields": {"a": 1}},
    ]


def test_a_loop_as_tutorials_print_it(provide: Provide) -> None:
    def tools(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            results = [each for each in request.json["messages"] if each["role"] == "tool"]
            if results:
                connection.send(streamed(piece({"content": f"{len(results)} results"}), STOP))
                continue
            pieces = [call("a", "weather", A, index=0), call("b", "clock", B, index=1)]
            connection.send(streamed(piece({"content": "Let me see.", "tool_calls": pieces}), END))

    with RawServer(tools) as server:
        chat, messages = Client(provide(server)).chat.completions, list(ASKED)
        response = chat.create(messages=messages, tools=[]).choices[0].message
        if tool_calls := response.tool_calls:
            messages.append({"role": "assistant", "content": response.content, "tool_calls": tool_calls})  # type: ignore[dict-item]
            for tool_call in tool_calls:
                arguments = json.loads(tool_call.function.arguments)
                messages.append({"role": "tool", "tool_call_id": tool_call.id, "content": str(arguments)})
        assert chat.create(messages=messages, tools=[]).choices[0].message.content == "2 results"
        assert server.requests[1].json["messages"][1]["tool_calls"] == [
            {"id": "a", "function": {"name": "weather", "arguments": A}, "type": "function"},
            {"id": "b", "function": {"name": "clock", "arguments": B}, "type": "function"},
        ]
