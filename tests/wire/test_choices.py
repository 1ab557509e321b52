"""Several choices: never mixed where they were asked for, one answer where they were not."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite import Client, Fallback, OpenAICompatible, OtherChoice
from g4f_lite.providers.scripted import Scripted

from .conftest import Provide
from .openai_answers import completion, piece, streamed, whole
from .raw_server import RawServer, every

CALL = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def of(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


THREE = {
    "in turn": [of(0, {"content": "A"}), of(1, {"content": "B"}), of(2, {"content": "C"}), of(1, {"content": "b"})],
    "backwards": [of(2, {"content": "C"}), of(1, {"content": "B"}), of(0, {"content": "A"}), of(1, {"content": "b"})],
    "in one chunk": [
        {"choices": [{"index": index, "delta": {"content": text}} for index, text in ((1, "Bb"), (0, "A"), (2, "C"))]}
    ],
}
ENDS = [of(1, {}, "length"), of(0, {}, "stop"), of(2, {}, "stop")]


@pytest.mark.parametrize("order", THREE)
def test_choices_that_were_asked_for_are_told_apart(order: str, provide: Provide) -> None:
    with RawServer(every(streamed(*THREE[order], *ENDS))) as server:
        made = Client(provide(server)).chat.completions.create("hi", n=3)
        assert server.requests[0].json["n"] == 3
    assert [(each.index, each.message.content, each.finish_reason) for each in made.choices] == [
        (0, "A", "stop"),
        (1, "Bb", "length"),
        (2, "C", "stop"),
    ]


@pytest.mark.parametrize("stream", [None, False])
def test_choices_in_one_json(stream: bool | None, provide: Provide) -> None:
    texts = {1: "B", 0: "A"}
    choices = [{"index": index, "message": {"content": text}, "finish_reason": "stop"} for index, text in texts.items()]
    with RawServer(every(whole({"choices": choices}))) as server:
        made: Any = Client(provide(server)).chat.completions.create("hi", n=2, stream=stream)
    assert [(each.index, each.message.content) for each in made.choices] == [(0, "A"), (1, "B")]


def test_chunks_keep_the_index(provide: Provide) -> None:
    calls = of(1, {"tool_calls": [{"index": 0, **CALL}]})
    events = [of(0, {"content": "A"}), calls, of(1, {}, "tool_calls"), of(0, {}, "stop")]
    with RawServer(every(streamed(*events))) as server:
        chunks = list(Client(provide(server)).chat.completions.create("hi", n=2, stream=True))
    told = [(each.choices[0].index, each.choices[0].delta.role, each.choices[0].finish_reason) for each in chunks]
    assert told == [(0, "assistant", None), (1, "assistant", None), (1, None, "tool_calls"), (0, None, "stop")]


def test_tool_calls_of_each_choice_are_its_own(provide: Provide) -> None:
    events = [of(index, {"tool_calls": [{"index": 0, **CALL, "id": str(index)}]}) for index in (0, 1)]
    with RawServer(every(streamed(*events, of(0, {}, "tool_calls"), of(1, {}, "tool_calls")))) as server:
        made = Client(provide(server)).chat.completions.create("hi", n=2)
    assert [[call.id for call in each.message.tool_calls or []] for each in made.choices] == [["0"], ["1"]]


def test_a_stream_is_one_answer() -> None:
    provider = OpenAICompatible("http://127.0.0.1:9/v1", model="m")
    asks: list[Any] = [provider.create, provider.create_generator, Client(provider).stream, Client(provider).ask]
    for ask in asks:
        with pytest.raises(TypeError, match=r"n=2: .*chat\.completions\.create\(n=…\)"):
            ask("m", "hi", n=2) if ask.__self__ is provider else ask("hi", n=2)


@pytest.mark.parametrize("n", [0, -1, 129, "2", 1.5])
def test_a_number_of_choices_that_makes_no_sense(n: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="n must be"):
        Client(OpenAICompatible("http://127.0.0.1:9/v1")).chat.completions.create("hi", n=n)


def test_who_gives_one_answer_refuses_to_give_several() -> None:
    with pytest.raises(TypeError, match="has no option 'n'"):
        Client(OpenAICompatible("http://127.0.0.1:9/v1"), drop_unsupported=False).chat.completions.create(
            "hi", n=2, provider="local"
        )


def test_one_choice_is_what_everybody_gives() -> None:
    made = Client(Scripted("Hello")).chat.completions.create("hi", n=1)
    assert [each.index for each in made.choices] == [0]


def test_a_chain_gives_all_choices_too(provide: Provide) -> None:
    with RawServer(every(streamed(*THREE["backwards"], *ENDS))) as server:
        made = Client(Fallback([provide(server)])).chat.completions.create("hi", n=3)
    assert [each.message.content for each in made.choices] == ["A", "Bb", "C"]


# Where one was asked for

COPILOT: dict[str, list[dict[str, Any]]] = {
    "text, then a call": [
        {"message": {"role": "assistant", "content": "Let me look."}, "finish_reason": "tool_calls"},
        {"message": {"role": "assistant", "tool_calls": [CALL]}, "finish_reason": "tool_calls"},
    ],
    "with indices": [
        {"index": 0, "message": {"content": "Let me look."}, "finish_reason": "stop"},
        {"index": 1, "message": {"content": None, "tool_calls": [CALL]}, "finish_reason": "tool_calls"},
    ],
    "a call, then text": [
        {"index": 0, "message": {"content": "", "tool_calls": [CALL]}, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"content": "Let me look."}, "finish_reason": "tool_calls"},
    ],
    "text in two": [
        {"message": {"content": "Let me "}, "finish_reason": "tool_calls"},
        {"message": {"content": "look.", "tool_calls": [CALL]}, "finish_reason": "tool_calls"},
    ],
}


@pytest.mark.product
@pytest.mark.parametrize("form", COPILOT)
@pytest.mark.parametrize("write", ["whole", "streamed"])
def test_a_whole_answer_in_two_choices_is_one(form: str, write: str, provide: Provide) -> None:
    answer = whole({"id": "c-1", "choices": COPILOT[form]})
    if write == "streamed":
        answer = streamed(*({"choices": [{**choice, "delta": choice["message"]}]} for choice in COPILOT[form]))
    with RawServer(every(answer)) as server:
        made = Client(provide(server)).chat.completions.create("hi")
    (choice,) = made.choices
    assert choice.message.content == "Let me look."
    assert [call.id for call in choice.message.tool_calls or []] == ["a"]
    assert choice.finish_reason == "tool_calls"


def test_two_calls_in_two_choices(provide: Provide) -> None:
    functions = {id_: {"name": "weather", "arguments": f'{{"city": "{id_}"}}'} for id_ in "ab"}
    messages = [
        {"content": None, "tool_calls": [{**CALL, "id": id_, "function": function}]}
        for id_, function in functions.items()
    ]
    choices = [{"message": message, "finish_reason": "tool_calls"} for message in messages]
    with RawServer(every(whole({"choices": choices}))) as server:
        answer = provide(server).create(messages="hi")
    assert [call.id for call in answer.tool_calls] == ["a", "b"]


@pytest.mark.parametrize(
    ("write", "indices"),
    [(write, indices) for write in ("whole", "streamed") for indices in ((0, 1), (1, 0), ("0", "1"))]
    + [("whole", (None, None)), ("whole", (0, 0))],
    ids=str,
)
def test_a_call_in_each_of_two_choices_is_made_once(write: str, indices: tuple[Any, Any], provide: Provide) -> None:
    name = "delta" if write == "streamed" else "message"
    choices = [
        {"index": index, name: {"tool_calls": [{**CALL, "index": 0, "id": id_}]}, "finish_reason": "tool_calls"}
        for index, id_ in zip(indices, "ab", strict=True)
    ]
    answer = whole({"choices": choices})
    if write == "streamed":
        answer = streamed(*({"choices": [choice]} for choice in choices))
    with RawServer(every(answer)) as server:
        made = provide(server).create(messages="hi", tools=[])
    assert ([call.id for call in made.tool_calls], made.finish_reason) == (["a"], "tool_calls")


@pytest.mark.parametrize("indices", [(), (None, None), ("0", "1"), (0.0, 1.0), (0, 0), (True, True)], ids=str)
def test_two_whole_texts_are_not_joined_whatever_their_indices(indices: tuple[Any, ...], provide: Provide) -> None:
    choices: list[dict[str, Any]] = [
        {"message": {"content": text}, "finish_reason": "stop"} for text in ("Paris.", "London.")
    ]
    for choice, index in zip(choices, indices, strict=False):
        choice["index"] = index
    with RawServer(every(whole({"choices": choices}))) as server:
        provider = provide(server)
        assert provider.create(messages="hi") == "Paris."
        made = Client(provider).chat.completions.create("hi", n=2)
    assert [each.message.content for each in made.choices] == ["Paris.", "London."]


@pytest.mark.parametrize("indices", [("0", "1"), (0.0, 1.0)], ids=str)
def test_two_texts_of_indices_of_another_type_are_not_joined(indices: tuple[Any, ...], provide: Provide) -> None:
    texts = zip(indices, ("Paris.", "London."), strict=True)
    choices = [{"index": index, "delta": {"content": text}} for index, text in texts]
    with RawServer(every(streamed({"choices": choices}, of(0, {}, "stop")))) as server:
        assert provide(server).create(messages="hi") == "Paris."


def test_two_texts_that_nobody_asked_for_are_not_mixed(provide: Provide) -> None:
    events = [of(0, {"content": "A"}), of(1, {"content": "B"}), of(0, {"content": "a"}), of(0, {}, "stop")]
    with RawServer(every(streamed(*events))) as server:
        stream = provide(server).create_generator(messages="hi")
        assert stream.text() == "Aa"
        other = list(provide(server).create_generator(messages="hi").deltas())
        assert OtherChoice(1, "B") in other


def test_the_only_choice_counts_whatever_its_index(provide: Provide) -> None:
    with RawServer(every(streamed(of(1, {"content": "Hello"}), of(1, {}, "length")))) as server:
        answer = provide(server).create(messages="hi")
    assert (answer, answer.finish_reason) == ("Hello", "length")


def test_a_completion_without_an_index(provide: Provide) -> None:
    made = completion({"content": "Hello"})
    del made["choices"][0]["index"]
    with RawServer(every(whole(made), streamed(piece({"content": "Hello"}, "stop")))) as server:
        provider = provide(server)
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello"] * 2
