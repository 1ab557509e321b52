"""The answers of a provider are told from those of another by what it reads elsewhere, and by a session of its own."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import requests

from g4f_lite import BaseProvider, Fallback, Local, OpenAICompatible, Secret
from g4f_lite.providers.identity import identity_of
from g4f_lite.providers.registry import make_provider, provider_names

from .test_own_settings import Account, Quill


class SigningSession(requests.Session):
    """Send what it gets as another user would."""


class FromEnvironment(Quill):
    """A provider that reads what it is not given elsewhere."""

    def __init__(
        self, *, team: Any = None, region: str = "north", limit: int = 3, budget: int = 9, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.team = team or TEAM["now"]
        self._region = region
        self.limits = limit, budget  # a provider over HTTP has a ``budget`` of its own


class Derived(FromEnvironment):
    """A provider that leaves the arguments to its base class."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)


TEAM: dict[str, Any] = {}


@pytest.mark.parametrize("kind", [FromEnvironment, Derived])
def test_what_a_constructor_reads_in_place_of_an_argument_tells_it_from_others(kind: type[Quill]) -> None:
    TEAM["now"] = "red"
    red, again = kind(), kind()
    TEAM["now"] = "blue"
    blue = kind()
    assert red.identity() == {"team": [None, "red"]}  # and not what is as the class says
    assert identity_of(red, None) == identity_of(again, None) != identity_of(blue, None)
    assert identity_of(pickle.loads(pickle.dumps(red)), None) == identity_of(red, None)


def test_it_does_not_matter_where_a_setting_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyed(Quill):
        pin = Secret("QUILL_PIN")

        def __init__(
            self, *, user: str | None = None, team: str = "a", pin: str | None = None, **settings: Any
        ) -> None:
            super().__init__(**settings)
            self.user, self.team, self.pin = user or os.environ["QUILL_USER"], team, pin

    def of(**settings: Any) -> str:
        return identity_of(Keyed(**settings), None)

    monkeypatch.setenv("QUILL_USER", "ann")
    monkeypatch.setenv("QUILL_PIN", "one-two-three")
    assert {of(user="ann"), of(pin="one-two-three"), of(team="a"), of(user="ann", pin="one-two-three")} == {of()}
    assert len({of(), of(user="bob"), of(pin="another"), of(team="b")}) == 4


def test_an_object_that_a_constructor_makes_in_place_of_an_argument_is_equal_to_itself_alone() -> None:
    TEAM["now"] = object()
    one, other = FromEnvironment(), FromEnvironment()
    assert identity_of(one, None) == identity_of(one, None) != identity_of(other, None)
    TEAM["now"] = None
    assert FromEnvironment().identity() == {}


@pytest.mark.parametrize("make", [Local, lambda: Fallback([OpenAICompatible("http://here.test/v1"), Local()])])
def test_the_embedded_model_is_the_same_in_every_process(make: Callable[[], BaseProvider]) -> None:
    assert identity_of(make(), None) == identity_of(make(), None)
    assert identity_of(Local("smollm2"), None) != identity_of(Local("smollm2", context=512), None)


@pytest.mark.parametrize("name", provider_names())
def test_each_provider_of_ours_is_the_same_in_every_process(name: str) -> None:
    settings = {"base_url": "http://here.test"} if name in ("AiEngine", "OpenAICompatible") else {}
    assert identity_of(make_provider(name, **settings), None) == identity_of(make_provider(name, **settings), None)


def test_a_provider_may_say_what_tells_it_from_others() -> None:
    class Alone(Quill):
        def identity(self) -> Any:
            return self.who[0]

    assert identity_of(Alone(user=Account("ann")), None) == identity_of(Alone(user=Account("ann")), None)
    assert identity_of(Alone(user=Account("ann")), None) != identity_of(Alone(user=Account("bob")), None)


def test_a_session_of_ones_own_says_whose_the_answers_are() -> None:
    def of(name: str, value: str) -> str:
        session = requests.Session()
        if name == "cookie":
            session.cookies.set("login", value)
        elif name == "auth":
            session.auth = ("user", value)
        elif name == "cert":
            session.cert = (f"{value}.pem", "key.pem")
        else:
            session.headers["X-User"] = value
        return identity_of(Quill(session=session), None)

    for name in ("cookie", "auth", "cert", "header"):
        assert of(name, "ann") == of(name, "ann")
        assert of(name, "ann") != of(name, "bob")


def test_a_certificate_of_ones_own_says_whose_the_answers_are() -> None:
    ann, again, bob = (Quill(cert=f"{user}.pem") for user in ("ann", "ann", "bob"))
    assert identity_of(ann, None) == identity_of(again, None) != identity_of(bob, None)
    assert identity_of(ann, None) != identity_of(Quill(), None)
    assert identity_of(Quill(cert=("ann.pem", "a.key")), None) != identity_of(Quill(cert=("ann.pem", "b.key")), None)


def test_an_adapter_that_may_sign_matches_itself_alone() -> None:
    class Signing(requests.adapters.HTTPAdapter):
        """Send what it gets with a header of its own."""

    def made(adapter: requests.adapters.HTTPAdapter) -> Quill:
        session = requests.Session()
        session.mount("https://quill.test/", adapter)
        return Quill(session=session)

    ann, bob = made(Signing()), made(Signing())
    assert identity_of(ann, None) == identity_of(ann, None) != identity_of(bob, None)
    plain_one, other = (made(requests.adapters.HTTPAdapter(pool_maxsize=size)) for size in (1, 2))
    assert identity_of(plain_one, None) == identity_of(other, None)


def test_a_session_of_another_class_is_not_the_same() -> None:
    made = [Quill(session=kind()) for kind in (requests.Session, SigningSession, requests.Session)]
    plain_one, other, again = (identity_of(provider, None) for provider in made)
    assert plain_one == again != other


def test_a_function_that_gives_the_key_is_not_another_one() -> None:
    def key_of(user: str) -> Any:
        return lambda: f"key-of-{user}"

    ann, bob = (OpenAICompatible.preset("groq", api_key=key_of(user)) for user in ("ann", "bob"))
    assert identity_of(ann, None) == identity_of(ann, None) != identity_of(bob, None)
