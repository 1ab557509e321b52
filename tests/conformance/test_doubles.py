"""Other people's test doubles and sessions work with our providers as with plain requests.

What is not installed is skipped; ``tox -e doubles`` installs all of it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from g4f_lite import G4FLiteError, Local, OpenAICompatible
from g4f_lite.emulator import Emulator

ADDRESS = "http://service.example/v1"
CHUNKS = [
    {"choices": [{"index": 0, "delta": {"content": "Hel"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
]
STREAM = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(models=("m",)) as emulator:
        yield emulator


def provider(url: str, **settings: Any) -> OpenAICompatible:
    return OpenAICompatible(url, model="m", retry=None, **settings)


# Recorders


def test_vcrpy_records_and_replays_a_stream(emulator: Emulator, tmp_path: Path) -> None:
    vcr = pytest.importorskip("vcr")
    cassette = str(tmp_path / "stream.yaml")
    emulator.answer(["Hel", "lo"])
    with vcr.use_cassette(cassette), provider(emulator.url + "/v1") as first:
        assert list(first.create_generator(messages="Hi")) == ["Hel", "lo"]
    with vcr.use_cassette(cassette, record_mode="none") as played, provider(emulator.url + "/v1") as second:
        assert list(second.create_generator(messages="Hi")) == ["Hel", "lo"]
        assert played.play_count == 1
    assert len(emulator.requests) == 1


def test_vcrpy_never_lets_a_request_through_while_it_replays(emulator: Emulator, tmp_path: Path) -> None:
    """A connection that was kept from before the cassette would lead past it."""
    vcr = pytest.importorskip("vcr")
    with provider(emulator.url + "/v1") as kept:
        kept.create(messages="Hi")
        with vcr.use_cassette(str(tmp_path / "empty.yaml"), record_mode="none"), pytest.raises(Exception, match="cass"):
            kept.create(messages="Hi")
        assert len(emulator.requests) == 1
        assert kept.create(messages="Hi") == "Hi"  # and none from within it is used behind it
        with provider(emulator.url + "/v1") as another:
            assert another.create(messages="Hi") == "Hi"
    assert len(emulator.requests) == 3


@pytest.mark.once
def test_vcrpy_lets_the_embedded_model_answer(local: Local, tmp_path: Path) -> None:
    """Its address is another one in each process, so that nothing could be replayed."""
    vcr = pytest.importorskip("vcr")
    with vcr.use_cassette(str(tmp_path / "empty.yaml"), record_mode="none"):
        assert local.create(messages="Hi", max_tokens=1)
    assert not (tmp_path / "empty.yaml").exists()


def test_vcrpy_keeps_no_key_where_headers_are_filtered(emulator: Emulator, tmp_path: Path) -> None:
    vcr = pytest.importorskip("vcr")
    cassette = tmp_path / "key.yaml"
    with vcr.use_cassette(str(cassette), filter_headers=["authorization"]):
        provider(emulator.url + "/v1", api_key="sk-a-secret-key").create(messages="Hi")
    assert "Hi" in cassette.read_text()
    assert "sk-a-secret-key" not in cassette.read_text()


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # of betamax itself
def test_betamax_records_and_replays_on_a_session(emulator: Emulator, tmp_path: Path) -> None:
    betamax = pytest.importorskip("betamax")
    for _ in range(2):
        session = requests.Session()
        with betamax.Betamax(session, cassette_library_dir=str(tmp_path)).use_cassette("chat"):
            assert provider(emulator.url + "/v1", session=session).create(messages="Hi") == "Hi"
    assert len(emulator.requests) == 1


# Doubles


def test_responses() -> None:
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mock:
        mock.post(f"{ADDRESS}/chat/completions", body=STREAM, content_type="text/event-stream")
        assert provider(ADDRESS).create(messages="Hi") == "Hello"


def test_requests_mock() -> None:
    requests_mock = pytest.importorskip("requests_mock")
    with requests_mock.Mocker() as mock:
        mock.post(f"{ADDRESS}/chat/completions", text=STREAM, headers={"Content-Type": "text/event-stream"})
        assert provider(ADDRESS).create(messages="Hi") == "Hello"


def test_pook() -> None:
    pook = pytest.importorskip("pook")
    with pook.use():
        pook.post(f"{ADDRESS}/chat/completions", reply=200, response_body=STREAM)
        assert provider(ADDRESS).create(messages="Hi") == "Hello"


def test_mocket() -> None:
    mocket = pytest.importorskip("mocket")
    from mocket.mockhttp import Entry

    @mocket.mocketize(strict_mode=True)
    def ask(prompt: str) -> str:
        headers = {"Content-Type": "text/event-stream"}
        Entry.single_register(Entry.POST, f"{ADDRESS}/chat/completions", body=STREAM, headers=headers)
        return provider(ADDRESS).create(messages=prompt)

    assert ask("Hi") == "Hello"
    assert ask("Hi " * 20_000) == "Hello"


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_pytest_socket_is_obeyed(emulator: Emulator) -> None:
    pytest_socket = pytest.importorskip("pytest_socket")
    pytest_socket.disable_socket()
    try:
        with pytest.raises(pytest_socket.SocketBlockedError):
            provider(emulator.url + "/v1").create(messages="Hi")
    finally:
        pytest_socket.enable_socket()
    assert provider(emulator.url + "/v1").create(messages="Hi") == "Hi"


def test_a_clock_that_stands_still_ends_no_call(emulator: Emulator) -> None:
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time("2026-01-01"):
        assert provider(emulator.url + "/v1").create(messages="Hi") == "Hi"


# Sessions of the caller's own


class Signing(requests.Session):
    """A session that signs in ``request``, as those of google-auth and requests-oauthlib do."""

    def request(self, method: Any, url: Any, headers: Any = None, **more: Any) -> Any:  # type: ignore[override]
        return super().request(method, url, headers={**(headers or {}), "Authorization": "Bearer signed"}, **more)


def test_a_session_that_signs_in_request_signs(emulator: Emulator) -> None:
    emulator.configure(api_key="signed")
    with Signing() as session:
        chat = provider(emulator.url + "/v1", session=session)
        assert chat.create(messages="Hi") == "Hi"
        assert chat.get_models() == ["m"]
        emulator.fail("error", message="not for Bearer signed")
        with pytest.raises(G4FLiteError) as caught:
            chat.create(messages="Hi")
    assert "signed" not in str(caught.value)


def test_google_auth_signs(emulator: Emulator) -> None:
    transport = pytest.importorskip("google.auth.transport.requests")
    from google.oauth2.credentials import Credentials

    emulator.configure(api_key="a-google-token")
    session = transport.AuthorizedSession(Credentials(token="a-google-token"))
    assert provider(emulator.url + "/v1", session=session).create(messages="Hi") == "Hi"


def test_requests_oauthlib_signs(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    requests_oauthlib = pytest.importorskip("requests_oauthlib")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    emulator.configure(api_key="an-oauth-token")
    session = requests_oauthlib.OAuth2Session(token={"access_token": "an-oauth-token", "token_type": "Bearer"})
    assert provider(emulator.url + "/v1", session=session).create(messages="Hi") == "Hi"


def test_an_auth_object_signs_and_is_not_shown(emulator: Emulator) -> None:
    class Token(requests.auth.AuthBase):
        def __call__(self, request: Any) -> Any:
            request.headers["Authorization"] = "Bearer of-an-auth-object"
            return request

    emulator.configure(api_key="of-an-auth-object")
    session = requests.Session()
    session.auth = Token()
    assert provider(emulator.url + "/v1", session=session).create(messages="Hi") == "Hi"


class DatedModels(BaseHTTPRequestHandler):
    """Lists a model, with the date that a cache needs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        body = b'{"object": "list", "data": [{"id": "m"}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "max-age=3600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def dated() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), DatedModels) as server:
        server.daemon_threads = True
        server.asked = 0  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("cache", ["cachecontrol", "requests_cache"])
def test_a_session_with_a_cache_sees_the_end_of_a_body(dated: Any, cache: str) -> None:
    module = pytest.importorskip(cache)
    plain = requests.Session()
    session = module.CacheControl(plain) if cache == "cachecontrol" else module.CachedSession(backend="memory")
    with session:
        chat = provider(f"http://127.0.0.1:{dated.server_port}/v1", session=session)
        assert chat.get_models() == chat.get_models() == ["m"]
    assert dated.asked == 1
