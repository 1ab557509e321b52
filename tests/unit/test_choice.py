"""Which provider answers where none is given."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import responses

import g4f_lite
from g4f_lite import Client, Fallback, G4FLiteError, ModelNotSupportedError, OpenAICompatible, ProviderNotFoundError
from g4f_lite.providers import environment
from g4f_lite.providers.local.provider import Local
from g4f_lite.providers.selection import choose_provider, default_provider, provider_of
from g4f_lite.testing import Echo

from .gguf_files import SMOLLM2, gguf


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROVIDER", "BASE_URL", "API_KEY", "MODEL", "TIMEOUT", "PROXY"):
        monkeypatch.delenv(f"G4F_LITE_{name}", raising=False)


def test_without_any_setting_the_embedded_model_answers() -> None:
    assert isinstance(choose_provider(), Local)


def test_a_key_alone_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GROQ_API_KEY"):
        monkeypatch.setenv(name, "http://key.example")
    assert isinstance(choose_provider(), Local)  # of G4F_LITE_API_KEY there is a warning besides


def test_an_argument_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "local")
    monkeypatch.setenv("G4F_LITE_MODEL", "no such model")
    assert isinstance(choose_provider("echo"), Echo)
    chosen = choose_provider(base_url="http://127.0.0.1:8080/v1")
    assert isinstance(chosen, OpenAICompatible)
    assert chosen.model is None


def test_a_name_comes_before_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ollama:llama3.2:1b")
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://127.0.0.1:8080/v1")
    chosen = choose_provider()
    assert isinstance(chosen, OpenAICompatible)
    assert (chosen.base_url, chosen.model) == ("http://127.0.0.1:11434/v1", "llama3.2:1b")


def test_an_address_with_its_key_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://127.0.0.1:8080/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", "key-of-mine")
    monkeypatch.setenv("G4F_LITE_MODEL", "tiny")
    chosen = choose_provider()
    assert isinstance(chosen, OpenAICompatible)
    assert (chosen.base_url, chosen.model, chosen.key.value()) == ("http://127.0.0.1:8080/v1", "tiny", "key-of-mine")


def test_several_names_are_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ollama, echo")
    chosen = choose_provider()
    assert isinstance(chosen, Fallback)
    assert [type(member) for member in chosen.providers] == [OpenAICompatible, Echo]


def test_ones_own_server_is_a_member_of_a_chain_by_the_name_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://127.0.0.1:8080/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", "key-of-mine")
    monkeypatch.setenv("G4F_LITE_PROVIDER", "openaicompatible:big, groq")
    server, groq = choose_provider().providers  # type: ignore[attr-defined]
    assert (server.base_url, server.model, server.key.value()) == ("http://127.0.0.1:8080/v1", "big", "key-of-mine")
    assert groq.base_url == "https://api.groq.com/openai/v1"


def test_a_url_beside_several_names_is_that_of_ones_own_server() -> None:
    url = "http://127.0.0.1:9/v1"
    groq, server = choose_provider("groq,OpenAI-compatible:big", base_url=url, api_key="mine").providers  # type: ignore[attr-defined]
    assert (server.base_url, server.model, server.key.value()) == (url, "big", "mine")
    assert (groq.base_url, groq.key.given) == ("https://api.groq.com/openai/v1", None)
    for names in ("groq,ollama", "openaicompatible:a,openaicompatible:b"):
        with pytest.raises(TypeError) as caught:
            choose_provider(names, base_url=url)
        assert str(caught.value) == (
            "base_url= needs a single provider, or of several one that is 'openaicompatible', whose it is then; "
            "a server can also be named by its URL, as in provider='http://127.0.0.1:9/v1'; "
            "in Python, each OpenAICompatible of a Fallback has a URL and a key of its own"
        )


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ProviderNotFoundError, match="try ollama"):
        choose_provider("olama")


def test_the_default_is_made_once_and_anew_when_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "echo")
    first = default_provider()
    assert default_provider() is first
    monkeypatch.setenv("G4F_LITE_PROVIDER", "scripted")
    assert default_provider() is not first


def test_the_default_is_made_anew_with_another_context(monkeypatch: pytest.MonkeyPatch) -> None:
    first = default_provider()
    monkeypatch.setenv("G4F_LITE_CONTEXT", "1024")
    second = default_provider()
    assert isinstance(second, Local)
    assert (second.runner.context, second is first) == (1024, False)


def test_what_the_environment_got_wrong_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", "foo")
    with pytest.raises(ValueError, match="G4F_LITE_BASE_URL must be a URL such as http://"):
        choose_provider()
    monkeypatch.setenv("G4F_LITE_PROVIDER", "olama")
    with pytest.raises(ProviderNotFoundError, match=r"^G4F_LITE_PROVIDER: .* try ollama"):
        choose_provider()
    monkeypatch.setenv("G4F_LITE_PROVIDER", " , ")
    with pytest.raises(ValueError, match="contains no name"):
        choose_provider()


@pytest.mark.parametrize(
    ("url", "shown", "hint"),
    [
        ("http://a.test/v1\r", r"'http://a.test/v1\r'", "leave out the line break at its end"),
        ("http://a.test/v1\r\n", r"'http://a.test/v1\r\n'", "leave out the line break at its end"),
        ("'http://a.test/v1'", "\"'http://a.test/v1'\"", "leave out the quotes"),
        ('"http://a.test/v1"\r', r"""'"http://a.test/v1"\r'""", "leave out the quotes"),
        ("“http://a.test/v1”", "'“http://a.test/v1”'", "leave out the quotes"),
        ("'http://a.test/v1?key=secret'", '"\'http://a.test/v1"', "leave out the quotes"),
        ("http://me:secret@a.test/v1\r", r"'http://***@a.test/v1\r'", "leave out the line break at its end"),
        (" http://a.test/v1", "' http://a.test/v1'", "leave out the blank around it"),
        ("http://a.test/v1 ", "'http://a.test/v1 '", "leave out the blank around it"),
    ],
)
def test_what_a_file_of_settings_put_around_a_url_is_named(
    url: str, shown: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", url)
    with pytest.raises(ProviderNotFoundError) as caught:
        choose_provider()
    message = f"G4F_LITE_BASE_URL must be a URL such as http://localhost:8080/v1, not {shown}; {hint}"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("provider", "model", "named"),
    [
        ("", "no-such.gguf", "G4F_LITE_MODEL"),
        ("local", "nosuch", "G4F_LITE_MODEL"),
        ("local:no-such.gguf", "smollm2", "G4F_LITE_PROVIDER"),
    ],
)
def test_a_model_that_the_environment_got_wrong_names_its_variable(
    provider: str, model: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", provider)
    monkeypatch.setenv("G4F_LITE_MODEL", model)
    with pytest.raises(ModelNotSupportedError) as caught:
        default_provider()
    assert str(caught.value).endswith(f" .gguf file (the model is from {named})")


@pytest.mark.parametrize(
    ("variable", "asked", "told"),
    [
        ("/models/mine.gguf", None, " (the model is from G4F_LITE_MODEL; a file is for G4F_LITE_PROVIDER=local)"),
        ("gpt-99", None, " (the model is from G4F_LITE_MODEL)"),
        ("gpt-99", "gpt-98", ""),
    ],
)
def test_a_model_that_a_server_does_not_have_names_the_variable_that_it_is_from(
    variable: str, asked: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ollama")
    monkeypatch.setenv("G4F_LITE_MODEL", variable)
    provider = choose_provider()
    message = f"model {asked or variable!r} not found"
    with responses.RequestsMock() as mock:
        refusal = {"error": {"message": message, "code": "model_not_found"}}
        mock.post("http://127.0.0.1:11434/v1/chat/completions", json=refusal, status=404)
        with pytest.raises(ModelNotSupportedError) as caught:
            provider.create(asked, "Hello")
    assert caught.value.message.endswith(message + told)


def test_a_file_that_cannot_be_loaded_names_the_variable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(gguf(SMOLLM2)[:100])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("G4F_LITE_MODEL", "mine.gguf")
    monkeypatch.setattr("g4f_lite.providers.local.runner.check_installed", lambda: None)
    told = rf"{re.escape(str(path))} is cut or damaged; download it again \(the model is from G4F_LITE_MODEL\)$"
    with pytest.raises(ModelNotSupportedError, match=told):
        default_provider().create(messages="Hello")


@pytest.mark.parametrize("variable", ["olama", "local:no-such.gguf", f"local:{__file__}"])
def test_a_wrong_variable_has_a_short_traceback(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", variable)
    with pytest.raises(G4FLiteError) as caught:
        default_provider()
    assert [frame.name for frame in caught.traceback][1:] == ["default_provider", "choose_provider"]


def test_a_wrong_variable_has_a_short_traceback_in_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "olama")
    for ask in (g4f_lite.ask, g4f_lite.stream, Client().ask):
        with pytest.raises(ProviderNotFoundError) as caught:
            ask("Hello")
        assert len(caught.traceback) == 2


@pytest.mark.parametrize("path", ["no-such.gguf", __file__])
def test_a_wrong_file_has_a_short_traceback(path: str) -> None:
    with pytest.raises(ModelNotSupportedError) as caught:
        Local(path)
    assert len(caught.traceback) == 2


ONE, TWO = "http://127.0.0.1:8080/v1", "http://127.0.0.1:8081/v1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: choose_provider(f"{ONE}, {TWO},echo", model="big"),
        lambda: Fallback([ONE, TWO, "echo"]),
        lambda: Client([ONE, TWO, "echo"]).provider,
        choose_provider,
    ],
)
def test_the_urls_of_several_servers_are_a_chain(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", f"{ONE},{TWO},echo")
    *servers, echo = make().providers
    assert [(type(one), one.base_url) for one in servers] == [(OpenAICompatible, ONE), (OpenAICompatible, TWO)]
    assert isinstance(echo, Echo)


def test_a_server_that_is_named_by_its_url_has_its_own_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", TWO)
    monkeypatch.setenv("G4F_LITE_API_KEY", "the-key-of-two")
    monkeypatch.setenv("OPENAI_API_KEY", "the-key-of-openai")
    chain: Any = choose_provider(f"{ONE},{TWO}")
    assert [one.key.value() for one in chain.providers] == [None, "the-key-of-two"]
    alone: Any = choose_provider(ONE, api_key="given")
    assert alone.key.value() == "given"
    with pytest.raises(TypeError, match=r"^api_key= needs a single provider.*whose it is then; in Python, each Open"):
        choose_provider(f"{ONE},{TWO}", api_key="whose?")


def test_what_is_not_the_url_of_a_server_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"^base_url= and the provider 'http://127.0.0.1:8080/v1' are two URLs"):
        choose_provider(ONE, base_url=TWO)
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ftp://127.0.0.1/v1")
    with pytest.raises(ProviderNotFoundError, match=r"^G4F_LITE_PROVIDER: the address of a server must be a URL"):
        choose_provider()
    with pytest.raises(ValueError, match="needs the file's hash"):  # it is a model's
        choose_provider("local:https://example.org/none.gguf")


@pytest.mark.parametrize("path", ["x.gguf", "./models/x.gguf", "C:\\x.GGUF"])
def test_a_file_is_no_address(path: str) -> None:
    with pytest.raises(ValueError, match=r"; a file on this machine is for Local\(…\)$"):
        OpenAICompatible(path)


def test_a_file_whose_name_is_like_that_of_an_unknown_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-better-model.gguf").touch()
    with pytest.raises(ModelNotSupportedError, match=r"; or did you mean my-better-model\.gguf\?$"):
        Local("my-better-model.ggf")
    for name in ("another", "no\0path"):
        with pytest.raises(ModelNotSupportedError, match=r"; or give the path of a \.gguf file$"):
            Local(name)


@pytest.mark.parametrize("model", ["/models/mine.gguf", r"C:\\models\\mine.gguf", "hf:owner/name", "qwen3-0.6b"])
def test_a_model_of_this_machine_is_no_name(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", model)
    with pytest.raises(ProviderNotFoundError) as caught:
        choose_provider()
    assert str(caught.value).startswith("G4F_LITE_PROVIDER: ")
    assert str(caught.value).endswith(f" is a model and not a provider; write {f'local:{model}'!r}")


def test_a_misprint_of_a_variable_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.setenv("G4F_LITE_PROVDER", "ollama")
    monkeypatch.setenv("G4F_LITE_COLOUR", "red")
    with pytest.warns(UserWarning, match="has no effect") as warned:
        choose_provider("echo")
    choose_provider()  # where another warning would be an error
    useless = "in the environment is not a setting of g4f_lite, and has no effect"
    assert sorted(str(each.message) for each in warned) == [
        f"G4F_LITE_COLOUR {useless}",
        f"G4F_LITE_PROVDER {useless}; is G4F_LITE_PROVIDER meant?",
    ]
    assert {each.filename for each in warned} == {__file__}


@pytest.mark.parametrize("provider", [None, "echo"])
def test_a_key_without_its_server_is_warned_of_once(provider: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.setenv("G4F_LITE_API_KEY", "sk-1")
    if provider:
        monkeypatch.setenv("G4F_LITE_PROVIDER", provider)
    choose_provider("echo")  # a warning is an error
    with pytest.warns(UserWarning, match="^G4F_LITE_API_KEY in the environment has no effect; it is for the server of"):
        assert isinstance(choose_provider(), Echo if provider else Local)
    choose_provider()


def test_a_key_with_its_server_is_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.setenv("G4F_LITE_API_KEY", "sk-1")
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://127.0.0.1:9/v1")
    choose_provider()  # a warning is an error


def test_a_variable_that_is_for_the_configuration_of_a_flask_app_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.delitem(sys.modules, "g4f_lite.contrib.flask", raising=False)
    monkeypatch.setenv("G4F_LITE_PACE", "60")
    monkeypatch.setenv("G4F_LITE_PRICE", "1")
    with pytest.warns(UserWarning, match="has no effect") as warned:
        choose_provider("echo")
    assert sorted(str(each.message) for each in warned) == [
        "G4F_LITE_PACE in the environment has no effect; it is for the configuration of a Flask app",
        "G4F_LITE_PRICE in the environment is not a setting of g4f_lite, and has no effect",
    ]


def test_the_flask_extension_warns_of_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.setitem(sys.modules, "g4f_lite.contrib.flask", ModuleType("g4f_lite.contrib.flask"))
    monkeypatch.setenv("G4F_LITE_PACE", "60")
    choose_provider("echo")  # a warning is an error


def test_a_setting_that_a_provider_has_no_use_for() -> None:
    with pytest.raises(TypeError, match=r"^echo does not accept base_url=$"):
        choose_provider("echo", base_url="http://127.0.0.1:8080/v1")
    with pytest.raises(TypeError, match=r"^OpenAICompatible does not accept colour=$"):
        choose_provider("groq", colour="red")
    with pytest.raises(TypeError, match=r"^Echo does not accept retry=$"):
        provider_of(Echo, retry=None)


def test_a_named_service_at_another_address() -> None:
    chosen = choose_provider("groq", base_url="http://127.0.0.1:8080/v1")
    assert isinstance(chosen, OpenAICompatible)
    assert (chosen.name, chosen.base_url, chosen.default_model) == (
        "Groq",
        "http://127.0.0.1:8080/v1",
        "llama-3.3-70b-versatile",
    )
    assert not chosen.key.reads  # the service's own key stays at home


@pytest.mark.parametrize(
    ("model", "expected"), [("llama3.2", ["llama3.2", "smollm2"]), ("qwen3-0.6b", ["qwen3-0.6b", "qwen3-0.6b"])]
)
def test_a_servers_model_in_the_environment_leaves_local_its_own_in_a_chain(
    monkeypatch: pytest.MonkeyPatch, model: str, expected: list[str]
) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ollama,local")
    monkeypatch.setenv("G4F_LITE_MODEL", model)
    chain = choose_provider()
    assert isinstance(chain, Fallback)
    assert [member.get_model() for member in chain.providers] == expected


@pytest.mark.parametrize(
    ("providers", "model"), [("local", "llama3.2"), ("ollama,local", "./lost"), ("ollama,local", "hf:a")]
)
def test_a_model_that_can_only_be_meant_for_local_is_refused(
    monkeypatch: pytest.MonkeyPatch, providers: str, model: str
) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", providers)
    monkeypatch.setenv("G4F_LITE_MODEL", model)
    with pytest.raises(ModelNotSupportedError, match="the model is from G4F_LITE_MODEL"):
        choose_provider()
