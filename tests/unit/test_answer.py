"""Whole answers: a text, its metadata, and its JSON."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import Answer, ResponseFormatError, ToolCall, Usage

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


@pytest.mark.parametrize("text", ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}\n```\n'])
def test_json_is_read_also_in_a_fence(text: str) -> None:
    assert Answer(text).json() == {"a": 1}


def test_no_json_is_an_error_of_ours_and_a_value_error() -> None:
    with pytest.raises(ResponseFormatError, match="Test: expected an answer in JSON, got 'prose': Expecting") as caught:
        Answer("prose", provider="Test").json()
    assert isinstance(caught.value, ValueError)
    assert caught.value.partial == "prose"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


HOSTILE = "no json\x1b]0;title\x07 \u202e turned\r\n\n  line " + "x" * 500


@pytest.mark.parametrize("parse", [lambda text: Answer(text).json(), lambda text: ToolCall("1", "f", text).args])
def test_what_is_not_json_is_quoted_short_and_harmless(parse: Callable[[str], Any]) -> None:
    with pytest.raises(ResponseFormatError) as caught:
        parse(HOSTILE)
    quoted = (
        f"got 'no json\ufffd]0;title\ufffd \ufffd turned line {'x' * 47}…': Expecting value: line 1 column 1 (char 0)"
    )
    assert str(caught.value).endswith(quoted)
    assert caught.value.partial == HOSTILE
    for text in ("[" * 100_000, '{"a": ' * 100_000, "9" * 5000):
        with pytest.raises(ResponseFormatError) as caught:
            parse(text)
        assert len(str(caught.value)) < 300
    with pytest.raises(ResponseFormatError, match=r"^expected a JSON object as the arguments, got '\[1, 2\]'$"):
        _ = ToolCall("1", "f", "[1,\n2]").args
