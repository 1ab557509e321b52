"""The command when something is wrong: which code it ends with, what it says, and what it never shows."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.gguf_files import SMOLLM2, gguf

from g4f_lite.cli.app import COMPLETION
from g4f_lite.cli.commands.doctor import Target, make_target
from g4f_lite.cli.options import ProviderOptions
from g4f_lite.cli.output import prepare
from g4f_lite.emulator import Emulator

from .command import assert_failed, assert_refused, call, read_until, run, start

KEY = "sk-a-secret-that-nobody-shall-see"


# Keys


def test_the_key_comes_from_a_file(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(api_key=KEY)
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert call("chat", "Hello", "--api-key-file", str(file), *here).stdout == "Hello\n"
    assert call("models", "--api-key-file", str(file), *here[:2]).returncode == 0


def test_the_key_comes_from_the_environment(emulator: Emulator, here: list[str]) -> None:
    emulator.configure(api_key=KEY)
    environment = {"G4F_LITE_API_KEY": KEY, "G4F_LITE_BASE_URL": f"{emulator.url}/v1"}
    assert call("chat", "Hello", *here[2:], **environment).stdout == "Hello\n"


def test_a_key_is_never_shown(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(api_key="sk-another")
    file = tmp_path / "key"
    file.write_text(KEY)
    outputs = [call("chat", "Hello", "--api-key-file", str(file), *here, G4F_LITE_LOG="debug")]
    file.write_text(f"{KEY} and more")
    outputs.append(call("chat", "Hello", "--api-key-file", str(file), *here, G4F_LITE_LOG="debug"))
    file.write_bytes(KEY.encode() + b"\xff")
    outputs.append(call("chat", "Hello", "--api-key-file", str(file), *here, G4F_LITE_LOG="debug"))
    assert [done.returncode for done in outputs] == [1, 2, 2]
    assert "Traceback" not in outputs[2].stderr
    outputs.append(call("chat", "Hello", f"--api-key={KEY}"))
    outputs.append(call("chat", "Hello", "--api-key", KEY))
    outputs.append(call("providers", GROQ_API_KEY=KEY))
    assert "GROQ_API_KEY (set)" in outputs[-1].stdout
    for done in outputs:
        assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot read"), ("\n", "is empty"), ("a key", "is not a valid key")]
)
def test_a_file_without_a_key_is_one_line(tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    assert_refused(call("chat", "Hello", "-p", "groq", "--api-key-file", str(file)), str(file), words)


@pytest.mark.parametrize("arguments", [["chat", "Hi"], ["models"], ["image", "a cat", "-o", "no-such-image.png"]])
@pytest.mark.parametrize(("name", "variable"), [("groq", "GROQ_API_KEY"), ("lmstudio", "LM_API_TOKEN")])
def test_a_variable_without_a_key_is_one_line(arguments: list[str], name: str, variable: str) -> None:
    done = call(*arguments, "-p", name, **{variable: f"Bearer {KEY}", "G4F_LITE_OFFLINE": "0"})
    assert_failed(done, f"{variable} is not a valid key: leave out 'Bearer'\n")
    assert KEY not in done.stderr


@pytest.mark.parametrize(
    ("providers", "words"),
    [(["-p", "groq,openai"], "a single provider"), (["-p", "local"], "Local has no use"), ([], "Local has no use")],
)
def test_a_key_goes_to_the_provider_that_is_named_with_it(tmp_path: Path, providers: list[str], words: str) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    assert_refused(call("chat", "Hello", *providers, "--api-key-file", str(file)), "--api-key-file", words)


@pytest.mark.parametrize("names", [["-p", "local"], ["-p", "echo", "-p", "local"]])
def test_a_variable_that_a_named_provider_does_not_read_is_told(names: list[str]) -> None:
    told = (
        "Note: Local uses smollm2: G4F_LITE_MODEL is for commands that name no provider; leave out --provider, or write"
    )
    done = call("models", *names, G4F_LITE_MODEL="qwen3-0.6b")
    assert done.stderr.startswith(f"{told} --provider local:qwen3-0.6b\n")
    for arguments in (["-p", "local:smollm2"], ["-p", "echo"], []):
        assert "Note:" not in call("models", *arguments, G4F_LITE_MODEL="qwen3-0.6b").stderr
    assert "Note:" not in call("chat", "Hi", "-p", "local", "-m", "nosuch", G4F_LITE_MODEL="qwen3-0.6b").stderr
    assert "Note:" not in call("models", *names, G4F_LITE_MODEL="gpt-4o").stderr  # which is a server's


@pytest.mark.parametrize("named", [["-p", "ollama"], ["--base-url", "http://127.0.0.1:9/v1"]])
def test_a_server_that_is_named_asks_its_own_model_and_that_is_told(named: list[str]) -> None:
    told = "uses its own model: G4F_LITE_MODEL is for commands that name no provider; write --model gpt-4o for that one"
    assert told in call("models", *named, G4F_LITE_MODEL="gpt-4o").stderr
    for more in (["-m", "small"], ["-p", "ollama:small"]):
        assert "Note:" not in call("chat", "Hi", *named[: 2 * (more[0] == "-m")], *more, G4F_LITE_MODEL="gpt-4o").stderr


def test_doctor_tells_it_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("G4F_LITE_MODEL", "qwen3-0.6b")
    for source in ("the default", "named"):
        assert capsys.readouterr().err == ""
        make_target(Target("local", source), {"retry": None}, {})
    assert capsys.readouterr().err.startswith("Note: Local uses smollm2: G4F_LITE_MODEL is for commands that")


def test_the_projector_of_a_model_that_sees_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.providers.local.runner.check_installed", lambda: None)
    model = tmp_path / "model.gguf"
    model.write_bytes(gguf(SMOLLM2))
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(gguf({"general.architecture": "clip"}))
    image, given = ["-i", "https://example.org/cat.png"], ["--mmproj", str(projector)]
    refused = call("chat", "What?", "-m", str(model), *image)
    assert_refused(refused, "give the model's projector with --mmproj: mmproj.gguf, beside the model, may be it\n")
    assert_refused(call("chat", "What?", "-m", str(model), *given, *image), "Local downloads no images")
    for chosen in ("", str(model)):
        refused = call("chat", "What?", "--mmproj", "none.gguf", G4F_LITE_MODEL=chosen)
        assert_refused(refused, "give the path of a .gguf file (the projector is from --mmproj)\n")
    assert_refused(call("chat", "What?", "-p", "ollama", *given), "--mmproj is for the embedded model")


@pytest.mark.parametrize(
    ("name", "superfluous"),
    [('"/models/big.gguf"', "the quotes"), ("local:/models/big.gguf", "local:"), ("file:///big.gguf", "file://")],
)
def test_what_does_not_belong_to_the_path_of_a_model_is_told(name: str, superfluous: str) -> None:
    expected = f"Error: Local: there is no file {name}; leave out {superfluous}"
    assert_refused(call("chat", "Hello", "-m", name), f"{expected}\n")
    done = call("chat", "Hello", G4F_LITE_MODEL=name)
    assert_refused(done, f"{expected} (the model is from G4F_LITE_MODEL)\n")
    assert "hf:" not in call("chat", "Hello", "-m", "/models/big").stderr


# How it ends


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "no-such-provider"], "no-such-provider"),
        (["-p", ""], "provider '' contains no name; leave it out"),
        (["-p", "local", "-m", "no-such-file.gguf"], "no-such-file.gguf"),
        (["-p", "local", "-m", __file__], ".gguf file"),
        (["-p", "local", "--base-url", "http://127.0.0.1:9/v1"], "Local has no use for --base-url"),
        (["--base-url", "localhost:8080"], "--base-url must be a URL"),
        (["-p", "ai_engine"], "AiEngine needs --base-url"),
        (["-p", "OpenAICompatible"], "OpenAICompatible needs --base-url, the URL of a server"),
        (["-p", "http:///v1"], "the address of a server must be a URL such as http://localhost:8080/v1"),
        (["-p", "echo", "--base-url", "http://127.0.0.1:9/v1"], "echo does not accept --base-url"),
        (["-p", "echo", "--timeout", "0"], "0 seconds"),
        (["-p", "echo", "--timeout", "nan"], "nan"),
        (["-p", "ollama", "--proxy", "here"], "proxy"),
        (["-p", "ollama", "-m", " "], "blank"),
        (["-p", "echo", "-i", "no-such-file.png"], "no-such-file.png"),
        (["-p", "local", "-i", "https://example.org/cat.png"], "Local accepts only text"),
        (["-p", "local", "-i", "https://example.org/cat.png"], "leave out --image"),
        (["-p", "echo", "-i", __file__], f"{__file__} is not a PNG"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: list[str], words: str) -> None:
    assert_refused(call("chat", "Hello", *arguments), words)


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["caht"], b"", "there is no command 'caht'; did you mean chat?"),
        (["pull", "smollm2"], b"", "there is no command 'pull'; did you mean local pull?"),
        (["chat", "- one\n- two"], b"", "a prompt that begins with a dash comes after --, as in -- '- one - two'\n"),
        (
            ["chat", "-5 degrees: " + 40 * "is it cold? "],
            b"",
            "comes after --, as in -- '-5 degrees: is it cold? is it cold? is …'\n",
        ),
        (["--provider", "echo", "chat", "hi"], b"", "the option --provider comes after a command: g4f-lite chat --pro"),
        (["-p", "echo", "chat", "hi"], b"", "the option -p comes after a command: g4f-lite chat -p …\n"),
        (["--nothing", "chat", "hi"], b"", "No such option"),
        (["hello"], b"", "'hello' is not a command; a prompt comes after one: g4f-lite chat 'hello'"),
        (["completion"], b"", f"for completion in bash, add to ~/.bashrc: {COMPLETION}"),
        (["chat", "Hi", "--timeout", "1m x"], b"", "'1m x' is not a time, such as 90, 90s, 1m30s or 2h"),
        (["batch", "in.txt", "--max-time", "1d"], b"", "'1d' is not a time"),
        (["image", "Hi", "-o", "x.png", "--timeout", ""], b"", "'' is not a time"),
        (["doctor", "echo", "--timeout", "1.2.3s"], b"", "'1.2.3s' is not a time"),
        (["doctor", "echo", "--timeout", "0"], b"", "--timeout must be more than 0 seconds"),
        (["Hi, you"], b"", "'Hi, you' is not a command; a prompt comes after one: g4f-lite chat 'Hi, you'"),
        (["batch", "in.txt", "--dry-run"], b"", "; did you mean --estimate?"),
        (["batch", "in.txt", "out.jsonl"], b"", "(out.jsonl); did you mean --output?"),
        (["models", "harbor"], b"", "(harbor); did you mean --provider?"),
        (["batch", "in.txt", "--limit", "8"], b"", "; did you mean --head?"),
        (["batch", "in.txt", "-n", "8"], b"", "; did you mean --head?"),
        (["batch", "in.csv", "--sep", ";"], b"", "; did you mean --delimiter?"),
        (["batch", "in.txt", "--resume"], b"", "a batch goes on where it was by itself: leave out --resume"),
        (["serve", "--bind", "0.0.0.0"], b"", "; did you mean --host?"),
        (["chat", "Hi", "-p", "echo", "--save", "x" * 300], b"", f"cannot look at {'x' * 300}: File name too long"),
        (["chat", "What", "is it?"], b"", 'the prompt is several arguments; put it in quotes: "What is it?"'),
        (["chat", "-p", "echo"], b"\xff\x00", "standard input is not text in UTF-8\n"),
        (["chat", "Hi", "-p", "echo", "-i", "-"], b"text", "standard input is not a PNG"),
        (["chat", "Hi", "-p", "nosuch"], b"", "; `g4f-lite providers` lists them"),
    ],
)
def test_what_to_write_instead_is_said(arguments: list[str], stdin: bytes, words: str) -> None:
    done = call(*arguments, stdin=stdin)
    assert done.returncode != 0
    assert words in done.stderr


def test_a_cut_answer_does_not_name_an_attribute_of_python(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["one", " two"])
    emulator.fail("cut", after=1)
    done = call("chat", "Count", *here)
    assert_failed(done, "cut", printed="one\n", code=3)
    assert "partial" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_terminal_gets_an_error_broken_between_words() -> None:
    from .command import Terminal

    with Terminal("chat", "Hi", "-p", "nosuch", COLUMNS="40") as terminal:
        lines = terminal.end()[1].splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 40
    assert " ".join(lines).endswith("; `g4f-lite providers` lists them")


def test_a_missing_key_is_one_line() -> None:
    done = call("chat", "Hello", "-p", "groq", G4F_LITE_OFFLINE="")
    assert_failed(done, "GROQ_API_KEY in the environment, or give --api-key-file")


@pytest.mark.parametrize("command", [["chat", "Hello"], ["models"]])
@pytest.mark.parametrize(
    ("provider", "name", "value", "words"),
    [
        ("ollama", "G4F_LITE_PROXY", "nowhere", "G4F_LITE_PROXY must be a URL"),
        ("echo,ollama", "G4F_LITE_PROXY", "nowhere", "G4F_LITE_PROXY must be a URL"),
        ("groq", "REQUESTS_CA_BUNDLE", "/no/such/file", "REQUESTS_CA_BUNDLE is '/no/such/file', which does not exist"),
    ],
)
def test_a_wrong_setting_of_the_environment_is_one_line(
    command: list[str], provider: str, name: str, value: str, words: str
) -> None:
    environment = {name: value, "G4F_LITE_OFFLINE": "", "GROQ_API_KEY": KEY}
    assert_refused(call(*command, "-p", provider, **environment), words)


def test_an_empty_prompt_is_one_line() -> None:
    assert_refused(call("chat", "", "-p", "echo"), "blank")


@pytest.mark.parametrize(
    ("fault", "code"), [("challenge", 1), ("quota", 1), ("token", 1), ("not_json", 1), ("reset", 3)]
)
def test_a_failure_of_the_service_is_one_line(emulator: Emulator, here: list[str], fault: str, code: int) -> None:
    emulator.fail(fault, times=None)
    assert_failed(call("chat", "Hello", *here), code=code)


def test_an_unknown_model_comes_with_a_command_that_lists_the_known(emulator: Emulator) -> None:
    emulator.configure(refuse_unknown_models=True)
    emulator.configure(models=[f"toy-{number}" for number in range(9)])
    done = call("chat", "Hello", "--base-url", f"{emulator.url}/v1", "-m", "gpt-99")
    assert_failed(done, "gpt-99", "toy-7 and 1 more; `g4f-lite models`, with the same --provider or --base-url")
    done = call("chat", "Hello", "--base-url", f"{emulator.url}/v1", "-m", "toi-1")
    assert_failed(done, "toi-1", "; try toy-1\n")
    assert "g4f-lite models" not in done.stderr
    done = call("chat", "Hello", "--base-url", f"{emulator.url}/v1", "-m", "groq:toy")
    assert_failed(done, "groq:toy", "; for the provider groq, write -p groq:toy")


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        ("llama3.2", "name that too: -p ollama -m llama3.2\n"),
        ("ollama:llama3.2:3b", "with its provider it is -p ollama:llama3.2:3b\n"),
        ("claude", "of the service anthropic, write -p anthropic\n"),
        ("gpt-4o", "of the service openai, write -p openai -m gpt-4o\n"),
        ("ollama/llama3.2", "with its provider it is -p ollama:llama3.2\n"),
        ("ann/tiny", "if it is on Hugging Face's hub, write hf:ann/tiny; or give the path of a .gguf file\n"),
    ],
)
def test_a_model_of_elsewhere_comes_with_what_names_the_place(model: str, advice: str) -> None:
    assert_refused(call("chat", "Hello", "-m", model), f"it has no model '{model}'; try ", advice)


def test_the_context_has_an_option_of_its_own() -> None:
    done = call("chat", "Hello", "-o", "context=1024")
    assert_refused(done, "Local has no option 'context': pass --context for the embedded model; a server has its own")
    assert_refused(call("chat", "Hello", "--context", "64"), "--context must be at least 256, not 64")
    assert_refused(call("chat", "Hello", "--threads", "0"), "--threads must be at least 1, not 0")
    assert_refused(call("serve", "--context", "64"), "--context must be at least 256, not 64")
    assert_refused(call("serve", "ollama", "--context", "512"), "--context is for the embedded model")
    assert_refused(call("doctor", "ollama", "--threads", "2"), "--threads is for the embedded model")
    done = call("chat", "x", "-p", "ollama,groq", "--base-url", "http://x/v1")
    assert_refused(done, "--base-url needs a single provider", "be named by its URL, as in -p http://x/v1; in Python,")
    elsewhere = call("chat", "Hello", "-p", "ollama", "-p", "groq", "--threads", "2")
    assert_refused(elsewhere, "--threads is for the embedded model, which is not used here")
    options = ProviderOptions(("groq", "local"), None, None, None, None)
    local = options.choose({"context": 1024}).providers[1]  # type: ignore[attr-defined]
    assert local.runner.context == 1024


def test_a_remedy_in_python_is_one_for_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which prepare replaces
    prepare()
    warnings.showwarning("it is full; make it larger with Local(context=8192), or images=", UserWarning, "", 0)
    assert capsys.readouterr().err == "Note: it is full; make it larger with --context 8192, or --image\n"


def test_a_hub_that_does_not_answer_is_no_provider_to_test(tmp_path: Path) -> None:
    hub = {"HF_ENDPOINT": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path)}
    done = call("local", "pull", "hf:owner/name", **hub)
    advice = "is the server running that HF_ENDPOINT names? And a .gguf file that you have is used by its path\n"
    assert_failed(done, f"could not connect to http://127.0.0.1:9: Connection refused; {advice}", code=3)
    done = call(
        "local",
        "pull",
        f"http://127.0.0.1:9/m.gguf#sha256={'0' * 64}",
        **hub | {"HF_ENDPOINT": "", "G4F_LITE_OFFLINE": "0"},
    )
    assert_failed(done, "Connection refused; is the server running that the name of the model leads to?\n", code=3)


def test_an_address_without_v1_comes_with_what_to_write(emulator: Emulator) -> None:
    done = call("chat", "Hello", "--base-url", emulator.url)
    assert_failed(done, f": try --base-url {emulator.url}/v1\n")
    done = call("chat", "Hello", G4F_LITE_BASE_URL=emulator.url)
    assert_failed(done, f": try G4F_LITE_BASE_URL={emulator.url}/v1\n")
    done = call("chat", "Hello", "--base-url", f"{emulator.url}/v1:qwen3", "-m", "x")
    assert_failed(done, f"'qwen3' is a setting of its own: try --base-url {emulator.url}/v1 and that model\n")


def test_a_message_of_several_lines_is_one_line(emulator: Emulator, here: list[str]) -> None:
    emulator.fail("success_false", message="first\nsecond\x1b[2J")
    assert_failed(call("chat", "Hello", *here), "first", "second\ufffd[2J")
    assert_failed(call("chat", "Hello", "-p", "groq,openai"), "no provider answered: Groq: ", "; OpenAI: ")


@pytest.mark.parametrize("way", [call, pytest.param(functools.partial(run, PYTHONUTF8="1"), marks=pytest.mark.once)])
def test_bytes_that_are_no_text_are_one_line(way: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert_refused(way("chat", "-p", "echo", stdin=b"\xff\xfe\x00"), "standard input")
    assert_refused(way("chat", "-p", "echo", os.fsdecode(b"\xff"), stdin=b""), "not valid utf-8")


@pytest.mark.parametrize(
    "arguments", [["chat"], ["chat", "one", "two"], ["chat", "--no-such"], ["no-such"], ["chat", "x", "--timeout", "y"]]
)
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: g4f-lite" in done.stderr


def test_a_mistake_in_the_program_shows_where_it_is() -> None:
    code = (
        "from g4f_lite import cli, testing; from g4f_lite.providers import selection;"
        "selection.replacement = testing.Scripted(['a piece', ValueError('a mistake')]); cli.main()"
    )
    done = run("chat", "Hello", code=code)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: a mistake" in done.stderr


@pytest.mark.once
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
