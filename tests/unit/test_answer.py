"""Whole answers: a text, its metadata, and its JSON."""

from __future__ import annotations

import copy
import json
import math
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import Answer, ResponseFormatError, ToolCall, Usage
from g4f_lite.answers.json_text import NotJsonError

from .streams import IMAGE

ANSWER = Answer(
    "text",
    usage=Usage(1, 2, 3),
    finish_reason="stop",
    model="m",
    provider="Test",
    seconds=1.25,
    reasoning="hm",
    tool_calls=[ToolCall("1", "f", "{}")],
    images=[IMAGE],
)


@pytest.mark.parametrize("remake", [copy.copy, copy.deepcopy, lambda answer: pickle.loads(pickle.dumps(answer))])
def test_an_answer_is_a_str_that_keeps_what_it_knows(remake: Callable[[Answer], Answer]) -> None:
    again = remake(ANSWER)
    assert type(again) is Answer
    assert again == "text" == ANSWER
    assert {**vars(again), "images": 0} == {**vars(ANSWER), "images": 0}
    assert again.images[0].urls == IMAGE.urls


def test_an_answer_as_json_types() -> None:
    assert ANSWER.to_dict()["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert ANSWER.to_dict()["images"] == IMAGE.urls
    assert ANSWER._repr_markdown_() == "<details><summary>Thoughts</summary>hm</details>\n\ntext"


def test_what_a_voice_said_is_kept_in_the_history() -> None:
    spoken = Answer("", message_fields={"audio": {"id": "audio_1", "data": "QUJD", "transcript": "Hello"}})
    assert spoken.to_message() == {"role": "assistant", "content": "Hello"}
    assert Answer("", message_fields={"audio": {"transcript": 5}}).to_message()["content"] == ""


def test_what_json_has_no_word_for_is_none() -> None:
    usage = Usage(1, 2, 3, extra={"queue": math.inf, "times": [math.nan, 0.5]})
    told = json.dumps(Answer("Hi", usage=usage).to_dict(), allow_nan=False)
    assert json.loads(told)["usage"]["extra"] == {"queue": None, "times": [None, 0.5]}


@pytest.mark.parametrize("text", ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}\n```\n'])
def test_json_is_read_also_in_a_fence(text: str) -> None:
    assert Answer(text).json() == {"a": 1}


@pytest.mark.parametrize("text", ['Here: {"a": 1}', "[1, 2", '```json\n{"a": 1}\n```\nDone.'])
def test_who_has_json_within_a_text_learns_how_it_is_found(text: str) -> None:
    with pytest.raises(ResponseFormatError, match="; ask with output=dict, which finds JSON within other text;"):
        Answer(text).json()


def test_no_json_is_an_error_of_ours_and_a_value_error() -> None:
    with pytest.raises(ResponseFormatError) as caught:
        Answer("prose", provider="Test").json()
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == (
        "Test: expected an answer in JSON: Expecting value: line 1 column 1 (char 0); "
        "the text is in .partial of this error"
    )
    assert caught.value.partial == "prose"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.partial) == (
        "Test: expected an answer in JSON: Expecting value: line 1 column 1 (char 0)",
        "",
    )


@pytest.mark.parametrize("parse", [lambda text: Answer(text).json(), lambda text: ToolCall("1", "f", text).args])
def test_a_text_that_is_not_json_is_shown_nowhere(parse: Callable[[str], Any]) -> None:
    """A service may have sent back a key, and no answer knows with which keys it was asked for."""
    for text in ("the-key", '{"a": the-key}', '["the-key"', "[" * 100_000 + "the-key", "9" * 5000):
        with pytest.raises(ResponseFormatError) as caught:
            parse(text)
        error = caught.value
        shown = [str(error), repr(error), *map(repr, vars(error.__cause__ or Exception()).values())]
        shown += ["".join(traceback.format_exception(error)), repr(pickle.dumps(error))]
        assert not any("the-key" in each or len(each) > 3000 for each in shown)
        assert error.partial == text
    for text in ('["the-key"]', '"\\"the-key\\""'):
        with pytest.raises(ResponseFormatError) as caught:
            _ = ToolCall("1", "f", text).args
        assert str(caught.value) == "expected a JSON object as the arguments; the text is in .partial of this error"
        assert "the-key" not in repr(caught.value)


HOSTILE = "no json\x1b]0;title\x07 \u202e turned\r\n\n  line " + "x" * 500


def test_arguments_that_are_not_json_are_quoted_for_the_model_short_and_harmless() -> None:
    with pytest.raises(NotJsonError) as caught:
        _ = ToolCall("1", "f", HOSTILE).args
    assert caught.value.for_the_model() == (
        "expected arguments in JSON: Expecting value: line 1 column 1 (char 0); "
        f"got 'no json\ufffd]0;title\ufffd \ufffd turned line {'x' * 47}…'"
    )
