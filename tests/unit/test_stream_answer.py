"""What ``stream_answer`` sends, when, and what becomes of the answer if nobody reads it."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import flask
import pytest

from g4f_lite import (
    Answer,
    BaseProvider,
    Client,
    Finish,
    G4FLiteError,
    ImageResponse,
    OpenAICompatible,
    OutputError,
    RateLimitError,
    Reasoning,
    Refusal,
    RefusalError,
    StreamInterruptedError,
    TransportError,
    Usage,
)
from g4f_lite.answers.buffer import MAX_BYTES
from g4f_lite.contrib.flask import G4FLite, error_response, events, stream_answer
from g4f_lite.contrib.flask.reader import End
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Scripted


class Held(BaseProvider):
    """A provider whose deltas the test gives; closing a stream ends it."""

    def __init__(self) -> None:
        self.deltas: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.closed = threading.Event()

    def begin(self, prompt: Any) -> Any:
        held = self

        class Source:
            def __iter__(self) -> Iterator[Any]:
                while (delta := held.deltas.get()) is not None:
                    if isinstance(delta, BaseException):
                        raise delta
                    yield delta
                if held.closed.is_set():
                    raise StreamInterruptedError("closed")
                yield Finish()

            def close(self) -> None:
                held.closed.set()
                held.deltas.put(None)

        return Source()


class Done:
    """Notes what ``on_done`` is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Answer, BaseException | None, bool]] = []
        self.called = threading.Event()

    def __call__(self, answer: Answer, error: BaseException | None) -> None:
        assert flask.current_app.name == "app"
        self.calls.append((answer, error, flask.has_request_context()))
        self.called.set()


def serve(provider: BaseProvider, *, conversation: Any = None, **options: Any) -> Any:
    """Give a client of an app with one view, ``/``, that streams an answer."""
    app = flask.Flask("app")
    app.config.update(TESTING=True, G4F_LITE_PROVIDER=provider)
    chat = G4FLite(app)
    app.register_error_handler(G4FLiteError, error_response)

    @app.route("/", methods=["GET", "POST"])
    def view() -> Any:
        return stream_answer((conversation or chat.client).stream("Hello"), **options)

    return app.test_client()


def parse(body: bytes) -> list[tuple[str, str, Any]]:
    """Give the id, the name and the data of each event, as a browser reads them."""
    found = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in fields:
            found.append((fields["id"], fields.get("event", "message"), json.loads(fields["data"])))
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_events_of_an_answer(method: str) -> None:
    done = Done()
    pieces = ["Light\n\nis ", "", Reasoning("hm"), "scattered. 🙂\u2028\r\ndata: x", Usage(1, 2, 3)]
    response = serve(Scripted(pieces), on_done=done).open("/", method=method)
    text = "Light\n\nis scattered. 🙂\u2028\r\ndata: x"
    assert response.status_code == 200
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in response.headers
    assert response.data.startswith(b"id: 0\n\n")
    assert parse(response.data) == [
        ("1", "message", {"text": "Light\n\nis "}),
        ("2", "message", {"text": "scattered. 🙂\u2028\r\ndata: x"}),
        ("3", "done", {"text": text, "finish_reason": "stop"}),
    ]
    assert done.calls == [(text, None, False)]
    assert done.calls[0][0].usage == Usage(1, 2, 3)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_page_is_told_that_a_limit_cut_the_answer(reason: str, g4f_emulator: Emulator) -> None:
    g4f_emulator.answer(["Light ", {"finish_reason": reason}])
    done = Done()
    assert parse(serve(OpenAICompatible(f"{g4f_emulator.url}/v1"), on_done=done).get("/").data) == [
        ("1", "message", {"text": "Light "}),
        ("2", "done", {"text": "Light ", "finish_reason": reason}),
    ]
    ((answer, error, _),) = done.calls
    assert (answer, answer.is_cut, error) == ("Light ", True, None)


def test_images_and_refusals() -> None:
    image = ImageResponse(["https://example.org/a.png"], "a cat", data=b"x")
    response = serve(Scripted([image, Refusal("I will not."), "\ud83d"])).get("/")
    assert [data for _, name, data in parse(response.data) if name == "message"] == [
        {"images": ["https://example.org/a.png"], "alt": "a cat"},
        {"text": "I will not."},
        {"text": "\ufffd"},
    ]


def test_a_failure_before_the_first_piece_has_a_status() -> None:
    done = Done()
    error = RateLimitError("slow down", retry_after=7)
    response = serve(Scripted(error), on_done=done).get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")
    assert done.calls == [("", error, False)]


def test_a_failure_after_it_is_an_event() -> None:
    done = Done()
    error = TransportError("the secret of groq")
    response = serve(Scripted(["Light ", "is ", error]), on_done=done).get("/")
    assert response.status_code == 200
    assert parse(response.data) == [
        ("1", "message", {"text": "Light "}),
        ("2", "message", {"text": "is "}),
        ("3", "failed", {"status": 502, "error": "The answer was cut off. Please try again."}),
    ]
    assert done.calls == [("Light is ", error, False)]


def test_an_answer_that_does_not_begin_in_time_fails_with_an_event() -> None:
    held = Held()
    response = serve(held, first=0).get("/")
    assert response.status_code == 200
    held.deltas.put(TransportError("down"))
    assert [(name, data["error"][:18]) for _, name, data in parse(response.data)] == [("failed", "The service is not")]


def test_the_first_delta_may_be_a_thought_and_comments_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.01)
    held = Held()
    held.deltas.put(Reasoning("hm"))
    chunks = serve(held, first=60, heartbeat=0.01).get("/").iter_encoded()
    assert next(chunks) == b"id: 0\n\n"
    assert [next(chunks) for _ in range(3)] == [b":\n\n"] * 3
    held.deltas.put("Hello.")
    held.deltas.put(None)
    assert [event[1] for event in parse(b"".join(chunks))] == ["message", "done"]


def test_comments_come_between_thoughts_that_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    items = iter([*[Reasoning("hm")] * 45, End(Answer("Hello."), None)])
    monkeypatch.setattr(events, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    source = SimpleNamespace(get=lambda until: next(items), reader=SimpleNamespace(app=None))
    assert list(events._events(source, [], 20.0))[:-1] == [b"id: 0\n\n", b":\n\n", b":\n\n"]


@pytest.mark.parametrize("request_", [{"headers": {"Last-Event-ID": "3"}}, {"method": "HEAD"}])
def test_what_must_not_be_paid_for_twice_is_not_sent(request_: dict[str, Any]) -> None:
    """What the view took for the answer is freed in ``on_done``, which is called for these requests as well."""
    scripted, done = Scripted(), Done()
    response = serve(scripted, on_done=done).open("/", **request_)
    assert (response.status_code, response.data) == (204, b"")
    assert scripted.calls == []
    ((answer, error, _),) = done.calls
    assert (answer, type(error)) == ("", StreamInterruptedError)


def test_on_done_is_called_where_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    scripted, done = Scripted(), Done()
    monkeypatch.setattr(threading.Thread, "start", start)
    response = serve(scripted, on_done=done).get("/")
    assert response.status_code == 502
    assert "can't start new thread" in caplog.text
    assert scripted.calls == []
    ((answer, error, _),) = done.calls
    assert (answer, type(error)) == ("", StreamInterruptedError)


def test_a_server_that_closes_the_response_closes_the_answer() -> None:
    held, done = Held(), Done()
    held.deltas.put("Light ")
    response = serve(held, on_done=done).get("/")
    chunks = response.iter_encoded()
    assert [next(chunks), next(chunks)] == [b"id: 0\n\n", b'id: 1\ndata: {"text":"Light "}\n\n']
    response.close()
    ((answer, error, _),) = done.calls
    assert (answer, type(error)) == ("Light ", StreamInterruptedError)
    assert held.closed.is_set()


def test_a_response_that_is_never_read_closes_the_answer() -> None:
    held, done = Held(), Done()
    held.deltas.put("Light ")
    with flask.Flask("app").test_request_context():
        response = stream_answer(Client(held).stream("Hello"), on_done=done)
        response.close()
    assert held.closed.is_set()
    assert len(done.calls) == 1


@pytest.mark.parametrize("when", ["before it begins", "after a piece"])
def test_a_browser_that_goes_away_is_noticed_in_silence(when: str) -> None:
    held, done, gone = Held(), Done(), threading.Event()
    if when == "after a piece":
        held.deltas.put("Light ")
    else:
        gone.set()
    response = serve(held, on_done=done).get("/", environ_base={"waitress.client_disconnected": gone.is_set})
    assert response.status_code == (200 if when == "after a piece" else 499)
    gone.set()
    assert parse(response.data) == ([("1", "message", {"text": "Light "})] if when == "after a piece" else [])
    assert held.closed.is_set()
    assert [type(error) for _, error, _ in done.calls] == [StreamInterruptedError]


def test_done_comes_after_on_done() -> None:
    stored: list[str] = []
    chunks = serve(Scripted("Hello."), on_done=lambda answer, error: stored.append(answer)).get("/").iter_encoded()
    for chunk in chunks:
        if b"event: done" in chunk:
            assert stored == ["Hello."]
    assert stored == ["Hello."]


def test_an_on_done_that_fails_hides_no_error(caplog: pytest.LogCaptureFixture) -> None:
    def fail(answer: Answer, error: BaseException | None) -> None:
        raise OSError("the disk is full")

    response = serve(Scripted(RateLimitError("slow down")), on_done=fail).get("/")
    assert response.status_code == 503
    assert "the disk is full" in caplog.text


def test_a_conversation_keeps_the_turn_before_done() -> None:
    turns: list[Any] = []
    talk = Client(Scripted("Hello.")).conversation(on_turn=turns.append)
    response = serve(Scripted(), conversation=talk).get("/")
    assert parse(response.data)[-1][1] == "done"
    assert turns == [[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello."}]]


def test_an_answer_longer_than_what_is_kept() -> None:
    done = Done()
    half = "x" * (MAX_BYTES // 2 + 1)
    response = serve(Scripted([half, half]), on_done=done).get("/")
    assert [event[1] for event in parse(response.data)] == ["message", "message", "failed"]
    ((answer, error, _),) = done.calls
    assert MAX_BYTES * 0.99 < len(answer) <= MAX_BYTES
    assert "longer than" in str(error)


def test_an_endless_answer_is_not_read_on_while_the_browser_does_not_read() -> None:
    sent = []

    def endless() -> Iterator[str]:
        for number in range(64):
            sent.append(number)
            yield "x" * (MAX_BYTES // 4)

    response = serve(Scripted(endless())).get("/", buffered=False)
    assert parse(b"".join(response.response))[-1][1] == "failed"
    assert len(sent) < 10


def test_an_answer_that_was_read_already_is_sent_as_it_is() -> None:
    stream = Client(Scripted("Hello.")).stream("Hello")
    stream.text()
    with flask.Flask("app").test_request_context():
        response = stream_answer(stream)
        assert parse(b"".join(response.iter_encoded())) == [("1", "done", {"text": "Hello.", "finish_reason": "stop"})]


@dataclass
class City:
    name: str


@pytest.mark.parametrize("talks", [False, True])
def test_a_typed_answer_is_sent_as_values_and_a_new_one_replaces_one_not_yet_sent(talks: bool) -> None:
    held, done = Held(), Done()
    held.deltas.put('{"name": "O')
    with flask.Flask("app").test_request_context():
        client = Client(held)
        stream = (client.conversation() if talks else client).stream("Which city?", output=City)
        response = stream_answer(stream, on_done=done)
        for delta in ["s", "l", "o", '"}', None]:
            held.deltas.put(delta)
        assert done.called.wait(60)
        body = b"".join(response.iter_encoded())
    assert parse(body) == [
        ("1", "partial", {"output": {"name": "O"}}),
        ("2", "partial", {"output": {"name": "Oslo"}}),
        ("3", "done", {"text": '{"name": "Oslo"}', "finish_reason": "stop", "output": {"name": "Oslo"}}),
    ]
    assert done.calls == [('{"name": "Oslo"}', None, False)]


def test_a_number_that_json_has_no_word_for_is_null() -> None:
    with flask.Flask("app").test_request_context():
        stream = Client(Scripted(['{"value": [1, ', "1e999]}"])).stream("Numbers", output=list[float])
        body = b"".join(stream_answer(stream).iter_encoded())
    assert b"Infinity" not in body
    assert [data["output"] for _, name, data in parse(body) if name == "partial"][-1] == [1, None]


def test_a_typed_answer_that_does_not_fit() -> None:
    done = Done()
    with flask.Flask("app").test_request_context():
        stream = Client(Scripted(['{"town": ', "3}"])).stream("Which city?", output=City)
        body = b"".join(stream_answer(stream, on_done=done).iter_encoded())
    assert [name for _, name, _ in parse(body)][-1] == "failed"
    assert [type(error) for _, error, _ in done.calls] == [OutputError]


def test_a_typed_answer_of_a_list_and_one_that_is_refused() -> None:
    with flask.Flask("app").test_request_context():
        stream = Client(Scripted(['{"value": [', '{"name": "Oslo"}', "]}"])).stream("Cities", output=list[City])
        found = parse(b"".join(stream_answer(stream).iter_encoded()))
        assert found[-1][2]["output"] == [{"name": "Oslo"}]
        with pytest.raises(RefusalError):
            stream_answer(Client(Scripted([Refusal("I will not.")])).stream("Which city?", output=City))


def test_a_typed_answer_that_nobody_waits_for_is_closed() -> None:
    held, done, gone = Held(), Done(), threading.Event()
    held.deltas.put('{"name": "Os')
    with flask.Flask("app").test_request_context(environ_base={"waitress.client_disconnected": gone.is_set}):
        response = stream_answer(Client(held).stream("Which city?", output=City), on_done=done)
        gone.set()
        assert parse(b"".join(response.iter_encoded())) == [("1", "partial", {"output": {"name": "Os"}})]
    assert held.closed.is_set()
    assert [type(error) for _, error, _ in done.calls] == [StreamInterruptedError]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"stream": "Hello"}, TypeError, r"as client\.stream\(…\) returns it, not str"),
        ({"first": "1"}, TypeError, "first must be seconds, not str"),
        ({"first": True}, TypeError, "first must be seconds, not bool"),
        ({"first": -1}, ValueError, "first must be at least 0 seconds"),
        ({"first": float("nan")}, ValueError, "first must be"),
        ({"heartbeat": 0}, ValueError, r"heartbeat must be at least 0\.25 seconds"),
        ({"heartbeat": float("inf")}, ValueError, "heartbeat must be"),
        ({"on_done": 3}, TypeError, "on_done must be a function, not int"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    scripted = Scripted()
    stream = Client(scripted).stream("Hello")
    with flask.Flask("app").test_request_context(), pytest.raises(error, match=match):
        stream_answer(**{"stream": stream, **arguments})
    assert scripted.calls == []
