"""What a finish reason is worth: some services send one before the end, and what follows belongs to the answer."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite import Client, ResponseFormatError, StreamInterruptedError

from .conftest import Provide
from .openai_answers import STOP, data, piece, streamed
from .raw_server import Connection, RawServer, chunked, every
from .test_events_of_servers import MAY_BE_PIECES

USAGE = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
CALL = piece({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]})
CUT = "the answer ended without the end that its protocol requires"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("lost", MAY_BE_PIECES)
def test_behind_the_end_there_are_no_pieces(lost: str, provide: Provide) -> None:
    with RawServer(every(streamed(piece({"content": "Hello"}, "stop"), MAY_BE_PIECES[lost]))) as server:
        assert provide(server).create(messages="hi") == "Hello"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("lost", MAY_BE_PIECES)
def test_a_piece_behind_what_is_lost_shows_that_the_answer_was_not_over(lost: str, provide: Provide) -> None:
    first = piece({"content": "Take the pill "}, "stop")
    with (
        RawServer(every(streamed(first, MAY_BE_PIECES[lost], piece({"content": "feel well."}, "stop")))) as server,
        pytest.raises(ResponseFormatError) as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "Take the pill "


@pytest.mark.sampled(3)
@pytest.mark.parametrize("lost", MAY_BE_PIECES)
def test_where_every_piece_has_a_finish_reason_none_may_be_lost(lost: str, provide: Provide) -> None:
    pieces = [piece({"content": "Take "}, "stop"), piece({"content": "two"}, "stop")]
    with (
        RawServer(every(streamed(*pieces, MAY_BE_PIECES[lost]))) as server,
        pytest.raises(ResponseFormatError) as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "Take two"


@pytest.mark.product
@pytest.mark.parametrize(
    "events",
    [
        [piece({"content": "Hello"}, "stop"), USAGE],
        [piece({"content": "Hello"}), STOP, STOP],
        [piece({"content": "Hello"}), STOP, piece({"content": ""}), USAGE],
        [piece({"content": "Hel"}, "stop"), piece({"content": "lo"}, "stop")],
        [piece({"reasoning_content": "hm"}, "stop"), piece({"content": "Hello"}), STOP],
        [piece({"content": "Hello"}), STOP, {"choices": [{"index": 0, "message": {"content": "Hello"}}]}],
        [CALL, piece(finish="tool_calls"), piece({"content": "Hello"}), STOP],
        [piece({"content": "Hello"}), CALL, piece(finish="tool_calls"), CALL],
    ],
)
@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""])
def test_an_answer_is_over_where_nothing_of_it_comes_behind_a_finish_reason(
    events: list[dict[str, Any]], end: bytes, provide: Provide
) -> None:
    with RawServer(every(streamed(*events, end=end))) as server:
        assert provide(server).create(messages="hi") == "Hello"


def test_without_a_further_finish_reason_the_mark_of_the_end_is_enough(provide: Provide) -> None:
    with RawServer(every(streamed(piece({"content": "Hel"}, "stop"), piece({"content": "lo"})))) as server:
        assert provide(server).create(messages="hi") == "Hello"


def test_an_answer_that_is_cut_behind_a_finish_reason_is_not_whole(provide: Provide) -> None:
    events = [piece({"content": "Take "}, "stop"), piece({"content": "two, but "})]
    with (
        RawServer(every(streamed(*events, end=b""))) as server,
        pytest.raises(StreamInterruptedError, match=CUT) as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "Take two, but "


def test_a_connection_that_breaks_where_every_piece_has_a_finish_reason_cuts_the_answer(provide: Provide) -> None:
    events = data(piece({"content": "Take "}, "stop"), piece({"content": "two, but "}, "stop"))

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(events, last=b""))

    with RawServer(serve) as server, pytest.raises(StreamInterruptedError) as caught:
        provide(server).create(messages="hi")
    assert caught.value.partial == "Take two, but "


def _of(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]}


@pytest.mark.parametrize("first", [[_of(0, "A", "stop"), _of(1, "B")], [_of(1, "B", "stop"), _of(0, "A")]])
def test_each_of_several_choices_has_an_end(first: list[dict[str, Any]], provide: Provide) -> None:
    with RawServer(every(streamed(*first, end=b""))) as server, pytest.raises(StreamInterruptedError, match=CUT):
        Client(provide(server)).chat.completions.create("hi", n=2)


def test_pieces_that_each_have_an_index_of_their_own_are_no_answer(provide: Provide) -> None:
    texts = {0: "Take ", 1: "two, ", 2: "but not now"}
    pieces = [{"choices": [{"index": index, "delta": {"content": text}}]} for index, text in texts.items()]
    end = {"choices": [{"index": 2, "delta": {}, "finish_reason": "stop"}]}
    stood_apart = pytest.raises(ResponseFormatError, match="the text stands in several choices")
    with RawServer(every(streamed(*pieces, end))) as server, stood_apart:
        provide(server).create(messages="hi")
