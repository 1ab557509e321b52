"""How often one call is sent: ``retry=`` of a call, ``with_options``, ``max_retries``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tenacity

from g4f_lite import Client, Fallback, OpenAICompatible, RateLimitError, ResponseStatusError, RetryPolicy
from g4f_lite.timeout import Timeout

from .conftest import Provide
from .openai_answers import HELLO, refused
from .raw_server import RawServer, every

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")

BUSY = refused({"message": "busy"}, "503 Service Unavailable", "Retry-After: 0")
POLICY = RetryPolicy(attempts=2, backoff=0)

WAYS: dict[str, tuple[int, Callable[[Client], object]]] = {
    "ask": (2, lambda client: client.ask("hi", retry=POLICY)),
    "create": (2, lambda client: client.chat.completions.create("hi", retry=POLICY)),
    "stream": (2, lambda client: client.stream("hi", retry=POLICY).text()),
    "conversation": (2, lambda client: client.conversation().ask("hi", retry=POLICY)),
    "once": (1, lambda client: client.ask("hi", retry=None)),
    "the provider's own": (4, lambda client: client.ask("hi")),
    "named as its own": (4, lambda client: client.ask("hi", retry="own")),
    "tenacity": (2, lambda client: client.ask("hi", retry=tenacity.Retrying(stop=tenacity.stop_after_attempt(2)))),
    "with_options": (3, lambda client: client.with_options(max_retries=2).ask("hi")),
    "with_options, none": (1, lambda client: client.with_options(max_retries=0).ask("hi")),
    "with_options, a policy": (2, lambda client: client.with_options(retry=POLICY).ask("hi")),
    "with_options, once": (1, lambda client: client.with_options(retry=None).ask("hi")),
    "the call before with_options": (2, lambda client: client.with_options(max_retries=5).ask("hi", retry=POLICY)),
    "twice with_options": (1, lambda client: client.with_options(max_retries=0).with_options(timeout=9).ask("hi")),
    "copy": (1, lambda client: client.copy(max_retries=0).ask("hi")),
    "images": (2, lambda client: client.images.generate("a cat", retry=POLICY)),
    "images with_options": (1, lambda client: client.with_options(max_retries=0).images.generate("a cat")),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("way", WAYS)
def test_attempts_of_one_call(way: str, provide: Provide) -> None:
    attempts, call = WAYS[way]
    with RawServer(every(*[BUSY] * 9)) as server:
        client = Client(provide(server, retry=RetryPolicy(attempts=4, backoff=0)))
        with pytest.raises(ResponseStatusError) as raised:
            call(client)
        assert len(server.requests) == attempts
    assert raised.value.attempts == attempts


@pytest.mark.parametrize("budget", [0, 2])
def test_the_budget_of_a_policy_holds_for_the_calls_that_have_it(provide: Provide, budget: int) -> None:
    policy = RetryPolicy(attempts=9, backoff=0, budget=budget)
    with RawServer(every(*[BUSY] * 9)) as server:
        client = Client(provide(server, retry=RetryPolicy(attempts=4, backoff=0)))
        failed = client.map(["one", "two", "three"], workers=1, retry=policy)
        assert failed.texts() == [None] * 3
        assert len(server.requests) == 3 + budget
        assert all(
            "not sent again: too many calls of this provider are failing" in result.error_text for result in failed
        )
        with pytest.raises(ResponseStatusError):
            client.ask("hi")  # whose policy leaves more
        assert len(server.requests) == 3 + budget + 4


def test_a_chain_hands_it_to_its_members(provide: Provide) -> None:
    with RawServer(every(BUSY, HELLO)) as first, RawServer(every(HELLO)) as second:
        chain = Fallback([provide(first, retry=POLICY), provide(second)])
        assert Client(chain).ask("hi", retry=None) == "Hello"
        assert (len(first.requests), len(second.requests)) == (1, 1)


def test_max_retries_of_a_client() -> None:
    with RawServer(every(*[BUSY] * 9)) as server, Client(base_url=server.url, model="m", max_retries=1) as client:
        with pytest.raises(ResponseStatusError):
            client.ask("hi")
        assert len(server.requests) == 2
        assert client.usage.retries == 1


def test_retries_that_succeed_are_counted(provide: Provide) -> None:
    with RawServer(every(BUSY, BUSY, HELLO)) as server:
        client = Client(provide(server, retry=RetryPolicy(attempts=3, backoff=0)))
        client.ask("hi")
    assert (client.usage.calls, client.usage.failures, client.usage.retries) == (1, 0, 2)


def test_a_call_that_is_sent_once_does_not_wait_for_the_rate_limit_of_another(provide: Provide) -> None:
    limited = refused({"message": "slow down"}, "429 Too Many Requests", "Retry-After: 30")
    with RawServer(every(limited, HELLO)) as server:
        client = Client(provide(server, retry=RetryPolicy(max_retry_after=1)))
        with pytest.raises(RateLimitError):
            client.ask("hi")
        assert client.ask("hi", retry=None) == "Hello"


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"retry": 3}, TypeError, "retry must be a RetryPolicy, a tenacity.Retrying or None, not int"),
        ({"retry": "twice"}, TypeError, "retry must be a RetryPolicy"),
        ({"retry": tenacity.AsyncRetrying()}, TypeError, "synchronous"),
        ({"max_retries": 3}, TypeError, r"'max_retries': pass retry=RetryPolicy\(attempts="),
    ],
)
def test_retries_of_a_call_that_make_no_sense(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    client = Client(OpenAICompatible("http://127.0.0.1:9/v1"))
    for call in (client.ask, client.stream, client.chat.completions.create):
        with pytest.raises(kind, match=message):
            call("hi", **options)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"max_retries": -1}, ValueError, "max_retries must be at least 0, not -1"),
        ({"max_retries": 1.5}, TypeError, "max_retries must be a whole number"),
        ({"max_retries": True}, TypeError, "max_retries must be a whole number"),
        ({"max_retries": 1, "retry": None}, TypeError, "the same setting"),
        ({"retry": 3}, TypeError, "retry must be a RetryPolicy"),
        ({"timeout": 0}, ValueError, "more than 0 seconds"),
        ({"proxy": "nowhere"}, ValueError, "proxy must be a URL"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Client("ollama", **options)
    with pytest.raises(kind, match=message):
        Client("ollama").with_options(**options)


def test_a_setting_of_a_provider_needs_a_new_client() -> None:
    with pytest.raises(TypeError, match="with_options has no option 'api_key'; pass api_key= to a new Client"):
        Client("ollama").with_options(api_key="k")


def test_the_timeout_of_a_copy_is_for_all_of_its_calls() -> None:
    client = Client("ollama", timeout=9, ask_timeout=3)
    assert client.with_options(timeout=5)._router.ask_timeout is None
    assert client.with_options(model="m")._router.ask_timeout == Timeout.of(3)


def test_with_options_changes_the_copy_alone(provide: Provide) -> None:
    with RawServer(every(HELLO)) as server:
        client = Client(provide(server))
        other = client.with_options(timeout=7, model="other")
        assert (other.model, client.model) == ("other", None)
        assert other._router.timeout == Timeout.of(7)
        assert client._router.timeout is None
        assert other.provider is client.provider
        other.ask("hi")
        assert server.requests[0].json["model"] == "other"
        assert other.chat is not client.chat
