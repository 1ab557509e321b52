"""Who may call the server, and what it takes."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests
from werkzeug.test import Client

from g4f_lite.contrib.server import create_app, pages
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Scripted

from ..command import SECONDS, assert_failed, assert_refused, call, run
from .conftest import Serve, Served, served

HELLO = [{"role": "user", "content": "Hello"}]
PROMPT = {"messages": HELLO}
SITE = "https://chat.example.org"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:1337", "", "[", "0.0.0.0"])
def test_a_domain_that_was_bound_to_this_machine_is_refused(server: Served, host: str) -> None:
    for path in ("/", "/v1/models"):
        response = server.get(path, headers={"Host": host})
        assert response.status_code in (400, 403), host
    assert server.post(PROMPT, headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:1337"])
def test_names_of_this_machine_are_taken(server: Served, host: str) -> None:
    assert server.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_what_a_proxy_passes_on_needs_a_key(server: Served, name: str) -> None:
    response = server.get("/v1/models", headers={name: "127.0.0.1"})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("address", "status"),
    [("192.0.2.2", 403), ("2001:db8::2", 403), ("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("", 200)],
)
def test_another_machine_needs_a_key_whatever_host_it_names(address: str, status: int) -> None:
    client = Client(create_app(Scripted()))
    response = client.get("/v1/models", headers={"Host": "localhost"}, environ_overrides={"REMOTE_ADDR": address})
    assert response.status_code == status
    keyed = Client(create_app(Scripted(), api_key="key"))
    headers = {"Host": "chat.example.org", "Authorization": "Bearer key", "Via": "1.1 proxy"}
    assert keyed.get("/v1/models", headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code == 200


def test_a_model_may_have_any_letter_in_its_name() -> None:
    class Listing(Scripted):
        def get_models(self) -> list[str]:
            return ["größe"]

    client = Client(create_app(Listing()))
    assert client.get("/v1/models/gr%C3%B6%C3%9Fe", headers={"Host": "localhost"}).json["id"] == "größe"
    assert client.get("/v1/models/%ff", headers={"Host": "localhost"}).status_code == 404


@pytest.mark.parametrize("origin", [SITE, "null", "http://localhost:3000", "http://127.0.0.1"])
def test_pages_of_other_sites_are_refused(server: Served, upstream: Emulator, origin: str) -> None:
    response = server.post(PROMPT, headers={"Origin": origin})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in response.headers
    assert not upstream.requests


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_so_are_requests_of_other_sites_that_name_no_origin(server: Served, upstream: Emulator, site: str) -> None:
    response = server.get("/v1/models", headers={"Sec-Fetch-Site": site})  # as for an image or a script
    assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert not upstream.requests
    assert server.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200  # a link to the page
    assert server.get("/v1/models", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_the_servers_own_page_is_not(server: Served) -> None:
    assert server.post(PROMPT, headers={"Origin": server.url}).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_a_form_of_another_site_is_refused(server: Served, upstream: Emulator, media_type: str) -> None:
    response = requests.post(
        f"{server.url}/v1/chat/completions",
        data=b'{"messages": []}',
        headers={"Content-Type": media_type},
        timeout=SECONDS,
    )
    assert response.status_code == 415
    assert not upstream.requests


def test_a_page_of_a_site_that_was_named(serve: Serve) -> None:
    server = serve("--origin", SITE)
    asks = {"Origin": SITE, "Access-Control-Request-Headers": "authorization", "Access-Control-Request-Method": "POST"}
    asked = server.get("/v1/chat/completions", method="OPTIONS", headers=asks)
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == SITE
    assert asked.headers["Access-Control-Allow-Headers"] == "authorization"
    answered = server.post(PROMPT, headers={"Origin": SITE})
    assert (answered.status_code, answered.headers["Access-Control-Allow-Origin"]) == (200, SITE)
    assert "Origin" in answered.headers["Vary"]
    assert server.post(PROMPT, headers={"Origin": "https://other.example"}).status_code == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer right-key-and-more", 401),
        ("Basic right-key", 401),
        ("right-key", 401),
        ("Bearer schl\u00fcssel", 401),
        ("Bearer right-key", 200),
        ("bearer right-key", 200),
    ],
)
def test_the_key(keyed: Served, authorization: str | None, status: int) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    assert keyed.post(PROMPT, headers=headers).status_code == status
    assert keyed.get("/v1/models", headers=headers).status_code == status


def test_with_a_key_any_host_may_be_used_and_the_page_needs_none(keyed: Served) -> None:
    headers = {"Host": "chat.example.org", "Authorization": "Bearer right-key"}
    assert keyed.get("/v1/models", headers=headers).status_code == 200
    assert keyed.get("/").status_code == 200
    assert keyed.get("/health").json() == {"status": "ok"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, upstream: Emulator) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text("right-key\n")
    with served("--api-key-file", str(path), G4F_LITE_BASE_URL=f"{upstream.url}/v1") as running:
        yield running


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_another_address_needs_a_key(host: str) -> None:
    assert_refused(call("serve", "echo", "--host", host), host, "--api-key-file", "G4F_LITE_SERVER_KEY")


@pytest.mark.once
def test_a_provider_that_lacks_its_key_is_said_at_the_start() -> None:
    with served("groq", G4F_LITE_OFFLINE="0") as server:
        assert server.post(PROMPT).status_code == 502
        assert "Warning: Groq: no key: set GROQ_API_KEY in the environment\n" in server.end()


@pytest.mark.once
def test_the_provider_has_the_options_of_the_other_commands(upstream: Emulator) -> None:
    upstream.reset()
    with served("-p", "openai", "--base-url", f"{upstream.url}/v1", "-m", "mine", "--timeout", "30") as server:
        assert server.said.startswith(b"OpenAI (mine) answers at ")
        assert server.post(PROMPT).status_code == 200
        assert upstream.requests[-1].json()["model"] == "mine"
    with served("echo", "-p", "groq,ollama", G4F_LITE_OFFLINE="0") as server:
        assert server.said.startswith(b"Echo or Groq (llama-3.3-70b-versatile) or Ollama answers at ")
        assert server.get("/health").status_code == 200
        assert server.end().startswith("Note: Groq is skipped: no key: set GROQ_API_KEY in the environment\n")


@pytest.mark.once
def test_a_server_on_this_machine_that_does_not_run_is_said_at_the_start() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with served("vllm", "--base-url", f"http://{address}/v1") as server:
            assert server.get("/health").status_code == 200  # so it is up, and hears a signal
            assert server.end().startswith(f"Note: vLLM does not run yet: could not connect to {address}: ")


def test_the_address_for_other_machines_is_shown() -> None:
    with served("echo", "--host", "0.0.0.0", G4F_LITE_SERVER_KEY="a-key") as server:
        port = server.url.rpartition(":")[2]
        assert f"  From other machines:    http://{socket.gethostname()}:{port}/v1, or ".encode() in server.said
    with served("echo") as server:
        assert b"other machines" not in server.said


def test_a_port_that_is_in_use_is_told(server: Served) -> None:
    port = server.url.rpartition(":")[2]
    assert_failed(run("serve", "echo", "--port", port), f"cannot listen on 127.0.0.1, port {port}: ", "with --port\n")


def test_a_name_that_is_no_address() -> None:
    name = f"{'x' * 64}.localhost"  # too long for any resolver to be asked
    done = call("serve", "echo", "--port", "0", "--host", name)
    assert_refused(done, f"--host {name} is not an address of this machine")


def test_bad_options_are_refused() -> None:
    assert_refused(call("serve", "nobody"), "nobody")
    assert_refused(call("serve", "echo", "--origin", "example.org"), "https://chat.example.org")
    assert_refused(call("serve", "echo", G4F_LITE_SERVER_KEY="two words"), "G4F_LITE_SERVER_KEY")


BAD = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"[]", "JSON object"),
    (b'{"messages": "Hello"}', "messages must be a list"),
    (b'{"messages": []}', "messages is empty"),
    (b'{"messages": [{"role": "king", "content": "x"}]}', "king"),
    (b'{"messages": [7]}', "messages[0]"),
    (b'{"messages": [{"role": "user", "content": "x"}], "stream": "yes"}', "stream must be true or false"),
    (b'{"messages": [{"role": "user", "content": "x"}], "n": 0}', "n must be"),
    (b'{"messages": [{"role": "user", "content": "x"}], "n": 129}', "n must be"),
    (b'{"messages": [{"role": "user", "content": "x"}], "model": 7}', "model must be"),
    (b'{"messages": [{"role": "user", "content": "x"}], "stream": true, "stream_options": 1}', "include_usage"),
    (b'{"messages": [{"role": "user", "content": "x"}], "response_format": "json"}', "response_format"),
]


@pytest.mark.parametrize(("body", "words"), BAD)
def test_bad_requests(server: Served, upstream: Emulator, body: bytes, words: str) -> None:
    response = server.post(None, data=body, headers={"Content-Type": "application/json"})
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["type"] == "invalid_request_error"
    assert words in error["message"]
    assert not upstream.requests


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "file:///etc/passwd", "http://192.168.1.1/camera.png", "ftp://h/x.png", "data:text/html,x"]
)
def test_images_are_not_files_or_addresses_of_this_network(server: Served, upstream: Emulator, url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    response = server.post({"messages": [{"role": "user", "content": content}]})
    assert response.status_code == 400
    assert not upstream.requests


def test_fields_that_the_provider_does_not_know_are_ignored_and_named(server: Served, upstream: Emulator) -> None:
    given = {"chat_id": "1", "session_id": "2", "extra_body": {"x": 1}, "extra_headers": {"X-Y": "1"}, "timeout": 1}
    response = server.post({**PROMPT, **given, "temperature": 0})
    assert response.headers["x-ignored-fields"] == "chat_id, extra_body, extra_headers, session_id, timeout"
    sent = upstream.requests[-1]
    assert sent.json()["temperature"] == 0
    assert not {*given, "x"} & sent.json().keys()
    assert "X-Y" not in sent.headers


@pytest.fixture(scope="module")
def narrow(upstream: Emulator) -> Iterator[Served]:
    with served("--max-streams", "1", G4F_LITE_BASE_URL=f"{upstream.url}/v1") as running:
        yield running


@pytest.mark.parametrize("name", ["a\r\nX-Evil: 1", "\u65e5\u672c", "\ud800", "x" * 100_000])
def test_a_field_may_have_any_name_and_takes_no_place_for_ever(narrow: Served, upstream: Emulator, name: str) -> None:
    upstream.reset()
    for stream in (False, True, True):
        response = narrow.post({**PROMPT, name: 1, "chat_id": "1", "stream": stream})
        assert (response.status_code, response.headers["x-ignored-fields"]) == (200, "?, chat_id")
        assert "X-Evil" not in response.headers


@pytest.mark.parametrize("stream", [False, True])
def test_half_of_a_character_in_any_field_of_an_answer(server: Served, upstream: Emulator, stream: bool) -> None:
    """The emulator sends back the name of the model."""
    response = server.post({**PROMPT, "model": "m\ud800", "stream": stream})
    assert response.status_code == 200
    assert "m\ufffd" in response.content.decode()


@pytest.mark.parametrize("size", [32 * 1024 * 1024 + 1, 10**9])
def test_a_body_has_a_limit(server: Served, upstream: Emulator, size: int) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=SECONDS)
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    with closing(connection), closing(connection.getresponse()) as response:
        assert response.status == 413
    assert not upstream.requests


@pytest.mark.parametrize(("value", "named"), [(b"[]", "lists"), (b"1", "commas")])
def test_a_body_of_millions_of_values_is_not_read(server: Served, upstream: Emulator, value: bytes, named: str) -> None:
    body = b'{"metadata": [%s[]], "messages": []}' % ((value + b",") * 1_000_001)
    response = server.post(None, data=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, named in response.json()["error"]["message"]) == (413, True)
    assert not upstream.requests


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/page/../app.py", 404), ("GET", "/v1/chat/completions", 405)],
)
def test_what_is_not_there(server: Served, method: str, path: str, status: int) -> None:
    response = server.get(path, method=method)
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_the_page_runs_nothing_but_its_own_script(server: Served) -> None:
    response = server.get("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    again = server.get("/", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert server.get("/", method="HEAD").content == b""


def test_the_page_is_small(server: Served) -> None:
    sizes = []
    for path in pages._ADDRESSES:
        plain, small = (server.get(path, headers={"Accept-Encoding": coding}) for coding in ("gzip;q=0", "br, gzip"))
        assert plain.content == small.content
        assert int(plain.headers["Content-Length"]) == len(plain.content)
        assert plain.headers["ETag"] != small.headers["ETag"]
        sizes.append(int(small.headers["Content-Length"]))
    assert len(sizes) == 12
    assert 10_000 < sum(sizes) < 30_000


def test_a_log_without_secrets(serve: Serve) -> None:
    server = serve(G4F_LITE_SERVER_KEY="sk-very-secret", G4F_LITE_API_KEY="sk-of-the-service")
    server.post({"messages": [{"role": "user", "content": "a private question"}]})
    server.client("sk-very-secret").chat.completions.create(model="gpt-4", messages=HELLO)
    server.get("/v1/models\u001b[31m", headers={"Authorization": "Bearer sk-wrong"})
    log = server.end()
    assert log.count("POST /v1/chat/completions") == 2
    assert "→ 401" in log
    assert "\u001b" not in log
    for secret in ("sk-", "private"):
        assert secret not in log


def test_a_pattern_is_not_run_on_the_server(server: Served, serve: Serve) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    body = {**PROMPT, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
    assert server.post(body).status_code == 200
    assert serve(G4F_LITE_PROVIDER="AiChatOnline").post(body).status_code == 400
