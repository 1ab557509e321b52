"""A key is clean, goes to its own server only, is in no copy, and is asked for by its variable's name."""

from __future__ import annotations

import copy
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

ELSEWHERE = "http://elsewhere.test/v1"
KEY = "canary-key-1f2e3d"


def _sent_key(provider: OpenAICompatible) -> str | None:
    """Ask, and give the key that went out."""
    with responses.RequestsMock() as mock:
        mock.post(provider.base_url + "/chat/completions", body='{"choices": [{"message": {"content": "hi"}}]}')
        assert provider.create("m", "hi") == "hi"
        header = mock.calls[0].request.headers.get("Authorization")
        return None if header is None else str(header).removeprefix("Bearer ")


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
    assert _sent_key(OpenAICompatible(address)) == expected


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
    assert _sent_key(provider) == "key-of-elsewhere"
    monkeypatch.setenv(address_in, "http://another.test/v1")
    monkeypatch.setenv(key_in, KEY)
    assert _sent_key(remake(provider)) is None
    assert _sent_key(OpenAICompatible("http://another.test/v1")) == KEY
    monkeypatch.setenv(address_in, ELSEWHERE)
    assert _sent_key(remake(provider)) == KEY


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if "localhost" not in preset.base_url])
def test_a_preset_reads_its_own_variable_and_sends_it_nowhere_else(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = PRESETS[name]
    assert preset.key_variable is not None
    provider = OpenAICompatible.preset(name)
    with pytest.raises(AuthenticationError, match=preset.key_variable):
        provider.create("m", "hi")
    monkeypatch.setenv(preset.key_variable, KEY)
    assert _sent_key(provider) == KEY  # read at the call
    assert _sent_key(OpenAICompatible.preset(name, base_url=ELSEWHERE)) is None
    assert _sent_key(OpenAICompatible.preset(name, base_url=ELSEWHERE, api_key="given-key")) == "given-key"


@pytest.mark.parametrize(
    ("name", "variable"), [("vllm", "VLLM_API_KEY"), ("lmstudio", "LM_API_TOKEN"), ("llama.cpp", "LLAMA_API_KEY")]
)
def test_the_key_of_a_server_on_this_machine_is_not_required_and_stays_here(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _sent_key(OpenAICompatible.preset(name)) is None
    monkeypatch.setenv(variable, KEY)
    assert _sent_key(OpenAICompatible.preset(name)) == KEY
    assert _sent_key(OpenAICompatible.preset(name, base_url="http://127.0.0.1:9/v1")) == KEY
    assert _sent_key(OpenAICompatible.preset(name, base_url=ELSEWHERE)) is None
    assert _sent_key(OpenAICompatible(PRESETS[name].base_url)) is None


def test_a_given_key_goes_before_the_environments() -> None:
    assert _sent_key(OpenAICompatible(ELSEWHERE, api_key="  given-key\n")) == "given-key"


@pytest.mark.parametrize("bad", ["", "  ", "two words", "a\nb", "a\tb", "schlüssel", "a\x00b", "Bearer x"])
def test_a_key_that_cannot_be_one_is_refused_unseen(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        OpenAICompatible(ELSEWHERE, api_key=bad)
    assert not bad.strip() or bad not in f"{caught.value!r}"
    if bad.strip() and "\0" not in bad:
        monkeypatch.setenv("OPENAI_API_KEY", bad)
        with pytest.raises(AuthenticationError, match=r"^OpenAI: OPENAI_API_KEY is ") as refused:
            OpenAICompatible.preset("openai").create("m", "hi")
        assert bad not in f"{refused.value!r}"


@pytest.mark.product
@pytest.mark.parametrize(
    ("bad", "remedy"),
    [
        ("Bearer sekret", "is not a valid key: leave out 'Bearer'"),
        ("bearer\tsekret", "is not a valid key: leave out 'bearer'"),
        ("Authorization: Bearer sekret", "is not a valid key: leave out 'Authorization: Bearer'"),
        ("GROQ_API_KEY=sekret", "is not a valid key: leave out what is before it, 'GROQ_API_KEY='"),
        ("export GROQ_API_KEY = sekret", "is not a valid key: leave out what is before it, 'GROQ_API_KEY='"),
        ('"sekret"', "is not a valid key: leave out the quotes"),
        ("'sekret'", "is not a valid key: leave out the quotes"),
        ("\u201csekret\u201d", "is not a valid key: leave out the quotes"),
        ('"Bearer sekret"', "is not a valid key: leave out the quotes"),
        ("se kret", "is not a valid key: it contains a space or a character outside ASCII"),
        ("sekret\nanother", "is not a valid key: it has more than one line; leave the key alone in it"),
        ("  ", "is empty"),
    ],
)
@pytest.mark.parametrize(("name", "variable"), [("groq", "GROQ_API_KEY"), ("lmstudio", "LM_API_TOKEN")])
def test_a_key_of_the_environment_that_cannot_be_one_is_an_error_of_ours_that_says_what_to_leave_out(
    name: str, variable: str, bad: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, bad)
    provider = OpenAICompatible.preset(name)
    for ask in (lambda: provider.stream("hi", model="m"), provider.get_models, provider.check_ready):
        with responses.RequestsMock(), pytest.raises(AuthenticationError) as caught:
            ask()
        assert str(caught.value) == f"{PRESETS[name].title}: {variable} {remedy}"
    with responses.RequestsMock() as mock:  # a key that was given is not looked for there
        mock.get(f"{provider.base_url}/models", json={"data": [{"id": "m"}]})
        assert OpenAICompatible.preset(name, api_key="good").get_models() == ["m"]


@pytest.mark.parametrize("kind", ["headers", "cookies"])
@pytest.mark.parametrize("bad", ["a\nb", "a\r", "a ", "a\0", "€"])
def test_headers_and_cookies_that_cannot_be_sent_are_refused_unseen(kind: str, bad: str) -> None:
    with pytest.raises(ValueError, match=kind) as caught:
        OpenAICompatible(ELSEWHERE, **{kind: {"X-Key": f"canary{bad}"}})
    assert "canary" not in f"{caught.value!r}"


@pytest.mark.parametrize("bad", [{"X": 1}, {"X": b"a"}, {1: "a"}, ["a"], "X: a"])
def test_headers_of_other_types_are_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="headers"):
        OpenAICompatible(ELSEWHERE, headers=bad)


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda provider: pickle.loads(pickle.dumps(provider))])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"api_key": KEY}, "G4F_LITE_API_KEY"),
        ({"headers": {"X-Api-Key": KEY, "X-Other": "kept"}}, "headers"),
        ({"cookies": {"session": KEY}}, "cookies"),
        ({"proxy": f"http://user:{KEY}@proxy.test:3128"}, "G4F_LITE_PROXY"),
    ],
)
def test_a_copy_remembers_that_a_secret_is_missing(remake: Any, settings: dict[str, Any], named: str) -> None:
    provider = OpenAICompatible(ELSEWHERE, model="m", timeout=7, **settings)
    assert KEY.encode() not in pickle.dumps(provider)
    again = remake(remake(provider))
    assert (again.base_url, again.model, again.timeout) == (ELSEWHERE, "m", provider.timeout)
    asking = [
        lambda: again.create(messages="hi"),
        lambda: again.create_embeddings("hi"),
        lambda: again.generate_image("a cat"),
    ]
    for ask in asking:
        with responses.RequestsMock(), pytest.raises(AuthenticationError, match=named):
            ask()


def test_a_copy_without_secrets_just_works() -> None:
    provider = OpenAICompatible(ELSEWHERE, model="m", headers={"X-Other": "kept"}, proxy="http://proxy.test:3128")
    again = pickle.loads(pickle.dumps(provider))
    assert (again.headers, again.proxy) == (provider.headers, provider.proxy)
    assert _sent_key(again) is None


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda provider: pickle.loads(pickle.dumps(provider))])
def test_a_copy_does_not_take_the_key_of_another_server(monkeypatch: pytest.MonkeyPatch, remake: Any) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://gateway.test/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", KEY)
    again = remake(OpenAICompatible(ELSEWHERE, api_key="given-key"))
    with responses.RequestsMock(), pytest.raises(AuthenticationError, match="with its URL in G4F_LITE_BASE_URL, or"):
        again.create("m", "hi")
    monkeypatch.setenv("G4F_LITE_BASE_URL", ELSEWHERE)
    assert _sent_key(again) == KEY


def test_a_copy_takes_its_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    again = pickle.loads(pickle.dumps(OpenAICompatible("https://api.openai.com/v1", api_key="given-key")))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert _sent_key(again) == KEY


@pytest.mark.parametrize(
    ("settings", "variable", "origin"),
    [
        ({"api_key": KEY}, None, "the key was given as api_key="),
        ({"api_key": lambda: KEY}, None, r"the key is what api_key\(\) returned"),
        ({}, KEY, "the key is from G4F_LITE_API_KEY"),
        ({}, None, "no key was sent: give api_key="),
    ],
)
def test_a_refused_key_is_named_by_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], variable: str | None, origin: str
) -> None:
    if variable is not None:
        monkeypatch.setenv("G4F_LITE_BASE_URL", ELSEWHERE)
        monkeypatch.setenv("G4F_LITE_API_KEY", variable)
    provider = OpenAICompatible(ELSEWHERE, name="my box", **settings)
    refusal = {"error": {"message": "Incorrect API key provided"}}
    with responses.RequestsMock() as mock:
        mock.post(f"{ELSEWHERE}/chat/completions", json=refusal, status=401)
        with pytest.raises(AuthenticationError, match=rf"^my box, prompt: Incorrect .* \({origin}\)$"):
            provider.create("m", "hi")


OPENAIS = "OPENAI_API_KEY is set, and is only for OpenAI and the server that OPENAI_BASE_URL names"


@pytest.mark.parametrize(
    ("name", "address", "set_variable", "way"),
    [
        ("vllm", None, None, "set VLLM_API_KEY in the environment, or give api_key="),
        ("lmstudio", None, None, "set LM_API_TOKEN in the environment, or give api_key="),
        ("lmstudio", "http://gpu.test:1234/v1", None, "give api_key="),
        (
            "lmstudio",
            "http://gpu.test:1234/v1",
            "G4F_LITE_API_KEY",
            "give api_key=; G4F_LITE_API_KEY is only for the server that G4F_LITE_BASE_URL names",
        ),
        ("ollama", None, "OPENAI_API_KEY", f"give api_key=; {OPENAIS}"),
        ("vllm", ELSEWHERE, "VLLM_API_KEY", "give api_key=; VLLM_API_KEY is set, and is not sent to another address"),
    ],
)
def test_who_sent_no_key_learns_how_to_give_one(
    name: str, address: str | None, set_variable: str | None, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if set_variable is not None:
        monkeypatch.setenv(set_variable, KEY)
    provider = OpenAICompatible.preset(name, base_url=address)
    with responses.RequestsMock() as mock:
        mock.get(f"{provider.base_url}/models", json={"error": {"message": "Incorrect API key"}}, status=401)
        with pytest.raises(AuthenticationError) as caught:
            provider.ask("hi")  # without a model, so that the server is asked for its list
    assert str(caught.value).endswith(f"bootstrap: Incorrect API key (no key was sent: {way})")


def test_a_name_is_a_string_with_something_in_it() -> None:
    with pytest.raises(ValueError, match="name is blank"):
        OpenAICompatible(ELSEWHERE, name=" ")
    with pytest.raises(TypeError, match="name must be a string, not int"):
        OpenAICompatible(ELSEWHERE, name=7)  # type: ignore[arg-type]


def test_an_own_session_is_lost_in_a_copy() -> None:
    with requests.Session() as session:
        again = pickle.loads(pickle.dumps(OpenAICompatible(ELSEWHERE, session=session)))
    with pytest.raises(AuthenticationError, match="session"):
        again.create("m", "hi")


def test_no_repr_shows_a_key() -> None:
    provider = OpenAICompatible(ELSEWHERE, api_key=KEY)
    assert KEY not in repr(provider) + repr(vars(provider))


def test_cookies_beside_an_own_session_are_refused() -> None:
    with requests.Session() as session, pytest.raises(ValueError, match="cookies= and session="):
        OpenAICompatible(ELSEWHERE, session=session, cookies={"a": "b"})


def test_a_function_is_asked_before_each_request() -> None:
    keys = iter(["first-token", " second-token\n", "", 3])
    provider = OpenAICompatible(ELSEWHERE, api_key=lambda: next(keys))  # type: ignore[arg-type,return-value]
    assert _sent_key(provider) == "first-token"
    assert _sent_key(provider) == "second-token"
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


def test_a_token_of_a_function_is_in_no_error() -> None:
    provider = OpenAICompatible.preset("openai", api_key=lambda: KEY, retry=None)
    with responses.RequestsMock() as mock:
        mock.post(provider.base_url + "/chat/completions", status=401, json={"error": {"message": f"wrong: {KEY}"}})
        with pytest.raises(AuthenticationError) as caught:
            provider.create("m", "hi")
    assert "wrong: " in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("preset", "variable", "told"),
    [
        (
            "google",
            "GOOGLE_API_KEY",
            "set GEMINI_API_KEY in the environment (GOOGLE_API_KEY is set, and is not read)",
        ),
        ("groq", "GROQ_KEY", "set GROQ_API_KEY in the environment (GROQ_KEY is set, and is not read), or"),
        ("xai", "GROK_API_KEY", "(GROK_API_KEY is set, and is not read)"),
        ("openai", "OPENAI_TOKEN", "(OPENAI_TOKEN is set, and is not read)"),
        ("openai", "OPEN_AI_KEY", "(OPEN_AI_KEY is set, and is not read)"),
        ("groq", "G4F_LITE_API_KEY", "(G4F_LITE_API_KEY is only for the server that G4F_LITE_BASE_URL names)"),
        ("groq", "GROQ_PROJECT", "set GROQ_API_KEY in the environment, or give"),
        ("google", "GOOGLE_MAPS_API_KEY", "set GEMINI_API_KEY in the environment, or give"),
        ("groq", "OPENAI_API_KEY", "set GROQ_API_KEY in the environment, or give"),
    ],
)
def test_a_key_in_a_variable_that_is_not_read_is_told(
    preset: str, variable: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    with pytest.raises(AuthenticationError) as caught:
        OpenAICompatible.preset(preset).ask("hi")
    assert told in caught.value.message
    assert KEY not in caught.value.message


def test_openais_key_is_told_where_the_environment_chooses_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", ELSEWHERE)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    way = OpenAICompatible(ELSEWHERE).key.way()
    assert way == f"set G4F_LITE_API_KEY in the environment ({OPENAIS}), or give api_key="


def test_a_file_of_settings_is_told_where_a_key_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"GROQ_API_KEY={KEY}\n")
    way = "set GROQ_API_KEY in the environment (the file .env in this folder is not read), or give api_key="
    assert OpenAICompatible.preset("groq").key.way() == way


def test_a_key_may_end_in_signs_of_base64() -> None:
    for key in ("QUJD==", "A_B=", "A_B=="):
        assert OpenAICompatible(ELSEWHERE, api_key=key).key.value() == key
