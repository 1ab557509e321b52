"""What seldom happens: arguments of a wrong kind, names that there are not, settings that cannot be followed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

import g4f_lite.testing
from g4f_lite import Client, Conversation, Fallback, OpenAICompatible
from g4f_lite.http.log import log_to_stderr
from g4f_lite.testing import Echo, Scripted


class _WithArgument(Echo):
    def __init__(self, planet: str) -> None: ...


URL = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: Fallback("echo"), TypeError, "needs a list of providers, as in Fallback"),
        (lambda: Fallback(5), TypeError, "needs a list of providers, not int"),  # type: ignore[arg-type]
        (lambda: Conversation("echo").ask(5), TypeError, "prompt must be a string or a list of messages, not int"),  # type: ignore[arg-type]
        (lambda: Conversation("echo").ask(Path("a.txt")), TypeError, r"not \w+Path: pass its \.read_text\(\)$"),  # type: ignore[arg-type]
        (lambda: Echo().ask(Path("a.txt")), TypeError, r"not \w+Path: pass its \.read_text\(\)$"),
        (
            lambda: Client("echo").chat.completions.create("x", response_format="json"),  # type: ignore[call-overload]
            TypeError,
            "response_format must be a dict",
        ),
        (lambda: OpenAICompatible(URL, model="m").generate_image("x", colour="red"), TypeError, "colour"),
        (lambda: Fallback([_WithArgument]), TypeError, "_WithArgument needs planet="),
        (lambda: Client("echo").images.generate("x", proxy="no proxy"), ValueError, "proxy"),
        (lambda: g4f_lite.testing.Nothing, AttributeError, "has no attribute 'Nothing'"),
    ],
)
def test_is_told_at_once(wrong: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        wrong()


def test_a_level_of_the_log_that_there_is_not_is_a_warning() -> None:
    handlers = list(logging.getLogger("g4f_lite").handlers)
    with pytest.warns(UserWarning, match="G4F_LITE_LOG must be info or debug, not 'loud'"):
        log_to_stderr("loud")
    assert logging.getLogger("g4f_lite").handlers == handlers


def test_a_ca_bundle_may_be_a_path() -> None:
    with OpenAICompatible(URL, model="m", verify=Path("/ca.pem")) as provider:  # type: ignore[arg-type]
        assert provider.route().verify == str(Path("/ca.pem"))


def test_a_chain_tells_its_members_and_their_models() -> None:
    chain = Fallback([Echo(), Scripted()])
    assert chain.get_models() == []
    assert repr(chain).startswith("Fallback([")
    assert "Echo" in repr(chain)
