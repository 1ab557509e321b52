"""``check_provider`` cuts an answer also within the mark of its end, and takes one that is only an image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from g4f_lite import Body, Delta, Finish, ImageResponse, Prompt, StreamInterruptedError
from g4f_lite.testing import Reply, check_provider

from .quill_provider import REPLIES, Plain, Quill

LINES = Reply("T Olá\nT  garça\n~ length\n", headers={"Content-Type": "application/x-lines"})


class Careless(Quill):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        for line in body.lines():
            kind, _, rest = line.decode("utf-8", "replace").partition(" ")
            if kind == "~":
                yield self.finish(body, rest)
            else:
                yield rest

    def finish(self, body: Body, reason: str) -> Finish:
        return Finish(reason)


class Careful(Careless):
    def finish(self, body: Body, reason: str) -> Finish:
        if body.ends_in_line:
            raise StreamInterruptedError("the end was cut")
        return Finish(reason)


@pytest.mark.once
def test_a_mark_of_the_end_that_is_cut_is_no_end() -> None:
    replies = {**REPLIES, "/chat": LINES}
    check_provider(partial(Careful, api_key="the-good-key"), replies, text="Olá garça")
    with pytest.raises(
        AssertionError, match=r"^an answer that is cut in its end has finish_reason '.*'; if body\.ends_in_line is true"
    ):
        check_provider(partial(Careless, api_key="the-good-key"), replies, text="Olá garça")


class Draws(Plain):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield ImageResponse(f"{self.base_url}{body.json()['path']}", "a swan")
        yield Finish()


@pytest.mark.once
def test_an_answer_may_be_nothing_but_an_image() -> None:
    check_provider(Draws, {"/say": '{"path": "/swan.png"}'}, text="/swan.png")
    with pytest.raises(AssertionError, match=r"^the answer, sent whole, is read as '/swan\.png'"):
        check_provider(Draws, {"/say": '{"path": "/swan.png"}'}, text="/heron.png")
