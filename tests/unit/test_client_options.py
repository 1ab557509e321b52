"""Options that a provider cannot do: done here, refused, or dropped."""

from __future__ import annotations

import re
import socket
import sys
from functools import partial

import pytest

import g4f_lite
from g4f_lite import (
    Client,
    Conversation,
    Finish,
    Local,
    MissingDependencyError,
    OpenAICompatible,
    ResponseFormatError,
    ServiceError,
    Usage,
)
from g4f_lite.client.json_format import JsonFormat
from g4f_lite.providers import selection as choice
from g4f_lite.testing import Scripted

from .services import Plain

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_an_option_that_nobody_can_do_is_refused_at_the_call():
    provider = Plain()
    for ask in (Client(provider).ask, Client(provider).stream, Client(provider).chat.completions.create):
        with pytest.raises(TypeError, match=r"Plain has no option 'temperature'.*drop_unsupported=True"):
            ask("x", temperature=0)
    assert provider.calls == []


def test_options_are_dropped_with_a_warning_where_that_is_wanted():
    provider = Plain()
    client = Client(provider, drop_unsupported=True)
    for ask in (client.ask, client.chat.completions.create):
        with pytest.warns(UserWarning, match="Plain does not support temperature") as caught:
            ask("x", temperature=0)
        assert caught[0].filename == __file__
    assert [call.options for call in provider.calls] == [{}, {}]


@pytest.mark.parametrize("name", ["base_url", "api_key", "proxies", "verify", "headers"])
def test_what_says_who_is_asked_is_never_dropped(name, monkeypatch):
    provider = Plain()
    client = Client(provider, drop_unsupported=True)
    monkeypatch.setattr(choice, "replacement", provider)
    for ask in (client.ask, client.chat.completions.create, client.images.generate, g4f_lite.ask):
        with pytest.raises(
            TypeError, match=rf"{name} is not an option of a call; write g4f_lite\.Client\(.*{name}=…"
        ) as caught:
            ask("x", **{name: "http://elsewhere.test"})
        assert "elsewhere" not in str(caught.value)
    assert provider.calls == []


def test_a_hint_names_near_options_or_none():
    knows = type("Knows", (Scripted,), {"known_options": frozenset({"temperature", "audio", "dry_base"})})
    with pytest.raises(TypeError, match=r"no option 'temprature'; try temperature$"):
        Client(knows()).ask("x", temprature=0)
    with pytest.raises(TypeError, match=r"no option 'timout'; try timeout$"):
        Client(knows()).ask("x", timout=3)
    with pytest.raises(TypeError, match=r"no option 'modell'; try model$"):
        Client(knows()).ask("x", modell="m")
    with pytest.raises(TypeError, match=r"no option 'modell'; try model$"):
        OpenAICompatible("http://127.0.0.1:9/v1").ask("x", modell="m")
    with pytest.raises(TypeError, match="no option 'top_p'; Client"):  # and not stop
        Client(knows()).ask("x", top_p=1)
    with pytest.raises(TypeError, match="no option 'tools'; Client"):
        Client(knows()).ask("x", tools=[{"type": "function", "function": {"name": "f"}}])
    with pytest.raises(TypeError, match="no option 'request_timeout': pass timeout=, in seconds"):
        Client(knows()).ask("x", request_timeout=3)
    with pytest.raises(TypeError, match="no option 'history_disabled'; Client"):
        Client(knows()).ask("x", history_disabled=True)


def test_g4f_options_that_ask_for_nothing_are_accepted():
    provider = Plain()
    nothing = {"web_search": False, "ignored": [], "ignore_working": False, "ignore_stream": False, "image_name": ""}
    Client(provider).chat.completions.create("x", **nothing)
    assert [call.options for call in provider.calls] == [{}]
    with pytest.raises(TypeError, match="does not search the web"):
        Client(provider).ask("x", web_search=True)
    with pytest.warns(UserWarning, match="does not support web_search"):
        Client(provider, drop_unsupported=True).ask("x", web_search=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra_body": {"n": 2}}, "extra_body has n=2: this gives one answer"),
        ({"extra_body": "n"}, "extra_body must be a dict, not str"),
        ({"temperature": "hot"}, "temperature must be a number, not 'hot'"),
        ({"top_p": True}, "top_p must be a number, not True"),
        ({"max_tokens": "7"}, "max_tokens must be a whole number, not '7'"),
        ({"seed": 1.5}, "seed must be a whole number, not 1.5"),
        ({"response_format": "json"}, "response_format must be a dict, not str"),
        ({"response_format": dict}, "response_format must be a dict; for an answer of a type write client.ask"),
    ],
)
@pytest.mark.parametrize("provider", [Local(), OpenAICompatible("http://127.0.0.1:9/v1")], ids=lambda made: made.name)
def test_what_would_be_ignored_is_refused_at_the_call(provider, options, message):
    for ask in (Client(provider).stream, Client(provider).chat.completions.create, provider.create_generator):
        with pytest.raises(TypeError, match=message):
            ask(messages="x", **options) if ask == provider.create_generator else ask("x", **options)


def test_what_asks_for_nothing_is_no_hindrance_and_not_sent():
    provider = Plain()
    Client(provider).chat.completions.create("x", n=1, logprobs=False, top_logprobs=0)
    assert provider.calls[0].options == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"organization": "o"}, "organization=: pass default_headers={'OpenAI-Organization': …}"),
        ({"project": "p"}, "project=: pass default_headers={'OpenAI-Project': …}"),
        ({"http_client": object()}, "http_client=: pass session= to the provider"),
        ({"modle": "m"}, "modle=; try model="),
        ({"model_name": "m"}, "model_name=: write model=$"),
        ({"api_base": "http://x/v1"}, "api_base=: write base_url=$"),
        ({"key": "k"}, "key=: write api_key=$"),
        ({"num_retries": 2}, "num_retries=: write max_retries=$"),
        ({"providers": ["groq"]}, "providers=: write provider=$"),
        ({"system_prompt": "x"}, r"system_prompt=: pass system= to the call, as in ask\(…, system=…\)$"),
        ({"temperature": 1}, r"temperature=: pass temperature= to the call, as in ask\(…, temperature=…\)$"),
        ({"rpm": 60}, r"rpm=: it is one of map; for all calls pass pace=Pace\(rpm=…\) to the client$"),
        ({"workers": 4}, "workers=: it is one of map$"),
        ({"provider": ["groq", "echo"], "on_fallback": print}, r"on_fallback=: write Client\(Fallback\(\[…\], on_fall"),
        ({"provider": "groq,echo", "each": 5}, r"each=: write Client\(Fallback\(\[…\], each=…\)\)$"),
        (
            {"max_cost": 5},
            r"max_cost=: max_cost= of map limits what a batch costs; client.usage.known_cost is what all call",
        ),
        ({"user": "me"}, r"user=: pass an option to the call, as in ask\(…, user=…\), and a provider's setting to its"),
    ],
)
def test_what_a_client_does_not_take_is_named_with_what_to_write(settings, message):
    with pytest.raises(TypeError, match=f"Client does not accept {message}"):
        Client(**settings)


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("attachments", "write images="),
        ("concurrency", "write workers="),
        ("format", 'pass response_format={"type": "json_object"}, or output= a type'),
        ("max_output_tokens", "write max_tokens="),
        ("budget", "max_cost= of map limits what a batch costs; client.usage.known_cost is what all calls have cost"),
        ("model_name", "write model="),
        ("n_workers", "write workers="),
        ("price", "pass it to OpenAICompatible(base_url, price=(0.15, 0.60)), or to Client(base_url=…)"),
        ("retries", "pass retry=RetryPolicy(attempts=…), which counts the first attempt as well"),
        ("show_progress", "write progress="),
        ("stop_sequences", "write stop="),
        ("system_prompt", "write system="),
        ("temp", "write temperature="),
        ("total_timeout", "write max_time="),
        ("workers", "it is one of map"),
    ],
)
def test_what_other_libraries_call_an_argument_is_named_with_ours(option, instead):
    message = f"Plain has no option {option!r}: {instead}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        Client(Plain()).ask("x", **{option: "y"})


def test_so_it_is_where_its_value_cannot_be_sent():
    with pytest.raises(TypeError, match=r"the option image is of type bytes, .* as JSON; write images=$"):
        Client(Plain()).ask("x", image=b"PNG")


def test_what_is_written_by_position_belongs_behind_a_name():
    with pytest.raises(TypeError, match=r"Client takes one provider, or a list; .* as in Client\(…, model=…\)$"):
        Client("groq", "llama-3.3")
    for make in (partial(Conversation, Plain()), Client(Plain()).conversation):
        with pytest.raises(TypeError, match=r"Conversation takes one provider, or a list; .* by name, as in system=…$"):
            make("You are a pirate.")
        with pytest.raises(TypeError, match=r"Conversation does not accept system_prompt=: write system=$"):
            make(system_prompt="You are a pirate.")


@pytest.mark.parametrize("name", ["choices", "content", "message", "text"])
def test_an_answer_says_that_it_is_the_text(name):
    answer = Client(Plain("Hello")).ask("x")
    with pytest.raises(AttributeError, match=f"^Answer has no attribute '{name}'; an Answer is a str, .* out .{name}$"):
        getattr(answer, name)
    with pytest.raises(AttributeError, match=r"^Answer has no attribute 'misspelt'$"):
        answer.misspelt  # noqa: B018


def test_a_chain_can_do_what_all_its_members_can():
    knows = type("Knows", (Scripted,), {"known_options": frozenset({"temperature", "seed"})})
    with pytest.raises(TypeError, match="has no option 'seed'"):
        Client([knows(), type("Less", (Scripted,), {"known_options": frozenset({"temperature"})})()]).ask("x", seed=1)
    provider = knows()
    Client([provider, Scripted()]).ask("x", seed=1)
    assert provider.calls[0].options == {"seed": 1}


def test_the_member_of_a_chain_that_lacks_an_option_is_named_and_the_one_that_has_it():
    tones = type("Tones", (Scripted,), {"known_options": frozenset({"tone"})})
    with pytest.raises(
        TypeError, match=r"^Plain has no option 'tone', which Tones has; Client\(drop_unsupported=True\) "
    ):
        Client([Plain(), tones()]).ask("x", tone="dry")
    with pytest.raises(TypeError, match=r"^Tones has no option 'tonne'; try tone$"):
        Client([tones(), Plain()]).ask("x", tonne="dry")
    with pytest.raises(TypeError, match=r"^Plain has no option 'pitch'; Client\(drop_unsupported=True\) "):
        Client([Plain(), tones()]).ask("x", pitch="low")


def test_an_option_is_dropped_only_for_the_members_of_a_chain_that_lack_it():
    tones = type("Tones", (Scripted,), {"known_options": frozenset({"tone"})})
    plain, has_tones = Plain("Hello", ServiceError("down")), tones("Good day")
    client = Client([plain, has_tones], drop_unsupported=True)
    with pytest.warns(UserWarning, match="^Plain does not support tone; the option is dropped$") as caught:
        assert client.ask("x", tone="dry") == "Hello"
    assert len(caught) == 1
    with pytest.warns(
        UserWarning, match="^(Plain|Tones) does not support (tone|pitch); the option is dropped$"
    ) as caught:
        assert client.ask("x", tone="dry", pitch="low") == "Good day"
    assert len(caught) == 3
    assert [call.options for call in (*plain.calls, *has_tones.calls)] == [{}, {}, {"tone": "dry"}]


def test_tokens_and_stop_are_kept_to_here_and_the_finish_reason_says_so():
    client = Client(Plain("one two three four", "one two three four", "one two"))
    completion = client.chat.completions.create("x", max_tokens=2)
    assert completion.choices[0].message.content == "one two"
    assert completion.choices[0].finish_reason == "length"
    chunks = list(client.chat.completions.create("x", stop=["three"], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two "
    assert chunks[-1].choices[0].finish_reason == "stop"
    for name in ("max_tokens", "max_completion_tokens"):
        with pytest.raises(ValueError, match="at least 1"):
            client.ask("x", **{name: 0})
    answer = client.ask("x", max_tokens=2)
    assert (answer, answer.finish_reason, answer.provider) == ("one two", "stop", "Plain")


def test_an_answer_that_was_cut_is_closed_and_has_no_usage():
    closed = []

    class Watched(Plain):
        def begin(self, prompt):
            try:
                yield from ["one", " two", " three", " four", Usage(1, 4, 5), Finish()]
            finally:
                closed.append(True)

    answer = Client(Watched()).ask("x", max_completion_tokens=2)
    assert (answer, answer.usage, answer.finish_reason) == ("one two", None, "length")
    assert closed == [True]


def test_a_service_that_can_is_told():
    provider = Scripted("one two three")
    assert Client(provider).ask("x", max_tokens=1, stop="two") == "one two three"
    assert provider.calls[0].options == {"max_tokens": 1, "stop": "two"}


# response_format.


def test_a_schema_is_put_in_the_prompt_and_the_fence_is_taken_off():
    provider = Plain('```json\n{"city": "Oslo"}\n```')
    completion = Client(provider).chat.completions.create("Where?", response_format=SCHEMA)
    assert completion.choices[0].message.content == '{"city": "Oslo"}'
    system = provider.calls[0].messages[0]
    assert system["role"] == "system"
    assert '"required": ["city"]' in system["content"]
    assert len(provider.calls) == 1


def test_a_system_text_stays_in_front_of_the_schema():
    provider = Plain('{"city": "Oslo"}')
    Client(provider).ask("Where?", system="Be brief.", response_format=SCHEMA)
    first, second = provider.calls[0].messages
    assert first["content"].startswith("Be brief.\n\nAnswer with JSON")
    assert second == {"role": "user", "content": "Where?"}


@pytest.mark.parametrize(
    ("text", "response_format", "message"),
    [
        ('{"city": 1}', SCHEMA, r"at \$\.city: 1 is not of type 'string'"),
        ("Oslo, I think.", SCHEMA, "expected JSON, as"),
        ("[1]", {"type": "json_object"}, "expected a JSON object"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_does_not_fit_is_an_error_with_the_text(text, response_format, message, stream):
    provider = Plain(text)
    with pytest.raises(ResponseFormatError, match=message) as caught:
        Client(provider).chat.completions.create("x", response_format=response_format, stream=stream)
    assert caught.value.partial == text
    assert caught.value.provider == "Plain"
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:{port}/x", "file://{path}", "#", "#/nowhere"],
    ids=["http", "file", "circle", "none"],
)
def test_a_schema_that_refers_to_others_fetches_nothing(reference, tmp_path):
    """It may come from a client of ``g4f-lite serve``, and the error would tell what is there."""
    (tmp_path / "x").write_text('{"const": "a secret"}')
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        reference = reference.format(port=server.getsockname()[1], path=tmp_path / "x")
        json_format = {"type": "json_schema", "json_schema": {"schema": {"$ref": reference}}}
        with pytest.raises(ResponseFormatError, match="cannot be checked") as raised:
            JsonFormat(json_format).check("{}")
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "secret" not in str(raised.value)


def test_an_endless_answer_is_not_held_back_for_ever(monkeypatch):
    taken = []

    class Endless(Plain):
        def begin(self, prompt):
            for number in range(1000):
                taken.append(number)
                yield "x" * 1000

    monkeypatch.setattr("g4f_lite.client.json_format.MAX_BYTES", 10_000)
    with pytest.raises(ResponseFormatError, match="longer than the 10,000 characters"):
        Client(Endless()).ask("x", response_format=SCHEMA)
    assert len(taken) == 11


def test_without_jsonschema_a_schema_is_refused_and_the_extra_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.delitem(sys.modules, "g4f_lite.typed.schema_check", raising=False)
    provider = Plain('{"city": 1}')
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[typed\]"'):
        Client(provider).stream("x", response_format=SCHEMA)
    assert Client(provider).ask("x", response_format={"type": "json_object"}) == '{"city": 1}'


@pytest.mark.parametrize(
    ("response_format", "error"),
    [
        (dict, TypeError),
        ({"type": "xml"}, ValueError),
        ({"type": "json_schema"}, ValueError),
        ({"type": "json_schema", "json_schema": {"schema": {"type": "no type"}}}, ValueError),
    ],
)
def test_formats_that_make_no_sense_are_refused_at_the_call(response_format, error):
    provider = Plain()
    with pytest.raises(error):
        Client(provider).stream("x", response_format=response_format)
    assert provider.calls == []


def test_text_is_the_format_of_every_answer():
    assert Client(Plain("words")).ask("x", response_format={"type": "text"}) == "words"


def test_a_service_that_knows_formats_is_told():
    provider = Scripted("anything")
    assert Client(provider).ask("x", response_format=SCHEMA) == "anything"
    assert provider.calls[0].options == {"response_format": SCHEMA}


def test_known_options_may_be_any_collection_of_names() -> None:
    for names in (["seed"], ("seed",), {"seed"}):
        knows = type("Knows", (Scripted,), {"known_options": names})
        assert Client(knows("Hello")).ask("x", seed=1) == "Hello"
        with pytest.raises(TypeError, match="option"):
            Client(knows("Hello")).ask("x", sed=1)
