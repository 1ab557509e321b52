"""What is told of a key that is missing, that its server refuses, or that cannot be one; never the key itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import responses

from g4f_lite import AuthenticationError, OpenAICompatible
from g4f_lite.providers.openai.presets import PRESETS

from .sent_keys import ELSEWHERE, KEY


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


def test_a_token_of_a_function_is_in_no_error() -> None:
    provider = OpenAICompatible.preset("openai", api_key=lambda: KEY, retry=None)
    with responses.RequestsMock() as mock:
        mock.post(provider.base_url + "/chat/completions", status=401, json={"error": {"message": f"wrong: {KEY}"}})
        with pytest.raises(AuthenticationError) as caught:
            provider.create("m", "hi")
    assert "wrong: " in str(caught.value)
    assert KEY not in str(caught.value)


TO_THIS = "to this URL as well: G4F_LITE_API_KEY is only for the server that it names"
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
            f"give api_key=, or set G4F_LITE_BASE_URL {TO_THIS}",
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
