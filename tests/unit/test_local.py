"""What the embedded model is asked, without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from g4f_lite import ModelNotSupportedError
from g4f_lite.http.exchange import Route
from g4f_lite.prompt import Prompt
from g4f_lite.providers.local import provider as local
from g4f_lite.providers.local.provider import MAX_TOKENS, SAMPLING, SYSTEM, Local

HELLO = [{"role": "user", "content": "Hello"}]


class Engine:
    base_url = "http://127.0.0.1:1/v1"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Local:
    monkeypatch.setattr(local, "engine_for", lambda path: Engine())
    provider = Local()
    provider._paths["smollm2"] = provider._paths["own.gguf"] = None  # type: ignore[assignment]
    return provider


def sent(provider: Local, model: str = "smollm2", **options: Any) -> dict[str, Any]:
    return provider.request(Prompt.of(model, HELLO, **options), "").json  # type: ignore[return-value]


def test_its_own_model_gets_the_settings_that_suit_it(provider: Local) -> None:
    body = sent(provider)
    assert body["messages"] == [{"role": "system", "content": SYSTEM}, *HELLO]
    assert {name: body[name] for name in SAMPLING} == SAMPLING
    assert body["max_tokens"] == MAX_TOKENS


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens", "n_predict"])
def test_what_the_caller_says_comes_first(provider: Local, limit: str) -> None:
    body = sent(provider, temperature=1, **{limit: 9})
    assert body["temperature"] == 1
    assert {name: body[name] for name in body if name in local.LIMITS} == {limit: 9}


def test_another_model_is_asked_as_the_caller_says(provider: Local) -> None:
    body = sent(provider, "own.gguf")
    assert body["messages"] == HELLO
    assert not {*SAMPLING, "max_tokens"} & body.keys()


def test_no_proxy_sees_what_it_is_asked(provider: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROXY", "http://127.0.0.1:9")
    assert provider.route("http://127.0.0.1:9") == Route()
    with pytest.raises(ValueError, match="proxy"):
        provider.create_generator(messages="Hello", proxy="no address")


def test_the_name_in_a_completion_is_known(tmp_path: Path) -> None:
    assert Local().get_model("SmolLM2-135M-Instruct.Q4_1") == "smollm2"
    path = tmp_path / "own.Q4.gguf"
    path.write_bytes(b"GGUF" + bytes(4096))
    mine = Local(path)
    assert mine.get_model("own.Q4") == mine.get_model() == str(path.resolve())
    with pytest.raises(ModelNotSupportedError):
        Local().get_model("own.Q4")
    copied = path.rename(tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf")
    assert Local(copied).get_model("SmolLM2-135M-Instruct.Q4_1") == str(copied.resolve())
