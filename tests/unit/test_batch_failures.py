"""Failures in a batch: which of them are of one prompt, how many stop it, and what is sent once more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import responses
import tenacity

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    BatchStoppedError,
    Client,
    ContextLengthExceededError,
    DeadlineExceededError,
    EmptyResponseError,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    OutputError,
    ProviderError,
    RateLimitError,
    RefusalError,
    ResponseFormatError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.batch.causes import FailuresInARow, is_hopeless, may_be_sent_again
from g4f_lite.providers.failure_words import is_of_one_prompt

from .batch_providers import Refuses, numbered

SKIPPED = ProviderError("skipped", skipped=True)
OF_ONE_PROMPT = [
    ContextLengthExceededError("too long", status=400),
    ServiceError("filtered", status=400),
    ResponseStatusError("no", status=422),
    OutputError("no value of the type"),
    RefusalError("no"),
    EmptyResponseError("empty", finish_reason="stop"),
    AuthenticationError("blocked", status=403),
    AllProvidersFailedError("none", errors=[SKIPPED, ServiceError("filtered", status=400)]),
]
OF_SERVICE = [
    ResponseStatusError("boom", status=500),
    EmptyResponseError("empty"),
    StreamInterruptedError("cut"),
    TransportError("refused"),
    DeadlineExceededError("late"),
    KeyError("a defect"),
    SKIPPED,
    AllProvidersFailedError("none", errors=[SKIPPED, AllProvidersFailedError("none", errors=[SKIPPED])]),
    AllProvidersFailedError("none", errors=[TransportError("down"), ServiceError("filtered", status=400)]),
]


def asks(error_of: Callable[[str, int], G4FLiteError | None]) -> tuple[Refuses, Client]:
    provider = Refuses(error_of)
    return provider, Client(provider)


@pytest.mark.parametrize("error", OF_ONE_PROMPT, ids=repr)
@pytest.mark.parametrize("workers", [1, 4])
def test_what_is_of_one_prompt_keeps_no_other_from_being_asked(error: G4FLiteError, workers: int) -> None:
    assert is_of_one_prompt(error)
    provider, client = asks(lambda text, count: error if text.startswith("bad") else None)
    prompts = ["first", *(f"bad {number}" for number in range(40)), *numbered(5)]
    results = client.map(prompts, workers=workers, progress=False)
    assert results.head(1).texts() == ["FIRST"]
    assert [result.text for result in results if result.error is None] == [
        text.upper() for text in prompts if not text.startswith("bad")
    ]
    assert (results.usage.failures, len(provider.asked)) == (40, 46)


@pytest.mark.parametrize("error", OF_SERVICE, ids=repr)
def test_what_any_prompt_would_have_met_counts_as_a_failure_of_the_service(error: Exception) -> None:
    assert not is_of_one_prompt(error)
    failures = FailuresInARow(2)
    assert failures.add(error) is None
    too_many = failures.add(error)
    assert too_many is not None
    assert not too_many.of_prompts


def test_prompts_that_are_too_long_may_come_first() -> None:
    """Where nothing has been answered yet, as in a table that is sorted by length."""
    _, client = asks(lambda text, count: OF_ONE_PROMPT[0] if count <= 40 else None)
    results = client.map(numbered(50), workers=1, progress=False)
    assert [result.index for result in results if result.error is None] == [*range(40, 50)]


def test_a_service_that_fails_at_each_prompt_in_such_a_way_stops_the_batch() -> None:
    provider, client = asks(lambda text, count: None if count == 1 else EmptyResponseError("empty", finish_reason=""))
    results = client.map(numbered(200), workers=1, max_failures_in_a_row=3, progress=False)
    with pytest.raises(BatchStoppedError) as stopped:
        list(results)
    assert str(stopped.value) == (
        "the batch stopped after 1 answer and 15 failures: Refuses, stream: empty; it stops after 15 prompts in a row "
        "that fail for reasons of their own, or 5 × N with max_failures_in_a_row=N; reading the results again goes on"
    )
    assert (len(provider.asked), results.stops_again) == (16, True)
    with pytest.raises(BatchStoppedError, match="after 1 answer and 30 failures"):
        list(results)
    assert provider.asked[16:18] == ["prompt 16", "prompt 17"]


def test_failures_of_the_service_count_though_others_are_between_them() -> None:
    down = ResponseStatusError("boom", status=500)
    provider, client = asks(lambda text, count: OF_ONE_PROMPT[0] if count % 2 else down)
    results = client.map(numbered(50), workers=1, max_failures_in_a_row=4, progress=False)
    with pytest.raises(
        BatchStoppedError, match="; it stops after 4 failures in a row, or N with max_failures_in_a_row"
    ):
        list(results)
    assert (len(provider.asked), results.stops_again) == (8, False)


def test_a_key_that_is_refused_before_the_first_answer_is_no_matter_of_one_prompt() -> None:
    provider, client = asks(lambda text, count: AuthenticationError("blocked", status=403))
    with pytest.raises(BatchStoppedError, match=r"blocked$"):
        client.map(numbered(9), workers=1, progress=False).texts()
    assert len(provider.asked) == 1
    error = AllProvidersFailedError("none", errors=[AuthenticationError("blocked", status=403)])
    assert [is_hopeless(error, has_answered=False), is_hopeless(error, has_answered=True)] == [True, False]
    assert is_hopeless(AuthenticationError("wrong", status=401), has_answered=True)


def test_an_answer_that_was_cut_is_asked_for_once_more_at_the_end() -> None:
    provider, client = asks(lambda text, count: StreamInterruptedError("cut", attempts=1) if count in (1, 3) else None)
    results = client.map(numbered(4), workers=1, progress=False)
    assert results.texts() == [text.upper() for text in numbered(4)]
    assert provider.asked == ["prompt 0", "prompt 1", "prompt 2", "prompt 3", "prompt 0", "prompt 2"]
    assert (results.usage.calls, results.usage.failures) == (4, 0)


def test_an_answer_that_is_cut_twice_has_failed() -> None:
    cut = StreamInterruptedError("cut", attempts=1)
    provider, client = asks(lambda text, count: cut if text == "prompt 0" else None)
    results = client.map(numbered(2), workers=1, progress=False)
    assert ([result.error for result in results], results[0].attempts) == ([cut, None], 2)
    assert (results.usage.retries, len(provider.asked)) == (1, 3)


def test_many_answers_that_are_cut_at_once_do_not_stop_the_batch() -> None:
    """As those in progress when a server is started anew."""
    all_in_progress = threading.Barrier(32)

    def cut(text: str, count: int) -> G4FLiteError | None:
        if count > 32:
            return None
        all_in_progress.wait(60)
        return StreamInterruptedError("cut")

    _, client = asks(cut)
    results = client.map(numbered(60), workers=32, max_failures_in_a_row=2, progress=False)
    assert results.texts() == [text.upper() for text in numbered(60)]


def test_a_service_that_cuts_all_answers_stops_the_batch() -> None:
    provider, client = asks(lambda text, count: StreamInterruptedError("cut"))
    results = client.map(iter(numbered(10_000)), workers=4, max_failures_in_a_row=5, progress=False)
    with pytest.raises(BatchStoppedError, match="it stops after 5 failures in a row"):
        list(results)
    assert len(provider.asked) < 100


def test_without_retries_no_answer_is_asked_for_again() -> None:
    provider, client = asks(lambda text, count: StreamInterruptedError("cut"))
    results = client.map(["one"], retry=None, progress=False)
    assert (results[0].error is not None, provider.asked) == (True, ["one"])


def test_a_prompt_at_which_a_server_fails_is_sent_once_more_at_the_end() -> None:
    provider, client = asks(lambda text, count: ResponseStatusError("boom", status=500) if count in (2, 3) else None)
    results = client.map(numbered(4), workers=1, progress=False)
    assert results.texts() == [text.upper() for text in numbered(4)]
    assert provider.asked == [f"prompt {number}" for number in (0, 1, 2, 3, 1, 2)]


def test_a_prompt_at_which_a_server_fails_twice_has_failed() -> None:
    down = ResponseStatusError("boom", status=500, attempts=3)
    provider, client = asks(lambda text, count: down if text == "prompt 1" else None)
    results = client.map(numbered(3), workers=1, progress=False)
    assert ([result.error for result in results], results[1].attempts) == ([None, down, None], 6)
    assert len(provider.asked) == 4


def test_a_server_that_has_answered_nothing_fails_at_each_prompt_once() -> None:
    provider, client = asks(lambda text, count: ResponseStatusError("boom", status=500))
    with pytest.raises(BatchStoppedError, match="after 0 answers and 4 failures"):
        client.map(numbered(50), workers=1, max_failures_in_a_row=4, progress=False).texts()
    assert len(provider.asked) == 4


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        (None, 2),
        (RetryPolicy(attempts=1), 2),
        (tenacity.Retrying(stop=tenacity.stop_after_attempt(2)), 3),
        (RetryPolicy(attempts=2, backoff=0), 5),
    ],
)
@responses.activate
def test_a_prompt_is_not_sent_once_more_where_the_policy_of_the_provider_is_to_make_calls_once(
    policy: Any, sent: int
) -> None:
    url = "https://one.test/v1/chat/completions"
    asked = [
        responses.post(url, json={"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}),
        responses.post(url, status=500, json={}),
    ]
    client = Client(OpenAICompatible("https://one.test/v1", model="m", retry=policy))
    results = client.map(["good", "bad"], workers=1, progress=False)
    assert [result.text for result in results] == ["Hi", None]
    assert sum(one.call_count for one in asked) == sent


def after_calls(error: G4FLiteError) -> G4FLiteError:
    error.after_calls = True  # the functions would be called again
    return error


def in_answer(error: ServiceError) -> ServiceError:
    error.in_answer = True  # the service failed itself
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StreamInterruptedError("cut"), (True, True)),
        (after_calls(StreamInterruptedError("cut")), (False, False)),
        (StreamInterruptedError("cut", may_retry=False), (False, False)),
        (ResponseStatusError("boom", status=500), (False, True)),
        (after_calls(ResponseStatusError("boom", status=500)), (False, False)),
        (ServiceError("boom", status=500, may_retry=False), (False, False)),
        (in_answer(ServiceError("The server had an error", status=500)), (False, True)),
        (ServiceError("no such option", status=None), (False, False)),
        (ResponseFormatError("got a web page", status=200), (False, True)),
        (ResponseFormatError("more than 64 MiB", partial="a"), (False, False)),
        (OutputError("no city"), (False, False)),
        (ResponseStatusError("filtered", status=400), (False, False)),
        (RateLimitError("busy", status=503), (False, False)),  # is waited for
        (DeadlineExceededError("late", limit="read", partial="half"), (False, False)),
        (DeadlineExceededError("late", limit="total"), (False, True)),
        (after_calls(DeadlineExceededError("late", limit="total")), (False, False)),
        (DeadlineExceededError("no connection", limit="connect"), (False, False)),
        (TransportError("refused"), (False, False)),
        (AllProvidersFailedError("none", errors=[ResponseStatusError("boom", status=500)]), (False, True)),
        (AllProvidersFailedError("none", errors=[TransportError("refused")]), (False, False)),
    ],
)
def test_which_prompts_may_be_sent_again_before_and_after_the_first_answer(
    error: G4FLiteError, expected: tuple[bool, bool]
) -> None:
    assert (may_be_sent_again(error, has_answered=False), may_be_sent_again(error, has_answered=True)) == expected


def test_an_error_names_the_model_that_was_asked_unless_a_chain_or_the_server_chose_it() -> None:
    named, nameless = (OpenAICompatible("http://127.0.0.1:9/v1", model=model, retry=None) for model in ("big", None))
    for provider, model in ((named, "big"), (nameless, None), (Fallback([named, nameless]), None)):
        result = Client(provider).map(["one"], progress=False)[0]
        assert (type(result.error).__name__.endswith("Error"), result.model) == (True, model)


def test_a_prompt_of_which_nothing_came_in_time_is_asked_once_more_at_the_end() -> None:
    late = [DeadlineExceededError("late"), DeadlineExceededError("long", partial="half")]
    provider, client = asks(lambda text, count: late.pop(0) if text in ("prompt 2", "prompt 3") and late else None)
    results = client.map(numbered(5), workers=1, progress=False)
    assert [result.text for result in results] == ["PROMPT 0", "PROMPT 1", "PROMPT 2", None, "PROMPT 4"]
    assert provider.asked == ["prompt 0", "prompt 1", "prompt 2", "prompt 3", "prompt 4", "prompt 2"]


def test_a_service_that_answers_nothing_in_time_any_more_stops_the_batch() -> None:
    late = [DeadlineExceededError("late"), AllProvidersFailedError("none", errors=[DeadlineExceededError("late")])]
    provider, client = asks(lambda text, count: late[count % 2] if count > 1 else None)
    results = client.map(numbered(50), workers=1, max_failures_in_a_row=4, progress=False)
    with pytest.raises(BatchStoppedError, match="it stops after 4 failures in a row"):
        list(results)
    assert (len(provider.asked), results.usage.failures) == (5, 0)


def test_what_all_prompts_say_alike_before_the_first_answer_stops_the_batch_earlier() -> None:
    """As a model that thinks longer than max_tokens: a hundred such answers may be paid for."""
    provider, client = asks(
        lambda text, count: EmptyResponseError(f"no text after {count} tokens", finish_reason="length")
    )
    results = client.map(numbered(200), workers=1, max_failures_in_a_row=7, progress=False)
    with pytest.raises(BatchStoppedError, match="it stops after 7 prompts that fail alike before the first answer"):
        list(results)
    assert (len(provider.asked), results.stops_again) == (7, False)
