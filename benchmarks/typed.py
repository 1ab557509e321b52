"""Typed answers: what the conversion of a long answer costs beside msgspec's alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from .clients import OURS
from .table import Bar, Numbers

ALONE = "msgspec alone"
BARS = {"µs": [Bar(2, ALONE)]}
BYTES = 10_000
ROUNDS = 200


@dataclass
class City:
    """A city, as the answer has many."""

    name: str
    country: str
    people: int
    rivers: list[str]


def conversions() -> dict[str, Numbers]:
    """Microseconds to convert an answer of 10 kB to a list of dataclasses, the best of 200: ours takes an `Answer`,
    msgspec a string and a decoder that was made before.  In a code fence, msgspec alone gets the text in it."""
    import msgspec

    from g4f_lite import Answer
    from g4f_lite.typed.output import Output

    city = {"name": "Oslo", "country": "Norway", "people": 717710, "rivers": ["Akerselva", "Alna"]}
    cities: list[dict[str, object]] = []
    while len(json.dumps(cities)) < BYTES:
        cities.append(city)
    text = json.dumps({"value": cities})
    answer, fenced = Answer(text), Answer(f"```json\n{text}\n```")
    wrapped = msgspec.defstruct("Wrapped", [("value", list[City])])
    output, decoder = Output.of(list[City]), msgspec.json.Decoder(wrapped)
    return {
        OURS: {
            "µs": _best(lambda: output.convert(answer)),
            "in a code fence, µs": _best(lambda: output.convert(fenced)),
        },
        ALONE: {"µs": _best(lambda: decoder.decode(text)), "in a code fence, µs": _best(lambda: decoder.decode(text))},
    }


def _best(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times) * 1e6
