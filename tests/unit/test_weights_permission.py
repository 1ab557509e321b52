"""Whether weights may be downloaded: where somebody sees it, and where a program says so."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from g4f_lite import errors
from g4f_lite.providers.local import permission, weights
from g4f_lite.providers.local.catalogue import DEFAULT

from .tiny_weights import CONTENT, give_cache, note_requirements  # noqa: F401  fixtures


class TestPermission:
    def refused(self, match: str, download: bool | str | None) -> None:
        with pytest.raises(errors.ProviderNotConfiguredError, match=match):
            weights.fetch(download=download)

    def at(self, monkeypatch: pytest.MonkeyPatch, stdin: bool, stderr: bool) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: stdin))
        monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: stderr))

    def test_the_one_model_that_may_be_downloaded(self, cache: Path, requirements: list[str]) -> None:
        self.refused("run `g4f-lite local pull` once", download="qwen3-0.6b")
        with pytest.raises(errors.ProviderNotConfiguredError, match=r"only those of smollm2 .* local pull qwen3-0\.6b"):
            weights.fetch("qwen3-0.6b", download=DEFAULT)
        assert requirements == []
        assert weights.fetch(download=DEFAULT).read_bytes() == CONTENT

    def test_a_script_says_what_to_run(self, monkeypatch: pytest.MonkeyPatch, requirements: list[str]) -> None:
        self.at(monkeypatch, stdin=False, stderr=True)
        self.refused("are not in .*cache: .*run `g4f-lite local pull` once", download=None)
        self.at(monkeypatch, stdin=True, stderr=False)
        self.refused("run `g4f-lite local pull` once", download=None)
        assert requirements == []

    def test_without_standard_streams_nobody_sees_it(
        self, monkeypatch: pytest.MonkeyPatch, requirements: list[str]
    ) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        monkeypatch.setattr(sys, "stderr", None)
        self.refused("run `g4f-lite local pull` once", download=None)

    def test_a_terminal_may(self, monkeypatch: pytest.MonkeyPatch, requirements: list[str]) -> None:
        self.at(monkeypatch, stdin=True, stderr=True)
        weights.fetch()
        assert len(requirements) == 1

    @pytest.mark.parametrize(
        ("shell", "may"), [(SimpleNamespace(kernel=object()), True), (object(), False), (None, False)]
    )
    def test_a_notebook_may(self, monkeypatch: pytest.MonkeyPatch, shell: object, may: bool) -> None:
        self.at(monkeypatch, stdin=False, stderr=False)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        assert permission.interactive() is may

    def test_a_terminal_may_not_when_told_so(self, monkeypatch: pytest.MonkeyPatch, requirements: list[str]) -> None:
        self.at(monkeypatch, stdin=True, stderr=True)
        self.refused("run `g4f-lite local pull` once", download=False)

    def test_offline_forbids_what_was_allowed(self, monkeypatch: pytest.MonkeyPatch, requirements: list[str]) -> None:
        monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
        self.refused("G4F_LITE_OFFLINE=1.*unset it", download=True)
        assert requirements == []
