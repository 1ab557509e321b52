"""Every command and every option of `g4f-lite` is in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from g4f_lite.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"


def commands(command: click.Command, name: str = "g4f-lite") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            found = command.get_command(context, part)
            assert found
            yield from commands(found, f"{name} {part}")
    else:
        yield name, command


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_command_and_its_options_are_documented(name: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")]
    about_it = "\n".join(page for page in pages if name in page)
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    assert about_it
    assert options - {"--help"} - set(re.findall(r"--[\w-]+", about_it)) == set()
