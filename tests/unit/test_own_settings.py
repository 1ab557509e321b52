"""The arguments of a provider of one's own tell its answers from those of others, and its keys are shown nowhere."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from g4f_lite import (
    AuthenticationError,
    BaseProvider,
    Body,
    Client,
    Finish,
    Local,
    OpenAICompatible,
    Prompt,
    Provider,
    Settings,
)
from g4f_lite.errors import G4FLiteError
from g4f_lite.providers.identity import identity_of
from g4f_lite.providers.local.base import EngineProvider
from g4f_lite.providers.own_settings import plain
from g4f_lite.providers.secret import Secret

URL = "http://quill.example/chat"


class Quill(Provider):
    """A provider with arguments of its own, which overrides nothing."""

    url = "http://quill.example"

    def __init__(self, *, user: Any = "ann", secret: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.who = (user, secret)

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", URL, json=prompt.messages, headers={"X-User": str(self.who[0])})

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield body.json()
        yield Finish()


class Keyed(Quill):
    """A provider that declares its key, which the environment may have."""

    api_key = Secret("QUILL_API_KEY")

    def __init__(self, *, api_key: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.api_key = api_key


class Color(Enum):
    RED = 1


@dataclass
class Account:
    name: str


@pytest.fixture
def service() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


@pytest.mark.parametrize(
    "other",
    [
        {"user": "bob", "secret": "the-good-secret"},
        {"user": "ann", "secret": "another-secret"},
        {"user": "ann"},
        {"user": "ann", "secret": "the-good-secret", "headers": {"X-Team": "red"}},
        {"user": "ann", "secret": "the-good-secret", "session": requests.Session()},
    ],
)
@pytest.mark.filterwarnings("ignore:.* to other questions than these:UserWarning")
def test_a_cache_and_a_store_give_nobody_the_answer_of_another(
    tmp_path: Path, service: responses.RequestsMock, other: dict[str, Any]
) -> None:
    service.post(URL, json="for ann")
    mine = {"user": "ann", "secret": "the-good-secret"}
    for provider, sent in ((Quill(**mine), 1), (Quill(**mine), 1), (Quill(**other), 2)):
        Client(provider, cache=tmp_path / "cache.db").ask("x")
        assert len(service.calls) == sent
    service.calls.reset()
    for provider, sent in ((Quill(**mine), 1), (Quill(**mine), 1), (Quill(**other), 2)):
        assert Client(provider).map(["x"], store=tmp_path / "store.db").texts() == ["for ann"]
        assert len(service.calls) == sent
    for file in tmp_path.iterdir():
        assert b"the-good-secret" not in file.read_bytes()


@pytest.mark.parametrize(
    "value", ["ann", 1, 1.5, None, True, ["a", {"b": (1,)}], {3, 2, 1}, b"x", Color.RED, Decimal("1.10")]
)
def test_equal_arguments_are_one_provider(value: Any) -> None:
    assert identity_of(Quill(user=value), None) == identity_of(Quill(user=copy.deepcopy(value)), None)
    assert identity_of(Quill(user=value), None) != identity_of(Quill(user="bob"), None)
    assert identity_of(pickle.loads(pickle.dumps(Quill(user=value))), None) == identity_of(Quill(user=value), None)


def test_what_may_hold_anything_is_equal_to_itself_alone() -> None:
    for value in (object(), lambda: "ann", requests.Session()):
        provider = Quill(user=value)
        assert identity_of(provider, None) == identity_of(provider, None)
        assert identity_of(provider, None) != identity_of(Quill(user=value), None)
    provider = Quill(user=Account)  # a class and a function have names
    assert identity_of(provider, None) == identity_of(Quill(user=Account), None)


def test_a_value_is_the_same_in_every_process() -> None:
    assert plain({"b", "c", "a"}, "") == ["builtins.set", ["a", "b", "c"]]
    assert plain({"b": 1, "a": Path("x")}, "") == plain({"a": Path("x"), "b": 1}, "")


def test_an_attribute_with_the_name_of_an_argument_counts_as_it_is_now() -> None:
    class Named(BaseProvider):
        def __init__(self, user: str) -> None:
            self._user = user
            self.calls = 0

        def begin(self, prompt: Prompt) -> Iterator[Any]:
            yield Finish()

    provider = Named("ann")
    before = identity_of(provider, None)
    provider.calls += 1
    assert identity_of(provider, None) == before == identity_of(Named(user="ann"), None)
    provider._user = "bob"
    assert identity_of(provider, None) != before
    keyed = Keyed(api_key="the-good-key")
    before = identity_of(keyed, None)
    keyed.api_key = "another-key"
    assert identity_of(keyed, None) != before


@pytest.mark.parametrize(
    "fields",
    [
        {"Authorization": "canary"},
        [("api-key", "canary")],
        {"pin": "canary"},
        {"inner": [{"token": "canary"}]},
        ["x", "the-canary"],
    ],
)
def test_no_pickle_has_a_secret_within_an_argument(fields: Any) -> None:
    class Holder(BaseProvider):
        def __init__(self, fields: Any, password: str) -> None:
            pass

        def begin(self, prompt: Prompt) -> Iterator[Any]:
            yield Finish()

    settings = Holder(fields, password="the-canary")._own_settings
    assert b"canary" not in pickle.dumps(settings.without(["the-canary"]))
    made = [OpenAICompatible("http://x.example", default_headers={"X-Key": "canary"})]
    made.append(OpenAICompatible("http://x.example", default_query={"key": "canary"}))
    for provider in made:
        assert b"canary" not in pickle.dumps(provider)


class Login(BaseProvider):
    def __init__(self, **arguments: Any) -> None:
        pass

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        yield Finish()


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("password", True),
        ("client_secret", True),
        ("pin", True),
        ("user_pin", True),
        ("pinned", False),
        ("spin", False),
        ("pins", False),
        ("keyboard", False),
    ],
)
def test_an_argument_is_a_secret_by_its_name(name: str, is_secret: bool) -> None:
    assert Login(**{name: "4711"}).secrets() == ["4711"] * is_secret


def test_a_key_is_the_same_from_an_argument_and_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "the-good-key")
    made = [OpenAICompatible.preset("groq", **given) for given in ({}, {"api_key": "the-good-key"}, {"api_key": None})]
    assert len({identity_of(provider, None) for provider in made}) == 1


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(Quill, {"secret": "the-good-secret"}), (Keyed, {"api_key": "the-good-secret"}), (Keyed, {})],
)
def test_no_error_pickle_or_repr_shows_a_secret(
    service: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, kind: type[Quill], settings: dict[str, str]
) -> None:
    monkeypatch.setenv("QUILL_API_KEY", "the-good-secret")
    service.post(URL, status=500, body="no answer for the-good-secret")
    provider = kind(retry=None, **settings)
    with pytest.raises(G4FLiteError) as caught:
        provider.ask("x")
    assert "the-good-secret" not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert "no answer for ***" in str(caught.value)
    assert b"the-good-secret" not in pickle.dumps(provider)
    assert "the-good-secret" not in repr(provider)
    assert "the-good-secret" not in repr(vars(copy.copy(provider)))


def test_a_key_that_was_not_pickled_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    there = pickle.loads(pickle.dumps(Keyed(api_key="the-good-secret")))
    with pytest.raises(AuthenticationError, match="was not pickled: set QUILL_API_KEY in the environment"):
        there.ask("x")
    monkeypatch.setenv("QUILL_API_KEY", "of-the-environment\n")
    there.check_ready()
    assert there.api_key == "of-the-environment"
    undeclared = pickle.loads(pickle.dumps(Quill(secret="the-good-secret")))
    with pytest.raises(AuthenticationError, match="create the provider again with secret="):
        undeclared.ask("x")


def test_a_missing_key_is_an_error_before_anything_is_sent() -> None:
    provider = Keyed()
    assert provider.api_key == ""
    with pytest.raises(AuthenticationError, match="the key is missing: set"):
        provider.stream("x")

    class Optional(Quill):
        api_key = Secret("QUILL_API_KEY", required=False)

    Optional().stream("x")


@pytest.mark.parametrize(("value", "error"), [(3, TypeError), ("", ValueError), ("a\nb", ValueError)])
def test_a_key_that_is_none_is_refused_and_not_shown(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^api_key= (is empty|must be a string)") as caught:
        Keyed(api_key=value)
    assert "a\nb" not in str(caught.value)


def test_its_class_gives_what_was_declared() -> None:
    assert isinstance(Keyed.api_key, Secret)
    assert Keyed.api_key.variable == "QUILL_API_KEY"


def test_all_settings_are_in_its_signature_and_in_settings() -> None:
    names = list(inspect.signature(Quill).parameters)
    assert names[:2] == ["user", "secret"]
    own = set(inspect.signature(Provider).parameters) - {"unknown"}
    assert set(names[2:]) == own
    assert set(Settings.__annotations__) == own
    for kind in (Local, EngineProvider):  # whose URL is nobody's choice
        assert "base_url" not in inspect.signature(kind).parameters


class Constructed(Quill):
    """A provider whose constructor has none of the arguments of its base class."""

    api_key = Secret("QUILL_API_KEY")
    known_options = frozenset({"mood"})

    def __init__(self, *, team: str = "blue", token: str | None = None) -> None:
        super().__init__()
        self.api_key = token


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Constructed(timeout=3),
            "Constructed does not accept timeout=, which every provider should; add **settings to its __init__, and",
        ),
        (lambda: Client(Constructed, retry=None), "Constructed does not accept retry=, which every provider should"),
        (lambda: Constructed(teem="red"), "Constructed does not accept teem=; try team="),
        (lambda: Constructed(api_key="x"), "Constructed does not accept api_key=; set QUILL_API_KEY in the environ"),
        (
            lambda: Client(Constructed, team="red"),
            "Client does not accept team=: pass it to the provider, as in Client(Constructed(team=…))",
        ),
        (
            lambda: Client(Constructed(), team="red"),
            "Client does not accept team=: pass it to the provider, as in Client(Constructed(team=…))",
        ),
        (
            lambda: Client(Constructed, mood="calm"),
            "Client does not accept mood=: pass mood= to the call, as in ask(…, mood=…)",
        ),
        (
            lambda: Client("echo", team="red"),
            "Client does not accept team=: pass an option to the call, as in ask(…, team=…), and a provider's setting",
        ),
    ],
)
def test_an_argument_that_a_constructor_does_not_have_is_named_with_what_it_does(make: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_a_missing_key_names_its_argument_only_where_there_is_one() -> None:
    for provider, remedy in (
        (Constructed(), "Constructed: the key is missing: set QUILL_API_KEY in the environment"),
        (Keyed(), "Keyed: the key is missing: set QUILL_API_KEY in the environment, or pass api_key="),
    ):
        with pytest.raises(AuthenticationError) as caught:
            provider.ask("Hello")
        assert str(caught.value) == remedy
