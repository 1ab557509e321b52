"""The headers and cookies that a provider is given; what cannot be sent may be a secret, and is refused unseen."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from g4f_lite import OpenAICompatible

URL = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("name", ["X:Y", "X Y", "X\n", "", "Ü", "X(Y)", "{X}"])
def test_a_headers_name(name: str) -> None:
    with pytest.raises(ValueError, match="headers cannot be sent"):
        OpenAICompatible(URL, headers={name: "v"})
    assert OpenAICompatible(URL, headers={"X-Y_z.1": "v"}).headers == {"X-Y_z.1": "v"}


@pytest.mark.parametrize(("name", "value"), [("a", "b; c=d"), ("a;b", "c"), ("a=b", "c")])
def test_a_cookie(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cookies cannot be sent"):
        OpenAICompatible(URL, cookies={name: value})


@pytest.mark.parametrize("kind", ["headers", "cookies"])
@pytest.mark.parametrize("bad", ["a\nb", "a\r", "a ", "a\0", "€"])
def test_headers_and_cookies_that_cannot_be_sent_are_refused_unseen(kind: str, bad: str) -> None:
    with pytest.raises(ValueError, match=kind) as caught:
        OpenAICompatible(URL, **{kind: {"X-Key": f"canary{bad}"}})
    assert "canary" not in f"{caught.value!r}"


@pytest.mark.parametrize("bad", [{"X": 1}, {"X": b"a"}, {1: "a"}, ["a"], "X: a"])
def test_headers_of_other_types_are_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="headers"):
        OpenAICompatible(URL, headers=bad)


def test_cookies_beside_an_own_session_are_refused() -> None:
    with requests.Session() as session, pytest.raises(ValueError, match="cookies= and session="):
        OpenAICompatible(URL, session=session, cookies={"a": "b"})
