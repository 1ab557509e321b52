"""Names → providers, and the rows of the services that are known by name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from g4f_lite import (
    Body,
    Client,
    Delta,
    Finish,
    OpenAICompatible,
    Prompt,
    Provider,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    Secret,
)
from g4f_lite.arguments import service_of, unknown_name
from g4f_lite.providers import registry
from g4f_lite.providers.openai.keys import Key
from g4f_lite.providers.openai.listing import near_names
from g4f_lite.providers.openai.presets import PRESETS
from g4f_lite.testing import Echo, Scripted

AGAIN = "install its package again, as a change of its pyproject.toml takes effect then"


@pytest.mark.parametrize("name", ["Scripted", "scripted", " SCRIPTED ", "Echo"])
def test_a_class_by_its_name(name: str) -> None:
    assert isinstance(registry.make_provider(name), Echo if name == "Echo" else Scripted)


@pytest.mark.parametrize("name", ["OpenAICompatible", "openai_compatible", "openai-compatible"])
def test_any_spelling_will_do(name: str) -> None:
    provider = registry.make_provider(name, base_url="http://localhost:1/v1")
    assert type(provider) is OpenAICompatible


@pytest.mark.parametrize(
    ("written", "name", "model"),
    [
        ("groq", "groq", ""),
        (" ollama:llama3.2:1b ", "ollama", "llama3.2:1b"),
        ("local:https://x.example/m.gguf#sha256=ab", "local", "https://x.example/m.gguf#sha256=ab"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1", ""),
        ("http://127.0.0.1:8080/v1:qwen3:0.6b", "http://127.0.0.1:8080/v1", "qwen3:0.6b"),
        ("http://[::1]:8080/v1:hf.co/a/b:Q4", "http://[::1]:8080/v1", "hf.co/a/b:Q4"),
        ("https://x.example/v1?version=1:2", "https://x.example/v1?version=1:2", ""),
        ("http://127.0.0.1:8080:qwen3", "http://127.0.0.1:8080:qwen3", ""),  # refused: there is no path
        ("http://ada:a/b:c@x.example/v1", "http://ada:a/b:c@x.example/v1", ""),  # refused, without the password
    ],
)
def test_a_model_follows_the_name_of_a_provider_or_the_url_of_a_server(written: str, name: str, model: str) -> None:
    assert registry.name_and_model(written) == (name, model)


def test_a_server_by_its_url_and_a_model() -> None:
    server = registry.make_provider("http://127.0.0.1:8080/v1:qwen3:0.6b")
    assert isinstance(server, OpenAICompatible)
    assert (server.base_url, server.get_model()) == ("http://127.0.0.1:8080/v1", "qwen3:0.6b")
    with pytest.raises(ProviderNotFoundError, match="a model follows the path, as in http://localhost:8080/v1:qwen3"):
        registry.make_provider("http://127.0.0.1:8080:qwen3")
    with pytest.raises(ProviderNotFoundError, match=r"; did you mean http://127\.0\.0\.1:8080/v1:qwen3\?$"):
        registry.make_provider("127.0.0.1:8080/v1:qwen3")


def test_every_name_in_the_list_is_known() -> None:
    names = registry.provider_names()
    assert len(names) == len({registry.plain(name) for name in names}), "two names are one"
    for name in names:
        if name not in PRESETS:
            assert registry.find_class(name).__name__.lower() == registry.plain(name)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_by_its_name(name: str) -> None:
    provider = registry.make_provider(f"{name.upper()}:some-model:free")
    assert isinstance(provider, OpenAICompatible)
    assert provider.base_url == PRESETS[name].base_url
    assert provider.name == PRESETS[name].title
    assert provider.model == "some-model:free"


@pytest.mark.parametrize("group", ["g4f_lite.provider", "g4f-lite.providers", "other.providers"])
def test_an_entry_point_in_a_misspelt_group_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    package = tmp_path / "heron-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: heron\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{group}]\nheron = g4f_lite.testing:Echo\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ProviderNotFoundError, match=r"no provider 'heron'; ") as caught:
        registry.find_class("heron")
    hint = f"; an entry point is in the group {group!r}: write 'g4f_lite.providers', and {AGAIN}"
    assert str(caught.value).endswith(hint) is (group != "other.providers")


@pytest.mark.parametrize("name", ["grok", "groqq", "nobody", "", ":"])
def test_an_unknown_name_is_an_error_that_lists_near_ones(name: str) -> None:
    with pytest.raises(ProviderNotFoundError, match=r"; try \w") as caught:
        registry.make_provider(name)
    assert isinstance(caught.value, ValueError)
    if name.startswith("gro"):
        assert "groq" in str(caught.value)


@pytest.mark.once
def test_not_all_names_of_a_long_list_are_compared() -> None:
    """A comparison takes up to some microseconds, and a server may list millions of names."""
    names = ["x" * 201, *(f"other-{number}" for number in range(9_998)), "llama-3", "llama-4"]
    assert near_names("llama-2", names) == ["llama-3"]
    assert unknown_name("model", "llama-2", names, "it") == "it has no model 'llama-2'; try llama-3"


@pytest.mark.parametrize("name", ["openai/gpt-4o-mini", "Groq/llama-3.3-70b", "ollama/qwen3:8b"])
def test_a_slash_before_the_model_is_told_to_be_a_colon(name: str) -> None:
    with pytest.raises(ProviderNotFoundError, match=f"after a colon: '{name.replace('/', ':')}'$"):
        registry.make_provider(name)


@pytest.mark.parametrize("name", ["llama3", "llama3.2", "llama3.2:1b", "deepseek-r1", "mixtral:8x7b", "qwq:latest"])
def test_the_name_of_a_model_is_told_to_follow_its_provider(name: str) -> None:
    with pytest.raises(ProviderNotFoundError, match=f"; a model is written behind its provider: 'ollama:{name}'$"):
        registry.make_provider(name)


@pytest.mark.parametrize("name", ["ollma", "ollma:llama3.2", "my-model"])
def test_the_name_of_no_model_leads_to_similar_providers(name: str) -> None:
    with pytest.raises(ProviderNotFoundError, match=f"^g4f_lite has no provider '{name.partition(':')[0]}'; try "):
        registry.make_provider(name)


def test_a_name_like_no_other_may_be_that_of_an_object_of_the_callers() -> None:
    made = OpenAICompatible("http://127.0.0.1:9/v1", name="parrot")
    with pytest.raises(ProviderNotFoundError) as caught:
        Client(made).stream("Why?", provider="parrot")
    assert "openrouter" not in str(caught.value)
    assert str(caught.value).endswith("; in Python, a provider that you have made is passed itself, and not its name")
    with pytest.raises(ProviderNotFoundError, match=r"; try openrouter$"):
        Client("opnrouter")


@pytest.mark.parametrize("name", ["ollama;groq", "ollama groq", "Ollama | local"])
def test_several_names_in_one_are_told_how_to_separate(name: str) -> None:
    with pytest.raises(ProviderNotFoundError, match=r"; separate several by commas$"):
        registry.find_class(name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("gemini", "google"),
        ("Gemini", "google"),
        ("claude", "anthropic"),
        ("chatgpt", "openai"),
        ("gpt", "openai"),
        ("grok", "xai, groq"),
        ("gpt-4o", "openai:gpt-4o"),
        ("gpt4", "openai:gpt4"),
        ("claude-haiku-4-5", "anthropic:claude-haiku-4-5"),
        ("gemini-2.5-flash", "google:gemini-2.5-flash"),
    ],
)
def test_a_famous_name_leads_to_its_service(name: str, advice: str) -> None:
    with pytest.raises(ProviderNotFoundError) as caught:
        registry.make_provider(name)
    assert str(caught.value) == f"g4f_lite has no provider {name!r}; try {advice}"
    with pytest.raises(ProviderNotFoundError) as caught:
        OpenAICompatible.preset(name)
    assert str(caught.value).startswith(f"OpenAICompatible has no preset {name!r}; try {advice.partition(':')[0]}")


@pytest.mark.parametrize("name", ["gpt-oss", "gpt4all", "claudia", "mygpt"])
def test_another_name_does_not(name: str) -> None:
    assert service_of(name) is None


@pytest.mark.parametrize("name", ["LM Studio", "lm_studio", "Llama.cpp", "XAI"])
def test_a_preset_is_found_regardless_of_case_and_punctuation(name: str) -> None:
    made = registry.make_provider(name)
    assert isinstance(made, OpenAICompatible)
    assert OpenAICompatible.preset(name).base_url == made.base_url


@pytest.mark.parametrize("separator", [":", "/"])
def test_a_preset_with_a_model_is_told_where_the_model_belongs(separator: str) -> None:
    with pytest.raises(
        ProviderNotFoundError, match=r"a model is an argument: preset\('groq', model='llama-3.3:free'\)$"
    ):
        OpenAICompatible.preset(f"groq{separator}llama-3.3:free")


def test_an_unknown_preset_too() -> None:
    with pytest.raises(ProviderNotFoundError, match="groq"):
        OpenAICompatible.preset("grok")


@pytest.mark.parametrize("name", [None, 3, Scripted])
def test_what_is_no_name_is_a_type_error(name: Any) -> None:
    with pytest.raises(TypeError):
        registry.make_provider(name)


def test_other_packages_offer_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = [
        EntryPoint("their-own", "g4f_lite.testing:Echo", registry.ENTRY_POINTS),
        EntryPoint("no-class", "g4f_lite.testing:__all__", registry.ENTRY_POINTS),
        EntryPoint("gone", "no_such_package:Provider", registry.ENTRY_POINTS),
        EntryPoint("no-attribute", "g4f_lite.testing:Missing", registry.ENTRY_POINTS),
        EntryPoint("heron2", "g4f_lite.testing:Missing", registry.ENTRY_POINTS),
        EntryPoint("abstract", "g4f_lite:Provider", registry.ENTRY_POINTS),
        EntryPoint("GROQ", "g4f_lite.testing:Echo", registry.ENTRY_POINTS),
        EntryPoint("echo", "g4f_lite.testing:Scripted", registry.ENTRY_POINTS),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: offered if group == registry.ENTRY_POINTS else [])
    assert registry.find_class("Their_Own") is Echo
    assert "their-own" in registry.provider_names()
    with pytest.raises(ProviderNotFoundError, match="no-class"):
        registry.find_class("no-class")
    with pytest.raises(ProviderNotConfiguredError, match=r"'gone' .* cannot be imported: No module"):
        registry.find_class("gone")
    with pytest.raises(
        ProviderNotFoundError, match=r"'no-attribute' .* does not exist: .*Missing.*; correct it, and " + AGAIN
    ):
        registry.find_class("no-attribute")
    with pytest.raises(ProviderNotFoundError, match=r"'heron2' .* does not exist"):  # a name as that of a model
        registry.make_provider("heron2")
    with pytest.raises(ProviderNotFoundError, match=r"'abstract' .* does not implement deltas, request"):
        registry.find_class("abstract")
    names = registry.provider_names()
    assert [names.count(name) for name in ("groq", "GROQ", "Echo", "echo")] == [1, 0, 1, 0]
    assert registry.hidden_entry_points() == {"GROQ": "g4f_lite.testing:Echo", "echo": "g4f_lite.testing:Scripted"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_row_makes_sense(name: str) -> None:
    preset = PRESETS[name]
    address = urlsplit(preset.base_url)
    local = address.hostname == "127.0.0.1"
    assert address.scheme == ("http" if local else "https")
    assert not preset.base_url.endswith("/")
    assert (preset.default_model == "") == local
    if not local:
        assert str(preset.key_variable).endswith("_API_KEY")
    with pytest.raises(AttributeError):
        preset.title = ""  # type: ignore[misc]


def test_the_rows_that_were_promised_are_there() -> None:
    promised = "ollama llama.cpp lmstudio vllm openai openrouter groq mistral deepseek together fireworks xai google"
    assert set(promised.split()) | {"anthropic"} <= set(PRESETS)
    variables = [preset.key_variable for preset in PRESETS.values() if preset.key_variable]
    assert len(variables) == len(set(variables))


def test_making_one_needs_no_key_and_reads_none() -> None:
    for name in PRESETS:
        key = OpenAICompatible.preset(name).key
        assert isinstance(key, Key)
        assert key.given is None


def test_a_site_that_is_gone_is_no_advice() -> None:
    gone = [name for name in registry._BUILT_IN if not registry.find_class(name).working]
    assert gone == ["AiChatOnline", "AiChats", "Chatgpt4Online"]
    assert set(gone) <= set(registry.provider_names())
    for name in ("aichat", "AiChatt", "chatgpt4", "gpt4online", "online", "zzz"):
        with pytest.raises(ProviderNotFoundError, match=rf"^g4f_lite has no provider '{name}'") as caught:
            registry.make_provider(name)
        assert not [each for each in gone if each in str(caught.value)]
    with pytest.raises(ProviderNotFoundError, match=r"try openai$"):
        registry.make_provider("opena")


class Heron(Provider):
    """A provider whose key has a name of its own."""

    url = "http://127.0.0.1:9"
    password = Secret("HERON_PASSWORD")

    def __init__(self, *, password: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.password = password

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", self.base_url)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield Finish()


class TwiceLocked(Heron):
    pin = Secret("HERON_PIN")


class Sealed(Heron):
    """Takes its key from the environment alone."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)


def offer(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    offered = [EntryPoint("heron", f"{__name__}:{kind.__name__}", registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: offered)


def test_a_key_is_the_only_secret_of_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, Heron)
    provider = registry.make_provider("heron", api_key="the-key")
    assert isinstance(provider, Heron)
    assert provider.password == "the-key"


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        (TwiceLocked, "api_key", r"api_key=; set HERON_PASSWORD and HERON_PIN in the environment"),
        (Sealed, "api_key", r"api_key=; set HERON_PASSWORD in the environment"),
        (Heron, "colour", r"colour="),
    ],
)
def test_a_setting_that_a_class_does_not_have_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: type, setting: str, message: str
) -> None:
    offer(monkeypatch, kind)
    with pytest.raises(TypeError, match=f"^{kind.__name__} does not accept {message}$"):
        registry.make_provider("heron", **{setting: "x"})


def test_a_module_that_exits_is_an_error_of_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "heron_that_exits.py").write_text("raise SystemExit('3 sk-abc123def456ghi789jkl012')\n")
    monkeypatch.syspath_prepend(tmp_path)
    offered = [EntryPoint("heron", "heron_that_exits:Heron", registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: offered)
    with pytest.raises(ProviderNotConfiguredError, match=r"cannot be imported: SystemExit: 3 \*\*\*; correct its code"):
        registry.find_class("heron")


def test_a_name_that_two_packages_have_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    heron = EntryPoint("heron", f"{__name__}:Heron", registry.ENTRY_POINTS)
    offered = [heron, EntryPoint("He-Ron", "g4f_lite.testing:Echo", registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: offered)
    with pytest.raises(
        ProviderNotConfiguredError,
        match=r"several providers have the name 'heron': .*:Heron of a package, .*:Echo of a package; uninstall one",
    ):
        registry.make_provider("heron")
    offered[1] = heron  # the same package, found twice
    assert registry.find_class("heron").__name__ == "Heron"


def test_a_module_with_a_mistake_is_to_be_corrected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "heron_with_a_mistake.py").write_text("class Heron(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    offered = [EntryPoint("heron", "heron_with_a_mistake:Heron", registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: offered)
    with pytest.raises(ProviderNotConfiguredError, match=r"SyntaxError: .*, line 1\); correct its code, or reinstall"):
        registry.find_class("heron")
