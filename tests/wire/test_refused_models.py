"""What is said of a model that a server does not have: what it has instead, and how the model is had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import (
    Client,
    G4FLiteError,
    ModelNotSupportedError,
    OpenAICompatible,
    ProviderNotConfiguredError,
    ServiceError,
    Timeout,
)
from g4f_lite.emulator import Emulator
from g4f_lite.providers.openai.listing import near_names

from .openai_answers import HELLO, whole
from .raw_server import Connection, RawServer

HERE = ["llama3.2:latest", "qwen2.5:3b", "nomic-embed-text:latest"]
REQUIRED = whole({"error": {"message": "model is required"}}, status="400 Bad Request")


def refusing(names: Any, prompt: bytes | None = None) -> Callable[[Connection], None]:
    """Serve a list of models, and refuse each model as Ollama does, or send another answer to a prompt.

    :param names: the names, or what to do in place of sending a list
    """
    listed = whole({"data": [{"id": name} for name in names]}) if isinstance(names, list) else names

    def serve(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if "/models" in request.line or "/api/tags" in request.line:
                connection.silence() if listed == "silence" else connection.send(listed)
                if listed:
                    continue
                return
            unknown = {"error": {"message": f"model '{request.json.get('model')}' not found"}}
            connection.send(prompt or whole(unknown, status="404 Not Found"))

    return serve


def paths(server: RawServer) -> list[str]:
    return [request.line.split()[1] for request in server.requests]


# No model at all


@pytest.mark.parametrize(
    ("preset", "how"),
    [
        ("ollama", "get one with `ollama pull llama3.2`"),
        ("llama.cpp", "start it with one, as in `llama-server -m model.gguf`"),
        ("lmstudio", "download one in its window, or with `lms get`"),
        ("vllm", "start it with one, as in `vllm serve Qwen/Qwen3-0.6B`"),
    ],
)
@pytest.mark.parametrize("listed", [{"data": None}, {"data": []}, {"models": []}])
def test_nothing_is_sent_to_a_program_without_a_model(preset: str, how: str, listed: Any) -> None:
    with RawServer(refusing(whole(listed))) as server, OpenAICompatible.preset(preset, base_url=server.url) as provider:
        for ask in (provider.ask, lambda text: provider.stream(text).start()):
            with pytest.raises(ProviderNotConfiguredError, match="it has no model yet: ") as caught:
                ask("hi")
            assert caught.value.message.endswith(how)
        assert paths(server) == ["/models"] * 2


def test_nothing_is_sent_to_ollama_with_a_model_for_embeddings_alone() -> None:
    names = ["nomic-embed-text:latest", "all-minilm"]
    with RawServer(refusing(names)) as server, OpenAICompatible.preset("ollama", base_url=server.url) as provider:
        with pytest.raises(ProviderNotConfiguredError) as caught:
            provider.ask("hi")
        told = f"it has no model for chats, only {', '.join(names)}: get one with `ollama pull llama3.2`"
        assert caught.value.message == told
        assert paths(server) == ["/models"]


def test_a_model_that_came_meanwhile_is_used() -> None:
    answers = iter([whole({"data": []}), whole({"data": [{"id": "new"}]}), HELLO])

    def serve(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(next(answers))

    with RawServer(serve) as server, OpenAICompatible.preset("ollama", base_url=server.url) as provider:
        with pytest.raises(ProviderNotConfiguredError):
            provider.ask("hi")
        assert provider.ask("hi") == "Hello"
        assert server.requests[-1].json["model"] == "new"


def test_a_server_that_lists_nothing_may_answer_all_the_same() -> None:
    with RawServer(refusing([], HELLO)) as server, OpenAICompatible(server.url) as provider:
        assert provider.ask("hi") == "Hello"
    with RawServer(refusing([], REQUIRED)) as server, OpenAICompatible(server.url) as provider:
        with pytest.raises(ServiceError, match=r"prompt: model is required; name a model with model=$"):
            provider.ask("hi")
        assert paths(server) == ["/models", "/chat/completions"]


# One that is not there


@pytest.mark.parametrize(
    ("model", "names", "told"),
    [
        ("llama32", HERE, "; try llama3.2:latest, or get it with `ollama pull llama32`"),
        ("llama3.2:1b", HERE, "; try llama3.2:latest, or get it with `ollama pull llama3.2:1b`"),
        ("qwen2.5", HERE, "; try qwen2.5:3b, or get it with `ollama pull qwen2.5`"),
        ("mistral", HERE[:2], "; it has llama3.2:latest, qwen2.5:3b; get it with `ollama pull mistral`"),
        ("mistral", [], "; it has no model yet: get it with `ollama pull mistral`"),
        ("gpt-4o", HERE[:1], "; it has llama3.2:latest"),
        ("x.gguf", HERE[:1], "; it has llama3.2:latest; a file on this machine is for Local(…)"),
        ("llama3.2:latest", HERE, ""),
        ("ollama/llama3.2", HERE, "; write it without the provider: llama3.2"),
        ("Ollama/llama3.2", [*HERE, "Ollama/llama3.2"], ""),
        ("new\x1b[2J", HERE[:1], "; it has llama3.2:latest"),
        ("mistral", ["a\x1b[2J"], "; it has a�[2J; get it with `ollama pull mistral`"),
    ],
)
def test_the_refusal_of_a_model_names_others(model: str, names: list[str], told: str) -> None:
    with RawServer(refusing(names)) as server, OpenAICompatible.preset("ollama", base_url=server.url) as ollama:
        with pytest.raises(ModelNotSupportedError) as caught:
            ollama.ask("hi", model=model)
        assert caught.value.message.partition(" not found")[2] == told
        assert (caught.value.step, caught.value.attempts) == ("prompt", 1)
        assert paths(server) == ["/chat/completions", "/models"]


def test_of_many_models_some_are_named() -> None:
    names = [f"model-{number}" for number in range(20)]
    with (
        RawServer(refusing(names)) as server,
        OpenAICompatible(server.url) as provider,
        pytest.raises(ModelNotSupportedError, match=r"; it has model-0, .*, model-7 and 12 more$"),
    ):
        provider.ask("hi", model="zebra")


def test_a_refusal_goes_on_with_models_for_chats() -> None:
    names = ["text-embedding-3-small", "dall-e-3", "big", "small"]
    refusal = whole({"error": {"message": "The model 'x' does not exist.", "code": "model_not_found"}}, status="404 No")
    with RawServer(refusing(names, refusal)) as server, OpenAICompatible(server.url) as provider:
        with pytest.raises(ModelNotSupportedError) as caught:
            provider.ask("hi", model="x")
        assert caught.value.message.endswith("The model 'x' does not exist; it has big, small")


@pytest.mark.beside
@pytest.mark.parametrize("listed", [whole({"error": "no"}, status="500 No"), whole("rubbish"), b"", "silence"])
def test_a_list_that_fails_does_not_hide_the_refusal(listed: Any) -> None:
    with (
        RawServer(refusing(listed)) as server,
        OpenAICompatible(server.url, retry=None, timeout=Timeout(total=0.3)) as provider,
        pytest.raises(ModelNotSupportedError, match=r"model 'x' not found$"),
    ):
        provider.ask("hi", model="x")


@pytest.mark.parametrize(
    ("name", "shown"), [("llama3.2" + " " * 9000 + "z", r"llama3\.2 z"), ("x" * 9000, "x{99}…")], ids=["blanks", "x"]
)
def test_long_names_of_models_are_cut_in_an_error(name: str, shown: str) -> None:
    with (
        RawServer(refusing([name])) as server,
        OpenAICompatible(server.url) as provider,
        pytest.raises(ModelNotSupportedError, match=f"not found; it has {shown}$"),
    ):
        provider.ask("hi", model="y")


@pytest.mark.parametrize(
    ("model", "near"),
    [
        ("gpt-4o-mni", ["gpt-4o-mini", "gpt-4o"]),
        ("Llama-3.3-70B-Instruct", ["meta-llama/Llama-3.3-70B-Instruct-Turbo"]),
        ("deepseek-r1:7b", ["deepseek-r1:1.5b"]),
        ("a", []),
        ("zebra", []),
    ],
)
def test_names_that_are_like_another(model: str, near: list[str]) -> None:
    names = ["gpt-4o-mini", "gpt-4o", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "deepseek-r1:1.5b", "phi"]
    assert near_names(model, names) == near


# Embeddings


@pytest.mark.parametrize(
    ("model", "answer", "kind", "told"),
    [
        (None, REQUIRED, ServiceError, "; name an embedding model with model=, such as nomic-embed-text:latest"),
        ("mxbai", None, ModelNotSupportedError, "; it has nomic-embed-text:latest; get it with `ollama pull mxbai`"),
        ("nomic", None, ModelNotSupportedError, "; try nomic-embed-text:latest, or get it with `ollama pull nomic`"),
    ],
)
def test_embeddings_name_a_model_that_embeds(
    model: str | None, answer: bytes | None, kind: type[G4FLiteError], told: str
) -> None:
    with RawServer(refusing(HERE, answer)) as server, Client("ollama", base_url=server.url) as client:
        with pytest.raises(kind) as caught:
            client.embeddings.create(input=["a"], model=model)
        assert str(caught.value).endswith(told)  # without a line that maps the name to the default model, for chats
        assert paths(server) == ["/embeddings", "/models"]


def test_a_server_embeds_as_the_embedded_model_does(emulator: Emulator) -> None:
    with Client(base_url=f"{emulator.url}/v1") as client:
        wanted = [row.embedding for row in client.embeddings.create(["one", "two"], model="e").data]
        with pytest.raises(AttributeError, match=r"no attribute 'embed'; write client\.embeddings\.create\(input=…\)"):
            client.embed  # type: ignore[attr-defined]  # noqa: B018
    with OpenAICompatible(f"{emulator.url}/v1") as server:
        assert server.embed(["one", "two"], model="e") == wanted
