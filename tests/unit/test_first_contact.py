"""What somebody meets who tries the library at a prompt of Python: methods, representations, hints, tracebacks."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
import requests
import responses

import g4f_lite
from g4f_lite import (
    AiChatOnline,
    BatchStoppedError,
    Client,
    Conversation,
    Fallback,
    Finish,
    G4FLiteError,
    Local,
    ModelNotSupportedError,
    OpenAICompatible,
    Prompt,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.testing import Echo, Scripted

from .streams import stream_of

NOBODY = "http://127.0.0.1:1/v1"  # where nothing listens


def dead() -> OpenAICompatible:
    return OpenAICompatible(NOBODY, model="m", retry=None)


class TestAProvider:
    def test_is_asked_as_a_client_is(self) -> None:
        provider = Scripted("first answer", "second")
        assert provider.ask("one", system="Be brief.", temperature=0, stop=["."], model="m") == "first answer"
        assert list(provider.stream("two")) == ["second"]
        first, second = provider.calls
        assert first.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one"}]
        assert (first.options, first.model) == ({"temperature": 0, "stop": ["."]}, "m")
        assert (second.prompt, second.options) == ("two", {})

    def test_sends_nothing_before_a_stream_is_read(self) -> None:
        provider = Scripted()
        provider.stream("one")
        assert provider.calls == []

    @pytest.mark.parametrize("method", ["ask", "stream", "create", "create_generator"])
    @pytest.mark.parametrize(
        ("option", "value", "match"),
        [
            ("output", int, r"output= needs a client.*write g4f_lite\.Client\(…\)\.ask\(…, output=…\)"),
            ("repairs", 2, r"repairs= needs a client"),
            ("approve", print, r"approve= needs a client"),
            ("on_tool", print, r"on_tool= needs a client"),
            ("max_turns", 2, r"max_turns= needs a client"),
            ("tools", [len], r"only a client calls functions: write g4f_lite\.Client\(…\)\.ask\("),
        ],
    )
    def test_says_that_types_and_functions_need_a_client(
        self, method: str, option: str, value: Any, match: str
    ) -> None:
        name = "messages" if method.startswith("create") else "prompt"
        with pytest.raises(TypeError, match=match):
            getattr(Scripted(), method)(**{name: "x", option: value})


@pytest.mark.parametrize(
    "ask", [Scripted().ask, Client(Scripted()).ask, Conversation(Scripted()).ask], ids=["provider", "client", "talk"]
)
def test_ask_leads_to_stream(ask: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"for its pieces as they arrive write stream\(…\)"):
        ask("x", stream=True)
    assert ask("x", stream=False) == ask("x", stream=None) == "This is a scripted answer."


@pytest.mark.parametrize("owner", [Scripted(), Client(Scripted()), Conversation(Scripted())])
def test_an_option_that_is_none_is_not_given(owner: Any) -> None:
    provider = owner if isinstance(owner, Scripted) else owner.provider
    owner.ask("x", temperature=None, max_tokens=None, stop=None, response_format=None, seed=None, anything=None)
    assert provider.calls[-1].options == {}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Scripted(), "Scripted()"),
        (Echo(model="m"), "Echo(model='m')"),
        (Local(), "Local('smollm2')"),
        (AiChatOnline(), "AiChatOnline(base_url='https://aichatonlineorg.erweima.ai')"),
        (Fallback([Echo(), Scripted()]), "Fallback([Echo(), Scripted()])"),
        (Client(Echo()), "Client(Echo())"),
        (Client(Echo()).chat, "<client.chat, with completions.create(…)>"),
        (
            Client(Echo()).chat.completions,
            "<client.chat.completions, with create(…), stream(…) and parse(…)>",
        ),
        (Client(Echo()).images, "<client.images, with generate(…)>"),
        (Client(Echo()).embeddings, "<client.embeddings, with create(…)>"),
        (Client(Echo()).models, "<client.models, with list() and retrieve()>"),
        (Conversation(Echo(), system="x", model="m"), "<Conversation(Echo(), model='m'), 1 message>"),
        (Conversation.__new__(Conversation), "<Conversation(None), 0 messages>"),
    ],
    ids=repr,
)
def test_what_python_shows(shown: Any, expected: str) -> None:
    assert repr(shown) == expected


class TestAStream:
    def test_shows_how_far_it_is(self) -> None:
        stream, _ = stream_of("one ", "two", Finish())
        assert repr(stream) == (
            "<AnswerStream of 'm' from Test: not sent yet; iterate over it, or call text() or show()>"
        )
        next(stream)
        assert repr(stream) == "<AnswerStream of 'm' from Test: in progress, 4 characters>"
        stream.text()
        assert repr(stream) == "<AnswerStream of 'm' from Test: whole, 7 characters>"

    def test_shows_that_it_was_closed(self) -> None:
        stream, _ = stream_of("one ", "two", Finish())
        unused, _ = stream_of()
        unused.close()
        assert repr(unused) == "<AnswerStream of 'm' from Test: closed>"
        next(stream)
        stream.close()
        assert repr(stream) == "<AnswerStream of 'm' from Test: closed, 4 characters>"

    def test_that_was_interrupted_raises_the_same_error_again(self) -> None:
        stream, _ = stream_of("one ", StreamInterruptedError("the answer was cut"))
        with pytest.raises(StreamInterruptedError) as first:
            list(stream)
        assert repr(stream) == "<AnswerStream of 'm' from Test: failed with StreamInterruptedError>"
        for _ in range(2):
            with pytest.raises(StreamInterruptedError) as again:
                stream.text()
            assert again.value is first.value
        assert first.value.partial == "one "
        assert str(first.value) == ("Test, stream: the answer was cut; what had arrived is in .partial of this error")
        assert len(traceback.format_exception(again.value)) < 8  # it does not grow with each time

    def test_that_had_brought_nothing_names_no_partial_text(self) -> None:
        assert str(StreamInterruptedError("the answer was cut")) == "the answer was cut"


class TestAnAnswer:
    def test_is_a_string_in_json(self) -> None:
        assert json.dumps({"a": Echo().ask("hi")}) == '{"a": "hi"}'

    @pytest.mark.parametrize("dump", ["safe_dump", "dump"])
    def test_is_a_string_in_yaml(self, dump: str) -> None:
        yaml = pytest.importorskip("yaml")
        assert getattr(yaml, dump)({"a": Echo().ask("hi")}) == "a: hi\n"

    def test_is_a_string_in_yaml_with_a_dumper_that_has_types_of_its_own(self) -> None:
        yaml = pytest.importorskip("yaml")
        code = (
            "import yaml\n"
            "class Own(yaml.SafeDumper): pass\n"
            "Own.add_representer(complex, lambda dumper, value: dumper.represent_str(str(value)))\n"
            "from g4f_lite.testing import Echo\n"
            "print(yaml.dump([Echo().ask('hi'), 1j], Dumper=Own), end='')"
        )
        assert yaml is not None
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "- hi\n- 1j\n"


@pytest.mark.parametrize(
    ("served", "taken"),
    [
        (["llama-3.2-3b", "other"], "llama-3.2-3b"),
        (["nomic-embed-text", "llama3.2:1b"], "llama3.2:1b"),
        (["text-embedding-3-small", "dall-e-3", "gpt-image-1", "whisper-1", "tts-1-hd", "gpt-4o"], "gpt-4o"),
        (["bge-m3:latest", "all-minilm", "BAAI/bge-reranker-v2-m3", "intfloat/e5-large", "qwen3:8b"], "qwen3:8b"),
        (["black-forest-labs/FLUX.1-schnell", "stable-diffusion-3", "Qwen/Qwen3-8B"], "Qwen/Qwen3-8B"),
        (["omni-moderation-latest", "gemini-2.5-flash-image", "gemini-2.5-flash"], "gemini-2.5-flash"),
        (["eclipse-7b", "gtest"], "eclipse-7b"),  # names that hold such a word only inside another
        (["nomic-embed-text"], "nomic-embed-text"),  # the server says what is wrong with it
    ],
)
def test_the_model_taken_when_none_is_named_is_for_chats(served: list[str], taken: str) -> None:
    with responses.RequestsMock() as web:
        web.get("http://server.test/v1/models", json={"data": [{"id": name} for name in served]})
        web.post("http://server.test/v1/chat/completions", json={"choices": [{"message": {"content": "hi"}}]})
        assert OpenAICompatible("http://server.test/v1").ask("x").model == taken
        assert json.loads(web.calls[1].request.body)["model"] == taken


ASKED: dict[str, Callable[[], Any]] = {
    "provider": lambda: dead().ask("x"),
    "create": lambda: dead().create(messages="x"),
    "without a model": lambda: OpenAICompatible(NOBODY, retry=None).ask("x"),
    "client": lambda: Client(dead()).ask("x"),
    "stream": lambda: list(Client(dead()).stream("x")),
    "start": lambda: dead().stream("x").start(),
    "completion": lambda: Client(dead()).chat.completions.create(messages="x", model="m"),
    "chunks": lambda: list(Client(dead()).chat.completions.create(messages="x", model="m", stream=True)),
    "conversation": lambda: Conversation(dead()).ask("x"),
    "chain": lambda: Fallback([dead(), dead()]).ask("x"),
    "models": lambda: dead().get_models(),
    "token": lambda: AiChatOnline(base_url=NOBODY, retry=None).grab_token(),
    "images": lambda: Client(dead()).images.generate("x", model="m"),
    "batch": lambda: list(Client(dead()).map(["x"], on_error="raise")),
    "embeddings": lambda: Client(dead()).embeddings.create(input="x", model="m"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_dead_server_fills_at_most_25_lines(ask: Callable[[], Any]) -> None:
    with pytest.raises(G4FLiteError) as caught:
        ask()
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    assert len(lines) <= 25
    assert not [line for line in lines if "noqa" in line], "a user is shown what is for ruff"
    assert lines[-1].startswith(f"g4f_lite.errors.{type(caught.value).__name__}: ") or "no provider" in str(
        caught.value
    )


class Unknown(Scripted):
    """A provider that has no model."""

    def begin(self, prompt: Prompt) -> NoReturn:
        raise ModelNotSupportedError("no such model")


def prompts_with_a_mistake() -> Iterator[str]:
    yield "x"
    yield str(int("y"))


WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "batch that stops": (lambda: list(Client(Unknown()).map(["x", "y"])), ["iterated"]),
    "texts": (lambda: Client(Unknown()).map(["x"]).texts(), ["texts", "_all", "iterated"]),
    "failure that is raised": (lambda: Client(Unknown()).map(["x"], on_error="raise")[0], ["__getitem__", "iterated"]),
    "one prompt": (lambda: Client(Echo()).map("x"), ["called", "of"]),
    "blank prompt": (lambda: Client(Echo()).ask(""), ["called", "to_messages"]),
    "blank turn": (lambda: Client(Echo()).conversation().stream(""), ["called", "turn_of"]),
    "prompt by position": (lambda: Client(Echo()).ask("x", "y"), ["called"]),  # type: ignore[call-overload]
    "timeout": (lambda: Client(timeout="x"), ["called", "_seconds"]),  # type: ignore[arg-type]
    "provider": (lambda: Client("nobody"), ["called"]),
    "file": (lambda: Client(Echo()).ask("x", images="no.png"), ["called", "image_part"]),
    "prompts of the caller": (
        lambda: Client(Echo()).map(prompts_with_a_mistake()).head(2),
        ["head", "_all", "iterated", "task", "prompts_with_a_mistake"],
    ),
}


@pytest.mark.parametrize(("call", "steps"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_call_shows_few_steps_of_this_library(call: Callable[[], Any], steps: list[str]) -> None:
    with pytest.raises((BatchStoppedError, ModelNotSupportedError, TypeError, ValueError, OSError)) as caught:
        call()
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][2:] == steps


def test_a_second_argument_by_position_is_told_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"3 were given; write all but the first by name, such as model= or system=$"):
        Client(Echo()).ask("x", "be brief")  # type: ignore[call-overload]


def test_the_causes_of_an_error_are_there_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "g4f_lite"), pytest.raises(TransportError) as caught:
        dead().ask("x")
    cause = caught.value.__cause__
    assert isinstance(cause, requests.ConnectionError)
    assert cause.__traceback__ is None
    causes, link = [], cause.__context__
    while link is not None:
        causes.append(type(link).__name__)
        link = link.__cause__ or link.__context__
    assert causes == ["MaxRetryError", "NewConnectionError", "ConnectionRefusedError"]
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.levelno == logging.DEBUG
    assert "ConnectionRefusedError" in caplog.text
    assert "in _send_prompt" in caplog.text


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("errors", "BatchResults has no attribute 'errors'; write .failed"),
        ("answers", "BatchResults has no attribute 'answers'; write .texts()"),
        ("to_csv", "BatchResults has no attribute 'to_csv'; write .to_frame().to_csv(…)"),
        ("show", "BatchResults has no attribute 'show'; write .to_frame()"),
        ("content", "BatchResults has no attribute 'content'"),
        ("so_far.values", "Results has no attribute 'values'; write .outputs()"),
        ("failed.errors", "Results has no attribute 'errors'"),
        ("head(1)[0].content", "Result has no attribute 'content'; write .text"),
        ("head(1)[0].prompt", "Result has no attribute 'prompt'; write .input"),
        ("head(1)[0].answers", "Result has no attribute 'answers'"),
    ],
)
def test_a_name_that_results_lack_leads_to_the_right_one(name: str, hint: str) -> None:
    results = Client(Echo()).map(["x"])
    with pytest.raises(AttributeError) as caught:
        eval(f"results.{name}", {"results": results})
    assert str(caught.value) == hint


def test_results_that_hint_at_names_are_copied_and_pickled() -> None:
    results = Client(Echo()).map(["x"]).head()
    assert [each.text for each in (copy.copy(results[0]), *pickle.loads(pickle.dumps(results)))] == ["x", "x"]


@pytest.mark.parametrize("line", ["g4f_lite.map", "from g4f_lite import map"])
def test_a_name_that_the_package_lacks_has_a_short_traceback(line: str) -> None:
    with pytest.raises((AttributeError, ImportError), match=r"; a client has it: Client\(\)\.map$") as caught:
        exec(line, {"g4f_lite": g4f_lite})
    assert [step.name for step in traceback.extract_tb(caught.tb)][-2:] == ["<module>", "__getattr__"]
