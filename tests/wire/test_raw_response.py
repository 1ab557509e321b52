"""``with_raw_response``, and the id of a request."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from g4f_lite import Client, Fallback, RetryPolicy
from g4f_lite.testing import Scripted

from .conftest import Provide
from .openai_answers import completion, data, refused, whole
from .raw_server import DONE, RawServer, chunked, every

FIELDS = ("X-Request-Id: req_1", "X-My-Header: mine", "Set-Cookie: a=secret")
BUSY = refused({"message": "busy"}, "503 Busy", "Retry-After: 0", "X-Request-Id: req_0")
WHOLE = whole(completion({"content": "Hello"}), *FIELDS)
EVENTS = data({"choices": [{"delta": {"content": "Hello"}}]}, {"choices": [{"finish_reason": "stop"}]})
STREAM = chunked(EVENTS + DONE, fields=("Content-Type: text/event-stream", *FIELDS))


@pytest.mark.product
@pytest.mark.parametrize("answer", [WHOLE, STREAM])
@pytest.mark.parametrize("chain", [False, True])
def test_the_head_of_a_completion(answer: bytes, chain: bool, provide: Provide) -> None:
    with RawServer(every(BUSY, answer)) as server:
        provider = provide(server, retry=RetryPolicy(attempts=2, backoff=0))
        client = Client(Fallback([provider]) if chain else provider)
        response = client.chat.completions.with_raw_response.create("hi")
    assert (response.status_code, response.request_id, response.retries_taken) == (200, "req_1", 1)
    assert response.headers.get("x-my-HEADER") == "mine"
    assert response.parse().choices[0].message.content == "Hello"
    assert response.parse()._request_id == "req_1"
    pickled = pickle.dumps(response)
    assert b"secret" not in pickled
    assert "secret" not in repr(response)
    for copied in (pickle.loads(pickled), copy.deepcopy(response)):
        assert (copied.status_code, copied.request_id, copied.retries_taken, copied.headers) == (200, "req_1", 1, {})
        assert copied.parse() == response.parse()


def test_the_head_of_a_stream(provide: Provide) -> None:
    with RawServer(every(STREAM)) as server:
        response = Client(provide(server)).chat.completions.with_raw_response.create("hi", stream=True)
        assert (response.status_code, response.request_id, response.headers["X-My-Header"]) == (200, "req_1", "mine")
        assert "".join(chunk.choices[0].delta.content or "" for chunk in response.parse()) == "Hello"


def test_the_head_that_a_stream_knows_is_shown_and_pickled_without_its_headers(provide: Provide) -> None:
    with RawServer(every(STREAM)) as server:
        stream = Client(provide(server)).stream("hi")
        stream.text()
    found = stream.source.response
    assert found.headers["set-cookie"] == "a=secret"
    assert repr(found) == str(found) == "Response(status=200)"
    assert b"secret" not in pickle.dumps(found)
    assert pickle.loads(pickle.dumps(found)) == (200, {})


def test_the_head_of_embeddings(provide: Provide) -> None:
    with RawServer(every(whole({"data": [{"embedding": [1]}]}, *FIELDS))) as server:
        response = Client(provide(server)).embeddings.with_raw_response.create(input="hi")
    assert (response.status_code, response.request_id, response.retries_taken) == (200, "req_1", 0)
    assert response.parse().data[0].embedding == [1.0]
    assert response.parse()._request_id == "req_1"


def test_a_provider_without_http_has_no_head() -> None:
    response = Client(Scripted("Hello")).chat.completions.with_raw_response.create("hi")
    assert (response.status_code, response.request_id, dict(response.headers)) == (None, None, {})
    assert response.parse()._request_id is None


@pytest.mark.parametrize("kind", ["completion", "embeddings"])
def test_a_copy_of_a_result_has_no_headers(kind: str, provide: Provide) -> None:
    """They may hold a cookie; a pickled completion is often written to a file."""
    embeddings = whole({"data": [{"embedding": [1]}]}, *FIELDS)
    with RawServer(every(WHOLE if kind == "completion" else embeddings)) as server:
        client = Client(provide(server))
        made: Any = client.chat.completions.create("hi") if kind == "completion" else client.embeddings.create("hi")
    with pytest.raises(AttributeError, match="no attribute 'embeding'"):
        _ = made.embeding
    pickled = pickle.dumps(made)
    assert b"secret" not in pickled
    for copied in (pickle.loads(pickled), copy.deepcopy(made)):
        assert copied == made
        assert copied.to_dict() == made.to_dict()
    assert "_response" not in made.to_dict()
    assert "_response" not in made.model_dump()
    assert "secret" not in repr(made)
