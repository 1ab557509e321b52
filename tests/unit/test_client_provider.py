"""Which provider answers a client's call."""

from __future__ import annotations

import pytest

import g4f_lite
from g4f_lite import (
    Client,
    Fallback,
    Local,
    OpenAICompatible,
    ProviderNotFoundError,
    RateLimitError,
    RetryPolicy,
    TransportError,
)
from g4f_lite.providers import selection as choice
from g4f_lite.testing import Echo, Scripted


class Broken(Scripted):
    """A service that is flagged as not working."""

    working = False


@pytest.fixture
def stand_in(monkeypatch):
    """A provider in place of the one that the environment chooses."""
    provider = Scripted()
    monkeypatch.setattr(choice, "replacement", provider)
    return provider


def test_an_instance_answers():
    provider = Scripted("Hello")
    client = Client(provider)
    assert client.provider is provider
    assert client.ask("x") == "Hello"


def test_a_class_is_made():
    assert Client(Echo).ask("said") == "said"


def test_a_name_is_found_in_any_spelling():
    assert Client("ECHO").ask("said") == "said"


def test_a_name_with_a_model():
    provider = Client("ollama:llama3.2:1b").provider
    assert isinstance(provider, OpenAICompatible)
    assert (provider.name, provider.model) == ("Ollama", "llama3.2:1b")


def test_a_list_is_a_fallback():
    client = Client([Scripted(RateLimitError("slow down")), Echo, "scripted"])
    assert isinstance(client.provider, Fallback)
    answer = client.ask("said")
    assert (answer, answer.provider) == ("said", "Echo")


def test_several_names_with_commas_are_a_fallback():
    assert [member.name for member in Client("echo, ollama").provider.providers] == ["Echo", "Ollama"]


def test_a_list_of_one_is_that_one():
    provider = Scripted()
    assert Client([provider]).provider is provider


def test_the_environment_chooses_at_each_call(monkeypatch):
    client = Client()
    monkeypatch.setenv("G4F_LITE_PROVIDER", "echo")
    assert client.ask("said") == "said"
    monkeypatch.setenv("G4F_LITE_PROVIDER", "scripted")
    assert client.ask("said") == "This is a scripted answer."


def test_a_stand_in_answers_a_client_without_a_provider(stand_in):
    stand_in.queue("from the stand-in")
    assert Client().ask("x") == "from the stand-in"


def test_without_any_setting_it_is_the_embedded_model():
    assert isinstance(Client(retry=None).provider, Local)


def test_an_address_is_an_openai_compatible_server():
    provider = Client(base_url="http://127.0.0.1:9/v1", api_key="k").provider
    assert isinstance(provider, OpenAICompatible)
    assert provider.base_url == "http://127.0.0.1:9/v1"


def test_a_key_alone_chooses_nothing():
    with pytest.raises(TypeError, match="api_key= alone"):
        Client(api_key="secret")


def test_an_unknown_name_is_refused_when_the_client_is_made():
    with pytest.raises(ProviderNotFoundError, match="grok"):
        Client("grok")


@pytest.mark.parametrize("provider", [42, dict, object()])
def test_what_is_no_provider_is_refused(provider):
    with pytest.raises(TypeError):
        Client(provider)


def test_an_empty_list_is_called_so():
    with pytest.raises(ValueError, match="provider is an empty list"):
        Client([], retry=None)


@pytest.mark.parametrize(
    "settings", [{"api_key": "k"}, {"base_url": "http://x/v1"}, {"retry": None}, {"verify": False}], ids=str
)
def test_settings_of_a_provider_that_is_made_already_are_refused(settings):
    with pytest.raises(TypeError, match=f"{next(iter(settings))}= cannot change a provider object"):
        Client(Scripted(), **settings)
    with pytest.raises(TypeError, match="cannot change a provider object"):
        Client([Scripted(), Scripted()], **settings)


def test_one_key_is_not_given_to_several():
    with pytest.raises(TypeError, match="api_key= needs a single provider"):
        Client(["groq", "openai"], api_key="k")
    with pytest.raises(TypeError, match="api_key= needs a single provider"):
        Client("groq,openai", api_key="k")
    with pytest.raises(TypeError, match="price= needs a single provider"):
        Client("openaicompatible:m,local", base_url="http://127.0.0.1:9/v1", price=(1, 2))


def test_of_several_names_the_server_has_the_url_and_the_key():
    server, local = Client(
        "openaicompatible:m,local", base_url="http://127.0.0.1:9/v1", api_key="k-1"
    ).provider.providers
    assert (server.base_url, {*server.secrets()}, server.model) == ("http://127.0.0.1:9/v1", {"k-1"}, "m")
    assert local.name == "Local"


def test_settings_reach_the_provider_that_is_made():
    policy = RetryPolicy(attempts=7)
    provider = Client("ollama", proxy="http://127.0.0.1:3128", retry=policy, verify=False).provider
    assert (provider.proxy, provider.retry, provider.verify) == ("http://127.0.0.1:3128", policy, False)
    assert Client("ollama", retry=None).provider.retry is None


@pytest.mark.parametrize(
    "proxies",
    ["http://127.0.0.1:1", {"all": "http://127.0.0.1:1"}, dict.fromkeys(("http", "https"), "http://127.0.0.1:1")],
)
def test_proxies_is_the_proxy(proxies):
    assert Client("ollama", proxies=proxies).provider.proxy == "http://127.0.0.1:1"


def test_proxies_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="one proxy"):
        Client("ollama", proxies={"http": "http://a", "https": "http://b"})
    with pytest.raises(ValueError, match="one proxy"):
        Client("ollama", proxies={})
    with pytest.raises(TypeError, match="the same setting"):
        Client("ollama", proxies="http://a", proxy="http://a")


class Recorder(Scripted):
    def begin(self, prompt):
        self.limits = (prompt.proxy, prompt.timeout)
        return super().begin(prompt)


def test_proxy_and_timeout_go_to_each_call_unless_it_has_its_own():
    provider = Recorder()
    client = Client(provider, proxy="http://a:1", timeout=5)
    client.ask("x")
    assert provider.limits == ("http://a:1", g4f_lite.Timeout.of(5))
    client.chat.completions.create("x", proxy="http://b:1", timeout=7)
    assert provider.limits == ("http://b:1", g4f_lite.Timeout.of(7))
    client.conversation().ask("x")
    assert provider.limits == ("http://a:1", g4f_lite.Timeout.of(5))


def test_providers_that_do_not_work_answer_only_when_named(monkeypatch):
    monkeypatch.setattr("g4f_lite.providers.registry.find_class", lambda name, _: Broken if name == "Broken" else Local)
    assert Client("Broken").ask("x") == "This is a scripted answer."
    for client in (Client(retry=None), Client(models={"*": None}, retry=None)):
        assert client.provider.working


def test_a_call_may_name_its_own_provider():
    client = Client(Scripted("mine"), model="small")
    answer = client.ask("theirs", provider="echo")
    assert (answer, answer.model) == ("theirs", None)
    assert client.ask("x") == "mine"
    assert client._router.find(None, "echo")[0] is client._router.find(None, "echo")[0]


def test_closing_leaves_given_providers_open():
    class Closing(Scripted):
        closed = 0

        def close(self):
            type(self).closed += 1

    given = Closing()
    with Client(given):
        pass
    assert Closing.closed == 0
    with Client(Closing):
        pass
    assert Closing.closed == 1


def test_the_class_for_any_server_means_that_of_the_environment_where_it_has_no_url(monkeypatch):
    with pytest.raises(ValueError, match=r"^OpenAICompatible needs base_url=, the URL of a server"):
        OpenAICompatible()
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://127.0.0.1:8080/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", "sk-of-the-server")
    for provider in (OpenAICompatible(), Client("OpenAICompatible").provider, Client().provider):
        assert (provider.base_url, provider.key.value()) == ("http://127.0.0.1:8080/v1", "sk-of-the-server")
    for chain in (Fallback(["openaicompatible:big", "groq"]), Client("openaicompatible:big,groq").provider):
        server, groq = chain.providers
        assert (server.base_url, server.model) == ("http://127.0.0.1:8080/v1", "big")
        assert groq.base_url == "https://api.groq.com/openai/v1"
    with pytest.raises(ValueError, match=r"^OpenAICompatible needs base_url=, the URL of a server"):
        OpenAICompatible("")
    monkeypatch.setenv("G4F_LITE_BASE_URL", "127.0.0.1:8080")
    with pytest.raises(ValueError, match=r"^G4F_LITE_BASE_URL must be a URL such as "):
        OpenAICompatible()


def test_the_url_in_a_class_for_one_server_goes_before_the_environment(monkeypatch):
    class Heron(OpenAICompatible):
        url = "http://heron.example/v1"

    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://127.0.0.1:8080/v1")
    assert Heron().base_url == "http://heron.example/v1"
    assert Heron("http://127.0.0.1:9/v1").base_url == "http://127.0.0.1:9/v1"


def test_a_timeout_that_is_set_later_is_one_as_well():
    served = OpenAICompatible("http://127.0.0.1:9/v1", model="m", retry=None)
    served.timeout = 0.5
    with pytest.raises(TransportError):
        served.ask("Hi")
