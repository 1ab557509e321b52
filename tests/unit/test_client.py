"""Which provider answers a client's call, and what is made of its options."""

from __future__ import annotations

import asyncio
import base64
import inspect
import pickle
import sys
import threading
import warnings

import pytest

import g4f_lite
from g4f_lite import (
    AllProvidersFailedError,
    ChatCompletion,
    Client,
    Fallback,
    Finish,
    ImageResponse,
    Local,
    ModelNotSupportedError,
    OpenAICompatible,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    RateLimitError,
    ResponseFormatError,
    RetryPolicy,
    StreamInterruptedError,
    Usage,
    choice,
)
from g4f_lite.testing import Echo, Scripted

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


class Plain(Scripted):
    """A service that takes no option at all."""

    known_options = frozenset()


class Choosy(Scripted):
    """A service that knows its models."""

    models = ("small", "large")

    def create_generator(self, model=None, *args, **settings):
        if model is not None and model not in self.models:
            raise ModelNotSupportedError(f"no {model}", provider=self.name)
        return super().create_generator(model, *args, **settings)


class Broken(Scripted):
    """A service that is flagged as not working."""

    working = False


@pytest.fixture
def stand_in(monkeypatch):
    """A provider in place of the one that the environment chooses."""
    provider = Scripted()
    monkeypatch.setattr(choice, "instead", provider)
    return provider


# Who answers.


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
    stand_in.answer("from the stand-in")
    assert Client().ask("x") == "from the stand-in"


def test_without_any_setting_it_is_the_embedded_model():
    assert isinstance(Client(retry=None).provider, Local)


def test_an_address_is_an_openai_compatible_server():
    provider = Client(base_url="http://127.0.0.1:9/v1", api_key="k").provider
    assert isinstance(provider, OpenAICompatible)
    assert provider.base_url == "http://127.0.0.1:9/v1"


def test_a_key_alone_chooses_nothing():
    with pytest.raises(TypeError, match="a key alone"):
        Client(api_key="secret")


def test_an_unknown_name_is_refused_when_the_client_is_made():
    with pytest.raises(ProviderNotFoundError, match="grok"):
        Client("grok")


@pytest.mark.parametrize("provider", [42, dict, object()])
def test_what_is_no_provider_is_refused(provider):
    with pytest.raises(TypeError):
        Client(provider)


@pytest.mark.parametrize(
    "settings", [{"api_key": "k"}, {"base_url": "http://x/v1"}, {"retry": None}, {"verify": False}], ids=str
)
def test_settings_of_a_provider_that_is_made_already_are_refused(settings):
    with pytest.raises(TypeError, match=f"{next(iter(settings))}= belongs to the provider"):
        Client(Scripted(), **settings)
    with pytest.raises(TypeError, match="belongs to the provider"):
        Client([Scripted(), Scripted()], **settings)


def test_one_key_is_not_given_to_several():
    with pytest.raises(TypeError, match="api_key= belongs to one provider"):
        Client(["groq", "openai"], api_key="k")
    with pytest.raises(TypeError, match="api_key= belongs to one provider"):
        Client("groq,openai", api_key="k")


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
    with pytest.raises(TypeError, match="the same thing"):
        Client("ollama", proxies="http://a", proxy="http://a")


class Recorder(Scripted):
    def create_generator(self, model=None, messages=None, proxy=None, timeout=None, **options):
        self.limits = (proxy, timeout)
        return super().create_generator(model, messages, proxy, timeout, **options)


def test_proxy_and_timeout_go_to_each_call_unless_it_has_its_own():
    provider = Recorder()
    client = Client(provider, proxy="http://a:1", timeout=5)
    client.ask("x")
    assert provider.limits == ("http://a:1", g4f_lite.Timeout.of(5))
    client.chat.completions.create("x", proxy="http://b:1", timeout=7)
    assert provider.limits == ("http://b:1", 7)
    client.conversation().ask("x")
    assert provider.limits == ("http://a:1", g4f_lite.Timeout.of(5))


def test_providers_that_do_not_work_answer_only_when_named(monkeypatch):
    monkeypatch.setattr("g4f_lite.providers.registry.find_class", lambda name: Broken if name == "Broken" else Local)
    assert Client("Broken").ask("x") == "This is a scripted answer."
    for client in (Client(retry=None), Client(models={"*": None}, retry=None)):
        assert client.provider.working


def test_a_call_may_name_its_own_provider():
    client = Client(Scripted("mine"), model="small")
    answer = client.ask("theirs", provider="echo")
    assert (answer, answer.model) == ("theirs", None)
    assert client.ask("x") == "mine"
    assert client.find(None, "echo")[0] is client.find(None, "echo")[0]


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


# Which model.


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
    provider, model = Client(Scripted(), models={"gpt-4o-mini": "groq:llama-3.3-70b"}).find("gpt-4o-mini", None)
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


def test_a_model_that_the_service_does_not_know_has_the_line_too():
    client = Client(Scripted(ModelNotSupportedError("no such model"), "default"))
    with pytest.raises(ModelNotSupportedError, match=r"its default model.*models=\{'gpt-9': None\}"):
        client.chat.completions.create("x", model="gpt-9", stream=True)


def test_models_are_listed_with_the_mapped_names():
    listed = Client(Choosy(), models={"gpt-4": "small", "*": "large"}).models.list()
    assert [(model.id, model.owned_by) for model in listed] == [
        ("gpt-4", "Choosy"),
        ("small", "Choosy"),
        ("large", "Choosy"),
    ]


# Chat completions.


def test_a_completion_has_openais_attributes():
    completion = Client(Scripted("Hello there", model="m")).chat.completions.create("Hi")
    assert completion.choices[0].message.content == "Hello there"
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.model, completion.provider, completion.usage) == ("m", "Scripted", None)


def test_a_stream_has_started_and_raises_at_the_call():
    provider = Scripted(RateLimitError("slow down"))
    with pytest.raises(RateLimitError):
        Client(provider).chat.completions.create("x", stream=True)


def test_a_stream_is_an_iterator_and_a_context_manager():
    client = Client(Scripted("one two three"))
    with client.chat.completions.create("x", stream=True) as stream:
        assert iter(stream) is stream
        first = next(stream)
        assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "one")
        rest = [chunk.choices[0].delta.content or "" for chunk in stream]
        assert "".join(rest) == " two three"
        assert stream.answer == "one two three"
        assert next(stream, None) is None


def test_stream_is_create_with_stream():
    chunks = Client(Scripted("one two")).chat.completions.stream("x", "m")
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["one", " two", None]


def test_leaving_the_block_closes_the_answer():
    client = Client(Scripted("one two three"))
    with client.chat.completions.create("x", stream=True) as stream:
        next(stream)
    with pytest.raises(StreamInterruptedError):
        next(stream)


def test_a_stream_shows_itself(capsys):
    answer = Client(Scripted("one two")).chat.completions.create("x", stream=True).show()
    assert answer == "one two"
    assert capsys.readouterr().out == "one two\n"


def test_no_chunk_is_without_a_choice_unless_usage_is_asked_for():
    answer = ["a", Usage(1, 2, 3)]
    chunks = list(Client(Scripted(answer)).chat.completions.create("x", stream=True))
    assert all(chunk.choices for chunk in chunks)
    chunks = list(
        Client(Scripted(["a"])).chat.completions.create("x", stream=True, stream_options={"include_usage": True})
    )
    assert all(chunk.choices for chunk in chunks)  # the service did not say


def test_images_in_an_answer_are_markdown():
    picture = ImageResponse("http://127.0.0.1/1.png", "a cat")
    client = Client(Scripted([picture], [picture]))
    content = client.chat.completions.create("x").choices[0].message.content
    assert content == "![a cat](http://127.0.0.1/1.png)"
    assert next(client.chat.completions.create("x", stream=True)).choices[0].delta.content == content


@pytest.mark.parametrize("name", ["image", "images"])
def test_pictures_are_shown_to_the_model(name):
    provider = Scripted()
    Client(provider).chat.completions.create("What is this?", **{name: PIXEL})
    assert [part["type"] for part in provider.calls[0].messages[0]["content"]] == ["text", "image_url"]


def test_options_go_to_the_provider_and_none_is_not_sent():
    provider = Scripted()
    Client(provider).chat.completions.create("x", temperature=0, max_tokens=None, top_k=5, n=1)
    assert provider.calls[0].options == {"temperature": 0, "top_k": 5}


# Options that a provider cannot do.


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
        with pytest.warns(UserWarning, match="Plain cannot do temperature") as caught:
            ask("x", temperature=0)
        assert caught[0].filename == __file__
    assert [call.options for call in provider.calls] == [{}, {}]


def test_more_than_one_answer_is_refused():
    with pytest.raises(TypeError, match="has no option 'n'"):
        Client(Plain()).chat.completions.create("x", n=2)


def test_a_chain_can_do_what_all_its_members_can():
    knows = type("Knows", (Scripted,), {"known_options": frozenset({"temperature", "seed"})})
    with pytest.raises(TypeError, match="has no option 'seed'"):
        Client([knows(), type("Less", (Scripted,), {"known_options": frozenset({"temperature"})})()]).ask("x", seed=1)
    provider = knows()
    Client([provider, Scripted()]).ask("x", seed=1)
    assert provider.calls[0].options == {"seed": 1}


def test_tokens_and_stop_are_kept_to_here_and_the_finish_reason_says_so():
    client = Client(Plain("one two three four", "one two three four", "one two"))
    completion = client.chat.completions.create("x", max_tokens=2)
    assert completion.choices[0].message.content == "one two"
    assert completion.choices[0].finish_reason == "length"
    chunks = list(client.chat.completions.create("x", stop=["three"], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two "
    assert chunks[-1].choices[0].finish_reason == "stop"
    answer = client.ask("x", max_tokens=2)
    assert (answer, answer.finish_reason, answer.provider) == ("one two", "stop", "Plain")


def test_an_answer_that_was_cut_is_closed_and_has_no_usage():
    closed = []

    class Watched(Plain):
        def _deltas(self, call):
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
        ("Oslo, I think.", SCHEMA, "is not the JSON"),
        ("[1]", {"type": "json_object"}, "not the object"),
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


def test_without_jsonschema_only_the_syntax_is_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert Client(Plain('{"city": 1}')).ask("x", response_format=SCHEMA) == '{"city": 1}'
    with pytest.raises(ResponseFormatError):
        Client(Plain("no JSON")).ask("x", response_format=SCHEMA)


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


# Pictures.


def test_a_chat_that_draws_makes_pictures():
    picture = ImageResponse(["http://127.0.0.1/1.png", "http://127.0.0.1/2.png"], fetch=lambda url: PIXEL)
    provider = Scripted([picture], [picture])
    client = Client(provider)
    made = client.images.generate("a cat", model="dalle")
    assert [image.url for image in made.data] == ["http://127.0.0.1/1.png", "http://127.0.0.1/2.png"]
    assert (made.provider, made.model, provider.calls[0].model) == ("Scripted", "dalle", "dalle")
    encoded = client.images.generate("a cat", response_format="b64_json").data[0]
    assert encoded.b64_json == base64.b64encode(PIXEL).decode()
    assert encoded.url is None


def test_a_text_is_no_picture():
    with pytest.raises(ResponseFormatError, match="not a picture") as caught:
        Client(Scripted("I cannot draw.")).images.generate("a cat")
    assert caught.value.partial == "I cannot draw."


def test_the_first_of_several_that_draws():
    client = Client([Scripted("words"), Scripted([ImageResponse("http://127.0.0.1/1.png")])])
    assert client.images.generate("a cat").data[0].url == "http://127.0.0.1/1.png"
    with pytest.raises(AllProvidersFailedError) as caught:
        Client([Scripted("words"), Scripted("words")]).images.generate("a cat")
    assert len(caught.value.errors) == 2


def test_pictures_may_come_from_another_provider():
    picture = [ImageResponse("http://127.0.0.1/1.png")]
    client = Client(Scripted("words"), image_provider=Scripted(picture))
    assert client.images.generate("a cat").data[0].url == "http://127.0.0.1/1.png"
    assert client.ask("x") == "words"
    made = client.images.generate("a cat", provider=Scripted([ImageResponse("http://127.0.0.1/2.png")]))
    assert made.data[0].url == "http://127.0.0.1/2.png"


def test_options_for_pictures_that_a_chat_cannot_do_are_refused():
    with pytest.raises(TypeError, match="'size'"):
        Client(Scripted()).images.generate("a cat", size="1x1")
    with pytest.raises(ValueError, match="response_format"):
        Client(Scripted()).images.generate("a cat", response_format="png")


def test_the_embedded_model_draws_nothing():
    with pytest.raises(ProviderNotConfiguredError, match="draws no pictures"):
        Client(Local()).images.generate("a cat")


# g4f's oldest name, and the functions.


def test_chat_completion_gives_the_text_or_its_pieces(stand_in):
    stand_in.answer("one two", "one two")
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


def test_the_functions_do_what_a_client_does(monkeypatch):
    monkeypatch.setattr(choice, "instead", Plain("one two three", "one two three"))
    assert g4f_lite.ask("x", max_tokens=2) == "one two"
    assert "".join(g4f_lite.stream("x", stop="three")) == "one two "


# A conversation of a client.


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
    with pytest.raises(TypeError, match="password"):
        pickle.dumps(Client("groq", proxy="http://user:pass@127.0.0.1:1"))


def test_the_repr_shows_no_key():
    assert (
        repr(Client("groq", api_key="secret-key"))
        == "Client(OpenAICompatible(base_url='https://api.groq.com/openai/v1'))"
    )


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
        (Client().conversation, ["system", "messages"]),
        (ChatCompletion.create, ["model", "messages", "provider", "stream"]),
    ],
)
def test_signatures_and_docstrings_are_useful(function, names):
    assert set(names) <= inspect.signature(function).parameters.keys()
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


def test_a_chunk_costs_a_handful_of_calls():
    alone = calls_per_piece(lambda provider: provider.create_generator(messages="x"))
    through = calls_per_piece(lambda provider: Client(provider).chat.completions.create("x", stream=True))
    assert through - alone <= 6


def test_nothing_warns_in_an_ordinary_call():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(Scripted()).chat.completions.create("x", temperature=0)
