"""What the command notes of the providers that did not answer before another one did."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import pytest

from g4f_lite import Local
from g4f_lite.answers.price import Price
from g4f_lite.cli.options import note_fallback, note_waits
from g4f_lite.cli.spending import set_price
from g4f_lite.emulator import Emulator
from g4f_lite.errors import (
    AuthenticationError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    TransportError,
)
from g4f_lite.http.cooldown import CoolDowns
from g4f_lite.http.deadline import Deadline
from g4f_lite.providers import turns
from g4f_lite.providers.circuit_breaker import CircuitBreaker
from g4f_lite.providers.fallback import Fallback
from g4f_lite.providers.openai.provider import OpenAICompatible
from g4f_lite.testing import Scripted

from .command import asked, assert_refused, call

KEY = "sk-a-secret-that-nobody-shall-see"


def test_a_member_of_a_chain_without_a_key_is_told(emulator: Emulator) -> None:
    done = call("chat", "Hello", "-p", "groq,echo", G4F_LITE_OFFLINE="0", GROQ_API_KEY="")
    assert (done.returncode, done.stdout) == (0, "Hello\n")
    assert done.stderr == "Note: Groq is skipped: no key: set GROQ_API_KEY in the environment\n"
    done = call("chat", "Hello", G4F_LITE_PROVIDER="echo,groq", G4F_LITE_OFFLINE="0", GROQ_API_KEY='"quoted"')
    assert done.stderr == "Note: Groq is skipped: GROQ_API_KEY is not a valid key: leave out the quotes\n"
    assert call("chat", "Hello", "-p", "echo,groq", G4F_LITE_OFFLINE="0", GROQ_API_KEY=KEY).stderr == ""


def test_a_member_of_a_chain_that_failed_is_told_before_the_answer() -> None:
    done = call("chat", "Hello", "-p", "groq,echo", GROQ_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (0, "Hello\n")
    reason = "G4F_LITE_OFFLINE=1 allows nothing but loopback, and https://api.groq.com is not; unset it to go there"
    assert done.stderr == f"Note: Groq did not answer ({reason}); Echo answers\n"
    assert call("chat", "Hello", "-p", "echo,groq", GROQ_API_KEY=KEY).stderr == ""
    told = json.loads(call("chat", "Hello", "--json", "-p", "groq,echo", GROQ_API_KEY=KEY).stdout)
    assert [(error["provider"], error["message"]) for error in told["errors"]] == [("Groq", f"Groq: {reason}")]
    assert json.loads(call("chat", "Hello", "--json", "-p", "echo,groq", GROQ_API_KEY=KEY).stdout)["errors"] == []


def test_ones_own_server_is_a_member_of_a_chain(emulator: Emulator) -> None:
    own = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1"}
    for options, environment in (
        (["-p", "groq", "-p", "openaicompatible"], own),
        ([], {**own, "G4F_LITE_PROVIDER": "groq,openaicompatible"}),
        (["-p", "groq,openaicompatible", "--base-url", f"{emulator.url}/v1"], {}),
    ):
        done = call("chat", "Hello", *options, G4F_LITE_OFFLINE="0", GROQ_API_KEY="", **environment)
        assert (done.returncode, done.stderr) == (
            0,
            "Note: Groq is skipped: no key: set GROQ_API_KEY in the environment\n",
        )
    done = call("chat", "Hello", "-p", "groq,openaicompatible")
    assert_refused(
        done, "OpenAICompatible needs --base-url, the URL of a server such as http://localhost:8080/v1, or G4F"
    )


def test_servers_of_ones_own_are_a_chain(emulator: Emulator, tmp_path: Path) -> None:
    nowhere, own = "http://127.0.0.1:9/v1", f"{emulator.url}/v1"
    done = call("chat", "Hello", "-p", nowhere, "-p", own)
    assert done.returncode == 0
    assert "Note: OpenAICompatible (127.0.0.1:9) did not answer (could not connect" in done.stderr
    (tmp_path / "in.txt").write_text("Hello\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), "-p", nowhere, "-p", own)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    done = call("chat", "Hello", "--base-url", nowhere, "--base-url", own)
    assert_refused(done, f"--base-url is given twice; several servers are named by -p {nowhere} -p {own}")


def test_the_model_of_one_member_is_written_behind_its_url(emulator: Emulator) -> None:
    server = f"{emulator.url}/v1"
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # an error otherwise
        done = call("chat", "Hello", "-p", server, "-p", "local", "-m", "toy")
    assert done.stderr.startswith("Note: Local will be skipped for lack of the model 'toy'; ")
    assert done.stderr.endswith(f" name this one with its provider, as in '{server}:toy'\n")
    done = call("chat", "Hello", "-p", f"{server}:mine", "-p", "local")
    assert (done.returncode, done.stderr, asked(emulator)["model"]) == (0, "", "mine")


def test_a_batch_notes_who_answers_in_the_place_of_whom(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.csv"), "-p"]
    done = call(*command, "groq,echo", GROQ_API_KEY=KEY)
    reason = "G4F_LITE_OFFLINE=1 allows nothing but loopback, and https://api.groq.com is not; unset it to go there"
    at_first = f"Note: Groq did not answer ({reason}), and Echo answers instead; "
    at_the_end = "Note: Echo gave 2 of 2 answers; the same command with --reject-provider Echo asks for these 2 again; "
    at_the_end += f"Groq did not answer ({reason})"
    first, last = done.stderr.splitlines()
    assert (done.returncode, first[: len(at_first)], last) == (0, at_first, at_the_end)
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert [row["provider"] for row in csv.DictReader(file)] == ["Echo", "Echo"]
    assert call(*command, "groq,echo", GROQ_API_KEY=KEY).stderr == f"{at_the_end}\n"  # of stored ones
    assert call(*command, "echo,groq", "--fresh", GROQ_API_KEY=KEY).stderr == ""


@pytest.mark.parametrize(("options", "noted"), [([], True), (["--quiet"], False)])
@pytest.mark.parametrize("names", [["openaicompatible"], ["openaicompatible", "groq"]])
def test_a_long_wait_for_a_rate_limit_is_noted(
    options: list[str], noted: bool, names: list[str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CoolDowns, "begin", lambda *given: None)  # no time passes where no wait is real
    monkeypatch.setattr(turns, "wait_for", lambda ended, seconds: None)
    left = iter([30.0])
    monkeypatch.setattr(turns.CircuitBreaker, "known_wait", lambda breaker: next(left, 0.0))
    monkeypatch.setattr(turns.CircuitBreaker, "wait", lambda breaker: 0.0)
    emulator.fail("rate_limit", retry_after=30)
    named = [word for name in names for word in ("-p", name)]
    done = call("chat", "Hello", *named, *options, G4F_LITE_BASE_URL=f"{emulator.url}/v1", GROQ_API_KEY=KEY)
    note = "Note: OpenAICompatible asks to wait 30 s; waiting (Ctrl-C ends it)\n"
    assert (done.returncode, note in done.stderr) == (0, noted)


@pytest.mark.parametrize(("options", "noted"), [([], True), (["--quiet"], False)])
def test_a_server_that_loads_its_model_is_waited_for(options: list[str], noted: bool, emulator: Emulator) -> None:
    emulator.dialect("llama.cpp-loading")
    emulator.fail("error")
    emulator.fail("error")
    done = call("chat", "Hello", "-p", f"{emulator.url}/v1:m", *options)
    note = "Note: OpenAICompatible is still loading its model; waiting (Ctrl-C ends it)\n"
    assert (done.stdout, done.stderr) == ("Hello\n", note if noted else "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransportError("it is down; is it running?"), "it is down; is it running?"),
        (TransportError("busy\nvery."), "busy; very"),
        (
            AuthenticationError("rejected: set X_KEY in the environment, or give api_key=", status=401),
            "rejected: set X_KEY in the environment, or give --api-key-file",
        ),
        (ModelNotSupportedError("no model 'x'; try y, z"), "no model 'x'; try y, z"),
        (
            ModelNotSupportedError("no model 'x'."),
            "no model 'x'; `g4f-lite models`, with the same --provider or --base-url, lists them",
        ),
    ],
)
def test_a_note_has_the_advice_of_the_error(
    error: G4FLiteError, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error.provider = "Groq"
    note_fallback([error], "Echo")
    assert capsys.readouterr().err == f"Note: Groq did not answer ({reason}); Echo answers\n"


def test_a_member_that_was_skipped_is_not_said_to_have_been_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("skipped: it takes no images; leave them out", "skipped, because it failed before (down); later"):
        note_fallback([ProviderError(text, provider="Groq", skipped=True)], "Echo")
    note_fallback([ProviderError("skipped a beat", provider="Groq")], "Echo")
    told = [
        "is skipped: it takes no images; leave them out",
        "is skipped, because it failed before (down); later",
        "did not answer (skipped a beat)",
    ]
    assert capsys.readouterr().err.splitlines() == [f"Note: Groq {each}; Echo answers" for each in told]


@pytest.mark.parametrize(
    ("error", "times", "reason", "seconds"),
    [
        (RateLimitError("busy", status=429, retry_after=20.0), 1, "too many requests, status 429", 20),
        (QuotaExceededError("used up", retry_after=90.0), 1, "its quota is used up", 90),
        (RateLimitError("busy", retry_after=0.2), 1, "too many requests", 1),
        (RateLimitError("busy"), 3, "too many requests", 30),
        (TransportError("it is down"), 3, "the connection failed", 30),
    ],
)
def test_a_member_that_is_skipped_is_told_with_the_seconds_that_are_left(
    error: G4FLiteError, times: int, reason: str, seconds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    breaker = CircuitBreaker(clock=lambda: 0.0)
    for _ in range(times):
        breaker.failed(error)
    note_fallback([breaker.skipped(breaker.wait(), "Groq")], "Echo")
    told = f"Groq is skipped, because it failed before ({reason}); it will be tried again in {seconds} s"
    assert capsys.readouterr().err == f"Note: {told}; Echo answers\n"


def test_the_models_of_the_members_that_answer_are_listed(emulator: Emulator) -> None:
    emulator.configure(models=("llama3.2",))
    here = {"OLLAMA_HOST": emulator.url}
    done = call("models", "-p", "groq,ollama", G4F_LITE_OFFLINE="0", GROQ_API_KEY="", **here)
    assert (done.returncode, done.stdout) == (0, "llama3.2\n")
    assert done.stderr == "Note: Groq is skipped: no key: set GROQ_API_KEY in the environment\n"
    done = call("models", "-p", "groq", "-p", "ollama", GROQ_API_KEY=KEY, **here)
    assert (done.returncode, done.stdout) == (0, "llama3.2\n")
    reason = "G4F_LITE_OFFLINE=1 allows nothing but loopback, and https://api.groq.com is not; unset it to go there"
    assert done.stderr == f"Note: Groq did not list its models ({reason})\n"


def test_servers_that_are_named_by_their_urls_are_told_apart(emulator: Emulator) -> None:
    emulator.configure(models=("llama3.2",))
    nobody, host = "127.0.0.1:9", emulator.url.partition("//")[2]
    done = call("models", "--json", "-p", f"http://{nobody}/v1", "-p", f"{emulator.url}/v1")
    row = {"provider": f"OpenAICompatible ({host})", "model": "llama3.2"}
    assert (done.returncode, json.loads(done.stdout)) == (0, {"models": [row]})
    assert done.stderr.startswith(f"Note: OpenAICompatible ({nobody}) did not list its models (")


def test_a_wait_is_noted_with_the_address_of_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    servers = [OpenAICompatible(base_url=f"http://127.0.0.1:{port}/v1") for port in (8, 9)]
    note_waits(Fallback(servers))
    for server in servers:
        server.on_retry(RateLimitError("busy", retry_after=5.0, provider="OpenAICompatible"), 1, 5.0)
    said = "Note: OpenAICompatible (127.0.0.1:{}) asks to wait 5 s; waiting (Ctrl-C ends it)\n"
    assert capsys.readouterr().err == said.format(8) + said.format(9)


@pytest.mark.parametrize(("seconds", "left"), [(19.7, "20"), (1.9, None)])
def test_the_rest_of_a_wait_that_an_earlier_message_was_told_is_noted(
    seconds: float,
    left: str | None,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = [0.0]
    monkeypatch.setattr(Deadline, "sleep", lambda deadline, pause: clock.append(clock[-1] + pause))
    server = OpenAICompatible(base_url=f"{emulator.url}/v1", model="gpt-4o")
    server.cool_downs = CoolDowns(clock=lambda: clock[-1])
    note_waits(server)
    server.cool_downs.begin("gpt-4o", seconds, 60)
    server.ask("Hello")
    note = f"Note: OpenAICompatible asked to wait, and {left} s are left; waiting (Ctrl-C ends it)\n"
    assert (capsys.readouterr().err, clock) == (note if left else "", [0.0, seconds])


def test_models_fails_if_no_member_of_a_chain_answers() -> None:
    done = call("models", "-p", "groq,ollama", GROQ_API_KEY=KEY, OLLAMA_HOST="127.0.0.1:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("Error: bootstrap: no provider listed its models: Groq: G4F_LITE_OFFLINE=1 ")
    assert "; Ollama, bootstrap: could not connect to http://127.0.0.1:9: " in done.stderr


def test_a_price_is_that_of_all_members_that_are_not_free() -> None:
    server, ollama = (
        OpenAICompatible("http://127.0.0.1:9/v1"),
        OpenAICompatible.preset("ollama", base_url="http://127.0.0.1:9/v1"),
    )
    chain, price = Fallback([server, Local(), ollama, Scripted()]), Price(1, 2)
    set_price(chain, price)
    assert [one.priced_at for one in chain.providers] == [price, "", "", price]
    for alone, priced_at in ((ollama, price), (Local(), "")):
        set_price(alone, price)
        assert alone.priced_at == priced_at


def test_models_have_prices_of_their_own() -> None:
    listed, ollama = OpenAICompatible.preset("groq"), OpenAICompatible.preset("ollama")
    chain = Fallback([OpenAICompatible("http://127.0.0.1:9/v1"), listed, ollama, Scripted()])
    set_price(chain, {"big": Price(1, 2)})
    assert [one.priced_at for one in chain.providers] == [{"big": (1, 2)}, {"big": (1, 2)}, "", {"big": (1, 2)}]
    others = [getattr(one.priced_at, "otherwise", "free at any price") for one in chain.providers]
    assert others == ["http://127.0.0.1:9/v1", listed.base_url, "free at any price", None]
