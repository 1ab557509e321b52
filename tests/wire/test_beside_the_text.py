"""What a service says beside the text: log probabilities, its tier, and fields that only it has."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite import Client, Fallback, ServiceError
from g4f_lite.emulator import Emulator

from .conftest import Provide
from .openai_answers import piece, streamed, whole
from .raw_server import RawServer, every

CONTENT = [{"token": "He", "logprob": -0.5, "bytes": [72, 101], "top_logprobs": []}]
MORE = [
    {"token": "llo", "logprob": -0.25, "bytes": None, "top_logprobs": [{"token": "y", "logprob": -2, "bytes": [1]}]}
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    emulator.reset()
    with Client(base_url=f"{emulator.url}/v1", model="m") as client:
        yield client


def pairs(logprobs: Any) -> list[tuple[str, float]]:
    return [(token.token, token.logprob) for token in logprobs.content]


@pytest.mark.parametrize("stream", [None, False])
def test_log_probabilities_of_a_completion(client: Client, stream: bool | None) -> None:
    made: Any = client.chat.completions.create("one two", logprobs=True, top_logprobs=2, stream=stream)
    logprobs = made.choices[0].logprobs
    assert pairs(logprobs) == [("one", -0.25), (" two", -0.25)]
    assert logprobs.content[1].bytes == list(b" two")
    assert [(each.token, each.logprob) for each in logprobs.content[0].top_logprobs] == [("one", -0.25), ("one1", -0.5)]
    assert logprobs.refusal is None


def test_log_probabilities_in_the_chunks_of_their_text(client: Client) -> None:
    chunks = list(client.chat.completions.create("one two", logprobs=True, stream=True))
    told = [(each.choices[0].delta.content, each.choices[0].logprobs) for each in chunks]
    assert [(text, logprobs and pairs(logprobs)) for text, logprobs in told] == [
        ("one", [("one", -0.25)]),
        (" two", [(" two", -0.25)]),
        (None, None),
    ]
    assert pickle.loads(pickle.dumps(chunks)) == chunks
    assert copy.deepcopy(chunks[0]).to_dict() == chunks[0].to_dict()


def test_log_probabilities_of_several_choices_are_not_mixed(client: Client, emulator: Emulator) -> None:
    emulator.answer("a b")
    emulator.answer("c")
    made = client.chat.completions.create("x", n=2, logprobs=True)
    assert [pairs(choice.logprobs) for choice in made.choices] == [[("a", -0.25), (" b", -0.25)], [("c", -0.25)]]


def test_log_probabilities_of_an_answer(client: Client) -> None:
    assert client.ask("one", logprobs=True).logprobs["content"][0]["token"] == "one"
    assert client.ask("one").logprobs is None
    assert client.chat.completions.create("one").choices[0].logprobs is None


def test_a_service_refuses_alternatives_without_log_probabilities(client: Client) -> None:
    with pytest.raises(ServiceError, match="needs 'logprobs'"):
        client.chat.completions.create("one", top_logprobs=2)


def test_who_reports_none_refuses_to() -> None:
    with pytest.raises(TypeError, match="no option 'logprobs': it reports no log probabilities"):
        Client("AiChats").ask("hi", logprobs=True)


def of(text: str, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **fields}]}


END: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def test_pieces_of_log_probabilities_are_joined(provide: Provide) -> None:
    events = [of("He", logprobs={"content": CONTENT, "refusal": None}), of("llo", logprobs={"content": MORE}), END]
    with RawServer(every(streamed(*events))) as server:
        choice = Client(provide(server)).chat.completions.create("hi", logprobs=True).choices[0]
    assert choice.logprobs is not None
    assert choice.to_dict()["logprobs"] == {"content": CONTENT + MORE, "refusal": None}


@pytest.mark.parametrize(
    "odd", [[], "x", 7, {"content": "x"}, {"content": [1, {}]}, {"tokens": ["a"], "token_logprobs": [-1]}]
)
def test_log_probabilities_in_a_form_of_ones_own_lose_nothing_else(odd: Any, provide: Provide) -> None:
    with RawServer(every(streamed(of("Hello", logprobs=odd), END))) as server:
        answer = Client(provide(server)).chat.completions.create("hi", logprobs=True)
    assert answer.choices[0].message.content == "Hello"
    if isinstance(odd, dict) and "tokens" in odd:
        assert answer.choices[0].logprobs.tokens == ["a"]  # type: ignore[union-attr]


def test_fields_of_a_choice_whose_delta_is_empty(provide: Provide) -> None:
    """As Azure sends what its filter found."""
    late = {"choices": [{"index": 0, "delta": {}, "content_filter_results": {"hate": {"filtered": False}}}]}
    with RawServer(every(streamed(of("Hello"), late, END))) as server:
        choice: Any = Client(provide(server)).chat.completions.create("hi").choices[0]
    assert choice.content_filter_results.hate.filtered is False


OWN = {"service_tier": "flex", "citations": [{"url": "http://x"}], "obfuscation": "a9"}


@pytest.mark.parametrize("write", ["whole", "streamed"])
def test_fields_of_a_completion(write: str, provide: Provide) -> None:
    choice = {"index": 0, "finish_reason": "stop", "stop_reason": 7}
    answer = whole({**OWN, "choices": [{**choice, "message": {"content": "Hello"}}]})
    if write == "streamed":
        answer = streamed({**OWN, **of("Hello")}, {"choices": [{**choice, "delta": {}}], "timings": {"ms": 3}})
    with RawServer(every(answer)) as server:
        made: Any = Client(provide(server)).chat.completions.create("hi")
    assert made.service_tier == "flex"
    assert made.citations[0].url == "http://x"
    assert made.choices[0].stop_reason == 7
    assert not hasattr(made, "obfuscation")
    assert made.to_dict()["citations"] == OWN["citations"]
    if write == "streamed":
        assert made.timings.ms == 3


def test_fields_of_chunks(provide: Provide) -> None:
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "citations": [2]}
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5}}
    with RawServer(every(streamed({**of("He"), "citations": [1]}, of("llo"), last, usage))) as server:
        options = {"stream_options": {"include_usage": True}}
        chunks: list[Any] = list(Client(provide(server)).chat.completions.create("hi", stream=True, **options))
    assert [each.citations for each in chunks] == [[1], [1], [2], [2]]
    assert chunks[-1].usage.cost == 0.5


def test_counts_that_have_no_field_of_their_own(provide: Provide) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 3},
        "completion_tokens_details": {"accepted_prediction_tokens": 1},
    }
    with RawServer(every(whole({"choices": [{"message": {"content": "a"}}], "usage": usage}))) as server:
        made: Any = Client(provide(server)).chat.completions.create("hi").usage
    assert (made.prompt_tokens_details.cached_tokens, made.prompt_tokens_details.audio_tokens) == (4, 3)
    assert made.completion_tokens_details.accepted_prediction_tokens == 1
    assert made.to_dict() == {**usage, "total_tokens": 14}


def test_audio_and_annotations_have_attributes(provide: Provide) -> None:
    audio = {"id": "a1", "data": "UklG", "transcript": "Hello", "expires_at": 9}
    annotation = {"type": "url_citation", "url_citation": {"url": "http://x", "title": "X"}}
    message = {"content": None, "audio": audio, "annotations": [annotation]}
    with RawServer(every(whole({"choices": [{"message": message}]}))) as server:
        made: Any = Client(provide(server)).chat.completions.create("hi", modalities=["text", "audio"]).choices[0]
    assert (made.message.audio.transcript, made.message.audio.data) == ("Hello", "UklG")
    assert made.message.annotations[0].url_citation.title == "X"
    with pytest.raises(AttributeError, match="the service sent no 'url'; it sent 'type', 'url_citation'"):
        _ = made.message.annotations[0].url
    assert made.message.to_dict()["annotations"] == [annotation]


def test_a_member_of_a_chain_says_it_too(emulator: Emulator) -> None:
    with Client(Fallback([Client(base_url=f"{emulator.url}/v1", model="m").provider])) as client:
        made: Any = client.chat.completions.create("one", logprobs=True)
    assert pairs(made.choices[0].logprobs) == [("one", -0.25)]


def test_many_fields_in_many_chunks_are_bounded(provide: Provide) -> None:
    events = [{**of("a"), f"field{number}": "x" * 500_000} for number in range(5)]
    with RawServer(every(streamed(*({**event, "usage": {"n": 1}} for event in events), END))) as server:
        made: Any = Client(provide(server)).chat.completions.create("hi")
    assert made.choices[0].message.content == "aaaaa"
    assert sum(len(value) for value in made.extra.values()) <= 1024 * 1024


def test_what_stands_beside_a_finish_reason_without_a_delta(provide: Provide) -> None:
    filtered = {"hate": {"filtered": False, "severity": "safe"}}
    last = {"choices": [{"index": 0, "finish_reason": "stop", "content_filter_results": filtered}]}
    with RawServer(every(streamed(piece({"content": "Hi"}), last))) as server:
        made: Any = Client(provide(server)).chat.completions.create("hi")
    assert made.choices[0].content_filter_results == filtered
