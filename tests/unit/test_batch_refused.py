"""Prompts and settings of a batch that are refused: which item is named, and what is kept of those before it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import (
    Client,
    Fallback,
    ModelNotSupportedError,
    OpenAICompatible,
    Prompt,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
)
from g4f_lite.batch.result import position_of
from g4f_lite.messages import last_user_message

from .batch_providers import Refuses, Shout, numbered


@pytest.fixture
def shout() -> Shout:
    return Shout()


@pytest.fixture
def client(shout: Shout) -> Client:
    return Client(shout)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("one prompt", "prompts is a str: map takes many prompts"),
        (b"bytes", "prompts is a bytes: map takes many prompts"),
        ({"prompt": "one"}, "prompts is a dict: map takes many prompts"),
        ([{"role": "user", "content": "one"}], "prompts is a list of messages: map takes many prompts"),
        (5, "prompts must be an iterable of prompts, not int"),
        (["good", 5], r"prompts\[1\]: a prompt must be a string, a list of messages or a dict, not 5"),
        (
            ["good", {"text": "x"}],
            r"prompts\[1\]: a dict needs either 'prompt' or 'messages', and has neither: \['text'\]",
        ),
        (["good", {"prompt": "x", "messages": []}], r"prompts\[1\]: .* and has both"),
        (["good", {"prompt": "x", 5: 6}], r"prompts\[1\]: a dict needs the names of arguments, not 5"),
        (["good", {"prompt": "x", "system": 5}], r"prompts\[1\]: system must be a string, not int"),
    ],
)
def test_what_is_not_a_batch_is_refused_at_the_call(client: Client, shout: Shout, prompts: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        client.map(prompts)
    assert shout.asked == []


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (["good", ""], r"prompts\[1\]: the prompt is empty; leave out what is empty first"),
        (["good", " \n"], r"prompts\[1\]: the prompt is empty"),
        (
            ["good", float("nan")],
            r"prompts\[1\]: the cell of a table is empty \(nan\); leave such rows out first, as dropna",
        ),
        (["good", None], r"prompts\[1\]: the cell of a table is empty \(None\)"),
        (["good", 5], r"prompts\[1\]: a prompt must be"),
        (["good", [{"role": "nobody", "content": "x"}]], r"prompts\[1\]: messages\[0\] has the role 'nobody'"),
        (["good", {"prompt": "x", "model": "unknown"}], r"prompts\[1\]: .*no model unknown"),
    ],
)
def test_a_bad_prompt_in_a_list_is_named_before_anything_is_sent(
    client: Client, shout: Shout, prompts: Any, message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        client.map(prompts)
    assert shout.asked == []


def test_a_bad_prompt_of_an_iterator_comes_after_the_results_before_it(client: Client) -> None:
    results = client.map(iter(["one", "two", 5, "four"]), workers=4)
    seen: list[Any] = []
    with pytest.raises(TypeError, match=r"prompts\[2\]: a prompt must be"):
        seen.extend(result.text for result in results)
    assert seen == ["ONE", "TWO"]
    assert results.texts() == ["FOUR"]


def test_an_error_of_the_generator_comes_after_the_results_before_it(client: Client) -> None:
    def prompts() -> Iterator[str]:
        yield "one"
        raise ZeroDivisionError

    results = client.map(prompts())
    seen: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(result.text for result in results)
    assert seen == ["ONE"]


@pytest.mark.parametrize("prompts", [list, lambda: iter([])])
def test_no_prompts_have_no_results(
    client: Client, shout: Shout, tmp_path: Path, prompts: Callable[[], Iterable[str]]
) -> None:
    results = client.map(prompts(), store=tmp_path / "answers.db", progress=False)
    assert [list(results), results.texts(), results.outputs(), results.head(2), results.failed] == [[]] * 5
    assert (results.usage.done, results.so_far.texts(), shout.asked) == (0, [], [])


def test_an_empty_series_of_pandas_gives_an_empty_one(client: Client) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["a", None]}).iloc[1:].dropna()
    results = client.map(frame["text"])
    frame["answer"] = results.texts()
    assert (frame["answer"].tolist(), len(results.to_frame()), results.estimate().calls) == ([], 0, 0)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"workers": 0}, ValueError, "workers must be at least 1"),
        ({"workers": "many"}, TypeError, "workers must be a whole number or 'auto', not 'many'"),
        ({"workers": 2.5}, TypeError, "workers must be a whole number"),
        ({"on_error": "ignore"}, ValueError, "on_error must be 'return' or 'raise', not 'ignore'"),
        ({"max_pause": "1 h"}, TypeError, "max_pause must be seconds, not str"),
        ({"max_pause": 100_000}, ValueError, "max_pause must be from 0 to 86400 seconds, a day, not 100000"),
        ({"max_failures_in_a_row": 0}, ValueError, "max_failures_in_a_row must be at least 1"),
        ({"rpm": 0}, ValueError, "rpm must be above 0"),
        ({"tpm": "many"}, TypeError, "tpm must be a number"),
        ({"progress": "yes"}, TypeError, "progress must be True, False or None"),
        ({"store": 5}, TypeError, "store must be a path, not int"),
        ({"model": "unknown"}, ModelNotSupportedError, r"prompts\[0\]: .*no model unknown"),
    ],
)
def test_bad_settings_are_refused_at_the_call(
    client: Client, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        client.map(["one"], **settings)


def test_an_option_that_a_provider_does_not_support_is_refused_at_the_call() -> None:
    with pytest.raises(TypeError, match=r"prompts\[0\]: .*has no option 'temprature'"):
        Client(OpenAICompatible("http://127.0.0.1:9/v1", model="m")).map(["one"], temprature=1)


def test_on_error_raise_raises_where_it_is_read(client: Client) -> None:
    results = client.map(["one", "fail", "three"], on_error="raise")
    with pytest.raises(ServiceError, match="fail"):
        list(results)
    assert results[2].text == "THREE"


@pytest.mark.parametrize("kind", [list, iter])
def test_what_raised_is_asked_again_when_the_results_are_read_again(kind: Any) -> None:
    class Recovering(Shout):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            if "fail" in self.asked and last_user_message(prompt.messages) == "fail":
                prompt = replace(prompt, messages=[{"role": "user", "content": "better"}])
            yield from super().begin(prompt)

    shout = Recovering()
    results = Client(shout).map(kind(["one", "fail", "three"]), on_error="raise", workers=1)
    with pytest.raises(ServiceError, match="fail"):
        list(results)
    assert [result.text for result in results][-2:] == ["BETTER", "THREE"]
    assert sorted(shout.asked) == ["better", "fail", "one", "three"]


@pytest.mark.parametrize(
    ("labels", "index", "kind", "told"),
    [
        (None, 3, IndexError, "there is no result 3: 3 results, numbered from 0"),
        (None, -4, IndexError, "there is no result -4: 3 results, numbered from 0"),
        (None, "7", TypeError, "'7' is not the number of a result: 3 results, numbered from 0"),
        (["a", "b"], 2, IndexError, "there is no result 2: 2 results, numbered from 0"),
        ([1000], 1000, IndexError, "1 result, numbered from 0; by label: results.outputs()[1000]"),
        (["a"], "a", TypeError, "1 result, numbered from 0; by label: results.outputs()['a']"),
        (["a"], slice(2), TypeError, "numbered from 0; several: results.head(n), or results.so_far[a:b]"),
    ],
)
def test_a_result_that_is_not_there_says_how_results_are_numbered(
    labels: list[Any] | None, index: Any, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as caught:
        position_of(index, len(labels or "abc"), labels)
    assert str(caught.value).endswith(told)


def test_a_result_that_is_not_there_is_an_error_with_few_lines(client: Client, shout: Shout) -> None:
    results = client.map(numbered(3))
    for index in (3, "3"):
        with pytest.raises((IndexError, TypeError)) as caught:
            results[index]  # type: ignore[index]
        assert len(traceback.extract_tb(caught.value.__traceback__)) <= 4
    assert (results[-1].text, shout.asked) == ("PROMPT 2", ["prompt 2"])


@pytest.mark.once
@pytest.mark.parametrize("max_pause", [86_400, 60])
def test_a_prompt_that_the_last_of_a_chain_refuses_holds_up_no_other(max_pause: float) -> None:
    """The first one asks for two hours, for which the others need not wait."""
    busy = Refuses(lambda text, count: RateLimitError("busy", status=429, retry_after=7200))
    last = Refuses(lambda text, count: ResponseStatusError("filtered", status=400) if text == "prompt 3" else None)
    results = Client(Fallback([busy, last])).map(numbered(300), workers=2, max_pause=max_pause, progress=False)
    assert [result.index for result in results if result.error] == [3]
    assert results.usage.done == 300  # more than are read ahead of one that is waited for
    assert len(last.asked) == 300
