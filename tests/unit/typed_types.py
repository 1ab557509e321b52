"""Types for the tests of typed answers, with hints that are not resolved at once."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from pydantic import BaseModel, Field, field_validator
from typing_extensions import NotRequired, TypedDict


@dataclass
class Person:
    name: str
    age: int


@dataclass
class Even:
    """An even number."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("the number must be even")
        assert self.number, "the number must not be zero"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Car:
    color: Color


class Point(NamedTuple):
    x: int
    y: Annotated[int, "to the north"] = 0


class City(TypedDict):
    name: Annotated[str, "without the country"]
    people: NotRequired[Annotated[int, msgspec.Meta(ge=0)]]


@dataclass
class Trip:
    who: Person
    to: list[Annotated[City, "in order"]]
    color: Color
    at: Point | None = None
    seats: Literal["window", "aisle"] = "window"
    notes: Annotated[list[str], "what else to know"] = field(default_factory=list)


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


class Pet(BaseModel):
    name: str
    age: int = Field(ge=0, description="in years")
    owner: Owner | None = None

    @field_validator("name")
    @classmethod
    def _capital(cls, name: str) -> str:
        if not name[:1].isupper():
            raise ValueError("a name has a capital")
        return name


class Pets(BaseModel, extra="forbid"):
    pets: list[Pet]


class Owner(BaseModel):
    name: str


@dataclass
class Loose:
    anything: Any
