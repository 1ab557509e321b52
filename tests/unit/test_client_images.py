"""Images through the client."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import (
    AllProvidersFailedError,
    Client,
    ImageResponse,
    Local,
    ProviderNotConfiguredError,
    ResponseFormatError,
)
from g4f_lite.answers.interruption import Interrupted
from g4f_lite.testing import Scripted

from .services import PIXEL


def test_a_chat_that_draws_makes_images():
    image = ImageResponse(["http://127.0.0.1/1.png", "http://127.0.0.1/2.png"], fetch=lambda url: PIXEL)
    provider = Scripted([image], [image])
    client = Client(provider)
    made = client.images.generate("a cat", model="dalle")
    assert [image.url for image in made.data] == ["http://127.0.0.1/1.png", "http://127.0.0.1/2.png"]
    assert (made.provider, made.model, provider.calls[0].model) == ("Scripted", "dalle", "dalle")
    encoded = client.images.generate("a cat", response_format="b64_json").data[0]
    assert encoded.b64_json == base64.b64encode(PIXEL).decode()
    assert encoded.url is None


def test_the_bytes_of_images_are_fetched_within_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("g4f_lite.answers.images.time.monotonic", lambda: now[0])
    monkeypatch.setattr("g4f_lite.client.images.time.monotonic", lambda: now[0])

    def fetch(url: str) -> bytes:
        now[0] += 2
        return PIXEL

    urls = [f"http://127.0.0.1/{number}.png" for number in range(10)]
    client = Client(Scripted(*([ImageResponse(urls, fetch=fetch)] for _ in range(3))), timeout=5)
    with pytest.raises(ResponseFormatError, match="or take 5 s"):
        client.images.generate("a cat", response_format="b64_json")
    assert now == [6.0]
    assert len(client.images.generate("a cat", response_format="b64_json", timeout=30).data) == 10
    assert len(client.images.generate("a cat").data) == 10
    assert now == [26.0]


@pytest.mark.parametrize(("n", "kind"), [("2", TypeError), (0, ValueError)])
def test_their_number_is_checked_before_they_are_made(n: Any, kind: type[Exception]) -> None:
    provider = Scripted([ImageResponse("http://127.0.0.1/1.png")])
    with pytest.raises(kind, match=r"^n must be"):
        Client(provider).images.generate("a cat", n=n)
    assert not provider.calls


def test_a_text_is_not_an_image():
    with pytest.raises(ResponseFormatError, match="expected an image, got text") as caught:
        Client(Scripted("I cannot draw.")).images.generate("a cat")
    assert caught.value.partial == "I cannot draw."


def test_the_first_of_several_that_draws():
    client = Client([Scripted("words"), Scripted([ImageResponse("http://127.0.0.1/1.png")])])
    assert client.images.generate("a cat").data[0].url == "http://127.0.0.1/1.png"
    with pytest.raises(AllProvidersFailedError) as caught:
        Client([Scripted("words"), Scripted("words")]).images.generate("a cat")
    assert len(caught.value.errors) == 2


def test_images_may_come_from_another_provider():
    image = [ImageResponse("http://127.0.0.1/1.png")]
    client = Client(Scripted("words"), image_provider=Scripted(image))
    assert client.images.generate("a cat").data[0].url == "http://127.0.0.1/1.png"
    assert client.ask("x") == "words"
    made = client.images.generate("a cat", provider=Scripted([ImageResponse("http://127.0.0.1/2.png")]))
    assert made.data[0].url == "http://127.0.0.1/2.png"


def test_options_for_images_that_a_chat_cannot_do_are_refused():
    with pytest.raises(TypeError, match="'size'"):
        Client(Scripted()).images.generate("a cat", size="1x1")
    provider = Scripted([ImageResponse("http://127.0.0.1/1.png")])
    with pytest.warns(UserWarning, match="Scripted does not support size; the option is dropped") as caught:
        assert Client(provider, drop_unsupported=True).images.generate("a cat", size="1x1", n=1).data
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="response_format"):
        Client(Scripted()).images.generate("a cat", response_format="png")


def test_the_embedded_model_draws_nothing():
    with pytest.raises(ProviderNotConfiguredError, match="generates no images"):
        Client(Local()).images.generate("a cat")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.images.generate("a cat", model="m"),
        lambda client: client.embeddings.create("a cat", model="m"),
        lambda client: client.models.list(),
    ],
)
def test_an_interrupt_in_a_notebook_is_one_line(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Client], object]
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("requests.Session.send", interrupted)
    client = Client(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(KeyboardInterrupt) as plain:
        call(client)
    assert type(plain.value) is KeyboardInterrupt
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    with pytest.raises(Interrupted) as caught:
        call(client)
    assert caught.value._render_traceback_() == ["Interrupted: the call was interrupted"]
