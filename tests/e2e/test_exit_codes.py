"""The exit codes 1 and 3: what stays wrong, and what may pass by itself; and the errors in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from g4f_lite import errors
from g4f_lite.cli.failure import may_pass
from g4f_lite.emulator import Emulator

from .command import assert_failed, assert_refused, call

NOWHERE = ["--base-url", "http://127.0.0.1:9/v1", "-m", "echo"]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (errors.RateLimitError("too many requests"), True),
        (errors.QuotaExceededError("no tokens are left today"), True),
        (errors.TransportError("could not connect"), True),
        (errors.TransportError("no such name", cause="dns"), True),
        (errors.TransportError("a certificate that has expired", cause="tls"), False),
        (errors.TransportError("the proxy wants a password", cause="proxy"), False),
        (errors.DeadlineExceededError("too late", limit="total"), True),
        (errors.StreamInterruptedError("cut"), True),
        (errors.ServiceError("overloaded", status=529), True),
        (errors.ResponseStatusError("out of order", status=503), True),
        (errors.ResponseStatusError("wrong", status=400), False),
        (errors.ServiceError("wrong", status=200), False),
        (errors.ChallengeError("are you human?", status=503), False),
        (errors.AuthenticationError("a wrong key", status=401), False),
        (errors.ProviderNotConfiguredError("no weights"), False),
        (errors.AllProvidersFailedError("none"), False),
        (errors.AllProvidersFailedError("none", errors=[errors.RefusalError("no"), errors.RateLimitError("x")]), True),
        (errors.AllProvidersFailedError("none", errors=[errors.AuthenticationError("a wrong key")]), False),
    ],
)
def test_what_may_pass_by_itself(error: errors.G4FLiteError, passes: bool) -> None:
    assert may_pass(error) is passes


@pytest.mark.parametrize("command", [["chat", "Hi"], ["models"], ["image", "A cat", "-o", "no-such-image.png"]])
def test_a_server_that_is_not_running_may_run_later(command: list[str]) -> None:
    where = NOWHERE[:2] if command == ["models"] else NOWHERE
    assert_failed(call(*command, *where), "could not connect", code=3)
    assert not Path("no-such-image.png").exists()


def test_an_error_is_an_object_in_json(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["one", " two"])
    emulator.fail("cut", after=1)
    done = call("chat", "Count", "--json", *here)
    error = json.loads(done.stdout)["error"]
    assert_failed(done, error["message"], printed=done.stdout, code=3)
    assert (error["type"], error["step"], error["partial"]) == ("StreamInterruptedError", "stream", "one")
    assert (error["status"], error["retry_after"], "errors" in error) == (None, None, False)


def test_an_error_in_json_has_what_the_service_says(emulator: Emulator, here: list[str]) -> None:
    emulator.fail("quota", times=None)
    error = json.loads(call("chat", "Hi", "--json", *here).stdout)["error"]
    assert (error["type"], error["status"], error["partial"]) == ("QuotaExceededError", 429, "")
    done = call("chat", "Hi", "--json", "-p", "groq,mistral", GROQ_API_KEY="", MISTRAL_API_KEY="", G4F_LITE_OFFLINE="")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["type"]) == (1, "AllProvidersFailedError")
    assert [each["type"] for each in error["errors"]] == ["AuthenticationError"] * 2
    done = call("chat", "Hi", "--json", "-p", "groq", GROQ_API_KEY="", G4F_LITE_OFFLINE="")
    assert (done.returncode, json.loads(done.stdout)["error"]["type"]) == (1, "AuthenticationError")


def test_one_object_at_most_is_printed(emulator: Emulator, here: list[str]) -> None:
    assert_refused(call("chat", "Hi", "--json", "-p", "nosuch"), "nosuch")
    done = call("chat", "no JSON", "--json", "--schema", '{"type": "object"}', *here)
    assert (done.returncode, json.loads(done.stdout)["text"]) == (1, "no JSON")
