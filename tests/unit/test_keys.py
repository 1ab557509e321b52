"""A key goes to its own server and nowhere else: from an argument, a function, or the variable for this server."""

from __future__ import annotations

import json
import pickle
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from g4f_lite import AuthenticationError, Client, Fallback, OpenAICompatible
from g4f_lite.providers.openai.presets import PRESETS

from .sent_keys import ELSEWHERE, KEY, sent_key


@pytest.mark.parametrize(
    ("address", "variables", "expected"),
    [
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": KEY}, KEY),
        ("https://API.OpenAI.com:443/v1", {"OPENAI_API_KEY": KEY}, KEY),
        (ELSEWHERE, {"OPENAI_API_KEY": KEY}, None),
        (ELSEWHERE, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://elsewhere.test/other"}, KEY),
        (ELSEWHERE, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://elsewhere.test/v1"}, None),
        (ELSEWHERE, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://elsewhere.test:81/v1"}, None),
        ("http://api.openai.com.evil.test/v1", {"OPENAI_API_KEY": KEY}, None),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": KEY}, None),
        (ELSEWHERE, {"G4F_LITE_API_KEY": KEY}, None),
        (ELSEWHERE, {"G4F_LITE_API_KEY": KEY, "G4F_LITE_BASE_URL": ELSEWHERE}, KEY),
        (ELSEWHERE, {"G4F_LITE_API_KEY": KEY, "G4F_LITE_BASE_URL": "http://another.test/v1"}, None),
        (ELSEWHERE, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://[broken"}, None),
        (ELSEWHERE, {"GROQ_API_KEY": KEY}, None),
    ],
)
def test_a_variable_is_for_its_own_server(
    address: str, variables: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sent_key(OpenAICompatible(address)) == expected


@pytest.mark.parametrize(
    ("address_in", "key_in"), [("G4F_LITE_BASE_URL", "G4F_LITE_API_KEY"), ("OPENAI_BASE_URL", "OPENAI_API_KEY")]
)
@pytest.mark.parametrize("remake", [lambda provider: provider, lambda provider: pickle.loads(pickle.dumps(provider))])
def test_a_variable_that_is_for_another_server_now_is_not_sent(
    address_in: str, key_in: str, remake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(address_in, ELSEWHERE)
    monkeypatch.setenv(key_in, "key-of-elsewhere")
    provider = OpenAICompatible(ELSEWHERE)
    assert sent_key(provider) == "key-of-elsewhere"
    monkeypatch.setenv(address_in, "http://another.test/v1")
    monkeypatch.setenv(key_in, KEY)
    assert sent_key(remake(provider)) is None
    assert sent_key(OpenAICompatible("http://another.test/v1")) == KEY
    monkeypatch.setenv(address_in, ELSEWHERE)
    assert sent_key(remake(provider)) == KEY


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if "127.0.0.1" not in preset.base_url])
def test_a_preset_reads_its_own_variable_and_sends_it_nowhere_else(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = PRESETS[name]
    assert preset.key_variable is not None
    provider = OpenAICompatible.preset(name)
    with pytest.raises(AuthenticationError, match=preset.key_variable):
        provider.create("m", "hi")
    monkeypatch.setenv(preset.key_variable, KEY)
    assert sent_key(provider) == KEY  # read at the call
    assert sent_key(OpenAICompatible.preset(name, base_url=ELSEWHERE)) is None
    assert sent_key(OpenAICompatible.preset(name, base_url=ELSEWHERE, api_key="given-key")) == "given-key"


@pytest.mark.parametrize(
    ("name", "variable"), [("vllm", "VLLM_API_KEY"), ("lmstudio", "LM_API_TOKEN"), ("llama.cpp", "LLAMA_API_KEY")]
)
def test_the_key_of_a_server_on_this_machine_is_not_required_and_stays_here(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sent_key(OpenAICompatible.preset(name)) is None
    monkeypatch.setenv(variable, KEY)
    assert sent_key(OpenAICompatible.preset(name)) == KEY
    assert sent_key(OpenAICompatible.preset(name, base_url="http://127.0.0.1:9/v1")) == KEY
    assert sent_key(OpenAICompatible.preset(name, base_url=ELSEWHERE)) is None
    assert sent_key(OpenAICompatible(PRESETS[name].base_url)) is None


def test_a_given_key_goes_before_the_environments() -> None:
    assert sent_key(OpenAICompatible(ELSEWHERE, api_key="  given-key\n")) == "given-key"


def test_a_key_may_end_in_signs_of_base64() -> None:
    for key in ("QUJD==", "A_B=", "A_B=="):
        assert OpenAICompatible(ELSEWHERE, api_key=key).key.value() == key


def test_no_repr_shows_a_key() -> None:
    provider = OpenAICompatible(ELSEWHERE, api_key=KEY)
    assert KEY not in repr(provider) + repr(vars(provider))


def test_a_function_is_asked_before_each_request() -> None:
    keys = iter(["first-token", " second-token\n", "", 3])
    provider = OpenAICompatible(ELSEWHERE, api_key=lambda: next(keys))  # type: ignore[arg-type,return-value]
    assert sent_key(provider) == "first-token"
    assert sent_key(provider) == "second-token"
    with pytest.raises(ValueError, match=r"the result of api_key\(\) is empty"):
        provider.create("m", "hi")
    with pytest.raises(TypeError, match="must be a string, not int"):
        provider.create("m", "hi")


def test_what_a_function_raises_comes_out_untouched() -> None:
    def expired() -> str:
        raise LookupError("log in again")

    with pytest.raises(LookupError, match="log in again"):
        OpenAICompatible(ELSEWHERE, api_key=expired).create("m", "hi")


customer: ContextVar[str] = ContextVar("customer")


def key_of_the_customer() -> str:
    return f"key-of-{customer.get()}"


@pytest.mark.parametrize("kept_in", ["cache", "store"])
@pytest.mark.filterwarnings("ignore:.* to other questions than these:UserWarning")
def test_no_customer_gets_the_answer_that_the_key_of_another_got(kept_in: str, tmp_path: Path) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        text = f"the account of {request.headers['Authorization']}"
        return 200, {}, json.dumps({"choices": [{"message": {"content": text}}]})

    def told() -> str | None:
        if kept_in == "cache":
            return client.ask("What is mine?")
        return client.map(["What is mine?"], store=path)[0].text

    path = tmp_path / "answers.db"
    provider = OpenAICompatible(ELSEWHERE, model="m", api_key=key_of_the_customer, retry=None)
    with (
        responses.RequestsMock() as mock,
        Client(Fallback([provider]), cache=path if kept_in == "cache" else False) as client,
    ):
        mock.add_callback("POST", f"{ELSEWHERE}/chat/completions", answer)
        for name in ("alice", "bob", "alice"):
            customer.set(name)
            assert told() == f"the account of Bearer key-of-{name}"
        assert len(mock.calls) == 2
