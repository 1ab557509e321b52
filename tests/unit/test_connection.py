"""How a connection sends, without one."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite import Timeout
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.session import PIECE_BYTES, UnderDeadline
from g4f_lite.http.transfer import Transfer, running_transfer


class Plain:
    """Stands for urllib3's connection."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, data: Any) -> None:
        self.sent.append(bytes(data) if isinstance(data, memoryview) else data)


class Connection(UnderDeadline, Plain):
    """A connection that keeps what it sends."""


@pytest.mark.parametrize(
    ("length", "lengths"),
    [
        (0, []),
        (1, [1]),
        (PIECE_BYTES, [PIECE_BYTES]),
        (PIECE_BYTES + 1, [PIECE_BYTES, 1]),
        (3 * PIECE_BYTES, [PIECE_BYTES] * 3),
    ],
)
def test_a_request_is_sent_in_pieces(length: int, lengths: list[int]) -> None:
    connection, data = Connection(), bytes(range(256)) * (length // 256 + 1)
    reset = running_transfer.set(Transfer(Deadline(Timeout())))
    try:
        connection.send(data[:length])
    finally:
        running_transfer.reset(reset)
    assert b"".join(connection.sent) == data[:length]
    assert [len(piece) for piece in connection.sent] == lengths


def test_without_a_running_transfer_it_is_sent_as_it_is() -> None:
    connection, data = Connection(), b"x" * (PIECE_BYTES + 1)
    connection.send(data)
    assert connection.sent == [data]
