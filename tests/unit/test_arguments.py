"""What a caller may give: a wrong argument is named where it is given, and not later."""

from __future__ import annotations

import copy
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tenacity

from g4f_lite import (
    AiEngine,
    AuthenticationError,
    Client,
    Conversation,
    ImageResponse,
    Local,
    MissingDependencyError,
    OpenAICompatible,
    Pace,
    Prompt,
    ProviderNotConfiguredError,
)
from g4f_lite.arguments import check_proxy, warn
from g4f_lite.http.route import CA_BUNDLES, is_switched_on
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


PROXY_URLS = {
    "http://127.0.0.1:3128": "",
    "http://user:p%2Fss@proxy.test:3128/": "",
    "http://user:p@ss@proxy.test": "",
    "socks5h://proxy.test:1080": "",
    "http://proxy.test:99999": "must be a URL",
    "http://proxy.test:0": "must be a URL",
    "http://proxy.test:port": "must be a URL",
    "http://proxy.test/path": "must be a URL",
    "http://proxy.test?query": "must be a URL",
    "http://proxy test": "must be a URL",
    "http://proxy.test\n": "must be a URL",
    "http://user:pass\\word@proxy.test": "in its password write",
    "http://user:pass/word@proxy.test": "in its password write",
    "http://user:1234/word@proxy.test": "in its password write",
    "proxy.test:3128": "must be a URL",
    "ftp://proxy.test": "must be a URL",
    "socks5://proxy.test": "must have a port",
}


@pytest.mark.parametrize(("url", "error"), PROXY_URLS.items())
def test_a_proxys_url(url: str, error: str) -> None:
    if not error:
        assert check_proxy(url) == url
        return
    with pytest.raises(ValueError, match=error) as caught:
        check_proxy(url)
    assert "word" not in str(caught.value).replace("password", "")


KEY = "sk-proj-Zq7Kp0secretvalue91AbCdEf"


@pytest.mark.parametrize(
    ("variable", "make"),
    [
        ("", lambda: Client(KEY)),
        ("", lambda: Client(f"{KEY}:gpt-4")),
        ("", lambda: Client(f"x/{KEY}")),
        ("", lambda: Client(f"groq/{KEY}")),
        ("", lambda: OpenAICompatible(KEY)),
        ("", lambda: OpenAICompatible(f"http://{KEY}/#v1")),
        ("", lambda: OpenAICompatible.preset(KEY)),
        ("", lambda: Local(model=KEY)),
        ("", lambda: OpenAICompatible(URL, model="m").ask("x", **{KEY: 1})),
        ("", lambda: OpenAICompatible(URL, proxy=KEY)),
        ("", lambda: Pace(5, storage=KEY)),
        ("G4F_LITE_PROVIDER", lambda: Client().ask("x")),
        ("G4F_LITE_BASE_URL", lambda: Client().ask("x")),
        ("G4F_LITE_PROXY", lambda: OpenAICompatible("http://service.test", model="m").ask("x")),
        ("G4F_LITE_CONTEXT", Local),
        ("G4F_LITE_OFFLINE", lambda: OpenAICompatible("http://service.test", model="m").ask("x")),
    ],
)
def test_no_error_shows_a_key_in_the_place_of_a_name_or_an_address(
    variable: str, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable or "UNUSED", KEY)
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert KEY[:12] not in "".join(traceback.format_exception(caught.value))
    assert "***" in str(caught.value)


@pytest.mark.product
@pytest.mark.parametrize("sign", ["/", "?", "#", "@", "\\", " ", "\n", "\t", ":", "[", "]", "//", "://", "\x1b"])
@pytest.mark.parametrize("setting", ["base_url", "proxy"])
def test_no_error_shows_a_password(setting: str, sign: str) -> None:
    """However badly it is written into a URL; some signs leave it a proxy's password, which is no error."""
    url = f"http://user:hunter2{sign}secret99@127.0.0.1:9"
    try:
        OpenAICompatible(**{"base_url": URL, "model": "m", setting: url}).create_generator(messages="Hello")
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))
        assert "hunter2" not in shown
        assert "secret99" not in shown
    else:
        assert setting == "proxy"


def test_a_name_is_a_string_with_something_in_it() -> None:
    with pytest.raises(ValueError, match="name is blank"):
        OpenAICompatible(URL, name=" ")
    with pytest.raises(TypeError, match="name must be a string, not int"):
        OpenAICompatible(URL, name=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["verify", "cert", "cert and key", *CA_BUNDLES])
def test_a_file_of_certificates_that_does_not_exist(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, missing = tmp_path / "there.pem", str(tmp_path / "missing.pem")
    there.touch()
    settings: dict[str, Any] = {}
    if setting in CA_BUNDLES:
        monkeypatch.setenv(setting, missing)
    else:
        settings[setting.partition(" ")[0]] = (str(there), missing) if "key" in setting else missing
    provider = OpenAICompatible("https://service.test/v1", model="m", **settings)
    with pytest.raises(ValueError, match=rf"{setting.partition(' ')[0]} is '.*missing\.pem', which does not exist"):
        provider.create_generator(messages="Hello")
    OpenAICompatible(URL, model="m", **settings).create_generator(messages="Hello")  # by http it is not used


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((word, True) for word in ("1", "true", "yes", "on", "TRUE", " Yes ")),
        *((word, False) for word in ("", "0", "false", "no", "off", "OFF")),
    ],
)
def test_a_switch_takes_the_usual_words(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_OFFLINE", value)
    assert is_switched_on("G4F_LITE_OFFLINE") is expected
    provider = OpenAICompatible("http://service.test/v1", model="m")
    if expected:
        with pytest.raises(ProviderNotConfiguredError):
            provider.create_generator(messages="Hello")
    else:
        provider.create_generator(messages="Hello")


@pytest.mark.parametrize("value", ["2", "sure", "-1", "yes please"])
def test_a_switch_that_makes_no_sense_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_OFFLINE", value)
    with pytest.raises(ValueError, match="G4F_LITE_OFFLINE must be 1, true, yes or on"):
        OpenAICompatible("http://service.test/v1", model="m").create_generator(messages="Hello")


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


FOR_CONTEXT = "set G4F_LITE_CONTEXT for the embedded model, or write Local(context=…); a server has its own setting"
FOR_RETRIES = "pass retry=RetryPolicy(attempts=…), which counts the first attempt as well"
ADVICE: dict[str, tuple[Any, str]] = {
    "llama-cpp-python's context": (lambda: Local(n_ctx=2048), "Local does not accept n_ctx=: write context="),
    "its threads": (lambda: Local(n_threads=2), "Local does not accept n_threads=: write threads="),
    "OpenAI's retries": (
        lambda: Local(max_retries=2),
        f"Local does not accept max_retries=: {FOR_RETRIES}",
    ),
    "a misprint": (lambda: OpenAICompatible("http://x", nam="y"), "OpenAICompatible does not accept nam=; try name="),
    "an address": (lambda: OpenAICompatible(url="x"), "OpenAICompatible does not accept url=: write base_url="),
    "an option of a call": (
        lambda: OpenAICompatible("http://x", temprature=1),
        "OpenAICompatible does not accept temprature=: pass temperature= to the call, as in ask(…, temperature=…)",
    ),
    "the context of a server": (
        lambda: OpenAICompatible("http://x", n_ctx=9),
        f"OpenAICompatible does not accept n_ctx=: {FOR_CONTEXT}",
    ),
    "one of its own": (lambda: AiEngine("http://x", bot="y"), "AiEngine does not accept bot=; try bot_id="),
    "no such thing": (lambda: AiEngine("http://x", colour="y"), "AiEngine does not accept colour="),
}


@pytest.mark.parametrize("kind", ADVICE)
def test_an_argument_that_a_provider_does_not_have_is_an_error_of_the_class_that_is_written(kind: str) -> None:
    make, message = ADVICE[kind]
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("G4F_LITE_CONTEXT", "4k", "G4F_LITE_CONTEXT must be a whole number, not '4k'"),
        ("G4F_LITE_CONTEXT", "64", "G4F_LITE_CONTEXT must be at least 256, not 64"),
        ("G4F_LITE_THREADS", "0", "G4F_LITE_THREADS must be at least 1, not 0"),
        ("G4F_LITE_THREADS", "9999", "G4F_LITE_THREADS must be at most 512, not 9999"),
    ],
)
def test_a_number_in_the_environment_that_makes_no_sense(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"^{message}$"):
        Local()
    assert Local(context=512, threads=2).runner.context == 512


def test_the_context_of_the_embedded_model_may_be_set_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Local().runner.context == 4096
    monkeypatch.setenv("G4F_LITE_CONTEXT", " 1024 ")
    monkeypatch.setenv("G4F_LITE_THREADS", "")
    assert Local().runner.context == 1024
    assert Local(context=2048).runner.context == 2048


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


def test_a_warning_names_the_callers_line_also_where_a_call_is_retried() -> None:
    with pytest.warns(UserWarning, match="twice") as caught:
        tenacity.Retrying()(warn, "twice")
    assert [warning.filename for warning in caught] == [__file__]


def test_the_repr_of_a_prompt_hides_what_may_be_secret() -> None:
    secret = "Zq9secretVALUE77xyz"
    extras: dict[str, Any] = {
        "extra_headers": {"X-Key": secret},
        "extra_query": {"code": secret},
        "extra_body": {"token": secret},
    }
    prompt = Prompt.of("m", "Hello", f"http://user:{secret}@127.0.0.1:9", temperature=0, **extras)
    assert repr(prompt) == (
        "Prompt(messages=[{'role': 'user', 'content': 'Hello'}], model='m', options={'temperature': 0, "
        "'extra_headers': '***', 'extra_query': '***', 'extra_body': '***'}, timeout=None, stream=True, retry='own', "
        "allowance=Allowance(share=None, patience=None, has_fallback=False), fresh=False, without=frozenset(), "
        "optional=frozenset())"
    )
    assert prompt.options["extra_headers"] == {"X-Key": secret}
