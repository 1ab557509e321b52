"""The emulated AI Engine against the facts recorded from the real plugin, over real sockets."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

JSON = "application/json; charset=UTF-8"
SSE = "text/event-stream;charset=UTF-8"
REJECTED = "Sorry, your query has been rejected."
HELLO: dict[str, Any] = {"botId": "default", "newMessage": "Hello there"}


class Visitor:
    """A browser's worth of client: one session, and the nonce that it holds."""

    def __init__(self, emulator: Emulator) -> None:
        self.url = emulator.url
        self.session = requests.Session()
        self.nonce = ""

    def start(self, **headers: str) -> requests.Response:
        response = self.session.post(self.url + "/wp-json/mwai/v1/start_session", headers=headers)
        if response.ok:
            self.nonce = response.json()["restNonce"]
        return response

    def submit(self, body: str | dict[str, Any] = HELLO, **changes: Any) -> requests.Response:
        """Send a prompt; ``headers`` replace the usual ones, with None left out."""
        headers = {"X-WP-Nonce": self.nonce, "Content-Type": "application/json"} | changes.pop("headers", {})
        if isinstance(body, dict):
            body = json.dumps(body | changes)
        path = "/wp-json/mwai-ui/v1/chats/submit"
        return self.session.post(self.url + path, data=body, headers=headers)


def events(response: requests.Response) -> list[dict[str, Any]]:
    """Read the events, each of which must be one ``data:`` line and a blank one."""
    *blocks, rest = response.text.split("\n\n")
    assert rest == ""
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@pytest.fixture(params=["2.6.3", "3.6.2"])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator(plugin_version=request.param) as running:
        yield running


@pytest.fixture
def visitor(emulator: Emulator) -> Visitor:
    made = Visitor(emulator)
    made.start()
    return made


def is_modern(emulator: Emulator) -> bool:
    return emulator.settings.plugin_version == "3.6.2"


# Sessions


def test_start_session_gives_a_nonce_of_ten_hex_digits(emulator: Emulator, visitor: Visitor) -> None:
    response = visitor.start()
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
    answer = response.json()
    assert list(answer) == ["success", "sessionId", "restNonce"]
    assert re.fullmatch("[0-9a-f]{10}", answer["restNonce"])
    if is_modern(emulator):
        assert answer["sessionId"] == visitor.session.cookies["mwai_session_id"]
        assert visitor.session.cookies["PHPSESSID"]
    else:
        assert answer["sessionId"] == "N/A"
        assert '"sessionId":"N\\/A"' in response.text
        assert not visitor.session.cookies


def test_all_guests_get_the_same_nonce(emulator: Emulator, visitor: Visitor) -> None:
    other = Visitor(emulator)
    other.start()
    assert other.nonce == visitor.nonce


def test_start_session_takes_the_session_id_from_its_cookie(visitor: Visitor) -> None:
    assert visitor.start(Cookie="mwai_session_id=abc123").json()["sessionId"] == "abc123"


def test_start_session_is_for_post_only(visitor: Visitor) -> None:
    response = visitor.session.get(visitor.url + "/wp-json/mwai/v1/start_session")
    assert (response.status_code, response.json()["code"]) == (404, "rest_no_route")


def test_start_session_with_a_stale_nonce_locks_the_client_out(visitor: Visitor) -> None:
    response = visitor.start(**{"X-WP-Nonce": "0123456789"})
    assert (response.status_code, response.json()["code"]) == (403, "rest_cookie_invalid_nonce")


def test_start_session_can_fail_with_500(emulator: Emulator, visitor: Visitor) -> None:
    emulator.fail("error", step="bootstrap", message="No session.")
    response = visitor.start()
    assert (response.status_code, response.json()) == (500, {"success": False, "message": "No session."})


# Answers


def test_stream(emulator: Emulator, visitor: Visitor) -> None:
    emulator.answer(["Caf\u00e9 ", "\U0001f600", "0", "", " <\\/b> \n"])
    response = visitor.submit(stream=True)
    assert (response.status_code, response.headers["Content-Type"]) == (200, SSE)
    assert response.headers["X-WP-Nonce"] == visitor.nonce
    assert '"data":"Caf\\u00e9 "' in response.text
    assert '"data":"\\ud83d\\ude00"' in response.text
    *live, end = events(response)
    assert live == [{"type": "live", "data": text} for text in ("Caf\u00e9 ", "\U0001f600", "0", "", " <\\/b> \n")]
    assert list(end) == ["type", "data"]
    assert end["type"] == "end"
    inner = json.loads(end["data"])
    expected = ["success", "reply", "images", "actions", "shortcuts", "blocks", "usage"]
    assert list(inner) == [*expected, "responseId"] if is_modern(emulator) else expected
    assert inner["success"] is True
    assert inner["reply"] == "Caf\u00e9 \U0001f6000 <\\/b>"  # the plugin trims it


@pytest.mark.parametrize("stream", [{}, {"stream": False}])
def test_json_answer(emulator: Emulator, visitor: Visitor, stream: dict[str, Any]) -> None:
    emulator.answer("Hello from here.")
    response = visitor.submit(**stream)
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
    answer = response.json()
    assert answer["reply"] == "Hello from here."
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 3
    assert ("price" in answer["usage"]) is is_modern(emulator)


@pytest.mark.parametrize("stream", [True, 1, "false"])
def test_every_truthy_stream_is_a_stream(visitor: Visitor, stream: object) -> None:
    assert visitor.submit(stream=stream).headers["Content-Type"] == SSE


def test_usage_can_be_left_out(emulator: Emulator, visitor: Visitor) -> None:
    emulator.configure(usage=False)
    assert visitor.submit().json()["usage"] is None


def test_a_number_is_a_message_too(visitor: Visitor) -> None:
    assert visitor.submit(newMessage=42).json()["reply"] == "42"


def test_sites_without_pretty_links_have_the_route_in_the_query(visitor: Visitor) -> None:
    url = visitor.url + "/?rest_route=/mwai-ui/v1/chats/submit"
    response = visitor.session.post(url, json=HELLO, headers={"X-WP-Nonce": visitor.nonce})
    assert response.json()["reply"] == "Hello there"


def test_history_keeps_the_first_and_the_last_fifteen() -> None:
    heard: list[list[dict[str, Any]]] = []

    def backend(messages: list[dict[str, Any]]) -> Iterator[str]:
        heard.append(messages)
        yield "ok"

    with Emulator(backend) as emulator:
        visitor = Visitor(emulator)
        visitor.start()
        turns = [{"role": "user", "content": str(n), "id": f"x{n}"} for n in range(40)]
        visitor.submit(messages=turns)
    (messages,) = heard
    kept = [*range(15), *range(25, 40)]
    assert [message["content"] for message in messages] == [*map(str, kept), "Hello there"]
    assert messages[-1] == {"role": "user", "content": "Hello there"}


# Errors, in the order of the table of the protocol's facts


@pytest.mark.parametrize("stream", [True, False])
class TestErrors:
    @pytest.mark.parametrize("nonce", ["deadbeef00", ""])
    def test_wrong_or_empty_nonce(self, visitor: Visitor, stream: bool, nonce: str) -> None:
        response = visitor.submit(stream=stream, headers={"X-WP-Nonce": nonce})
        assert (response.status_code, response.headers["Content-Type"]) == (403, JSON)
        assert response.json() == {
            "code": "rest_cookie_invalid_nonce",
            "message": "Cookie check failed",
            "data": {"status": 403},
        }
        assert "X-WP-Nonce" not in response.headers

    def test_expired_nonce(self, emulator: Emulator, visitor: Visitor, stream: bool) -> None:
        emulator.expire_tokens()
        assert visitor.submit(stream=stream).json()["code"] == "rest_cookie_invalid_nonce"

    def test_nonce_header_missing(self, visitor: Visitor, stream: bool) -> None:
        response = visitor.submit(stream=stream, headers={"X-WP-Nonce": None})
        assert (response.status_code, response.json()["code"]) == (401, "rest_forbidden")

    def test_nonce_in_the_query_alone(self, visitor: Visitor, stream: bool) -> None:
        url = f"{visitor.url}/wp-json/mwai-ui/v1/chats/submit?_wpnonce={visitor.nonce}"
        response = visitor.session.post(url, json=HELLO | {"stream": stream})
        assert (response.status_code, response.json()["code"]) == (401, "rest_forbidden")
        assert response.headers["X-WP-Nonce"] == visitor.nonce

    @pytest.mark.parametrize(
        "changes",
        [
            {"newMessage": ""},
            {"newMessage": " \n "},
            {"newMessage": None},
            {"botId": None},
            {"headers": {"Content-Type": "text/plain"}},
            {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"headers": {"Content-Type": None}},
        ],
        ids=str,
    )
    def test_rejections(self, visitor: Visitor, stream: bool, changes: dict[str, Any]) -> None:
        response = visitor.submit(stream=stream, **changes)
        assert (response.status_code, response.headers["Content-Type"]) == (403, JSON)
        assert response.json() == {"success": False, "message": REJECTED}
        assert response.headers["X-WP-Nonce"] == visitor.nonce

    @pytest.mark.parametrize("character", ["x", "\u4f60"])
    def test_message_too_long(self, visitor: Visitor, stream: bool, character: str) -> None:
        assert visitor.submit(stream=stream, newMessage=character * 512).status_code == 200
        response = visitor.submit(stream=stream, newMessage=character * 513)
        assert response.headers["Content-Type"] == JSON
        if stream:
            assert response.status_code == 200
            assert events(response) == [{"type": "error", "data": REJECTED}]
        else:
            assert (response.status_code, response.json()["success"]) == (500, False)

    def test_unknown_bot(self, emulator: Emulator, visitor: Visitor, stream: bool) -> None:
        response = visitor.submit(stream=stream, botId="chatbot-nope")
        if is_modern(emulator):
            assert response.status_code == 200
            assert "Hello" in response.text
        elif stream:
            assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
            assert events(response) == [{"type": "error", "data": REJECTED}]
        else:
            assert (response.status_code, response.json()["success"]) == (500, False)

    def test_model_backend_fails(self, visitor: Visitor, emulator: Emulator, stream: bool) -> None:
        message = "OpenAI: Error: Rate limit reached for requests (rate_limit_exceeded)"
        emulator.fail("error", message=message)
        response = visitor.submit(stream=stream)
        assert response.headers["X-WP-Nonce"] == visitor.nonce
        if stream:
            assert (response.status_code, response.headers["Content-Type"]) == (200, SSE)
            assert events(response) == [{"type": "error", "data": message}]
        else:
            assert (response.status_code, response.json()) == (500, {"success": False, "message": message})

    def test_usage_limit_of_the_site(self, visitor: Visitor, emulator: Emulator, stream: bool) -> None:
        emulator.fail("limit")
        response = visitor.submit(stream=stream)
        assert response.status_code == (200 if stream else 500)
        assert "You have reached the limit" in response.text
        assert emulator.requests[-1].fault == "limit"

    def test_backend_answers_nothing(self, visitor: Visitor, emulator: Emulator, stream: bool) -> None:
        emulator.fail("empty")
        response = visitor.submit(stream=stream)
        answer = json.loads(events(response)[-1]["data"]) if stream else response.json()
        assert (answer["success"], answer["reply"]) == (True, "")

    def test_broken_json(self, visitor: Visitor, stream: bool) -> None:
        response = visitor.submit('{"botId":"default","newMessage":')
        assert response.status_code == 400
        assert response.json()["code"] == "rest_invalid_json"
        assert response.json()["data"]["json_error_code"] == 4

    def test_wrong_routes(self, visitor: Visitor, stream: bool) -> None:
        headers = {"X-WP-Nonce": visitor.nonce}
        for method, route in (("GET", "chats/submit"), ("POST", "nope")):
            url = f"{visitor.url}/wp-json/mwai-ui/v1/{route}"
            response = visitor.session.request(method, url, headers=headers)
            assert (response.status_code, response.json()["code"]) == (404, "rest_no_route")

    @pytest.mark.parametrize("changes", [{"newMessage": ["Hello"]}, {"messages": "nope"}], ids=str)
    def test_php_fatal_error(self, visitor: Visitor, stream: bool, changes: dict[str, Any]) -> None:
        response = visitor.submit(stream=stream, **changes)
        assert (response.status_code, response.json()["code"]) == (500, "internal_server_error")
        assert response.json()["message"].startswith("<p>There has been a critical error")
        assert "<\\/p>" in response.text


def test_backend_that_dies_in_mid_stream_looks_like_a_whole_answer(caplog: pytest.LogCaptureFixture) -> None:
    def backend(messages: object) -> Iterator[str]:
        yield "Hello"
        yield " from"
        raise RuntimeError("out of memory")

    with Emulator(backend) as emulator:
        visitor = Visitor(emulator)
        visitor.start()
        *live, end = events(visitor.submit(stream=True))
        assert [event["data"] for event in live] == ["Hello", " from"]
        assert json.loads(end["data"])["reply"] == "Hello from"
        assert visitor.submit(stream=False).status_code == 500
    assert "the backend failed" in caplog.text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "text"), [("error", "The server had an error"), ("quota", "insufficient_quota")])
def test_failures_have_the_model_s_words(
    emulator: Emulator, visitor: Visitor, fault: str, text: str, stream: bool
) -> None:
    emulator.fail(fault)
    assert text in visitor.submit(stream=stream).text


def test_a_body_that_is_no_object_is_rejected(visitor: Visitor) -> None:
    assert visitor.submit("[1]").status_code == 403


def test_the_nonce_can_be_refused_once(emulator: Emulator, visitor: Visitor) -> None:
    emulator.fail("token")
    assert [visitor.submit().status_code for _ in range(2)] == [403, 200]


def test_wrong_types(emulator: Emulator, visitor: Visitor) -> None:
    emulator.fail("wrong_types", step="bootstrap")
    answer = visitor.session.post(visitor.url + "/wp-json/mwai/v1/start_session").json()
    assert answer["restNonce"] == 7
    emulator.fail("wrong_types", times=2)
    assert [event["data"] for event in events(visitor.submit(stream=True))] == [{"text": 7}]
    assert visitor.submit().json()["reply"] == ["a", "b"]


def test_success_false_in_the_end_event(emulator: Emulator, visitor: Visitor) -> None:
    emulator.answer("one two three")
    emulator.fail("success_false", after=2)
    *live, end = events(visitor.submit(stream=True))
    assert [event["data"] for event in live] == ["one", " two"]
    assert json.loads(end["data"]) == {"success": False, "message": REJECTED}


# Nonces that age


def test_an_old_nonce_is_accepted_and_replaced(emulator: Emulator, visitor: Visitor) -> None:
    emulator.age_tokens()
    response = visitor.submit(stream=True)
    newer = response.headers["X-WP-Nonce"]
    assert newer != visitor.nonce
    inner = json.loads(events(response)[-1]["data"])
    assert inner.get("new_token") == (newer if is_modern(emulator) else None)
    rejection = visitor.submit(newMessage="")
    assert rejection.headers["X-WP-Nonce"] == newer
    assert rejection.json().get("new_token") == (newer if is_modern(emulator) else None)
    visitor.nonce = newer
    assert "new_token" not in visitor.submit().json()


def test_start_session_hands_out_the_newer_nonce_too(emulator: Emulator, visitor: Visitor) -> None:
    emulator.age_tokens()
    answer = visitor.start(**{"X-WP-Nonce": visitor.nonce}).json()
    assert answer.get("new_token") == (answer["restNonce"] if is_modern(emulator) else None)


def test_a_nonce_lasts_for_a_number_of_uses(emulator: Emulator, visitor: Visitor) -> None:
    emulator.configure(token_uses=2, renew_nonces=False)
    statuses = [visitor.submit().status_code for _ in range(3)]
    assert statuses == [200, 200, 403]
    visitor.start()
    assert visitor.submit().status_code == 200


def test_a_nonce_lasts_for_seconds(emulator: Emulator, visitor: Visitor) -> None:
    emulator.configure(token_seconds=0.05)
    visitor.start()
    assert visitor.submit().status_code == 200
    time.sleep(0.06)
    assert visitor.submit().status_code == 403


def test_a_shop_ties_the_nonce_to_a_cookie() -> None:
    with Emulator(nonce_cookie=True) as emulator:
        visitor, other = Visitor(emulator), Visitor(emulator)
        visitor.start()
        other.start()
        assert visitor.nonce != other.nonce
        assert visitor.submit().status_code == 200
        assert visitor.submit(headers={"X-WP-Nonce": other.nonce}).status_code == 403
        visitor.session.cookies.clear()
        assert visitor.submit().status_code == 403


# Versions


def test_before_2_4_4_the_nonce_is_in_the_page() -> None:
    with Emulator(plugin_version="2.4.3") as emulator:
        visitor = Visitor(emulator)
        assert visitor.start().json()["code"] == "rest_no_route"
        for path in ("/", "/chat/"):
            page = requests.get(emulator.url + path).text
            (visitor.nonce,) = re.findall("restNonce&quot;:&quot;([0-9a-f]{10})&quot;", page)
            assert f'"restNonce":"{visitor.nonce}"' in html.unescape(page)
        assert visitor.submit().json()["reply"] == "Hello there"
        assert visitor.submit(newMessage="\u4f60" * 171).status_code == 500  # 513 bytes


def test_newer_pages_have_no_nonce(emulator: Emulator) -> None:
    assert "restNonce" not in requests.get(emulator.url + "/").text


def test_event_logs() -> None:
    with Emulator(status_events=True) as emulator:
        visitor = Visitor(emulator)
        visitor.start()
        first, *live, _end = events(visitor.submit(stream=True))
        assert list(first) == ["type", "data", "timestamp", "subtype", "visibility"]
        assert (first["type"], first["subtype"], first["data"]) == ("live", "status", "Generating response...")
        assert live[0] == {"type": "live", "data": "Hello"}

        emulator.configure(status_events=("thinking", "content"))
        first, *live, _end = events(visitor.submit(stream=True))
        assert first["subtype"] == "thinking"
        assert live[0] == {"type": "live", "data": "Hello", "subtype": "content"}

        emulator.configure(plugin_version="2.8.2")
        assert "subtype" not in visitor.submit(stream=True).text


@pytest.mark.parametrize(("version", "serial"), [("2.8.4", False), ("2.8.5", True), ("2.8.9", True), ("2.8.10", False)])
def test_some_versions_serve_one_request_of_a_php_session_at_a_time(version: str, serial: bool) -> None:
    running = overlap = 0
    lock = threading.Lock()

    def backend(messages: object) -> Iterator[str]:
        nonlocal running, overlap
        with lock:
            running += 1
            overlap = max(overlap, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        yield "ok"

    with Emulator(backend, plugin_version=version) as emulator:
        visitor = Visitor(emulator)
        visitor.start()
        headers = {"X-WP-Nonce": visitor.nonce, "Cookie": "PHPSESSID=one"}
        url = emulator.url + "/wp-json/mwai-ui/v1/chats/submit"
        calls = [
            threading.Thread(target=lambda: requests.post(url, json=HELLO, headers=headers, timeout=5))
            for _ in range(3)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert [request.status for request in emulator.requests] == [200] * 4
    assert (overlap == 1) is serial
