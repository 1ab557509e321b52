"""The interactive chat with several providers."""

from __future__ import annotations

import sys

import pytest

from g4f_lite import DeadlineExceededError
from g4f_lite.cli.model_list import ModelList
from g4f_lite.emulator import Emulator
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN
from g4f_lite.testing import Scripted

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in the standard library", allow_module_level=True)

from .command import Terminal
from .test_cli_terminal import say

pytestmark = pytest.mark.usefixtures("interruptible")


def test_each_member_is_named_with_its_model(emulator: Emulator) -> None:
    host = emulator.url.partition("//")[2]
    chain = ["-p", f"{emulator.url}/v1:echo", "-p", "echo:any", "-p", "scripted"]
    with Terminal("chat", *chain, COLUMNS="200") as terminal:
        assert terminal.wait_for("> ").startswith(
            f"Chatting with OpenAICompatible at {host} (echo) or Echo (any) or Scripted.\r\n"
        )
    with Terminal("chat", *chain, "-m", "one", COLUMNS="200") as terminal:
        assert (
            terminal.wait_for("> ")
            .partition("\r\n")[2]
            .startswith(f"Chatting with OpenAICompatible at {host} or Echo or Scripted (one).\r\n")
        )


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("../own.gguf", "../own.gguf is a file on this machine, which Local can read; write /model local:../own.gguf"),
        ("gpt-5,local", "gpt-5,local is not a model: several names must be providers, as in /model openai:gpt-5,local"),
        ("gpt-4o-mimi", "no provider of the chat lists the model 'gpt-4o-mimi'; try gpt-4o-mini, gpt-4"),
    ],
)
def test_what_is_no_model_leads_to_what_can_be_written(name: str, refused: str, emulator: Emulator) -> None:
    with Terminal("chat", "-p", f"{emulator.url}/v1", "-p", "echo", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        assert say(terminal, f"/model {name}") == f"Error: {refused}\r\n> "


@pytest.mark.once
def test_the_line_that_names_a_model_says_which_members_have_it(emulator: Emulator) -> None:
    emulator.configure(models=["big", "small"])
    with Terminal("chat", "-p", f"{emulator.url}/v1:small", "-p", "local", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        advice = "/model default lets each use its own model"
        told = f"Note: of the providers, only OpenAICompatible lists big; {advice}\r\n"
        assert say(terminal, "/model big") == f"The model is big from now on.\r\n{told}> "
        assert say(terminal, "Hello") == "Hello\r\n> "
    with Emulator() as other, Terminal("chat", "-p", f"{emulator.url}/v1", "-p", f"{other.url}/v1") as terminal:
        other.configure(models=["small"])
        terminal.wait_for("> ")
        assert say(terminal, "/model small") == "The model is small from now on.\r\n> "


@pytest.mark.once
def test_a_member_that_does_not_list_its_models_is_noted(emulator: Emulator) -> None:
    emulator.configure(models=["small"])
    with Terminal("chat", "-p", "groq", "-p", f"{emulator.url}/v1", GROQ_API_KEY="gsk-1", COLUMNS="300") as terminal:
        terminal.wait_for("> ")
        reason = "G4F_LITE_OFFLINE=1 allows nothing but loopback, and https://api.groq.com is not; unset it to go there"
        told = f"Note: Groq did not list its models ({reason})\r\n"
        assert say(terminal, "/models") == f"{told}small\r\n> "
        assert say(terminal, "/model").startswith(f"{told}Chatting with ")
        refused = "no provider of the chat lists the model 'nowhere'; try small"
        assert say(terminal, "/model nowhere") == f"{told}Error: {refused}\r\n> "
        assert say(terminal, "/model small").startswith("The model is small")


def test_a_list_that_takes_long_leads_to_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    class Slow(Scripted):
        def get_models(self) -> list[str]:
            raise DeadlineExceededError("3 s passed; give a longer timeout=", provider="Slow")

    ModelList(Slow(), None).check("big")
    told = "Note: Slow did not list its models (no list came within 3 s)\nNote: the model big could not be checked\n"
    assert capsys.readouterr().err == told


def test_a_file_that_a_server_lists_is_its_model(emulator: Emulator) -> None:
    emulator.configure(models=["own.gguf", "a,b"])
    with Terminal("chat", "-p", f"{emulator.url}/v1", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        for name in ("own.gguf", "a,b"):
            assert say(terminal, f"/model {name}") == f"The model is {name} from now on.\r\n> "


@pytest.mark.once
def test_the_next_message_asks_all_again_where_none_could_answer(emulator: Emulator) -> None:
    server = f"{emulator.url}/v1"
    with Terminal("chat", "-p", f"{server}:one", "-p", f"{server}:two", COLUMNS="500") as terminal:
        terminal.wait_for("> ")
        for _ in range(FAILURES_TO_OPEN + 1):
            emulator.fail("quota")
            emulator.fail("quota")
            said = say(terminal, "Hello")
            assert "no provider answered" in said
            assert "skipped" not in said
        assert say(terminal, "Hello") == "Hello\r\n> "
