"""``client.embeddings``: vectors as OpenAI's client gives them, from servers of every habit."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite import (
    AuthenticationError,
    Client,
    Fallback,
    Local,
    OpenAICompatible,
    ProviderNotConfiguredError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
)
from g4f_lite.client.embeddings import EmbeddingsResponse
from g4f_lite.emulator import Emulator
from g4f_lite.providers.openai.embeddings import _vector

from .conftest import Provide
from .openai_answers import refused, whole
from .raw_server import RawServer, every

TWO = [[0.5, -1.0], [2.0, 0.25]]


def listed(*vectors: Any, **fields: Any) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return whole({"object": "list", "data": data, "model": "e-1", **fields})


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    with Client(base_url=f"{emulator.url}/v1") as client:
        yield client


def test_vectors_of_texts(client: Client, emulator: Emulator) -> None:
    made = client.embeddings.create(input=["one two", "three"], model="text-embedding-3-small", dimensions=4, user="me")
    assert [each.index for each in made.data] == [0, 1]
    assert [len(each.embedding) for each in made.data] == [4, 4]
    assert math.isclose(sum(number**2 for number in made.data[0].embedding), 1)  # type: ignore[operator]
    assert made.usage is not None
    assert (made.model, made.object, made.usage.prompt_tokens) == ("text-embedding-3-small", "list", 3)
    sent = emulator.requests[-1].json()
    assert sent == {
        "input": ["one two", "three"],
        "model": "text-embedding-3-small",
        "dimensions": 4,
        "user": "me",
    }


@pytest.mark.parametrize("input", ["one", ["one"], [1, 2, 3], [[1, 2], [3]], ("one", "two")])
def test_every_form_of_input(client: Client, input: Any) -> None:
    count = 2 if len(input) == 2 else 1
    assert len(client.embeddings.create(input, "m").data) == count


def test_numbers_in_base64_are_the_same_numbers(client: Client) -> None:
    plain = client.embeddings.create("one", "m").data[0].embedding
    for_float = client.embeddings.create("one", "m", encoding_format="float").data[0].embedding
    encoded = client.embeddings.create("one", "m", encoding_format="base64").data[0].embedding
    assert plain == for_float
    assert isinstance(encoded, str)
    assert list(struct.unpack(f"<{len(plain)}f", base64.b64decode(encoded))) == pytest.approx(plain)


def test_a_server_may_answer_in_the_form_that_was_not_asked_for(provide: Provide) -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
    with RawServer(every(listed(packed), listed([0.5, -1.0]))) as server:
        client = Client(provide(server))
        assert client.embeddings.create("hi").data[0].embedding == [0.5, -1.0]
        assert client.embeddings.create("hi", encoding_format="base64").data[0].embedding == packed


def test_what_a_server_says_of_a_call_takes_little_room(provide: Provide) -> None:
    usage = {"prompt_tokens": 1, "total_tokens": 1, "prompt_tokens_details": {"more": "x" * 1000}, "more": "x" * 1000}
    with RawServer(every(listed(TWO[0], model="x" * 1000, usage=usage))) as server:
        client = Client(provide(server))
        assert client.embeddings.create("hi").model == "x" * 1000
    ((name, kept),) = client.usage.by_model.items()
    assert name == "x" * 200
    assert [call.usage and call.usage.extra for call in kept._to_price] == [{}]


def test_vectors_are_in_the_order_of_their_texts(provide: Provide) -> None:
    rows = [{"index": 1, "embedding": TWO[1]}, {"index": 0, "embedding": TWO[0]}]
    without = [{"embedding": vector} for vector in TWO]
    with RawServer(every(whole({"data": rows}), whole({"data": without}))) as server:
        client = Client(provide(server))
        for _ in range(2):
            assert [each.embedding for each in client.embeddings.create(["a", "b"]).data] == TWO


@pytest.mark.parametrize("indices", [[None, 1], [1, 2], [0, 0], ["x", "y"], [1.0, 2.0], [None, None]])
def test_embeddings_that_are_numbered_in_another_way_are_in_order(indices: list[Any], provide: Provide) -> None:
    rows = [{"index": index, "embedding": vector} for index, vector in zip(indices, TWO, strict=True)]
    with RawServer(every(whole({"data": rows}))) as server:
        assert [each.embedding for each in Client(provide(server)).embeddings.create(["a", "b"]).data] == TWO


@pytest.mark.parametrize("indices", [[1, None], [2, 1], [1, 0], ["1", "0"]])
def test_embeddings_are_put_in_order_by_their_numbers(indices: list[Any], provide: Provide) -> None:
    rows = [{"index": index, "embedding": vector} for index, vector in zip(indices, TWO, strict=True)]
    with RawServer(every(whole({"data": rows}))) as server:
        assert [each.embedding for each in Client(provide(server)).embeddings.create(["a", "b"]).data] == TWO[::-1]


@pytest.mark.parametrize("indices", [[0, 0, 1], [0, 1, 0], [0, 2, 3], [None, None, 2], [2, 0, 0], [-1, 0, 1]])
def test_embeddings_whose_numbers_do_not_tell_their_texts_are_an_error(indices: list[Any], provide: Provide) -> None:
    rows = [{"index": index, "embedding": [1.0]} for index in indices]
    with RawServer(every(whole({"data": rows}))) as server, pytest.raises(ResponseFormatError, match="indices"):
        Client(provide(server)).embeddings.create(["a", "b", "c"])


def test_the_model_and_the_usage_where_the_server_says_nothing(provide: Provide) -> None:
    with RawServer(every(whole({"data": [{"embedding": [1]}]}))) as server:
        made = Client(provide(server)).embeddings.create("hi", "asked")
    assert (made.model, made.usage, made.provider) == ("asked", None, "OpenAICompatible")
    assert made.to_dict()["data"] == [{"embedding": [1.0], "index": 0, "object": "embedding"}]


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"data": [{"embedding": [1]}, {"embedding": [2]}]},
        {"data": [{"embedding": ["x"]}]},
        {"data": [{"embedding": ["0.1"]}]},
        {"data": [{"embedding": [True, False]}]},
        {"data": [{"embedding": [0.1, None]}]},
        {"data": [{"embedding": {"12": 0.5, "40": 0.9}}]},
        {"data": [{"embedding": [1, 10**400]}]},
        {"data": [{"embedding": [1, float("inf")]}]},
        {"data": [{"embedding": "AADAfw=="}]},
        {"data": [{"embedding": "no base64"}]},
        {"data": [{"embedding": "AAAA\nPw=="}]},
        {"data": [{"embedding": "AAA="}]},
        {"data": [{"embedding": [[1.0]]}]},
        {"data": [{"embedding": []}]},
        {"data": {"0": {"embedding": [1]}}},
        {"data": [{}]},
        {"data": [7]},
        {"data": None},
        {"ok": True},
        [],
        "vectors",
        None,
    ],
    ids=repr,
)
def test_what_is_no_embeddings(answer: Any, provide: Provide) -> None:
    with RawServer(every(whole(answer))) as server, pytest.raises(ResponseFormatError):
        Client(provide(server)).embeddings.create("hi")


def test_embeddings_of_several_lengths_are_an_error(provide: Provide) -> None:
    with (
        RawServer(every(listed([1.0, 2.0, 3.0], [1.0]))) as server,
        pytest.raises(ResponseFormatError, match="1 and of 3"),
    ):
        Client(provide(server)).embeddings.create(["a", "b"])


@pytest.mark.parametrize("error", [{"message": "overloaded"}, "overloaded"])
def test_an_error_beside_embeddings_is_raised(error: Any, provide: Provide) -> None:
    with RawServer(every(listed([0.0, 0.0], error=error))) as server, pytest.raises(ServiceError, match="overloaded"):
        Client(provide(server)).embeddings.create("hi", retry=None)


def test_an_error_without_content_beside_embeddings_is_none(provide: Provide) -> None:
    with RawServer(every(listed([1.0], error={"message": "", "code": 0}, errors=[]))) as server:
        assert Client(provide(server)).embeddings.create("hi").data[0].embedding == [1.0]


def test_errors_have_their_kind(provide: Provide) -> None:
    errors = {
        AuthenticationError: refused({"message": "no key"}, "401 Unauthorized"),
        RateLimitError: whole({"error": {"message": "Rate limit reached", "type": "rate_limit_error", "code": 429}}),
    }
    for kind, answer in errors.items():
        with RawServer(every(answer)) as server, pytest.raises(kind):
            Client(provide(server)).embeddings.create("hi")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"input": ""}, ValueError, "no text, or an empty one"),
        ({"input": []}, ValueError, "no text, or an empty one"),
        ({"input": ["a", ""]}, ValueError, "no text, or an empty one"),
        ({"input": [[]]}, ValueError, "no text, or an empty one"),
        ({"input": 7}, TypeError, "input must be a string, or a list of strings or token ids, not int"),
        ({"input": None}, TypeError, "input must be a string"),
        ({"input": b"a"}, TypeError, "input must be a string"),
        ({"input": {"a": 1}}, TypeError, "input must be a string"),
        ({"input": ["a", 1]}, TypeError, "not one of 1"),
        ({"input": [True]}, TypeError, "not one of True"),
        ({"input": "a", "encoding_format": "int8"}, ValueError, "encoding_format must be 'float' or 'base64'"),
        ({"input": "a", "dimension": 3}, TypeError, "has no option 'dimension'; try dimensions"),
        ({"input": "a", "retry": 1}, TypeError, "retry must be"),
        ({"input": "a", "model": "m", "timeout": 0}, ValueError, "more than 0"),
        ({"input": "a", "api_key": "k"}, TypeError, "api_key is not an option of a call"),
        ({"input": "a", "extra_headers": {"Host": "x"}}, ValueError, "extra_headers cannot set Host"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with Client(base_url="http://127.0.0.1:9/v1", retry=None) as client, pytest.raises(kind, match=message):
        client.embeddings.create(**arguments)


def test_further_fields_and_headers_are_sent(client: Client, emulator: Emulator) -> None:
    client.embeddings.create("a", extra_body={"x": 1}, extra_headers={"X-A": "b"}, extra_query={"q": 1})
    request = emulator.requests[-1]
    assert (request.json()["x"], request.headers["X-A"], request.query) == (1, "b", {"q": "1"})


def test_a_chain_would_mix_vectors_that_cannot_be_compared(emulator: Emulator) -> None:
    member = OpenAICompatible(f"{emulator.url}/v1")
    with pytest.raises(TypeError, match="vectors of different models cannot be compared"):
        Client(Fallback([member, Local()])).embeddings.create("a")
    assert len(Client(Fallback([member])).embeddings.create("a").data) == 1


def test_who_gives_no_embeddings_says_so() -> None:
    with pytest.raises(ProviderNotConfiguredError, match="it gives no embeddings"):
        Client("echo").embeddings.create("a")


def test_calls_are_counted(client: Client, provide: Provide) -> None:
    client.embeddings.create("one two", "e")
    usage = client.usage.by_model["e"]
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (1, 2, 0)
    with RawServer(every(*[refused({"message": "busy"}, "503 Busy", "Retry-After: 0")] * 3)) as server:
        failing = Client(provide(server))
        with pytest.raises(ResponseStatusError):
            failing.embeddings.create("a", retry=RetryPolicy(attempts=3, backoff=0))
        with pytest.raises(TypeError):
            failing.embeddings.create(7)
        assert (failing.usage.calls, failing.usage.failures, failing.usage.retries) == (1, 1, 2)
        assert len(server.requests) == 3


def test_the_name_of_a_model_is_mapped(emulator: Emulator) -> None:
    member = OpenAICompatible(f"{emulator.url}/v1", model="own")
    client = Client("echo", models={"text-embedding-3-small": member})
    assert client.embeddings.create("a", model="text-embedding-3-small").model == "own"


@pytest.mark.parametrize("texts", [1, 3])
def test_an_answer_has_a_limit_of_numbers_for_each_text(texts: int, provide: Provide) -> None:
    def embed(*vectors: list[int]) -> EmbeddingsResponse:
        with RawServer(every(listed(*vectors))) as server:
            return Client(provide(server)).embeddings.create(["a"] * texts)

    packed = base64.b64encode(struct.pack("<f", 1) * 16_384).decode()
    assert _vector(packed) == [1.0] * 16_384
    with pytest.raises(ResponseFormatError, match="more than 16,384 numbers for each text"):
        _vector(base64.b64encode(bytes(4 * 16_385)).decode())
    assert len(embed(*[[1] * 16_384] * texts).data[-1].embedding) == 16_384
    with pytest.raises(ResponseFormatError, match="more than 16,384 numbers for each text"):
        embed(*[[1]] * (texts - 1), [1] * 20_000 * texts)


def test_an_answer_for_few_texts_has_a_lower_limit(provide: Provide, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.providers.openai.embeddings.MAX_JSON_BYTES", 0)
    with RawServer(every(listed([1.0], [1.0], model="x" * 600_000))) as server:
        client = Client(provide(server))
        assert len(client.embeddings.create(["a", "b"]).data) == 2
        with pytest.raises(ResponseFormatError, match="more than 524,288 bytes"):
            client.embeddings.create("a")


def test_a_large_answer_has_a_limit_of_its_own(provide: Provide, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.providers.openai.embeddings.MAX_BYTES", 50)
    with RawServer(every(listed([1.0]))) as server, pytest.raises(ResponseFormatError, match="more than 50 bytes"):
        Client(provide(server)).embeddings.create("a")
