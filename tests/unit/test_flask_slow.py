"""What waits for a browser that reads slowly takes about as much as the text."""

from __future__ import annotations

from collections.abc import Generator
from itertools import repeat

import flask

from g4f_lite import Finish
from g4f_lite.answers.deltas import Delta, Reasoning, Refusal
from g4f_lite.answers.stream import AnswerStream
from g4f_lite.contrib.flask.reader import LONG, MANY, End, Item, Reader

PATIENCE = 30  # seconds
PIECES = 20_000


def waiting_of(deltas: Generator[Delta, None, None]) -> list[Item]:
    """Return what a reader keeps of an answer, none of which was sent yet."""
    app = flask.Flask("app")
    with app.test_request_context():
        reader = Reader(AnswerStream(lambda: deltas, provider="Plain"), app, None)
    reader.start()
    reader._thread.join(PATIENCE)
    return list(reader._arrived)


def numbers() -> Generator[Delta, None, None]:
    yield from (f"{number} " for number in range(PIECES))
    yield Finish()


def thoughts() -> Generator[Delta, None, None]:
    yield from repeat(Reasoning("hm"), PIECES)
    yield from ("yes", Finish())


def refusals() -> Generator[Delta, None, None]:
    yield from repeat(Refusal("no"), PIECES)
    yield Finish()


def test_many_short_pieces_are_joined() -> None:
    *pieces, end = waiting_of(numbers())
    assert isinstance(end, End)
    assert end.error is None
    text = "".join(map(str, pieces))
    assert text == str(end.answer) == "".join(f"{number} " for number in range(PIECES))
    assert len(pieces) <= MANY + 1 + len(text) / LONG + 1
    assert pieces[0] == "0 "


def test_what_a_browser_is_not_sent_does_not_wait() -> None:
    assert [item for item in waiting_of(thoughts()) if not isinstance(item, End)] == [Reasoning("hm"), "yes"]


def test_refusals_wait_as_text() -> None:
    *pieces, _ = waiting_of(refusals())
    assert "".join(map(str, pieces)) == "no" * PIECES
    assert len(pieces) <= MANY + 1 + 2 * PIECES / LONG + 1
