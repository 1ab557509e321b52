"""Typed answers of the embedded model, whose grammar leaves it no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import pytest

from g4f_lite import Client, Local

pytestmark = pytest.mark.once


@dataclass
class Person:
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    age: Annotated[int, msgspec.Meta(ge=0, le=120), "in years"]


def test_a_list_comes_element_by_element(local: Local) -> None:
    pair = Annotated[list[Person], msgspec.Meta(min_length=2, max_length=2)]
    stream = Client(local).stream("Ada is 36, Bob is 7.", output=pair, temperature=0, max_tokens=80)
    people = list(stream.items())
    assert [type(person) for person in people] == [Person, Person]
    assert stream.output == people


def test_a_completion_has_one_of_some_words(local: Local) -> None:
    completion = Client(local).chat.completions.parse(
        "Is snow black or white?", response_format=Literal["black", "white"], temperature=0, max_tokens=20
    )
    assert completion.choices[0].message.parsed in ("black", "white")
    assert completion.attempts == 1
