"""Grammars that the embedded engine is never through with, and what takes long and is none of them."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from g4f_lite import DeadlineExceededError, Local, RetryPolicy, ServiceError, TransportError
from g4f_lite.providers.local import engine as engine_module
from g4f_lite.providers.local.engine import Engine

from .conftest import COPY_CONTEXT, engine_of, get
from .tiny_model import write_tiny_model

# Each rule leads to the next one in two ways, and all of them are tried.
DOUBLING = "\n".join(["root ::= r0", *(f"r{each} ::= r{each + 1} | r{each + 1}" for each in range(60)), 'r60 ::= "a"'])


def wait_until_stuck(engine: Engine) -> None:
    """Return when the engine answers nobody."""
    with contextlib.suppress(DeadlineExceededError):
        while True:
            assert get(engine, "/metrics", patience=0.3)[0] == 200


@pytest.mark.once
@pytest.mark.usefixtures("model")
def test_one_ends_the_engine_for_its_own_call_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CHOICE_SECONDS", 1.0)
    path = write_tiny_model(tmp_path / "stuck.gguf")
    local = Local(path, context=COPY_CONTEXT, timeout=60, retry=RetryPolicy(backoff=0.01), keep_alive=0)
    engine = engine_of(local)
    with ThreadPoolExecutor(2) as threads:
        hostile = threads.submit(local.create, messages="Hi", grammar=DOUBLING)
        wait_until_stuck(engine)
        waiting = threads.submit(local.create, messages="Hello", max_tokens=1)
        with pytest.raises(
            ServiceError, match=r"more than 1 s of computing.*: the grammar or schema of this"
        ) as caught:
            hostile.result()
        assert waiting.result()
    assert (caught.value.status, caught.value.attempts) == (400, 1)
    assert engine_of(local) is not engine
    with pytest.raises(TransportError, match="by the grammar of another call"), engine.crash_told():
        raise TransportError("lost")


@pytest.mark.once
def test_a_prompt_may_take_longer_than_a_token(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CHOICE_SECONDS", 0.5)
    monkeypatch.setattr(engine_module, "CHOICE_TOKENS", 1_000_000)
    local = Local(copy, context=COPY_CONTEXT, timeout=60, retry=None, keep_alive=0)
    assert local.create(messages="word " * 600, max_tokens=1, grammar='root ::= "a"') == "a"


@pytest.mark.once
def test_a_model_with_more_tokens_has_more_time_for_each(engine: Engine) -> None:
    assert engine._choice_seconds == 49_152 / engine_module.CHOICE_TOKENS > engine_module.CHOICE_SECONDS
