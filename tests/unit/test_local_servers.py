"""Servers on this machine: where OLLAMA_HOST says that one is, and what is said of one that does not run."""

from __future__ import annotations

import socket

import pytest

from g4f_lite import OpenAICompatible, TransportError


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("gpu.test", "http://gpu.test:11434/v1"),
        ("gpu.test:11500", "http://gpu.test:11500/v1"),
        (":11500", "http://127.0.0.1:11500/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:11500", "http://127.0.0.1:11500/v1"),
        ("[::]:11500", "http://[::1]:11500/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("::", "http://[::1]:11434/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("2001:db8::ffff:1.2.3.4", "http://[2001:db8::ffff:1.2.3.4]:11434/v1"),
        (":", "http://127.0.0.1:11434/v1"),
        ("gpu.test:", "http://gpu.test:11434/v1"),
        ("'gpu.test:11500'", "http://gpu.test:11500/v1"),
        ("http://gpu.test:11500/", "http://gpu.test:11500/v1"),
        ("https://gpu.test", "https://gpu.test/v1"),
        ("https://gpu.test/ollama", "https://gpu.test/ollama/v1"),
    ],
)
def test_ollama_is_where_its_own_variable_says(variable: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", variable)
    assert OpenAICompatible.preset("ollama").base_url == address
    assert OpenAICompatible.preset("ollama", base_url="http://mine.test/v1").base_url == "http://mine.test/v1"
    assert OpenAICompatible.preset("ollama", name="mine").name == "mine"
    assert OpenAICompatible.preset("vllm").base_url == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("variable", ["http://", "gpu test", "gpu:port", "ada:pw@gpu.test"])
def test_an_address_of_ollama_that_is_none_is_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", variable)
    with pytest.raises(ValueError, match=r"^OLLAMA_HOST must ") as caught:
        OpenAICompatible.preset("ollama")
    assert "pw" not in str(caught.value)


def test_a_program_on_this_machine_that_does_not_run_is_asked_about() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        for provider, asked in (
            (OpenAICompatible.preset("vllm", base_url=address, retry=None), True),
            (OpenAICompatible.preset("vllm", base_url=address, retry=None, model="m"), True),
            (OpenAICompatible(address, retry=None, model="m"), False),
        ):
            with pytest.raises(TransportError, match="could not connect to") as caught:
                provider.ask("hi")
            assert str(caught.value).endswith("; is vLLM running?") == asked


@pytest.mark.parametrize("asked", [True, False])
def test_the_variable_that_names_a_host_is_told_where_nothing_answers(
    asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        host = f"127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("OLLAMA_HOST", host if asked else "")
        provider = OpenAICompatible.preset("ollama", base_url=None if asked else f"http://{host}/v1", retry=None)
        with pytest.raises(TransportError) as caught:
            provider.ask("hi")
    assert str(caught.value).endswith("; is Ollama running?")
    assert (" (from OLLAMA_HOST); is" in str(caught.value)) == asked
