"""The client as a whole: its oldest name, its functions, its conversations, and where it runs."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import re
import subprocess
import sys
import threading
import warnings

import pytest

import g4f_lite
import g4f_lite.client
from g4f_lite import (
    AiChats,
    AiEngine,
    ChatCompletion,
    Client,
    Conversation,
    Fallback,
    Local,
    OpenAICompatible,
    RateLimitError,
)
from g4f_lite.client.batches import BatchCalls
from g4f_lite.providers import selection as choice
from g4f_lite.testing import Echo, Scripted

from .services import Choosy, Plain


@pytest.fixture
def stand_in(monkeypatch):
    """A provider in place of the one that the environment chooses."""
    provider = Scripted()
    monkeypatch.setattr(choice, "replacement", provider)
    return provider


# g4f's oldest name, and the functions.


def test_chat_completion_gives_the_text_or_its_pieces(stand_in):
    stand_in.queue("one two", "one two")
    text = ChatCompletion.create(model="gpt-4", messages=[{"role": "user", "content": "x"}])
    assert isinstance(text, str)
    assert text == "one two"
    assert list(ChatCompletion.create(model="", messages="x", stream=True)) == ["one", " two"]
    assert [call.model for call in stand_in.calls] == ["gpt-4", None]


def test_chat_completion_takes_a_provider():
    assert ChatCompletion.create("", "said", Echo) == "said"
    with pytest.raises(RateLimitError):
        ChatCompletion.create(messages="x", provider=Scripted(RateLimitError("no")), stream=True)
    with pytest.raises(TypeError, match="messages is missing"):
        ChatCompletion.create("Hello")


@pytest.mark.parametrize("asker", [Client(Scripted()), Scripted(), Client(Scripted()).conversation()])
@pytest.mark.parametrize("method", ["ask", "stream"])
def test_a_prompt_that_is_none_is_named_as_it_is_passed(asker, method):
    with pytest.raises(TypeError, match=r"^prompt must be a string or a list of messages, not None"):
        getattr(asker, method)(None, model="gpt-4")


def test_the_functions_do_what_a_client_does(monkeypatch):
    monkeypatch.setattr(choice, "replacement", Plain("one two three", "one two three"))
    assert g4f_lite.ask("x", max_tokens=2) == "one two"
    assert "".join(g4f_lite.stream("x", stop="three")) == "one two "
    assert pickle.loads(pickle.dumps(g4f_lite.ask))("said", provider=Echo) == "said"


# A conversation.


def test_a_conversation_goes_the_clients_ways():
    provider = Plain("one two three", "again")
    client = Client(Scripted(), models={"gpt-4": provider})
    conversation = client.conversation(system="Be brief.", model="gpt-4")
    assert conversation.ask("first", max_tokens=2) == "one two"
    assert conversation.ask("second") == "again"
    assert [message["content"] for message in provider.calls[1].messages] == ["Be brief.", "first", "one two", "second"]


# Where it runs.


def test_it_runs_inside_an_event_loop_that_nobody_patched():
    async def main():
        loop = asyncio.get_running_loop()
        client = Client(Scripted("one two", "one two"))
        completion = client.chat.completions.create("x")
        chunks = list(client.chat.completions.create("x", stream=True))
        assert type(loop).run_until_complete is asyncio.BaseEventLoop.run_until_complete
        await asyncio.sleep(0)
        return completion.choices[0].message.content, len(chunks)

    assert asyncio.run(main()) == ("one two", 3)


def test_threads_share_a_client():
    client = Client(Echo())
    said = [f"thread {number}" for number in range(16)]
    answers = {}
    threads = [threading.Thread(target=lambda text=text: answers.setdefault(text, client.ask(text))) for text in said]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {text: text for text in said}


def test_a_client_is_pickled_without_its_key():
    client = Client("groq", api_key="secret-key", model="m", models={"a": "b"})
    pickled = pickle.dumps(client)
    assert b"secret-key" not in pickled
    copied = pickle.loads(pickled)
    assert (copied.model, copied.provider.name) == ("m", "Groq")
    assert copied.chat.completions.create is not None
    for credentials in ("user:pass", "secret-key", "secret-key:"):
        through = Client("groq", proxy=f"http://{credentials}@127.0.0.1:1")
        again = through.with_options(model="m")
        talk = Conversation(through)
        for holder in (through, again, talk, talk.copy(), through.chat, BatchCalls(through._router).for_workers()):
            with pytest.raises(TypeError, match="password"):
                pickle.dumps(holder)


def test_the_repr_shows_no_key():
    assert repr(Client("groq", api_key="secret-key")) == "Client(Groq(base_url='https://api.groq.com/openai/v1'))"


def test_the_repr_of_a_client_without_a_provider_is_how_it_is_written():
    assert repr(Client()) == "Client()"
    assert repr(Client(model="m")) == "Client(model='m')"
    assert repr(Client(Echo(), model="m")).endswith(", model='m')")


@pytest.mark.parametrize(
    "line",
    [
        "g4f_lite.debug",
        "g4f_lite.models",
        "g4f_lite.get_last_provider",
        "g4f_lite.Provider.Bing",
        "g4f_lite.Provider.RetryProvider",
        "g4f_lite.ChatCompletion.create_async",
        "g4f_lite.client.AsyncClient",
        "Client(Echo()).media",
        "Client(Echo()).models.get_vision",
        "from g4f_lite import AsyncClient",
        "from g4f_lite import Client, RetryProvider",
        "from g4f_lite import set_cookies as cookies",
        "from g4f_lite import ModelNotFoundError",
        "from g4f_lite.client import AsyncClient",
    ],
)
def test_a_name_that_is_gone_leads_to_the_page_about_g4f(line):
    with pytest.raises((AttributeError, ImportError), match=r"no attribute '\w+'; see docs/from-g4f.md .*: \w"):
        exec(line)


@pytest.mark.parametrize(
    "line",
    [
        "g4f_lite.AsyncOpenAI",
        "Client(Echo()).beta",
        "Client(Echo()).completions",
        "Client(Echo()).responses",
        "from g4f_lite import OpenAI",
        "from g4f_lite import APIError, RateLimitError",
    ],
)
def test_a_name_of_openais_client_leads_to_its_page(line):
    with pytest.raises((AttributeError, ImportError), match=r"no attribute '\w+'; see docs/from-openai.md .*: \w"):
        exec(line)


@pytest.mark.parametrize("name", ["audio", "files", "moderations", "vector_stores"])
def test_a_part_of_openais_client_that_has_no_replacement_is_told_so(name):
    with pytest.raises(AttributeError, match=rf"^Client has no attribute '{name}'; see docs/\S+: there is none here$"):
        getattr(Client(Echo()), name)


@pytest.mark.parametrize("line", ["import g4f_lite.Provider", "from g4f_lite.Provider import Bing"])
def test_the_module_of_g4fs_providers_leads_to_the_page_about_g4f(line):
    with pytest.raises(
        ImportError, match=r"^g4f_lite.Provider is a class, .*; see docs/from-g4f.md .*: a name such as"
    ):
        exec(line)
    assert isinstance(g4f_lite.Provider, type)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("from g4f_lite.providers import OpenAICompatible", 'write "from g4f_lite import OpenAICompatible"'),
        ("g4f_lite.providers.Local", 'write "from g4f_lite import Local"'),
        ("from g4f_lite import map", "a client has it: Client().map"),
        ("g4f_lite.chat.completions.create", "a client has it: Client().chat"),
    ],
)
def test_a_name_that_is_elsewhere_leads_there(line, instead):
    with pytest.raises((AttributeError, ImportError), match=rf"has no attribute '\w+'; {re.escape(instead)}$"):
        exec(line)


def test_other_names_are_missing_as_usual():
    for owner in (
        g4f_lite,
        g4f_lite.client,
        g4f_lite.providers,
        ChatCompletion,
        g4f_lite.Provider,
        Client(Echo()),
        Client(Echo()).models,
    ):
        assert not hasattr(owner, "misspelt")
        with pytest.raises(AttributeError, match=r"has no attribute 'misspelt'$"):
            owner.misspelt  # noqa: B018
    assert not hasattr(g4f_lite, "AsyncClient")
    with pytest.raises(ImportError, match=r"^cannot import name 'misspelt' from 'g4f_lite'"):
        from g4f_lite import misspelt  # noqa: F401


@pytest.mark.once
def test_a_module_that_has_a_name_of_g4fs_is_imported():
    code = "from g4f_lite.client import models; print(models.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "g4f_lite.client.models\n"


def test_the_names_of_all_models():
    assert Client(Choosy("x"), models={"gpt-4": None}).models.get_all() == ["gpt-4", *Choosy.models]


# What a person sees and waits for.


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (Client, ["provider", "model", "models", "api_key", "base_url", "proxy", "timeout", "retry", "verify"]),
        (
            Client().chat.completions.create,
            ["messages", "model", "stream", "temperature", "max_tokens", "stop", "tools"],
        ),
        (Client().images.generate, ["prompt", "model", "n", "size", "response_format"]),
        (Client().ask, ["prompt", "model", "system", "images", "timeout", "max_tokens"]),
        (Client().stream, ["prompt", "model", "system", "images", "timeout", "max_tokens"]),
        (g4f_lite.ask, ["prompt", "model", "provider", "system", "images", "timeout", "temperature", "max_tokens"]),
        (g4f_lite.stream, ["prompt", "model", "provider", "system", "images", "timeout", "temperature", "max_tokens"]),
        (Client().conversation, ["system", "messages", "model", "max_characters", "keep_interrupted"]),
        (Client().conversation().ask, ["prompt", "images", "timeout", "temperature", "max_tokens", "stop"]),
        (Client().conversation().stream, ["prompt", "images", "timeout", "temperature", "max_tokens", "stop"]),
        (g4f_lite.Conversation, ["provider", "system", "messages", "model", "max_characters", "keep_interrupted"]),
        (g4f_lite.Conversation.load, ["path", "provider", "model", "max_characters", "keep_interrupted"]),
        (Fallback, ["providers", "each"]),
        (
            OpenAICompatible,
            ["base_url", "api_key", "model", "proxy", "timeout", "retry", "headers", "session", "verify"],
        ),
        (Local, ["model", "download", "timeout"]),
        (AiEngine, ["base_url", "bot_id", "model", "timeout"]),
        (AiChats, ["base_url", "model", "timeout"]),
        (ChatCompletion.create, ["model", "messages", "provider", "stream"]),
    ],
)
def test_signatures_and_docstrings_are_useful(function, names):
    parameters = inspect.signature(function).parameters
    assert set(names) <= parameters.keys()
    assert "settings" not in parameters
    documentation = inspect.getdoc(function)
    assert documentation
    assert ":param" in documentation or "see" in documentation


def calls_per_piece(read, *, pieces=500):
    """Count the Python functions that run while an answer is read, per piece."""
    provider = Scripted(["piece "] * pieces, ["piece "] * pieces)
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event == "call"

    stream = read(provider)
    next(stream)
    sys.setprofile(profile)
    try:
        for _ in stream:
            pass
    finally:
        sys.setprofile(None)
    return count / pieces


def test_a_clients_stream_costs_what_the_providers_does():
    alone = calls_per_piece(lambda provider: provider.create_generator(messages="x"))
    through = calls_per_piece(lambda provider: Client(provider).stream("x"))
    assert through <= alone * 1.05


def test_nothing_warns_in_an_ordinary_call():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(Scripted()).chat.completions.create("x", temperature=0)
