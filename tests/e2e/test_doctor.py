"""``g4f-lite doctor``: what it finds, what it asks, and what it never shows."""

from __future__ import annotations

import json
import re
import socket
import ssl
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner

from g4f_lite import AiChats, AuthenticationError, Body, OpenAICompatible, Prompt, Provider, Secret, TransportError
from g4f_lite.cli import reachability
from g4f_lite.cli.commands import doctor
from g4f_lite.cli.diagnosis import diagnose
from g4f_lite.cli.examination import STEPS, Examination, Examiner
from g4f_lite.emulator import Emulator
from g4f_lite.providers import registry
from g4f_lite.providers.base import BaseProvider
from g4f_lite.providers.openai.presets import PRESETS
from g4f_lite.testing import Echo

from .command import assert_refused, call, run

KEY = "sk-a-secret-that-nobody-shall-see"


def examine(make: Callable[[], BaseProvider], seconds: float = 5.0) -> Examination:
    return Examiner(make, "it", "named", counts=True, seconds=seconds).examine()


def server(url: str, **settings: Any) -> Callable[[], BaseProvider]:
    return lambda: OpenAICompatible(f"{url}/v1", retry=None, timeout=5, **settings)


def states(found: Examination) -> list[str]:
    return [step.status for step in found.steps]


@pytest.fixture
def free_port() -> int:
    """Give a port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("G4F_LITE_OFFLINE", raising=False)
    monkeypatch.delenv("G4F_LITE_PROXY", raising=False)


# The command


def test_a_server_that_works(emulator: Emulator) -> None:
    done = run("doctor", "--base-url", f"{emulator.url}/v1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"OpenAICompatible at {emulator.url}/v1 (named): it works\n" in done.stdout
    steps = [line[2:].split("  ")[0] for line in done.stdout.partition("it works\n")[2].splitlines()]
    assert steps == list(STEPS)
    assert [request.step for request in emulator.requests] == ["models", "prompt"]
    assert emulator.connections == 2  # one to see whether it can be reached, one for the requests


def test_the_command_line_is_the_source_of_what_it_chose(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "groq")
    done = call("doctor", "--base-url", f"{emulator.url}/v1")
    assert re.search(r"provider +OpenAICompatible  \(command line\)", done.stdout)


def test_json(emulator: Emulator) -> None:
    done = call("doctor", "AiEngine", "--base-url", emulator.url, "--timeout", "9", "--json", G4F_LITE_MODEL="gpt")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["ok"] is True
    assert said["not_asked"] == []
    (found,) = said["providers"]
    assert (found["provider"], found["address"], found["works"]) == ("AiEngine", emulator.url, True)
    assert [step["name"] for step in found["steps"]] == list(STEPS)
    times = {step["name"]: step["seconds"] for step in found["steps"] if step["seconds"] is not None}
    assert set(STEPS) - set(times) == {"TLS"}
    assert all(0 <= seconds < 9 for seconds in times.values())
    settings = {row["name"]: (row["value"], row["source"]) for row in said["settings"]}
    assert settings["model"] == (
        "the provider's own",
        "default",
    )  # the variable is for one that the environment chooses
    assert settings["timeout"] == ("9 s for each step", "command line")
    assert settings["offline"] == ("1", "G4F_LITE_OFFLINE")
    assert [request.step for request in emulator.requests] == ["bootstrap", "prompt"]  # the nonce is used, not left


def test_no_secret_is_shown(emulator: Emulator) -> None:
    keys = {preset.key_variable: f"{KEY}-{name}" for name, preset in PRESETS.items() if preset.key_variable}
    address = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "G4F_LITE_API_KEY": f"{KEY} "}
    proxies = {"G4F_LITE_PROXY": "http://ada:enigmatic@127.0.0.1:9", "HTTPS_PROXY": "http://ada:enigmatic@localhost:9"}
    for options in ([], ["--json"]):
        emulator.fail("error", message=f"the key {KEY} is no good")
        done = call("doctor", "OpenAICompatible", *options, **keys, **address, **proxies)
        assert done.returncode == 1
        shown = done.stdout + done.stderr
        assert f"*** ({len(KEY)} characters)" in shown
        assert "nobody" not in shown
        assert "enigmatic" not in shown


def test_nothing_that_is_offline_is_looked_up() -> None:
    done = call("doctor", "groq", "--json", GROQ_API_KEY=KEY)
    (found,) = json.loads(done.stdout)["providers"]
    assert done.returncode == 1
    assert [step["status"] for step in found["steps"]] == ["failed", *["not reached"] * 6]
    assert "G4F_LITE_OFFLINE=1" in found["steps"][0]["detail"]


def test_wrong_usage(tmp_path: Path) -> None:
    assert call("doctor", "ollama", "vllm", "--base-url", "http://127.0.0.1:9").returncode == 2
    assert_refused(call("doctor", "groq", "--api-key-file", str(tmp_path / "none")), "cannot read the key file")
    failed = call("doctor", "groq", "--api-key-file", "gsk_abcdefgh1234")
    assert_refused(failed, "key file ***: ", "; --api-key-file takes the path of a file that has the key in it")
    assert "gsk_" not in failed.stderr


def test_who_counts(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    stranger = doctor.Target("OpenAICompatible", "here", counts=False, base_url=f"http://127.0.0.1:{free_port}/v1")
    monkeypatch.setattr(doctor, "targets", lambda *_: [doctor.Target("Echo", "named"), stranger])
    done = CliRunner().invoke(doctor.command, [])
    assert "Echo (named): it works" in done.output
    assert done.output.rstrip().endswith("(here): it is not running")
    assert done.exit_code == 0
    monkeypatch.setattr(doctor, "targets", lambda *_: [doctor.Target("Ecko", "named"), doctor.Target("Echo", "named")])
    done = CliRunner().invoke(doctor.command, [])
    assert "Ecko (named): there is no such provider" in done.output
    assert done.exit_code == 1


# Who is asked


@pytest.mark.parametrize(
    "names",
    [["-p", "echo", "--provider", "scripted"], ["echo", "-p", "scripted"], ["-p", "echo,scripted"], ["echo,scripted"]],
)
def test_providers_are_named_as_in_the_other_commands(names: list[str]) -> None:
    found = json.loads(call("doctor", *names, "--json").stdout)["providers"]
    assert [one["provider"] for one in found] == ["Echo", "Scripted"]


def test_a_variable_that_is_no_setting_is_noted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # an error otherwise
        done = call("doctor", "echo", G4F_LITE_CONTEX="1024")
    assert done.returncode == 0
    assert re.fullmatch(r"Note: G4F_LITE_CONTEX in the .*; is G4F_LITE_CONTEXT meant\?\n", done.stderr)


def test_those_that_were_chosen_and_those_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = ["ollama", "llama.cpp", "lmstudio", "vllm"]
    for name in ("G4F_LITE_PROVIDER", "G4F_LITE_BASE_URL", "G4F_LITE_MODEL"):
        monkeypatch.delenv(name, raising=False)

    def asked(*names: str, base_url: str | None = None) -> list[str]:
        return [target.name for target in doctor.targets(names, base_url, None)]

    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # chooses nobody
    assert asked() == ["Local", *here]
    monkeypatch.setenv("G4F_LITE_BASE_URL", "https://example.org/v1")
    assert asked() == ["OpenAICompatible", *here]
    monkeypatch.setenv("G4F_LITE_PROVIDER", "groq:llama, ollama")
    assert asked() == ["groq:llama", "ollama", "llama.cpp", "lmstudio", "vllm"]
    assert asked("mistral") == ["mistral"]
    assert asked(base_url="http://localhost/v1") == ["OpenAICompatible"]
    assert doctor.not_tested({"Groq"}) == ["openai"]
    assert doctor.not_tested({"OpenAI"}) == []


# What is found


@pytest.mark.parametrize(
    ("fault", "settings", "step", "verdict"),
    [
        ("token", {}, "first piece", "its key is missing"),
        ("rate_limit", {}, "first piece", "it limits the rate of requests"),
        ("quota", {}, "first piece", "its quota is used up"),
        ("challenge", {}, "first piece", "it answers with a bot challenge"),
        ("server_error", {}, "first piece", "its server fails"),
        ("status", {"status": 503}, "first piece", "its server fails"),
        ("status", {"status": 503, "body": '{"error": "Loading model"}'}, "first piece", "it is loading its model"),
        ("status", {"status": 502, "step": "models"}, "bootstrap", "its server fails"),
        ("status", {"status": 410}, "first piece", "it refuses the request"),
        ("empty", {}, "first piece", "its answer is empty"),
        ("cut", {"after": 1}, "end", "its answer was cut"),
        ("error", {"after": 1}, "end", "it reports an error"),
        ("challenge", {"step": "models"}, "bootstrap", "it answers with a bot challenge"),
        ("refuse", {"nth": 2}, "bootstrap", "it is not running"),
    ],
)
def test_each_fault_has_its_verdict(
    emulator: Emulator, fault: str, settings: dict[str, Any], step: str, verdict: str
) -> None:
    emulator.answer(["one", " two"])
    emulator.fail(fault, **settings)
    found = examine(server(emulator.url))
    (failed,) = [one for one in found.steps if one.status == "failed"]
    assert (failed.name, found.verdict, found.works) == (step, verdict, False)
    assert failed.detail
    assert found.remedy
    assert ("look into its log" in found.remedy) == (verdict == "its server fails")  # and not at its URL
    after = found.steps[found.steps.index(failed) + 1 :]
    assert all((one.status, one.seconds) == ("not reached", None) for one in after)


def test_silence(emulator: Emulator) -> None:
    emulator.fail("stall", after="headers")
    found = examine(lambda: OpenAICompatible(f"{emulator.url}/v1", retry=None, timeout=0.2))
    assert found.verdict == "it is too slow"


def test_nobody_listens(free_port: int) -> None:
    found = examine(server(f"http://127.0.0.1:{free_port}"))
    assert states(found)[:3] == ["ok", "ok", "failed"]
    assert found.verdict == "it is not running"


def test_a_proxy_that_is_not_there(emulator: Emulator, free_port: int) -> None:
    found = examine(server(emulator.url, proxy=f"http://ada:enigmatic@127.0.0.1:{free_port}"))
    assert states(found)[:3] == ["ok", "ok", "failed"]
    assert found.verdict == "the proxy does not work"
    assert emulator.connections == 0


def test_an_unknown_name(online: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(reachability.socket, "getaddrinfo", look_up)
    found = examine(server("http://nowhere.invalid"))
    assert states(found)[:2] == ["ok", "failed"]
    assert found.verdict == "its host name is unknown"


def test_a_look_up_that_takes_too_long(online: None, monkeypatch: pytest.MonkeyPatch) -> None:
    over = reachability.threading.Event()
    monkeypatch.setattr(reachability.socket, "getaddrinfo", lambda *_, **__: over.wait(5) and [])
    found = examine(server("http://nowhere.invalid"), seconds=0.05)
    over.set()
    assert found.steps[1].detail.endswith("no answer within 0.05 s")


def test_a_missing_key(online: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    found = examine(lambda: OpenAICompatible.preset("groq"))
    assert (found.verdict, states(found)[0]) == ("its key is missing", "failed")
    assert "GROQ_API_KEY" in (found.remedy or "")


@pytest.mark.parametrize(("name", "variable"), [("lmstudio", "LM_API_TOKEN"), ("quill", "QUILL_API_KEY")])
@pytest.mark.usefixtures("quill")
def test_a_variable_without_a_key(name: str, variable: str) -> None:
    done = call("doctor", name, **{variable: f"Bearer {KEY}\nand more"})
    assert done.returncode == 1
    assert re.search(rf"named\): its key is invalid\n  settings +failed +[\d.]+ s  {variable} is ", done.stdout)
    told = "correct the variable that the message above names, or give another one by --api-key-file"
    assert f"To do: {told}.\n" in done.stdout
    assert KEY not in done.stdout


def test_a_key_that_a_server_on_this_machine_requires(emulator: Emulator) -> None:
    emulator.fail("token", step="models")
    done = call("doctor", "lmstudio", "--base-url", f"{emulator.url}/v1", G4F_LITE_API_KEY="unused")
    assert ": its key is missing\n" in done.stdout
    assert re.search(r"settings +ok .* no key\n", done.stdout)
    unread = "(G4F_LITE_API_KEY is only for the server that G4F_LITE_BASE_URL names)"
    assert f"(no key was sent: set LM_API_TOKEN in the environment {unread}, or give --api-key-file)" in done.stdout
    assert f"To do: set LM_API_TOKEN in the environment {unread}, or give --api-key-file.\n" in done.stdout
    emulator.fail("token", step="models")
    done = call("doctor", "lmstudio", "--base-url", f"{emulator.url}/v1", LM_API_TOKEN="wrong")
    assert ": it rejects the key\n" in done.stdout
    told = "check that the key is complete and still valid, or give another one by --api-key-file"
    assert f"To do: {told}.\n" in done.stdout


def test_the_command_that_lists_the_models_gets_the_key_of_the_file(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    emulator.configure(api_key=KEY, refuse_unknown_models=True)
    here = ["--base-url", f"{emulator.url}/v1"]
    given, environment = ["--api-key-file", str(tmp_path / "key")], {"G4F_LITE_BASE_URL": f"{emulator.url}/v1"}
    for options, environ, file in (
        (given, {}, " --api-key-file FILE"),
        ([], {**environment, "G4F_LITE_API_KEY": KEY}, ""),
    ):
        done = call("doctor", *here, "-m", "nosuch", *options, **environ)
        listed = f"`g4f-lite models {' '.join(here)}{file}` lists them"
        assert f"To do: name another model; {listed}.\n" in done.stdout


def test_a_url_that_lacks_its_end(emulator: Emulator) -> None:
    done = call("doctor", "--base-url", emulator.url)
    assert f"try --base-url {emulator.url}/v1" in done.stdout
    assert "(named): its URL may be incomplete\n" in done.stdout


def test_a_url_in_the_place_of_a_name() -> None:
    done = call("doctor", "http://127.0.0.1:9/v1")
    assert "http://127.0.0.1:9/v1 (named): it is not running\n" in done.stdout
    assert re.search(r"\n  model +the provider's own +\(default\)\n", done.stdout)


def test_wrong_settings() -> None:
    found = examine(lambda: OpenAICompatible("localhost"))
    assert (found.verdict, states(found)[0]) == ("its settings are invalid", "failed")


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Emulator(tls=context) as emulator:
        found = examine(server(emulator.url, verify=str(bundle)))
        assert (found.verdict, states(found)) == ("it works", ["ok"] * 7)
        assert "certificate valid until" in found.steps[3].detail
        found = examine(server(emulator.url, verify=False), seconds=5)
        assert "certificate not verified" in found.steps[3].detail
        found = examine(server(emulator.url, verify=True))
        assert states(found)[3:5] == ["failed", "not reached"]
        assert found.verdict == "there is no secure connection"
        assert "certificate" in found.steps[3].detail


def test_a_provider_in_this_process() -> None:
    found = examine(Echo)
    assert states(found) == ["ok", *["not needed"] * 4, "ok", "ok"]
    assert found.works


class Keyed(Provider):
    """A provider of another package, whose code has a mistake."""

    url = "http://127.0.0.1:9"
    api_key = Secret("QUILL_API_KEY")

    def request(self, prompt: Prompt, token: str) -> Any:
        return None

    def deltas(self, body: Body, prompt: Prompt) -> Any:
        return None


def test_a_site_that_is_gone_needs_another_provider(emulator: Emulator) -> None:
    error, instead = TransportError("no such host", cause="dns"), "use another provider"
    assert instead in diagnose(error, AiChats())[1]
    assert instead not in diagnose(TransportError("refused", cause="proxy"), AiChats())[1]
    assert instead not in diagnose(error, AiChats(base_url=emulator.url))[1]


@pytest.fixture
def quill(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = EntryPoint("quill", f"{__name__}:Keyed", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [offered])


@pytest.mark.usefixtures("quill")
def test_the_key_that_a_provider_of_another_package_declares() -> None:
    listed = call("providers", QUILL_API_KEY=KEY).stdout
    assert re.search(r"^quill +yes +QUILL_API_KEY \(set\) +yes$", listed, re.MULTILINE)
    missing = call("doctor", "quill").stdout
    assert "(named): its key is missing" in missing
    assert "To do: set QUILL_API_KEY in the environment.\n" in missing  # and it takes no argument

    class Given(Keyed):
        def __init__(self, *, api_key: str | None = None) -> None:
            super().__init__()
            self.api_key = api_key

    remedy = diagnose(AuthenticationError("no key"), Given())[1]
    assert remedy == "set QUILL_API_KEY in the environment, or give --api-key-file"
    assert "the key is from QUILL_API_KEY\n" in call("doctor", "quill", QUILL_API_KEY=KEY).stdout


@pytest.mark.usefixtures("quill")
def test_a_mistake_in_the_code_of_a_provider_is_one_line(emulator: Emulator) -> None:
    at = ["quill", "--base-url", emulator.url]
    found = call("doctor", *at, QUILL_API_KEY=KEY).stdout
    assert "(named): its code has a mistake" in found
    assert re.search(r"first piece +failed .* Keyed\.request returned None; return a requests\.Request", found)
    said = call("chat", "x", "-p", *at, QUILL_API_KEY=KEY)
    assert (said.returncode, said.stdout) == (1, "")
    assert re.fullmatch(r"Error: Keyed\.request returned None; .*\n", said.stderr)
