"""AiChats on real sockets: pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from g4f_lite import AiChats, AuthenticationError, ImageResponse, ResponseFormatError
from g4f_lite.emulator import Emulator

from .ai_chats_site import AT_ONCE, PAGE, PROMPT, answering, asked, data, failure
from .ai_engine_site import paths
from .conftest import Ask
from .raw_server import RawServer, length

JPEG = b"\xff\xd8\xff" + bytes(20)


@pytest.fixture
def service(emulator: Emulator) -> Iterator[AiChats]:
    with AiChats(base_url=emulator.url, retry=AT_ONCE) as provider:
        yield provider


def test_a_picture(service: AiChats, emulator: Emulator) -> None:
    turns = [
        {"role": "user", "content": "A dog"},
        {"role": "assistant", "content": "Here"},
        {"role": "user", "content": "A cat"},
    ]
    (image,) = list(service.create_generator("dalle", turns, system="Be brief."))
    assert isinstance(image, ImageResponse)
    assert (image.urls, image.alt) == ([f"{emulator.url}/images/1.png"], "A cat")
    assert paths(emulator) == [PAGE, PROMPT, "/images/1.png"]
    assert base64.b64decode(image.data_uri.removeprefix("data:image/png;base64,")) == image.bytes()
    assert len(emulator.requests) == 3  # it was fetched at once, and is not again
    assert emulator.connections == 1
    prompt = emulator.requests[1]
    assert prompt.json() == {"type": "image", "messagesHistory": [{"from": "you", "content": "A cat"}]}
    assert prompt.headers["Referer"] == f"{emulator.url}/image/"


def test_create_gives_the_first_pictures_url(ask: Ask) -> None:
    with answering(b"", JPEG) as server, AiChats(base_url=server.url) as service:
        created = ask(service, "A cat", "dalle")
        assert created.images[0].data_uri.startswith("data:image/jpeg;base64,")  # the real type
        assert asked(server)[-2:] == ["/1", "/2"]
        assert [image.urls for image in created.images] == [[server.url + "/1"], [server.url + "/2"]]
        assert service.create("dalle", "A cat") == server.url + "/1"


def test_a_picture_needs_a_prompt(service: AiChats) -> None:
    with pytest.raises(ValueError, match="no user message"):
        service.create_generator("dalle", [{"role": "assistant", "content": "Hi"}])


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": None},
        {"data": {"url": "http://x.example/1.png"}},
        {"data": [{}]},
        {"data": [{"url": ""}]},
        {"data": [{"url": 7}]},
        {"data": ["http://x.example/1.png"]},
        {"url": "http://x.example/1.png"},
    ],
)
def test_no_picture_where_one_belongs(answer: object, ask: Ask) -> None:
    error = failure(length(json.dumps(answer).encode()), ask, "dalle")
    assert type(error) is ResponseFormatError
    assert json.dumps(answer)[1:-1] in str(error)


@pytest.mark.parametrize("body", [b"[]", b"oh", data(b"Here is your cat"), b"null"])
def test_text_where_a_picture_belongs(body: bytes, ask: Ask) -> None:
    assert type(failure(length(body), ask, "dalle")) is ResponseFormatError


def test_what_is_at_the_address_is_no_picture(ask: Ask) -> None:
    with answering(b"", b"oh") as server, AiChats(base_url=server.url, retry=None) as service:
        with pytest.raises(ResponseFormatError, match="not a PNG") as caught:
            ask(service, "A cat", "dalle")
        assert caught.value.step == "image"


def test_a_picture_on_a_private_host_is_not_fetched(ask: Ask) -> None:
    with RawServer(lambda connection: connection.request()) as inside:
        answer = length(json.dumps({"data": [{"url": inside.url + "/1"}]}).encode())
        assert "not a public address" in str(failure(answer, ask, "dalle"))
        assert inside.requests == []


def test_a_picture_that_is_refused_says_nothing_about_the_cookies(service: AiChats, emulator: Emulator) -> None:
    emulator.fail("status", path="/images/*", status=403, times=None)
    with pytest.raises(AuthenticationError) as caught:
        service.create("dalle", "A cat")
    assert caught.value.step == "image"
    assert paths(emulator) == [PAGE, PROMPT, "/images/1.png"]
