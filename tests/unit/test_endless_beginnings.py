"""What a service sends before the answer, for as long as it likes, is kept in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Generator, Iterator
from typing import Any

import flask
import pytest

from g4f_lite import Client, Fallback, Finish, ResponseFormatError, Usage
from g4f_lite.answers import buffer
from g4f_lite.answers.deltas import Attached, Delta, Identity, OtherChoice, ToolCallDelta
from g4f_lite.answers.stream import AnswerStream
from g4f_lite.client import completion_stream, text_limits
from g4f_lite.client.text_limits import TextLimits
from g4f_lite.contrib.flask.reader import End, Reader
from g4f_lite.prompt import Prompt
from g4f_lite.providers.base import BaseProvider
from g4f_lite.typed import ways
from g4f_lite.typed.ways import arguments_as_text

BIG = 10_000  # characters of each
MANY = 400
LIMIT = 500_000
PATIENCE = 30  # seconds
KEPT_BYTES = 2_000_000  # at most; all together are more than 4,000,000

READERS: dict[str, Callable[[BaseProvider], Any]] = {
    "start": lambda provider: provider.create_generator(messages="x").start(),
    "create": lambda provider: Client(provider).chat.completions.create("x", stream=True),
    "chain": lambda provider: Client(Fallback([provider, provider])).stream("x").start(),
}


class Plain(BaseProvider):
    """Answers with deltas, and counts those that were taken."""

    name = "Plain"

    def __init__(self, deltas: Callable[[], Iterator[Delta]]) -> None:
        self._of = deltas
        self.taken = 0

    def begin(self, prompt: Prompt) -> Generator[Delta, None, None]:
        for delta in self._of():
            self.taken += 1
            yield delta


def big(number: int) -> str:
    return f"{number}".ljust(BIG, "x")


def usages() -> Iterator[Delta]:
    yield Identity("a")
    for number in range(MANY):
        yield Usage(1, number, extra={"x": big(number)})
    yield from ("text", Finish())


def fields() -> Iterator[Delta]:
    yield from (Attached({"annotations": [big(number)]}) for number in range(MANY))
    yield from ("text", Finish())


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "MAX_ATTACHED_BYTES", LIMIT)
    for module in (ways, text_limits):
        monkeypatch.setattr(module, "MAX_BYTES", LIMIT)


@pytest.mark.parametrize("reader", READERS)
def test_of_many_usages_the_last_is_kept(reader: str) -> None:
    tracemalloc.start()
    try:
        stream = READERS[reader](Plain(usages))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < KEPT_BYTES
    answer = stream if isinstance(stream, AnswerStream) else stream._answer
    assert list(answer.deltas()) == [Identity("a"), Usage(1, MANY - 1), "text", Finish()]
    assert answer.text() == "text"


@pytest.mark.parametrize("reader", READERS)
def test_more_fields_than_are_kept_of_an_answer_are_an_error(reader: str) -> None:
    provider = Plain(fields)
    with pytest.raises(ResponseFormatError, match="before the answer is larger than what is kept") as caught:
        READERS[reader](provider)
    assert caught.value.provider == "Plain"
    assert provider.taken == LIMIT // BIG  # each is a little larger than its text


def test_what_came_before_the_content_is_given_once_and_before_it() -> None:
    deltas = [Identity("a"), Attached({"own": 1}), OtherChoice(1, Attached({"own": 2})), "b", "c", Finish()]
    stream = Plain(lambda: iter(deltas)).create_generator(messages="x")
    reading = stream.deltas()
    assert next(reading) == deltas[0]
    assert [*stream.start().start().deltas()] == deltas[1:]


def test_fields_without_an_end_come_in_chunks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion_stream, "MOST_WAITING", 3 * BIG)
    texts = [big(number) for number in range(8)]
    deltas = ["a", *(Attached({"own": [text]}) for text in texts), "b", Finish()]
    stream = Client(Plain(lambda: iter(deltas))).chat.completions.create("x", stream=True)
    told = [(each.content, (each.extra or {}).get("own")) for each in (chunk.choices[0].delta for chunk in stream)]
    assert told == [("a", None), (None, texts[:3]), (None, texts[3:6]), ("b", texts[6:]), (None, None)]


def test_text_before_a_call_is_bounded() -> None:
    taken: list[int] = []

    def deltas() -> Generator[Delta, None, None]:
        for number in range(MANY):
            taken.append(number)
            yield big(number)
        yield ToolCallDelta(0, "id", "f", "{}")

    with pytest.raises(ResponseFormatError, match="before the call of a tool is longer than 500,000 characters"):
        list(arguments_as_text(deltas()))
    assert len(taken) == LIMIT // BIG + 1


def test_blanks_behind_the_last_token_end_the_answer() -> None:
    limits = TextLimits(max_tokens=1)
    assert limits.feed("a") == "a"
    fed = 0
    while limits.reason is None and fed < MANY:
        fed += 1
        assert limits.feed(" " * BIG) == ""
    assert (fed, limits.reason) == (LIMIT // BIG + 1, "length")


def test_a_slow_browser_leaves_nothing_waiting_that_it_is_not_sent() -> None:
    app = flask.Flask("app")
    with app.test_request_context():
        reader = Reader(Plain(usages).create_generator(messages="x"), app, None)
    reader.start()
    reader._thread.join(PATIENCE)
    assert [item if isinstance(item, str) else type(item) for item in reader._arrived] == ["text", End]
