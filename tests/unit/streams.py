"""Streams of answers from sources without a wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from g4f_lite import AnswerStream, ImageResponse

IMAGE = ImageResponse(["https://images.test/a.png"], alt="a cat")


class Source:
    """A source of deltas that notes what happens to it."""

    def __init__(self, deltas: Iterable[Any]) -> None:
        self.deltas = iter(deltas)
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        for delta in self.deltas:
            if isinstance(delta, BaseException):
                raise delta
            yield delta

    def close(self) -> None:
        self.closed += 1
        self.deltas = iter(())


def stream_of(*deltas: Any) -> tuple[AnswerStream, list[Source]]:
    """Return a stream of these deltas, and the sources that were begun for it."""
    begun: list[Source] = []

    def begin() -> Source:
        begun.append(Source(deltas))
        return begun[-1]

    return AnswerStream(begin, provider="Test", model="m"), begun
