"""What is said where a prompt and its answer do not fit the context of the embedded model."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite.answers.deltas import Delta, Finish, Usage
from g4f_lite.messages import Message
from g4f_lite.providers.local.context import context_error, context_told, far_too_long
from g4f_lite.providers.local.slots import Slots

TOO_LONG: dict[str, Any] = {"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 640, "n_ctx": 512}}
ANOTHER_MODEL = "take a model that can have a larger one, or leave out earlier messages"


def test_a_prompt_that_does_not_fit_is_told_in_our_words() -> None:
    what = "the prompt has 640 tokens, 128 more than the context of 512; "
    assert (
        str(context_error(TOO_LONG, 512))
        == what + "make it larger with Local(context=2048), or leave out earlier messages"
    )
    assert str(context_error(TOO_LONG, 4096)) == what + ANOTHER_MODEL
    for most, advised in ((1200, 1200), (4096, 2048)):  # 640, and 512 for the answer
        assert f"Local(context={advised}), or" in str(context_error(TOO_LONG, 512, most))
    assert str(context_error(TOO_LONG, 512, 1000)) == what + ANOTHER_MODEL
    assert context_error({"error": {"type": "invalid_request_error"}}, 512) is None
    no_more = {"error": {**TOO_LONG["error"], "n_prompt_tokens": 512}}
    assert str(context_error(no_more, 512)).startswith("the prompt has 512 tokens, no fewer than the context of 512; ")


def test_a_document_that_does_not_fit_is_to_be_shortened() -> None:
    document: list[Message] = [{"role": "system", "content": "Sum up."}, {"role": "user", "content": "a" * 2500}]
    told = str(context_error(TOO_LONG, 4096, 1000, document))
    assert told.endswith(
        "; take a model that can have a larger one, or send a shorter prompt, of about 1000 characters"
    )
    turns: list[Message] = [*document, {"role": "assistant", "content": "It is a."}, document[1]]
    assert str(context_error(TOO_LONG, 4096, 1000, turns)).endswith(ANOTHER_MODEL)
    short: list[Message] = [{"role": "user", "content": "Count!"}]
    with pytest.warns(UserWarning, match="or send a shorter prompt$"):
        list(context_told(iter([Usage(12, 500, 512)]), 512, 512, None, short))


def test_an_answer_that_fills_the_context_warns() -> None:
    full: list[Delta] = ["x", Usage(12, 500, 512), Finish("length")]
    with pytest.warns(UserWarning, match=r"fill the context of 512; .*Local\(context=1024\), or leave out"):
        list(context_told(iter(full), 512, 512))
    for asked in (4096, 512):
        with pytest.warns(UserWarning, match=f"fill the context of 512; {ANOTHER_MODEL}"):
            list(context_told(iter(full), 512, asked, 512))
    with pytest.warns(UserWarning, match=r"Local\(context=700\), or leave out"):
        list(context_told(iter(full), 512, 512, 700))
    list(context_told(iter(["x", Usage(12, 499, 511), Finish("length")]), 512, 512))


@pytest.mark.parametrize(
    ("message", "tools"),
    [
        ({"role": "user", "content": "a" * 300_000}, None),
        ({"role": "user", "content": "a"}, [{"function": {"name": "f", "description": "a" * 300_000}}]),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "a" * 300_000}}]}, None),
    ],
)
def test_a_prompt_that_is_far_too_long_is_not_sent(message: Message, tools: Any) -> None:
    told = str(far_too_long([message], tools, 512, 512))
    assert told.startswith("the prompt has 300,0")
    assert "characters, far more than fit the context of 512 tokens; make it larger with Local(context=131072)" in told
    assert far_too_long([message], tools, 1024, 1024) is None


def test_a_call_of_a_tool_has_no_content() -> None:
    question: Message = {"role": "user", "content": "Which day is it? " * 20}
    call: Message = {"role": "assistant", "tool_calls": [{"function": {"name": "today", "arguments": "{}"}}]}
    slots = Slots(1)
    for messages in ([question], [question, call]):
        with slots.lend(messages) as slot:
            assert slot == 0
    told = str(context_error(TOO_LONG, 4096, 1000, [call, question]))
    assert "send a shorter prompt, of about" in told
