"""What a caller may give: a wrong argument is named where it is given, and not later."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import pytest

from g4f_lite import (
    AiEngine,
    AuthenticationError,
    Client,
    Conversation,
    ImageResponse,
    Local,
    MissingDependencyError,
    OpenAICompatible,
)
from g4f_lite.testing import Echo

from .services import PIXEL

URL = "http://127.0.0.1:9/v1"
SOCKS = "socks5h://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("session", 5, TypeError),
        ("pool_size", "x", TypeError),
        ("pool_size", True, TypeError),
        ("pool_size", 0, ValueError),
        ("pool_size", -1, ValueError),
        ("on_retry", 5, TypeError),
        ("timeout", "x", TypeError),
        ("retry", 5, TypeError),
        ("verify", 5, TypeError),
        ("verify", "", ValueError),
        ("cert", 5, TypeError),
        ("cert", (), TypeError),
        ("cert", ("a", 5), TypeError),
        ("headers", {1: 2}, TypeError),
        ("cookies", 5, TypeError),
        ("model", 5, TypeError),
        ("model", " ", ValueError),
        ("proxy", 5, TypeError),
        ("api_key", 5, TypeError),
        ("base_url", 5, TypeError),
        ("base_url", "localhost:8080", ValueError),
        ("no_such_setting", 5, TypeError),
    ],
)
def test_a_providers_settings(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        OpenAICompatible(**{"base_url": URL, name: value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("provider", 5, TypeError),
        ("provider", [5], TypeError),
        ("provider", [], ValueError),
        ("provider", " ", ValueError),
        ("model", 5, TypeError),
        ("models", 5, TypeError),
        ("models", ["gpt-4"], TypeError),
        ("models", {"gpt-4": 5}, TypeError),
        ("models", {5: "groq"}, TypeError),
        ("timeout", "x", TypeError),
        ("retry", 5, TypeError),
        ("verify", 5, TypeError),
        ("proxy", 5, TypeError),
        ("base_url", "foo", ValueError),
        ("base_url", "", ValueError),
        ("image_provider", 5, TypeError),
    ],
)
def test_a_clients_settings(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name.removeprefix("image_")):
        Client(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("model", 5, TypeError),
        ("images", 5, TypeError),
        ("system", 5, TypeError),
        ("proxy", 5, TypeError),
        ("timeout", "x", TypeError),
        ("provider", 5, TypeError),
        ("provider", [], ValueError),
        ("stream_options", 5, TypeError),
    ],
)
def test_the_arguments_of_a_call(name: str, value: Any, error: type[Exception]) -> None:
    client = Client(Echo)
    with pytest.raises(error, match=name):
        client.chat.completions.create("Hello", stream=True, **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("provider", 5, TypeError),
        ("system", 5, TypeError),
        ("messages", 5, TypeError),
        ("model", 5, TypeError),
        ("max_characters", "x", TypeError),
        ("max_characters", 0, ValueError),
    ],
)
def test_a_conversations_settings(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        Conversation(**{"provider": Echo, name: value})


@pytest.mark.parametrize("make", [OpenAICompatible, AiEngine])
def test_a_missing_address(make: Any) -> None:
    with pytest.raises(ValueError, match=f"{make.__name__} needs base_url=, the URL of a server such as http://"):
        make()


@pytest.mark.parametrize("setting", ["api_key", "base_url"])
def test_the_embedded_model_is_no_server(setting: str) -> None:
    with pytest.raises(TypeError, match=f"Local has no use for {setting}="):
        Local(**{setting: URL})


@pytest.mark.parametrize("model", ["smollm2", "own.gguf"])
def test_the_embedded_model_sees_no_images(model: str, tmp_path: Any) -> None:
    (tmp_path / "own.gguf").write_bytes(b"GGUF" + bytes(20))
    name = model if model == "smollm2" else str(tmp_path / model)
    with pytest.raises(ValueError, match="Local accepts only text"):
        Local(name).create_generator(messages="What is this?", images=PIXEL)


def test_socks_without_what_speaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    for provider, settings in ((OpenAICompatible(URL, proxy=SOCKS), {}), (OpenAICompatible(URL), {"proxy": SOCKS})):
        with pytest.raises(MissingDependencyError, match=r"g4f-lite\[socks\]"):
            provider.create_generator("m", "Hello", **settings)


def test_socks_in_the_environment_without_what_speaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        import requests

        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)
    monkeypatch.setenv("ALL_PROXY", SOCKS)
    with pytest.raises(MissingDependencyError, match=r"g4f-lite\[socks\]"):
        OpenAICompatible("http://service.invalid/v1").create("m", "Hello")


def test_a_key_that_was_pickled_away_is_missed_as_such() -> None:
    provider = OpenAICompatible(URL, api_key="secret-key")
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(provider))))
    with pytest.raises(AuthenticationError, match="which a pickle does not carry: set G4F_LITE_API_KEY"):
        again.create_generator("m", "Hello")


def test_a_copied_image_can_still_be_fetched() -> None:
    image = ImageResponse("http://127.0.0.1/1.png", "a cat", fetch=lambda url: PIXEL)
    for copied in (copy.copy(image), copy.deepcopy(image)):
        assert copied.bytes() == PIXEL
        assert (copied.urls, copied.alt) == (image.urls, image.alt)
        assert copied.urls is not image.urls
