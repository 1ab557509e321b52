"""The commands of the interactive chat, pasted lines, and the history of messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from unit.gguf_files import SMOLLM2, gguf

from g4f_lite.emulator import Emulator

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals in the standard library", allow_module_level=True)

from .command import WITHOUT_WAITS, Terminal, asked, call
from .test_cli_terminal import CTRL_D, CTRL_P, history, say

pytestmark = pytest.mark.usefixtures("interruptible")


def current(terminal: Terminal) -> str:
    """Give who answers, as ``/model`` says it."""
    return say(terminal, "/model").partition("\r\n")[0]


def roles(path: Path) -> list[str]:
    return [message["role"] for message in json.loads(path.read_text(encoding="utf-8"))]


def test_commands(emulator: Emulator, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # as the line shows no long path whole
    file = tmp_path / "talk.json"
    with Terminal("chat", *here) as terminal:
        assert "/help" in terminal.wait_for("> ")
        shown = say(terminal, "/help")
        assert ("/undo" in shown, max(map(len, shown.splitlines())) < 80) == (True, True)
        for wrong in ("/foo", "/etc/hosts", "/undo now", "/undo", "/retry", "/save", "/save /no/such/file"):
            assert say(terminal, wrong).startswith("Error: ")
        terminal.type(f"/save {'x' * 300}\n")  # which the line does not show whole
        terminal.wait_for("File name too long\r\n> ")
        assert not [request for request in emulator.requests if request.step == "prompt"]
        assert say(terminal, "//etc/hosts") == "/etc/hosts\r\n> "
        assert say(terminal, "/undo") == "Taken back: /etc/hosts\r\n> "
        assert say(terminal, "/system Be polite.") == "The system message is replaced.\r\n> "
        assert say(terminal, f"/save {file.name}").startswith("Each turn will be saved to")
        assert say(terminal, f"/save {file.name}").startswith(f"The chat is saved to {file.name} already.")
        assert say(terminal, "/system") == "Be polite.\r\n> "
        assert say(terminal, "/system Be polite.") == "> "  # nothing has changed, and the file is kept
        assert say(terminal, "/system none") == "There is no system message any more.\r\n> "
        assert say(terminal, "/system") == "There is no system message.\r\n> "
        say(terminal, "first")
        say(terminal, "second")
        emulator.answer("again")
        assert say(terminal, "/retry") == "again\r\n> "
        assert history(emulator) == ["first", "first", "second"]
        assert roles(file) == ["user", "assistant"] * 2
        for _ in range(2):  # the turn stays, and can be taken back again
            emulator.fail("success_false")
            assert say(terminal, "/retry").startswith("Error: ")
            assert history(emulator) == ["first", "first", "second"]
            assert roles(file) == ["user", "assistant"] * 2
        say(terminal, "/undo")
        assert roles(file) == ["user", "assistant"]
        assert current(terminal).endswith(" (echo).")
        assert say(terminal, "/model gpt-4o-mini") == "The model is gpt-4o-mini from now on.\r\n> "
        assert say(terminal, "/system Be brief.") == "The system message is replaced.\r\n> "
        assert roles(file) == ["system", "user", "assistant"]
        say(terminal, "third")
        assert history(emulator) == ["Be brief.", "first", "first", "third"]
        assert asked(emulator)["model"] == "gpt-4o-mini"
        assert roles(file) == ["system", *["user", "assistant"] * 2]
        assert say(terminal, "/system none") == "There is no system message any more.\r\n> "
        assert roles(file) == ["user", "assistant"] * 2
        assert "is left as it is" in say(terminal, "/new")
        say(terminal, "fourth")
        assert roles(file) == ["user", "assistant"] * 2
        assert say(terminal, "/save more.json").startswith("Saved to")
        assert roles(tmp_path / "more.json") == ["user", "assistant"]


def test_a_file_that_another_command_has_changed_keeps_its_system_message(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "talk.json"
    with Terminal("chat", *here, "--system", "Be brief.", "--save", str(file)) as terminal:
        terminal.wait_for("> ")
        say(terminal, "first")
        messages = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps([*messages, *messages[1:]]), encoding="utf-8")
        told = " ".join(say(terminal, "/system Be polite.").split())  # however long the path of the file is
        assert "another command has added a turn to it" in told
        assert say(terminal, "/system") == "Be brief.\r\n> "
        assert roles(file) == ["system", *["user", "assistant"] * 2]


def test_an_answer_that_does_not_fit_the_schema_is_told(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "city.json").write_text('{"required": ["city"]}', encoding="utf-8")
    with Terminal("chat", *here, "--schema", str(tmp_path / "city.json")) as terminal:
        terminal.wait_for("> ")
        assert say(terminal, '{"city": 1}') == '{"city": 1}\r\n> '
        assert asked(emulator)["response_format"]["json_schema"]["schema"] == {"required": ["city"]}
        assert say(terminal, "{}").startswith("{}\r\nError: the answer does not match the schema in --schema")
        emulator.answer('{"city": 2}')
        assert say(terminal, "/retry") == '{"city": 2}\r\n> '
        assert history(emulator) == ['{"city": 1}', '{"city": 1}', "{}"]


def test_a_message_that_failed_can_be_sent_again(emulator: Emulator, here: list[str]) -> None:
    with Terminal("chat", *here) as terminal:
        terminal.wait_for("> ")
        say(terminal, "first")
        for _ in range(2):
            emulator.fail("success_false")
            assert say(terminal, "second" if len(emulator.requests) < 2 else "/retry").startswith("Error: ")
        assert say(terminal, "/retry") == "second\r\n> "
        assert history(emulator) == ["first", "first", "second"]


def test_the_models_of_the_provider_are_listed_and_completed(emulator: Emulator, here: list[str]) -> None:
    pytest.importorskip("readline")
    with Terminal("chat", *here) as terminal:
        terminal.wait_for("> ")
        terminal.type("/model gpt-4o\t\n")
        assert "The model is gpt-4o-mini from now on.\r\n" in terminal.wait_for("> ")
        assert say(terminal, "/models") == "gpt-4o-mini\r\ngpt-4\r\n> "
        assert [request.step for request in emulator.requests] == ["models", "models"]
    with Terminal("chat", "--provider", "echo") as terminal:
        terminal.wait_for("> ")
        terminal.type("/model x\ty\n")  # nothing is completed
        assert "The model is xy from now on.\r\n" in terminal.wait_for("> ")
        assert say(terminal, "/models") == "Echo lists no models.\r\n> "


def test_a_model_that_the_provider_does_not_list_is_not_used(emulator: Emulator, here: list[str]) -> None:
    with Terminal("chat", *here, COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        refused = "Error: OpenAICompatible does not list the model"
        assert say(terminal, "/model gpt-4o-mimi") == f"{refused} 'gpt-4o-mimi'; try gpt-4o-mini, gpt-4\r\n> "
        provider = "for the provider, write /model ollama"
        assert say(terminal, "/model olama").endswith(f"try gpt-4o-mini, gpt-4; {provider}\r\n> ")
        assert say(terminal, "/model olama:qwen3").endswith(f"; {provider}:qwen3\r\n> ")
        assert "for the provider" not in say(terminal, "/model mistral-7b")
        assert current(terminal).endswith(" (echo).")
        emulator.configure(models=["mistral:7b", "llama3.2:latest"])  # tags, as those of Ollama
        assert say(terminal, "/model mistral:7b") == "The model is mistral:7b from now on.\r\n> "
        assert say(terminal, "/model llama3.2") == "The model is llama3.2 from now on.\r\n> "
        assert "Local" in (said := say(terminal, "/model local")), said  # or why it does not answer here
        assert "does not list" not in said


def test_another_provider_can_go_on(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    options = [*here, "--save", str(file), "--temperature", "0"]
    with Terminal("chat", *options, COLUMNS="200", G4F_LITE_OFFLINE="", GROQ_API_KEY="") as terminal:
        terminal.wait_for("> ")
        say(terminal, "first")
        assert say(terminal, "/model groq:llama3").startswith("Error: Groq: no key: set GROQ_API_KEY")
        refused = " ".join(say(terminal, "/model local:nosuch").split())
        assert refused.startswith("Error: Local: it has no model 'nosuch'")
        assert refused.endswith("name that too: /model ollama:nosuch >")
        assert current(terminal).endswith(" (echo).")
        assert say(terminal, "/model echo:any") == "Chatting with Echo (any) from now on.\r\n> "
        assert say(terminal, "second") == "second\r\n> "
        assert say(terminal, "/models") == "Echo lists no models.\r\n> "
    assert history(emulator) == ["first"]
    assert roles(file) == ["user", "assistant"] * 2


def test_the_name_of_a_provider_alone_uses_it_and_default_goes_back(emulator: Emulator) -> None:
    emulator.configure(models=["llama3.2:latest", "mistral:latest"])
    settings = {"OLLAMA_HOST": emulator.url, "COLUMNS": "250", "G4F_LITE_OFFLINE": "", "MISTRAL_API_KEY": ""}
    with Terminal("chat", "-p", "echo:any,scripted", **settings) as terminal:
        assert terminal.wait_for("> ").startswith("Chatting with Echo (any) or Scripted.")
        assert say(terminal, "/model ollama") == "Chatting with Ollama from now on.\r\n> "
        who = "Chatting with Ollama (llama3.2:latest)."
        assert say(terminal, "first") == f"first\r\n{who}\r\n> "
        assert asked(emulator)["model"] == "llama3.2:latest"
        said = say(terminal, "/model").splitlines()
        assert said[:2] == [who, "Models: llama3.2:latest, mistral:latest."]
        assert said[2].startswith("Providers: local, ollama, llama.cpp, ")
        assert "/model default what the chat began with." in " ".join(said)
        assert max(map(len, said)) < 80
        assert say(terminal, "/model mistral") == "The model is mistral from now on.\r\n> "  # which Ollama has
        assert say(terminal, "/model default") == "Chatting with Echo (any) or Scripted from now on.\r\n> "
        assert say(terminal, "second") == "second\r\n> "
        assert say(terminal, "/model mistral").startswith("Error: Mistral: no key: set MISTRAL_API_KEY")
        emulator.stop_listening()
        assert "could not connect" in say(terminal, "/model ollama")
        assert say(terminal, "/model ollama,echo") == f"{who[:-1]} or Echo from now on.\r\n> "
    assert history(emulator) == ["first"]


def test_default_takes_the_model_of_the_start_too(emulator: Emulator, here: list[str]) -> None:
    with Terminal("chat", *here) as terminal:
        first = terminal.wait_for("> ").partition(".\r\n")[0]
        say(terminal, "/model gpt-4")
        assert say(terminal, "/model default") == f"{first} from now on.\r\n> "
        say(terminal, "Hello")
        assert asked(emulator)["model"] == "echo"


def test_a_server_at_another_url_can_go_on(emulator: Emulator) -> None:
    host = emulator.url.partition("//")[2]
    with Terminal("chat", "-p", "echo", COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        assert (
            say(terminal, f"/model {emulator.url}/v1") == f"Chatting with OpenAICompatible at {host} from now on.\r\n> "
        )
        assert say(terminal, "first").startswith("first\r\n")
        assert say(terminal, "/model http://").startswith("Error: ")
    assert history(emulator) == ["first"]


def test_weights_that_are_missing_are_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    nowhere = {"XDG_CACHE_HOME": str(tmp_path), "HF_HOME": str(tmp_path), "HOME": str(tmp_path), "COLUMNS": "200"}
    with Terminal("chat", "--provider", "echo", **nowhere) as terminal:
        terminal.wait_for("> ")
        for name in ("local:qwen3-0.6b", "local:smollm2"):
            assert "`g4f-lite local pull" in " ".join(say(terminal, f"/model {name}").split())
        assert current(terminal) == "Chatting with Echo."
    (tmp_path / "own.gguf").write_bytes(gguf(SMOLLM2))
    with Terminal("chat", "--model", str(tmp_path / "own.gguf"), **nowhere) as terminal:
        terminal.wait_for("> ")
        assert "`g4f-lite local pull" in " ".join(say(terminal, "/model qwen3-0.6b").split())
        assert "own.gguf)." in say(terminal, "/model")


def test_models_that_cannot_be_listed(emulator: Emulator, here: list[str]) -> None:
    pytest.importorskip("readline")
    with Terminal("chat", *here, code=WITHOUT_WAITS, COLUMNS="300") as terminal:
        terminal.wait_for("> ")
        emulator.stop_listening()
        terminal.type("/model ec\t\n")
        # The prompt may be shown once more before that, where the line came before readline was ready for it.
        *_, why, unchecked, _ = terminal.wait_for("The model is ec from now on.").split("\r\n")
        assert why.startswith("Note: OpenAICompatible did not list its models (could not connect to ")
        assert unchecked == "Note: the model ec could not be checked"
        terminal.wait_for("> ")
        assert say(terminal, "/model").startswith(why)
        assert "could not connect" in say(terminal, "/models")


def test_a_chat_that_nobody_can_answer_ends_at_once() -> None:
    with Terminal("chat", "--provider", "groq", G4F_LITE_OFFLINE="", GROQ_API_KEY="") as terminal:
        code, shown = terminal.end()
    assert (code, shown[:30]) == (1, "Error: Groq: no key: set GROQ_")


def test_a_model_that_the_provider_does_not_know(emulator: Emulator) -> None:
    with Terminal("chat", "--provider", "local") as terminal:
        terminal.wait_for("> ")
        assert say(terminal, "/model smolm2").startswith("Error: ")
        assert current(terminal) == "Chatting with Local (smollm2)."


def test_a_message_of_several_lines(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    pytest.importorskip("readline")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "three\\nfour\\n" >"$1"\n')
    editor.chmod(0o700)
    with Terminal("chat", *here, "--raw", TERM="xterm", VISUAL=str(editor)) as terminal:
        terminal.wait_for("> ")
        terminal.type("one\x1b\rtwo\r")
        terminal.wait_for("one\r\ntwo\r\n")
        terminal.wait_for("> ")
        terminal.type("/edit\n")
        terminal.wait_for("three\r\nfour\r\n" * 2)
        assert history(emulator) == ["one\ntwo", "one\ntwo", "three\nfour"]
        terminal.wait_for("> ")
        editor.write_text("#!/bin/sh\n")
        terminal.type("/edit\n")
        terminal.wait_for("Nothing was written.")


def test_pasted_lines_are_one_message(emulator: Emulator, here: list[str]) -> None:
    pytest.importorskip("readline")
    with Terminal("chat", *here, "--raw", TERM="xterm") as terminal:
        terminal.wait_for("> ")
        terminal.type("\x1b[200~one\ntwo\n\nthree\x1b[201~\n")
        terminal.wait_for("one\r\ntwo\r\n\r\nthree\r\n")
        assert history(emulator) == ["one\ntwo\n\nthree"]


def test_the_history_and_completion(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    pytest.importorskip("readline")
    with Terminal("chat", *here, XDG_STATE_HOME=str(tmp_path)) as terminal:
        terminal.wait_for("> ")
        say(terminal, "remember me")
        terminal.type(CTRL_D)
        terminal.end()
    file = tmp_path / "g4f-lite" / "history"
    assert file.stat().st_mode & 0o777 == 0o600
    with Terminal("chat", *here, XDG_STATE_HOME=str(tmp_path)) as terminal:
        terminal.wait_for("> ")
        terminal.type(f"{CTRL_P}\n")
        terminal.wait_for("remember me\r\n")
        terminal.wait_for("> ")
        terminal.type("/he\t\n")
        terminal.wait_for("/undo")


def test_chats_at_the_same_time_keep_the_messages_of_both_at_once(here: list[str], tmp_path: Path) -> None:
    pytest.importorskip("readline")
    file = tmp_path / "g4f-lite" / "history"
    file.parent.mkdir()
    file.write_text("".join(f"{number}\n" for number in range(1200)))
    settings = {"XDG_STATE_HOME": str(tmp_path)}
    with Terminal("chat", *here, **settings) as one, Terminal("chat", *here, **settings) as other:
        one.wait_for("> ")
        other.wait_for("> ")
        say(one, "first")
        say(other, "second")
        say(one, "third")
        lines = file.read_text().splitlines()  # while both are open: what ends them later loses nothing
    assert (len(lines), lines[0], lines[-4:]) == (1003, "200", ["1199", "first", "second", "third"])


def test_a_message_of_several_lines_is_one_in_the_next_chat(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("readline")
    (tmp_path / "g4f-lite").mkdir()
    (tmp_path / "g4f-lite" / "history").write_text("old \\n one\n", encoding="utf-8")
    settings = {"TERM": "xterm", "XDG_STATE_HOME": str(tmp_path)}
    with Terminal("chat", *here, "--raw", **settings) as terminal:
        terminal.wait_for("> ")
        terminal.type("\x1b[200~one\ntwo\x1b[201~\n")
        terminal.wait_for("one\r\ntwo\r\n")
        terminal.type("/quit\n")
        terminal.end()
    with Terminal("chat", *here, "--raw", **settings) as terminal:
        terminal.wait_for("> ")
        for presses, message in ((2, "one\ntwo"), (4, "old \\n one")):  # over /quit, and then over the first
            emulator.answer("That is it.")
            terminal.type(f"{CTRL_P * presses}\n")
            terminal.wait_for("That is it.")
            assert history(emulator)[-1] == message


def test_a_path_after_save_is_completed(here: list[str], tmp_path: Path) -> None:
    pytest.importorskip("readline")
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / ".hidden").touch()
    with Terminal("chat", *here) as terminal:
        terminal.wait_for("> ")
        terminal.type(f"/sa\t{tmp_path}/a\ttalk.json\n")
        terminal.wait_for(f"Each turn will be saved to {tmp_path}/a folder/talk.json.\r\n")
        terminal.wait_for("> ")
        (tmp_path / "a folder" / "one.json").touch()
        terminal.type(f"/save {tmp_path}/a\t\t\n")
        terminal.wait_for("already")  # exists, on this line or on the next


def test_what_a_terminal_obeys_is_not_completed(emulator: Emulator, here: list[str]) -> None:
    pytest.importorskip("readline")
    emulator.configure(models=["echo", "zed\x9b2J"])
    with Terminal("chat", *here[:2], COLUMNS="200") as terminal:
        terminal.wait_for("> ")
        terminal.type("/model z\t\n")
        shown = terminal.wait_for("does not list the model 'z'; try echo")
    assert "\x9b" not in shown


@pytest.mark.parametrize(("terminal_type", "dim", "end"), [("dumb", "", ""), ("xterm", "\x1b[2m", "\x1b[0m")])
def test_a_chat_that_is_continued_shows_its_last_turn(
    emulator: Emulator, here: list[str], tmp_path: Path, terminal_type: str, dim: str, end: str
) -> None:
    file = tmp_path / "talk.json"
    call("chat", "My name is Ada.", "--save", str(file), *here)
    emulator.answer("You are\nAda.\x1b[2J")
    call("chat", "Who\nam I?", "--continue", str(file), *here)
    with Terminal("chat", "--continue", str(file), *here, TERM=terminal_type) as terminal:
        terminal.wait_for("stops an answer.\r\n")
        shown = f"{dim}> Who am I?\r\nYou are\r\nAda.\ufffd[2J\r\n{end}"
        assert terminal.wait_for(shown) == shown
