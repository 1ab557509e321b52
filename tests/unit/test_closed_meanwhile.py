"""An answer that is closed in one thread while another reads it, through what stands between them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from g4f_lite import AnswerStream, Client, Conversation, Fallback, StreamInterruptedError
from g4f_lite.testing import Scripted


class SlowToClose(Scripted):
    """A provider whose answers take their time to be closed."""

    def __init__(self) -> None:
        super().__init__(["one", "two"])
        self.closing, self.may_close = threading.Event(), threading.Event()

    def begin(self, prompt):  # type: ignore[no-untyped-def]
        try:
            yield from super().begin(prompt)
        finally:
            self.closing.set()
            self.may_close.wait(10)


WAYS: dict[str, Callable[[SlowToClose], AnswerStream]] = {
    "provider": lambda provider: provider.create_generator(messages="Count."),
    "chain": lambda provider: Fallback([provider]).create_generator(messages="Count."),
    "client": lambda provider: Client(provider).stream("Count.", stop="three"),
    "conversation": lambda provider: Conversation(provider).stream("Count."),
}


def read_while_it_is_closed(provider: SlowToClose, stream: AnswerStream) -> None:
    assert next(stream) == "one"
    closer = threading.Thread(target=stream.close)
    closer.start()
    try:
        assert provider.closing.wait(10)
        with pytest.raises(StreamInterruptedError, match="closed"):
            next(stream)
    finally:
        provider.may_close.set()
        closer.join(10)


@pytest.mark.parametrize("way", WAYS)
def test_the_reader_is_told_that_it_was_closed(way: str) -> None:
    provider = SlowToClose()
    read_while_it_is_closed(provider, WAYS[way](provider))


def test_the_turn_is_kept_once_where_that_is_wanted() -> None:
    provider = SlowToClose()
    conversation = Conversation(Fallback([provider]), keep_interrupted=True)
    read_while_it_is_closed(provider, conversation.stream("Count."))
    assert [message["content"] for message in conversation.messages] == ["Count.", "one"]
