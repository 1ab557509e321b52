"""The examples of README.md and docs/ that the embedded model is to answer are answered rightly by the real one."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from g4f_lite import Client, Local

if importlib.util.find_spec("xllamacpp") is None:  # not imported: the engine does that in its own way
    pytest.skip("the examples use the embedded model", allow_module_level=True)

pytestmark = pytest.mark.once

DOCS = Path(__file__).parents[2] / "docs"
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")


class City(NamedTuple):
    name: str
    country: str


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Local(download=True) as local:
        yield Client(local)


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("What is the capital of France?", "Paris"),
        ("What is the capital of Japan?", "Tokyo"),
        ("What is the capital of Germany?", "Berlin"),
    ],
)
def test_it_knows_what_it_is_asked(client: Client, prompt: str, word: str) -> None:
    assert f'"{prompt}"' in README
    assert word in client.ask(prompt)


def test_it_remembers_what_was_said(client: Client) -> None:
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in ("client.md", "quickstart.md", "command-line.md")]
    assert all('"What is the capital of France?"' in page and '"And of Italy?"' in page for page in pages)
    conversation = client.conversation(system="Be brief.")
    assert "Paris" in conversation.ask("What is the capital of France?")
    assert "Rome" in conversation.ask("And of Italy?", max_tokens=20)
    messages = [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "Paris."},
        {"role": "user", "content": "And of Italy?"},
    ]
    assert "Rome" in client.ask(messages, system="Answer in one sentence.")


def test_it_fills_in_a_type(client: Client) -> None:
    assert '"Oslo is a city in Norway.", output=City' in README
    assert client.ask("Oslo is a city in Norway.", output=City) == City("Oslo", "Norway")


def test_it_answers_many_prompts(client: Client) -> None:
    listed = re.search(r"^countries = \[(.*)\]$", README, re.MULTILINE)
    assert listed
    assert listed[1] == '"Germany", "Japan", "Greece"'
    answers = client.map(f"What is the capital of {country}?" for country in ("Germany", "Japan", "Greece")).texts()
    assert ["Berlin" in answers[0], "Tokyo" in answers[1], "Athens" in answers[2]] == [True] * 3
