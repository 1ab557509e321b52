"""What the log says: at DEBUG every request, at INFO what went another way than planned, never a secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import AiChats, AiEngine, Fallback, G4FLiteError, OpenAICompatible, RetryPolicy
from g4f_lite.emulator import Emulator

from .matrix_cells import PROVIDERS

AT_ONCE = RetryPolicy(backoff=0)
ENDED = re.compile(r"(\w+): (\w+): ([A-Z]+) (http://\S+) → (\d+), (\d+) bytes, \d+\.\d{3} s")


def _log(caplog: pytest.LogCaptureFixture, level: int) -> Callable[[], list[str]]:
    caplog.set_level(level, logger="g4f_lite")
    return lambda: [r.getMessage() for r in caplog.records if not r.name.startswith("g4f_lite.emulator")]


def _text(provider: Any) -> str:
    return str(provider.create(messages="one two three"))


def _picture(provider: Any) -> str:
    return str(provider.create("dalle", "a cat"))


def _drawing(provider: Any) -> bytes:
    return bytes(provider.generate_image("a cat").bytes())


def _models(provider: Any) -> list[str]:
    return list(provider.get_models())


@pytest.mark.parametrize(
    ("name", "ask", "steps"),
    [
        ("OpenAICompatible", _text, ["prompt"]),
        ("OpenAICompatible", _models, ["bootstrap"]),
        ("OpenAICompatible", _drawing, ["image", "image"]),
        ("AiEngine", _text, ["bootstrap", "prompt"]),
        ("AiChats", _text, ["bootstrap", "prompt"]),
        ("AiChats", _picture, ["bootstrap", "prompt", "image"]),
        ("AiChatOnline", _text, ["bootstrap", "prompt"]),
    ],
)
def test_debug_has_each_request(
    name: str, ask: Callable[[Any], object], steps: list[str], emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Provider, step, status, bytes and time, in a line at the end; the end may be long after the beginning."""
    lines = _log(caplog, logging.DEBUG)
    with PROVIDERS[name][1](emulator.url) as provider:
        ask(provider)
    ends = [found.groups() for line in lines() if (found := ENDED.fullmatch(line))]
    sent = [(request.method, emulator.url + request.path, str(request.status)) for request in emulator.requests]
    assert [end[2:5] for end in ends] == sent
    assert [end[:2] for end in ends] == [(name, step) for step in steps]
    assert all(int(end[5]) > 0 for end in ends)
    begins = [line for line in lines() if re.search(r"→ 200 after \d+\.\d{3} s$", line)]
    assert len(begins) == len(steps)


def test_debug_has_the_requests_that_fail(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    lines = _log(caplog, logging.DEBUG)
    with OpenAICompatible(emulator.url + "/v1", model="m", retry=None) as provider:
        for fault in ("reset", "server_error", "cut"):
            emulator.fail(fault, **({"after": 1} if fault == "cut" else {}))
            with pytest.raises(G4FLiteError):
                _text(provider)
    request = f"OpenAICompatible: prompt: POST {emulator.url}/v1/chat/completions"
    assert re.fullmatch(re.escape(request) + r": no answer, TransportError after \d\.\d{3} s", lines()[0])
    assert [line.partition(",")[0] for line in lines() if " bytes, " in line] == [
        request + " → 503",
        request + " → 200",
    ]


def test_an_answer_that_is_left_has_an_end_too(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    lines = _log(caplog, logging.DEBUG)
    with OpenAICompatible(emulator.url + "/v1", model="m") as provider:
        emulator.fail("stall", after=1)
        stream = provider.create_generator(messages="one two three")
        next(stream)
        assert len(lines()) == 1
        stream.close()
    assert ENDED.fullmatch(lines()[1])
    assert len(lines()) == 2


@pytest.mark.parametrize("kind", [AiEngine, AiChats])
def test_info_has_a_refreshed_token(kind: Any, emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    lines = _log(caplog, logging.INFO)
    with kind(base_url=emulator.url) as provider:
        _text(provider)
        assert lines() == []
        emulator.expire_tokens()
        _text(provider)
    assert lines() == [f"{kind.__name__}: the token was rejected; fetching a new one"]


def test_info_has_each_retry(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    lines = _log(caplog, logging.INFO)
    emulator.fail("server_error", times=2)
    with OpenAICompatible(emulator.url + "/v1", model="m", retry=AT_ONCE) as provider:
        _text(provider)
    assert [line.partition(" 503")[0] for line in lines()] == [
        f"OpenAICompatible: attempt {n} failed, retrying in 0.00 s: OpenAICompatible, prompt: status" for n in (1, 2)
    ]


def test_info_has_whom_a_chain_passes_over(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    lines = _log(caplog, logging.INFO)
    key = "canary-key-51d0b2aa"
    emulator.fail("status", status=400, body=f"no such key: {key}")
    members = [OpenAICompatible(emulator.url + "/v1", model="m", api_key=key), AiEngine(emulator.url)]
    with Fallback(members) as chain:
        assert _text(chain) == "one two three"
    assert lines() == ["Fallback: no answer from OpenAICompatible, prompt: status 400: no such key: ***"]


def test_info_has_whom_a_chain_leaves_alone(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    emulator.fail("rate_limit", retry_after=600)
    with Fallback([OpenAICompatible(emulator.url + "/v1", model="m"), AiEngine(emulator.url)]) as chain:
        _text(chain)
        lines = _log(caplog, logging.INFO)
        _text(chain)
    assert len(lines()) == 1
    skipped = r"skipped, because it failed before \(too many .*\); try again in \d+ s"
    assert re.match(f"Fallback: no answer from OpenAICompatible: {skipped}", lines()[0])


def test_each_module_has_a_logger_of_its_own(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="g4f_lite")
    emulator.fail("server_error")
    with Fallback([OpenAICompatible(emulator.url + "/v1", model="m", retry=AT_ONCE)]) as chain:
        _text(chain)
        emulator.fail("status", status=400)
        with pytest.raises(G4FLiteError):
            _text(chain)
    ours = {record.name for record in caplog.records if not record.name.startswith("g4f_lite.emulator")}
    assert ours == {
        "g4f_lite.answers.short_traceback",
        "g4f_lite.http.exchange",
        "g4f_lite.http.retry",
        "g4f_lite.providers.chain",
    }
