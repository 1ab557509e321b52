"""Licences other than Apache's and MIT's are named, and accepted once."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from g4f_lite import Local, ProviderNotConfiguredError
from g4f_lite.providers.local import weights

from .fake_hub import FakeHub
from .weights_fixtures import MODEL, NAME, Q4, SHA256, files_in, give_cache, note_waits, serve_hub  # noqa: F401  fixtures

Answers = Callable[..., list[str]]


@pytest.fixture(name="hub")
def serve_hub_with_licence(hub: FakeHub) -> FakeHub:
    hub.licence = "llama3"
    return hub


@pytest.fixture(name="answers")
def give_answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Have somebody sit at a terminal who gives one answer after the other; give the questions that came to input()."""
    questions: list[str] = []

    def answers(*texts: str) -> list[str]:
        rest = iter(texts)

        def answer(question: str = "") -> str:
            questions.append(question)
            for text in rest:
                return text
            raise EOFError

        monkeypatch.setattr(builtins, "input", answer)
        for stream in (sys.stdin, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        return questions

    return answers


@pytest.fixture(name="notebook")
def sit_at_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(weights, "progress_shown", lambda: None)


@pytest.mark.parametrize(("licence", "what"), [("llama3", "is llama3"), ("", "does not name a licence")])
def test_a_program_has_to_say_that_it_is_accepted(hub: FakeHub, cache: Path, licence: str, what: str) -> None:
    hub.licence = licence
    said = rf"{what}.*not accepted.*Local\.pull\('{NAME}', accept_licence=True\), or .*local pull {NAME} --yes`"
    with pytest.raises(ProviderNotConfiguredError, match=said):
        Local.pull(NAME)
    with pytest.raises(ProviderNotConfiguredError, match=said):
        Local(NAME, download=True).create(messages="Hello")
    assert hub.delivered == []
    assert files_in(cache) == set()
    path = Local.pull(NAME, accept_licence=True)
    assert Local.pull(NAME) == weights.fetch(NAME) == path
    assert len(hub.delivered) == 1


@pytest.mark.parametrize("licence", ["apache-2.0", "Apache-2.0", "mit"])
def test_a_plain_one_needs_nothing(hub: FakeHub, licence: str) -> None:
    hub.licence = licence
    assert Local.pull(NAME).read_bytes() == MODEL


def test_a_file_at_an_address_has_none(hub: FakeHub) -> None:
    assert Local.pull(f"{hub.cdn}/{Q4}", sha256=SHA256).read_bytes() == MODEL


class TestAtATerminal:
    def test_it_is_asked_for_once(self, hub: FakeHub, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
        questions = answers(" Yes ")
        assert weights.fetch(NAME, download=True) == weights.pull(NAME)
        assert questions == [""]
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"The licence of {NAME} is llama3. Accept it, and download the model? [y/N] " in printed.err

    @pytest.mark.parametrize("texts", [["n"], [""], []])
    def test_whoever_does_not_accept_it_gets_nothing(self, hub: FakeHub, answers: Answers, texts: list[str]) -> None:
        answers(*texts)
        with pytest.raises(ProviderNotConfiguredError, match="nothing was downloaded"):
            Local.pull(NAME)
        assert hub.delivered == []

    def test_nobody_is_asked_who_has_accepted_it(self, hub: FakeHub, answers: Answers) -> None:
        questions = answers("n")
        assert Local.pull(NAME, accept_licence=True).is_file()
        assert questions == []


@pytest.mark.usefixtures("notebook")
class TestInANotebook:
    def test_it_is_asked_for_in_the_cell(self, hub: FakeHub, answers: Answers) -> None:
        questions = answers("y")
        assert Local.pull(NAME).read_bytes() == MODEL
        assert questions == [f"The licence of {NAME} is llama3. Accept it, and download the model? [y/N] "]

    def test_one_that_a_program_runs_asks_nobody(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        def not_implemented(*_: object) -> str:
            raise NotImplementedError

        monkeypatch.setattr(builtins, "input", not_implemented)
        with pytest.raises(ProviderNotConfiguredError, match="nothing was downloaded"):
            Local.pull(NAME)
