"""Where the name of a model leads, and what an unknown one is told."""

from __future__ import annotations

import pickle
import re
import time

import pytest

import g4f_lite
from g4f_lite import (
    AllProvidersFailedError,
    ChatCompletion,
    Client,
    Fallback,
    ModelNotSupportedError,
    OpenAICompatible,
    RateLimitError,
    TransportError,
)
from g4f_lite.providers import selection as choice
from g4f_lite.providers.turns import members_of
from g4f_lite.testing import Scripted

from .services import Choosy, Plain


def test_a_models_name_leads_where_the_map_says():
    other = Scripted("other")
    provider = Scripted()
    client = Client(
        provider, models={"gpt-4": "llama", "gpt-4o": "echo", "o1": other, "o3": None, "ollama-ish": "llama3.2:1b"}
    )
    client.ask("x", model="gpt-4")
    assert provider.calls[-1].model == "llama"
    assert client.ask("said", model="gpt-4o").provider == "Echo"
    assert client.ask("x", model="o1") == "other"
    client.ask("x", model="o3")
    assert provider.calls[-1].model is None
    client.ask("x", model="ollama-ish")
    assert provider.calls[-1].model == "llama3.2:1b"
    client.ask("x", model="as it is")
    assert provider.calls[-1].model == "as it is"


def test_a_map_with_a_provider_and_a_model():
    provider, model = Client(Scripted(), models={"gpt-4o-mini": "groq:llama-3.3-70b"})._router.find("gpt-4o-mini")
    assert (provider.name, provider.model, model) == ("Groq", "llama-3.3-70b", None)


def test_a_star_stands_for_all_other_names_but_not_for_none():
    provider = Scripted()
    client = Client(provider, models={"*": "big", "gpt-4": "small"})
    for model in ("anything", "gpt-4", None, ""):
        client.ask("x", model=model)
    assert [call.model for call in provider.calls] == ["big", "small", None, None]


def test_the_clients_model_is_asked_where_a_call_names_none():
    provider = Scripted()
    client = Client(provider, model="gpt-4", models={"gpt-4": "small"})
    client.ask("x")
    client.chat.completions.create("x", model="large")
    assert [call.model for call in provider.calls] == ["small", "large"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.ask("x", model="gpt-9"),
        lambda client: client.stream("x", model="gpt-9"),
        lambda client: client.chat.completions.create("x", model="gpt-9"),
        lambda client: client.chat.completions.create("x", model="gpt-9", stream=True),
        lambda client: client.conversation(model="gpt-9").ask("x"),
    ],
)
def test_the_error_about_an_unknown_model_has_a_line_to_paste(ask):
    with pytest.raises(ModelNotSupportedError) as caught:
        ask(Client(Choosy()))
    assert str(caught.value).endswith("write: Client(…, models={'gpt-9': 'small'})")
    assert str(caught.value).count("models=") == 1
    copied = pickle.loads(pickle.dumps(caught.value))
    assert str(copied) == str(caught.value)
    models = eval(str(caught.value).rpartition("models=")[2].rstrip(")"))
    assert ask(Client(Choosy(), models=models)) is not None


def test_the_line_to_paste_fits_the_function_that_was_called(monkeypatch):
    monkeypatch.setattr(choice, "replacement", Choosy())
    for ask, line in (
        (g4f_lite.ask, "g4f_lite.Client(models={'gpt-9': 'small'}).ask(…)"),
        (
            lambda *prompt, **model: list(g4f_lite.stream(*prompt, **model)),
            "g4f_lite.Client(models={'gpt-9': 'small'}).ask(…)",
        ),
        (
            lambda prompt, model: ChatCompletion.create(model, prompt),
            "g4f_lite.Client(models={'gpt-9': 'small'}).chat.completions.create(…)",
        ),
    ):
        with pytest.raises(ModelNotSupportedError) as caught:
            ask("x", model="gpt-9")
        assert str(caught.value).endswith(f"write: {line}")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.ask("x", model="gpt-9"),
        lambda client: client.ask("x", model="gpt-9", max_tokens=5),
        lambda client: next(client.stream("x", model="gpt-9")),
        lambda client: client.stream("x", model="gpt-9").start(),
        lambda client: client.chat.completions.create("x", model="gpt-9"),
        lambda client: client.chat.completions.create("x", model="gpt-9", stream=True),
        lambda client: next(client.conversation(model="gpt-9").stream("x")),
        lambda client: client.images.generate("x", model="gpt-9"),
        lambda client: ChatCompletion.create("gpt-9", "x", client.provider),
    ],
)
@pytest.mark.parametrize("kind", [Plain, lambda *answers: Fallback([Plain(*answers), Plain(*answers)])])
def test_a_model_that_the_service_does_not_know_has_the_line_too(ask, kind):
    client = Client(kind(ModelNotSupportedError("no such model"), "default"))
    with pytest.raises((ModelNotSupportedError, AllProvidersFailedError)) as caught:
        ask(client)
    assert re.search(r"its default model.*models=\{'gpt-9': None\}", str(caught.value))
    assert str(caught.value).count("models=") == 1


@pytest.mark.parametrize(
    ("name", "written"), [("openai", "provider='openai:qwen3'"), ("hosted", "Plain(…, model='qwen3')")]
)
def test_a_model_that_only_some_of_a_chain_lack_is_named_with_one_that_may_have_it(name, written):
    down, lacking = Plain(TransportError("down")), Plain(ModelNotSupportedError("no such model"))
    down.name, lacking.name = name, "ollama"
    with pytest.raises(AllProvidersFailedError) as caught:
        Client(Fallback([lacking, down])).ask("x", model="qwen3")
    assert str(caught.value).endswith(
        f"; all were asked for this model: name it with those that have it, as in {written}"
    )


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({}, "'http://127.0.0.1:9/v1:big'"),
        ({"name": "hosted"}, "OpenAICompatible(…, model='big')"),
        ({"api_key": "k-1"}, "OpenAICompatible(…, model='big')"),
    ],
)
def test_a_member_is_written_so_that_it_keeps_its_key(settings, written):
    (member,) = members_of([OpenAICompatible("http://127.0.0.1:9/v1", **settings)], time.monotonic)
    assert member.written("big") == written


def test_a_model_of_a_server_has_a_line_that_names_the_server():
    """And not only one that maps it to the embedded model."""
    with pytest.raises(ModelNotSupportedError) as caught:
        g4f_lite.ask("x", model="llama3.2")
    with pytest.raises(ModelNotSupportedError, match="; for the service xai, write: provider='xai:grok-4'; to use"):
        g4f_lite.ask("x", model="grok-4")
    first, server, mapped = str(caught.value).rsplit("; ", 2)
    assert first.endswith("or give the path of a .gguf file")
    assert server == "if a server such as Ollama has it, write: provider='ollama:llama3.2'"
    assert mapped.startswith(
        "to use another model by this name, write: g4f_lite.Client(models={'llama3.2': 'smollm2'})"
    )


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("groq:llama:7b", "no such model; for the provider groq, write: provider='groq:llama:7b'"),
        ("llama3.2:3b", "no such model"),
        ("openai/gpt-4o", "no such model"),  # as OpenRouter writes it
    ],
)
def test_a_model_with_the_name_of_its_provider_has_a_line_that_names_it_although_a_server_is_asked(model, line):
    with pytest.raises(ModelNotSupportedError) as caught:
        Client(Plain(ModelNotSupportedError("no such model"))).ask("x", model=model)
    told, _, mapped = caught.value.message.partition("; to use")
    assert (told, bool(mapped)) == (line, "write: " not in line)


def test_an_unknown_model_comes_with_the_names_that_the_client_maps():
    client = Client(Choosy(), models={"good": "large", "fast": Choosy()})
    with pytest.raises(ModelNotSupportedError, match="; models= of the client has good, fast; to use "):
        client.ask("x", model="god")


def test_another_error_has_no_such_line():
    with pytest.raises(RateLimitError, match=r"slow down$"):
        Client(Scripted(RateLimitError("slow down"))).ask("x", model="gpt-9")


def test_one_model_of_the_list_is_returned_by_its_name():
    models = Client(Choosy()).models
    assert models.retrieve("large").id == "large"
    with pytest.raises(ModelNotSupportedError, match="has no model 'smal'; try small"):
        models.retrieve("smal")


def test_models_are_listed_with_the_mapped_names():
    listed = Client(Choosy(), models={"gpt-4": "small", "*": "large"}).models.list()
    assert [(model.id, model.owned_by) for model in listed] == [
        ("gpt-4", "Choosy"),
        ("small", "Choosy"),
        ("large", "Choosy"),
    ]
