"""Cookies that a service sets, in any number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from g4f_lite import G4FLiteError, OpenAICompatible, ResponseFormatError, ResponseStatusError
from g4f_lite.http.pool import MAX_COOKIE_BYTES

from .conftest import Provide
from .raw_server import DONE, Connection, RawServer, delta, every, length

NGINX = b"<html><head><title>400 Request Header Or Cookie Too Large</title></head><body>nginx</body></html>"
GUNICORN = b"<html><body><h1>Bad Request</h1>Error parsing headers: 'limit request headers fields size'</body></html>"
APACHE = b"<html><body>Your browser sent a request. Size of a request header field exceeds server limit.</body></html>"
REFUSALS = {
    "431": length(b"", status="431 Request Header Fields Too Large"),
    "nginx": length(NGINX, status="400 Bad Request"),
    "gunicorn": length(GUNICORN, status="400 Bad Request"),
    "Apache": length(APACHE, status="400 Bad Request"),
}


def _setting_cookies(limit: int, refusal: bytes = REFUSALS["431"]) -> Callable[[Connection], None]:
    """Set a new cookie of 100 bytes with each answer, and refuse more than a limit of them."""

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if len(request.headers.get("cookie", "")) > limit:
                connection.send(refusal)
            else:
                cookie = f"Set-Cookie: c{len(connection.server.requests)}={'v' * 95}; Path=/"
                connection.send(length(delta("a", "stop") + DONE, cookie))

    return answer


@pytest.mark.once
def test_a_session_with_many_cookies_is_replaced_before_a_service_refuses_them(provide: Provide) -> None:
    with RawServer(_setting_cookies(8000)) as server:
        provider = provide(server, cookies={"given": "always"})
        for _ in range(100):
            assert provider.create(messages="hi") == "a"
        assert len(server.requests) == 100
        sent = [request.headers["cookie"] for request in server.requests]
        assert MAX_COOKIE_BYTES - 200 < max(map(len, sent)) < MAX_COOKIE_BYTES
        assert all("given=always" in cookies for cookies in sent)
        assert server.connections == 3, "a session is used for as long as it may be"


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_session_whose_headers_are_refused_is_replaced_in_the_same_call(refusal: str, provide: Provide) -> None:
    with RawServer(_setting_cookies(500, REFUSALS[refusal])) as server:
        provider = provide(server, cookies={"given": "always"})
        for _ in range(20):
            assert provider.create(messages="hi") == "a"
        refused = len(server.requests) - 20
        assert 1 <= refused <= 4
        assert "given=always" in server.requests[-1].headers["cookie"]


def test_headers_that_are_refused_without_any_cookie_are_refused_once_more_and_no_longer(provide: Provide) -> None:
    with RawServer(_setting_cookies(-1)) as server:
        with pytest.raises(ResponseStatusError) as caught:
            provide(server).create(messages="hi")
        assert caught.value.status == 431
        assert len(server.requests) == 2


def test_a_request_beside_a_prompt_has_its_session_replaced_for_the_next(provide: Provide) -> None:
    models = length(b'{"data": [{"id": "m"}]}')

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if "cookie" in request.headers and "models" in request.line:
                connection.send(REFUSALS["431"])
            elif "models" in request.line:
                connection.send(models)
            else:
                connection.send(length(delta("a", "stop") + DONE, "Set-Cookie: a=b; Path=/"))

    with RawServer(answer) as server:
        provider = provide(server)
        provider.create(messages="hi")
        with pytest.raises(ResponseStatusError):
            provider.get_models()
        assert provider.get_models() == ["m"]


def test_a_session_of_the_callers_own_stays_as_it_is() -> None:
    with requests.Session() as session, RawServer(_setting_cookies(250)) as server:
        with OpenAICompatible(server.url, model="m", session=session, retry=None) as provider:
            for _ in range(3):
                provider.create(messages="hi")
            with pytest.raises(G4FLiteError):
                provider.create(messages="hi")
        assert len(session.cookies) == 3
        assert len(server.requests) == 4


def test_more_cookies_than_any_server_takes_are_not_sent(provide: Provide) -> None:
    fields = [f"Set-Cookie: c{number}={'v' * 30_000}; Path=/" for number in range(3)]
    again = length(b"", "Location: ?again", *fields, status="307 Temporary Redirect")
    with RawServer(every(again)) as server:
        with pytest.raises(ResponseFormatError, match="more cookies than the 65,536 bytes that are sent") as caught:
            provide(server).create(messages="hi")
        assert (len(server.requests), caught.value.step) == (1, "prompt")
    assert "vvv" not in str(caught.value)


def test_a_cookie_with_a_number_that_python_refuses_to_read_is_dropped() -> None:
    fields = [f"set-cookie: x=1; expires=1 a {'9' * 5000}", "Set-Cookie: kept=1; path=/"]
    answer = length(delta("Hello", "stop") + DONE, *fields)
    with RawServer(every(answer)) as server, OpenAICompatible(server.url, model="m", timeout=5) as provider:
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello"] * 2  # warnings are errors here
        assert server.requests[1].headers["cookie"] == "kept=1"


def test_cookies_that_are_left_out_count_as_lines_of_the_head(provide: Provide) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + f"Set-Cookie: a={'1' * 400}\r\n".encode() * 102)
        connection.silence()

    with RawServer(serve) as server, pytest.raises(ResponseFormatError, match="got more than 100 headers"):
        provide(server, timeout=5).create(messages="hi")


@pytest.mark.parametrize("age", ["9" * 400, "-" + "9" * 400, "9" * 3900, "9" * 5000, "9_" * 400 + "9"], ids=len)
def test_a_cookie_with_an_age_that_no_number_can_hold_is_left_out_and_others_are_kept(
    age: str, provide: Provide
) -> None:
    cookies = f"Set-Cookie: a=1; max-age={age}\r\nSet-Cookie: b=2; max-age={'9' * 12}"
    with RawServer(every(length(delta("a", "stop") + DONE, cookies))) as server:
        provider = provide(server)
        for _ in range(2):
            assert provider.create(messages="hi") == "a"
        assert server.requests[-1].headers["cookie"] == "b=2"
