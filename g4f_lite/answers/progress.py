"""How far an answer is, in words."""

from __future__ import annotations


def progress(length: int | None, error: Exception | None, *, ended: bool, closed: bool) -> str:
    """Say how far an answer is.

    :param length: how many characters have arrived; None if its prompt was not sent
    :param error: what it failed with
    :param ended: whether it was read to its end
    :param closed: whether it was closed
    """
    if error is not None:
        return f"failed with {type(error).__name__}"
    if length is None:
        return "closed" if closed else "not sent yet; iterate over it, or call text() or show()"
    state = "whole" if ended else "closed" if closed else "in progress"
    return f"{state}, {length:,} character{'s' * (length != 1)}"
