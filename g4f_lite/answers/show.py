"""The method ``show`` of a stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TextIO

from .answer import Answer, markdown_of
from .buffer import Buffer
from .deltas import Delta, Piece
from .display import print_pieces, print_together, show_in_cell
from .interruption import HasAnswer, raise_interrupt
from .ipython import cell_number, in_notebook, is_watched


class Shown(HasAnswer, Iterable[Piece], Protocol):
    """A stream that is to be shown."""

    def deltas(self) -> Iterator[Delta]: ...

    def close(self) -> None: ...


def show(stream: Shown, so_far: Buffer, file: TextIO | None, *, plain: bool, again: bool) -> Answer:
    """Show an answer as it arrives, and return it whole.

    :param so_far: what has arrived
    :param file: the file to print to; standard output if None
    :param plain: whether a notebook prints the text too, instead of rendering it
    :param again: whether it has been read to its end, so that all of it is shown again
    """
    try:
        if file is None and in_notebook() and not plain:
            deltas = iter(so_far.deltas) if again else stream.deltas()
            show_in_cell(deltas, so_far, lambda: markdown_of(so_far.text, so_far.images))
        else:
            pieces: Iterable[object] = [so_far.text, *so_far.images] if again else stream
            put = print_pieces if file is not None or is_watched() else print_together
            put(pieces, sys.stdout if file is None else file)
    except KeyboardInterrupt as error:
        stream.close()  # which does not know of it, if it came while a piece was shown
        raise_interrupt(error, stream)
        raise
    answer = stream.answer
    answer._shown_in = cell_number() if file is None else None
    return answer
