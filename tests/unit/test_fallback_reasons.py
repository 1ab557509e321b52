"""The error of a chain says for each member why it did not answer, also for one that was not asked."""

from __future__ import annotations

import pickle
import time
import warnings
from typing import Any, NamedTuple

import pytest
import responses

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    Client,
    Fallback,
    G4FLiteError,
    ModelNotSupportedError,
    OpenAICompatible,
    OutputError,
    Prompt,
    QuotaExceededError,
    RateLimitError,
    TransportError,
)
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN, CircuitBreaker
from g4f_lite.providers.hooks import listing
from g4f_lite.providers.turns import members_of
from g4f_lite.testing import Echo, Scripted

SERVER = "http://127.0.0.1:9/v1"


class City(NamedTuple):
    name: str


def reasons(chain: Fallback) -> list[str]:
    with pytest.raises(AllProvidersFailedError) as caught:
        chain.ask("Hello", retry=None)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_the_error_has_a_line_for_each() -> None:
    chain = Fallback([Scripted(TransportError("no network")), Scripted(RateLimitError("slow down"))])
    with pytest.raises(AllProvidersFailedError) as caught:
        chain.create(messages="Hello")
    assert str(caught.value).splitlines()[1:] == ["  Scripted: no network", "  Scripted: slow down"]
    assert [type(error) for error in caught.value.errors] == [TransportError, RateLimitError]
    assert [str(error) for error in pickle.loads(pickle.dumps(caught.value)).errors] == [
        "Scripted: no network",
        "Scripted: slow down",
    ]


FIRST, SECOND, OTHER = "http://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1", "http://127.0.0.1:8001/v2"


@pytest.mark.parametrize(
    ("urls", "own", "names"),
    [
        ((FIRST, SECOND), None, ("OpenAICompatible (127.0.0.1:8001)", "OpenAICompatible (127.0.0.1:8002)")),
        ((FIRST, OTHER), None, ("OpenAICompatible (127.0.0.1:8001/v1)", "OpenAICompatible (127.0.0.1:8001/v2)")),
        ((FIRST, FIRST), None, ("OpenAICompatible", "OpenAICompatible")),
        ((FIRST, SECOND), "mine", ("mine", "OpenAICompatible")),
    ],
)
@responses.activate
def test_servers_of_one_name_are_told_apart_by_their_addresses(
    urls: tuple[str, str], own: str | None, names: tuple[str, str]
) -> None:
    for url in set(urls):
        responses.post(f"{url}/chat/completions", status=500)
    chain = Fallback([OpenAICompatible(urls[0], model="m", name=own), OpenAICompatible(urls[1], model="m")])
    assert tuple(line.partition(", prompt: ")[0] for line in reasons(chain)) == names
    responses.replace(responses.POST, f"{urls[1]}/chat/completions", json={"choices": [{"message": {"content": "hi"}}]})
    if urls[0] != urls[1]:
        assert chain.ask("Hello", retry=None).provider == names[1]
        assert [provider.name for provider in chain.providers] == [own or "OpenAICompatible", "OpenAICompatible"]


@pytest.mark.parametrize("asked", [None, "skiff"])
@responses.activate
def test_members_of_one_service_are_told_apart_by_their_models(asked: str | None) -> None:
    harbor = [Scripted(TransportError("no network"), model=model) for model in ("skiff", "galleon")]
    chain = Fallback([*harbor, OpenAICompatible(FIRST, model="m")])
    responses.post(f"{FIRST}/chat/completions", status=401)
    with pytest.raises(AllProvidersFailedError) as caught:
        chain.ask("Hello", model=asked, retry=None)
    names = ["Scripted (model 'skiff')", "Scripted (model 'galleon')", "OpenAICompatible"]
    assert [error.provider for error in caught.value.errors] == names
    assert [line.partition(": ")[0].strip() for line in str(caught.value).splitlines()[1:3]] == names[:2]


def test_members_that_no_address_and_no_model_tells_apart_have_both_in_their_names() -> None:
    places = [(FIRST, "a"), (FIRST, "b"), (SECOND, "a")]
    members = members_of([OpenAICompatible(url, model=model) for url, model in places], time.monotonic)
    assert [member.name.removeprefix("OpenAICompatible ") for member in members] == [
        "(127.0.0.1:8001/v1 model 'a')",
        "(127.0.0.1:8001/v1 model 'b')",
        "(127.0.0.1:8002/v1 model 'a')",
    ]


def test_the_one_that_answers_is_told_apart_by_its_model_from_others_of_its_name() -> None:
    told: list[tuple[list[str | None], str]] = []
    down = [TransportError("no network"), TransportError("no network")]
    chain = Fallback(
        [Scripted(*down, model="skiff"), Scripted("Hi", "Hi", model="galleon")],
        on_fallback=lambda errors, answering: told.append(([error.provider for error in errors], answering)),
    )
    galleon = "Scripted (model 'galleon')"
    assert [chain.ask("Hello", model=model, retry=None).provider for model in (None, "sloop")] == [galleon] * 2
    assert told == [(["Scripted (model 'skiff')"], galleon)] * 2


class TextOnly(Scripted):
    def check(self, prompt: Prompt) -> None:
        prompt.check_text_only("TextOnly")


def test_a_program_is_told_who_failed_before_another_answers() -> None:
    told: list[tuple[list[tuple[str | None, str]], str]] = []
    chain = Fallback(
        [TextOnly("one"), OpenAICompatible(SERVER, model="m", name="my box"), Scripted("three", "four")],
        on_fallback=lambda errors, name: told.append(([(error.provider, str(error)) for error in errors], name)),
    )
    with responses.RequestsMock() as service:
        service.post(f"{SERVER}/chat/completions", status=401)
        assert chain.ask("Hello", images=b"\x89PNG\r\n\x1a\n") == "three"
    (errors, answering) = told[0]
    assert ([name for name, _ in errors], answering) == (["TextOnly", "my box"], "Scripted")
    assert [text.partition(":")[0] for _, text in errors] == ["TextOnly", "my box, prompt"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AuthenticationError("no such key", status=401), "rejected its key: Scripted: no such key"),
        (AuthenticationError("no key: set GROQ_API_KEY"), "has no usable key: Scripted: no key: set GROQ_API_KEY"),
        (ModelNotSupportedError("no such model"), "lacks its model: Scripted: no such model"),
        (QuotaExceededError("no credit", status=429), "has used up its quota: Scripted: no credit"),
        (TransportError("no network"), None),
    ],
)
def test_what_is_wrong_with_a_member_is_a_warning(error: G4FLiteError, told: str | None) -> None:
    chain = Fallback([Scripted(error), Scripted("two")])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert chain.ask("Hello") == "two"
    expected = [f"another provider answers, as this one {told}"] if told else []
    assert [str(warning.message) for warning in caught] == expected
    assert {warning.filename for warning in caught} <= {__file__}


def test_a_member_without_the_model_of_a_call_is_a_warning_once() -> None:
    class Knowing(Scripted):
        def get_model(self, name: str | None = None) -> str | None:
            if name not in (None, "small"):
                raise ModelNotSupportedError(f"it has no model {name!r}")
            return name

    chain = Fallback([Scripted("one", "two", "three", "four"), Knowing()])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for model in (None, "small", "large", "larger"):
            chain.ask("Hello", model=model)
    (warning,) = caught
    assert str(warning.message) == (
        "Knowing will be skipped for lack of the model 'large'; to let each member use its own model, "
        "name this one with its provider, as in 'Scripted:large'"
    )
    assert warning.filename == __file__
    Fallback([Scripted("one", model="large"), Knowing()]).ask("Hello", model="large")  # each has its own, as is advised


@pytest.mark.parametrize(("strangers", "own", "warned"), [(False, None, 1), (True, None, 0), (False, "large", 0)])
def test_a_member_whose_service_says_that_it_lacks_the_model_of_a_call_is_a_warning_once(
    strangers: bool, own: str | None, warned: int
) -> None:
    lacking = ModelNotSupportedError("no such model", status=404)
    chain = Fallback([Scripted(lacking, lacking, model="small"), Echo(model=own)])
    if strangers:  # name the models, as the clients of a server do
        chain.told_lacking = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            assert chain.ask("Hello", model="large").provider == "Echo"
    said = "another provider answers, as this one lacks the model of the call: Scripted: no such model"
    assert [str(warning.message) for warning in caught] == [said] * warned
    assert {warning.filename for warning in caught} <= {__file__}


def test_nobody_is_told_where_the_first_one_answers() -> None:
    told: list[object] = []
    chain = Fallback([Scripted("one"), Scripted("two")], on_fallback=lambda *arguments: told.append(arguments))
    assert (chain.ask("Hello"), told) == ("one", [])


def test_a_function_that_fails_does_not_lose_the_answer() -> None:
    def note(errors: object, answering: str) -> None:
        raise OSError("No space left on device")

    chain = Fallback([Scripted(TransportError("no network")), Scripted("Hi")], on_fallback=note)
    with pytest.warns(UserWarning, match=r"^on_fallback failed, and the answer goes on: OSError: No space left"):
        assert chain.ask("Hello", retry=None) == "Hi"


@pytest.mark.parametrize("function", [lambda errors: None, lambda errors, name, more: None, "note"])
def test_a_function_that_cannot_be_called_with_errors_and_a_name_is_refused_at_once(function: Any) -> None:
    with pytest.raises(TypeError, match=r"^on_fallback must (be a function|take two arguments, the errors and the na)"):
        Fallback([Scripted("one")], on_fallback=function)


def test_a_pickled_chain_tells_the_same_function() -> None:
    assert pickle.loads(pickle.dumps(Fallback([OpenAICompatible(SERVER)], on_fallback=print))).on_fallback is print


def test_a_member_that_is_skipped_keeps_its_reason() -> None:
    down = Scripted(*[TransportError("no network")] * FAILURES_TO_OPEN)
    chain = Fallback([down, Scripted(RateLimitError("slow down", retry_after=99))], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        reasons(chain)
    assert reasons(chain) == [
        "Scripted: skipped, because it failed before (the connection failed); it will be tried again in 30 s",
        "Scripted: skipped, because it failed before (too many requests); try again in 99 s",
    ]


def test_that_a_member_was_not_asked_is_a_fact_of_its_error() -> None:
    """For want of what the prompt has, and for a while; and, as ``test_fallback_each`` has it, of time."""
    down, busy = TransportError("no network"), RateLimitError("slow down", retry_after=99)
    members = [TextOnly(), Scripted(*[down] * FAILURES_TO_OPEN), Scripted(busy), Scripted(*[down] * 4)]
    chain = Fallback(members, clock=lambda: 1000.0)
    for skipped in ([True, False, False, False], *[[True, False, True, False]] * 2, [True, True, True, True]):
        with pytest.raises(AllProvidersFailedError) as caught:
            chain.ask("Hello", images=b"\x89PNG\r\n\x1a\n", retry=None)
        assert [error.skipped for error in pickle.loads(pickle.dumps(caught.value)).errors] == skipped


def test_a_wait_is_not_said_to_be_the_services_where_it_is_that_of_three_failures() -> None:
    breaker = CircuitBreaker(lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(RateLimitError("slow down", retry_after=20))
    skipped = breaker.skipped(breaker.wait(), "Groq")
    assert str(skipped) == "Groq: skipped, because it failed before (too many requests); try again in 30 s"


def test_the_reason_of_a_chain_in_a_chain_is_one_line() -> None:
    inner = Fallback([Scripted(*[TransportError("no network")] * FAILURES_TO_OPEN)], clock=lambda: 1000.0)
    chain = Fallback([inner], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        assert len(reasons(chain)) == 2
    expected = "skipped, because it failed before (no provider answered); it will be tried again in 30 s"
    assert reasons(chain) == [f"Fallback: {expected}"]


def test_a_member_that_lacked_its_key_is_asked_when_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Fallback(["groq:m"], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN + 1):
        assert reasons(chain) == ["Groq: no key: set GROQ_API_KEY in the environment, or give api_key="]
    monkeypatch.setenv("GROQ_API_KEY", "a-key")
    with responses.RequestsMock() as service:
        service.post("https://api.groq.com/openai/v1/chat/completions", status=503)
        assert "status 503" in reasons(chain)[0]


def test_where_an_answer_does_not_fit_its_type_each_member_is_asked_in_a_loop() -> None:
    weak, good = Scripted("rubbish", "rubbish"), Scripted('{"name": "Oslo"}')
    client, errors = Client(), []
    with pytest.raises(OutputError):
        client.ask("Hello", output=City, provider=Fallback([Scripted("rubbish", "rubbish"), Scripted()]))
    for provider in (weak, good):
        try:
            city = client.ask("Hello", output=City, provider=provider)
            break
        except G4FLiteError as error:
            errors.append(type(error))
    assert (city, errors) == (City("Oslo"), [OutputError])


@responses.activate
def test_the_models_of_a_chain_are_those_of_its_members_that_list_any() -> None:
    """Each member's own first, which is asked where none is named."""
    responses.get(f"{SERVER}/models", json={"data": [{"id": "embedder"}, {"id": "large"}, {"id": "small"}]})
    down = "http://127.0.0.2:9/v1"
    responses.get(f"{down}/models", status=401)
    server, broken = OpenAICompatible(SERVER, model="small"), OpenAICompatible(down, model="lost")
    expected = ["small", "embedder", "large", "tiny"]
    chain = Fallback([broken, server, Scripted(model="tiny"), server])
    assert chain.get_models() == expected
    listed = Client(chain).models.list()
    assert [model.id for model in listed] == expected
    owners = ["OpenAICompatible (127.0.0.1:9)"] * 3 + ["Scripted"]
    assert [model.owned_by for model in listed] == owners
    with pytest.raises(AllProvidersFailedError, match=r"no provider listed its models:\n  .*401") as caught:
        Fallback([broken]).get_models()
    assert len(caught.value.errors) == 1


def test_a_model_that_several_members_of_a_chain_have_is_owned_by_them_all() -> None:
    chain = Fallback([Scripted(model="small"), Echo(model="small"), Echo(model="large")])
    assert {model.id: model.owned_by for model in Client(chain, models={"gpt-4": "small"}).models.list()} == {
        "gpt-4": "Scripted or Echo (model 'small')",
        "small": "Scripted or Echo (model 'small')",
        "large": "Echo (model 'large')",
    }


def test_the_models_of_a_chain_are_listed_with_the_clients_settings() -> None:
    class Noting(Scripted):
        def get_models(self) -> list[str]:
            timeout = listing.get().timeout
            return [f"{timeout and timeout.total:g}"]

    assert Client(Fallback([Noting()]), timeout=5).models.get_all() == ["5"]
