"""What the interactive chat says of who answers, and of what that took."""

from __future__ import annotations

import sys

import pytest

from g4f_lite.emulator import Emulator

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in the standard library", allow_module_level=True)

from .command import Terminal
from .test_cli_terminal import say

pytestmark = pytest.mark.usefixtures("interruptible")
UNKNOWN = "1 call: 1 token of prompts, 2 of answers; cost not known"
ADVICE = "; start the chat with --price MODEL=P,A"


def test_who_answers_is_shown_first(emulator: Emulator, here: list[str]) -> None:
    host = f"OpenAICompatible at {emulator.url.partition('//')[2]}"
    for arguments, shown in (
        (here, f"{host} (echo)"),
        (here[:2], host),
        (["-p", "echo"], "Echo"),
        (["-p", "echo,ollama"], "Echo or Ollama"),
        (["-p", "echo,local"], "Echo or Local (smollm2)"),
    ):
        with Terminal("chat", *arguments, G4F_LITE_MODEL="") as terminal:
            assert terminal.wait_for("> ").startswith(f"Chatting with {shown}.\r\n")


def test_the_model_that_a_server_has_chosen_is_named_once(emulator: Emulator) -> None:
    emulator.configure(models=["first", "second"])
    ollama = {"OLLAMA_HOST": emulator.url, "COLUMNS": "200"}
    with Terminal("chat", "-p", "ollama", "-p", "echo", **ollama) as terminal:
        assert terminal.wait_for("> ").startswith("Chatting with Ollama or Echo.\r\n")
        assert say(terminal, "Hello") == "Hello\r\nChatting with Ollama (first) or Echo.\r\n> "
        assert say(terminal, "Hello") == "Hello\r\n> "
        assert say(terminal, "/model ollama") == "Chatting with Ollama (first) from now on.\r\n> "
        say(terminal, "/model second")
        assert say(terminal, "Hello") == "Hello\r\n> "
        assert say(terminal, "/model default") == "Chatting with Ollama (first) or Echo from now on.\r\n> "
        first, *models, _ = say(terminal, "/usage").split("\r\n")
        assert first.startswith("3 calls: ")
        assert [line.partition(":")[0] for line in models] == ["  Ollama (first)", "  Ollama (second)"]


def test_usage_is_that_of_all_turns(emulator: Emulator, here: list[str]) -> None:
    with Terminal("chat", "-p", "ollama", *here) as terminal:
        terminal.wait_for("> ")
        assert say(terminal, "/usage") == "0 calls: 0 tokens of prompts, 0 of answers; no cost\r\n> "
        emulator.answer("one two")
        say(terminal, "Count.")
        emulator.fail("success_false")
        say(terminal, "And again.")
        shown = "Ollama (echo): 2 calls: 1 token of prompts, 2 of answers; no cost\r\n> "
        assert say(terminal, "/usage") == shown


def test_usage_has_the_price_that_is_given_for_a_model(emulator: Emulator, here: list[str]) -> None:
    with Terminal("chat", *here, "--price", "echo=1000000,0", "--price", "gpt-4=2000000,0") as terminal:
        terminal.wait_for("> ")
        say(terminal, "One.")
        assert "; about $1.00\r\n" in say(terminal, "/usage")
        say(terminal, f"/model {here[1]}:gpt-4")  # another provider
        say(terminal, "Two.")  # with the first turn
        assert "; about $7.00\r\n" in say(terminal, "/usage")


def test_usage_has_a_line_for_each_server(emulator: Emulator) -> None:
    with Emulator() as other, Terminal("chat", "-p", f"{emulator.url}/v1:echo", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        one, two = (f"OpenAICompatible at {each.url.partition('//')[2]}" for each in (emulator, other))
        emulator.answer("one two")
        assert say(terminal, "Count.") == "one two\r\n> "  # whose model was named
        assert say(terminal, "/usage") == f"{one} (echo): {UNKNOWN}{ADVICE}\r\n> "
        say(terminal, "/new")
        say(terminal, f"/model {other.url}/v1:gpt-4")
        other.answer("one two")
        say(terminal, "Count.")
        total = f"2 calls: 2 tokens of prompts, 4 of answers; cost not known{ADVICE}\r\n"
        each = f"  {one} (echo): {UNKNOWN}\r\n  {two} (gpt-4): {UNKNOWN}\r\n"
        assert say(terminal, "/usage") == f"{total}{each}> "


def test_usage_tells_a_server_from_that_of_the_same_name_elsewhere(emulator: Emulator, here: list[str]) -> None:
    with Emulator() as other, Terminal("chat", "-p", "ollama", *here, OLLAMA_HOST=other.url, COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        say(terminal, "One.")
        elsewhere = f"Ollama at {other.url}/v1 (gpt-4)"
        assert say(terminal, "/model ollama:gpt-4") == f"Chatting with {elsewhere} from now on.\r\n> "
        say(terminal, "Two.")
        _, *servers, _ = say(terminal, "/usage").split("\r\n")
        assert [line.partition(": ")[0] for line in servers] == ["  Ollama (echo)", f"  {elsewhere}"]


@pytest.mark.once
def test_usage_has_a_line_for_a_member_that_did_not_answer(emulator: Emulator) -> None:
    with Terminal("chat", "-p", f"{emulator.url}/v1:one", "-p", "echo", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        emulator.fail("empty")
        say(terminal, "Hello")
        _, server, echo, _ = say(terminal, "/usage").split("\r\n")
        assert server.startswith(f"  OpenAICompatible at {emulator.url.partition('//')[2]} (one): 0 calls: ")
        assert echo.startswith("  Echo: 1 call: ")


def test_usage_names_all_members_of_a_call_that_none_of_them_answered(emulator: Emulator) -> None:
    server = f"{emulator.url}/v1"
    with Terminal("chat", "-p", f"{server}:one", "-p", f"{server}:two", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        emulator.fail("quota")
        emulator.fail("quota")
        say(terminal, "Hello")
        host = f"OpenAICompatible at {emulator.url.partition('//')[2]}"
        assert say(terminal, "/usage").startswith(f"{host} (one) or {host} (two): 1 call: ")
