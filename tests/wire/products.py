"""Products of cases, whole in the long form only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def product(first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    """Pair the cases of two kinds: each of both is in a pair for every day, and the other pairs are marked ``long``."""
    ones, others = list(first), list(second)
    return [
        pytest.param(one, other, marks=() if index % len(others) == number % len(ones) else pytest.mark.long)
        for index, one in enumerate(ones)
        for number, other in enumerate(others)
    ]
