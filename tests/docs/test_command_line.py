"""Every command and every option of `g4f-lite` is in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from g4f_lite.cli.app import COMPLETION, EPILOGUE, app
from g4f_lite.providers.environment import VARIABLES

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


def test_the_help_of_a_prompt_has_the_loop_that_is_documented() -> None:
    loop = 'while read -r line; do g4f-lite chat --no-stdin -- "$line"; done'
    assert f"  {loop}\n" in (COMMANDS["g4f-lite chat"].help or "")
    assert f"| {loop}\n" in (DOCS / "command-line.md").read_text(encoding="utf-8")


def test_the_help_has_the_variables_the_exit_codes_and_the_completion_that_are_documented() -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"G4F_LITE_[A-Z_]+", EPILOGUE)) - {"G4F_LITE_COMPLETE"}
    assert "G4F_LITE_PROVIDER" in variables
    assert variables <= set(VARIABLES)
    codes = re.findall(r"^  (\d+) +[A-Z]", EPILOGUE, flags=re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", page.partition("## Exit codes")[2], flags=re.MULTILINE)
    assert f"\n  {COMPLETION}\n" in EPILOGUE
    assert COMPLETION in page
