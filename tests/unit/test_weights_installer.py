"""Downloading through pip or uv, with a script in their place."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from g4f_lite import errors
from g4f_lite.providers.local import installer

REQUIREMENT = "llm-tiny==1.2.3"


class TestFind:
    def having(self, monkeypatch: pytest.MonkeyPatch, *, pip: bool, uv: str | None) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if pip and name == "pip" else None)
        monkeypatch.setattr(installer, "find_program", lambda name: uv if name == "uv" else None)

    def test_pip_of_this_environment_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.having(monkeypatch, pip=True, uv="/bin/uv")
        found = installer.find_installer()
        assert found.command[:4] == (sys.executable, "-m", "pip", "download")
        assert found.command[-1] == "--dest"
        assert "--no-deps" in found.command

    def test_uv_installs_for_this_python(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.having(monkeypatch, pip=False, uv="/bin/uv")
        found = installer.find_installer()
        assert found.command[:3] == ("/bin/uv", "pip", "install")
        assert found.command[-3:] == ("--python", sys.executable, "--target")
        assert "--no-deps" in found.command

    def test_without_either_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.having(monkeypatch, pip=False, uv=None)
        with pytest.raises(errors.ProviderNotConfiguredError, match=r"neither pip nor uv.*ensurepip"):
            installer.download(REQUIREMENT, tmp_path)


def use_script(monkeypatch: pytest.MonkeyPatch, code: str, *, shows_on_stdout: bool = True) -> None:
    program = installer.Installer("pip", (sys.executable, "-c", code), shows_on_stdout)
    monkeypatch.setattr(installer, "find_installer", lambda: program)


def fail_with(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    use_script(monkeypatch, f"import sys; sys.stderr.write({said!r}); sys.exit(1)")


def test_directory_and_requirement_are_the_last_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_script(monkeypatch, "import pathlib, sys; pathlib.Path(sys.argv[1], 'asked').write_text(sys.argv[2])")
    installer.download(REQUIREMENT, tmp_path)
    assert (tmp_path / "asked").read_text() == REQUIREMENT


def test_the_last_error_line_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fail_with(monkeypatch, "WARNING: old\nERROR: first\nERROR: No matching distribution\nnotice: update\n\n")
    with pytest.raises(errors.TransportError) as caught:
        installer.download(REQUIREMENT, tmp_path)
    assert "pip could not download llm-tiny==1.2.3 (ERROR: No matching distribution): check the conf" in str(
        caught.value
    )
    assert "`g4f-lite local pull`" in str(caught.value)


def test_a_notebook_advises_to_run_the_cell_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    fail_with(monkeypatch, "ERROR: no\n")
    with pytest.raises(errors.TransportError, match="; run the cell again"):
        installer.download(REQUIREMENT, tmp_path)


def test_the_installer_writes_no_colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    use_script(
        monkeypatch,
        "import os, sys; sys.exit(str(sorted(name for name in os.environ if name.endswith(('_COLOR', '_FORCE')))))",
    )
    with pytest.raises(errors.TransportError, match=r"\(\['NO_COLOR'\]\)"):
        installer.download(REQUIREMENT, tmp_path)


def test_credentials_of_the_index_are_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fail_with(monkeypatch, "ERROR: 403 for https://user:hunter22@index.example/simple/llm-tiny/\n")
    with pytest.raises(errors.TransportError, match=r"403 for https://\*\*\*@index\.example") as caught:
        installer.download(REQUIREMENT, tmp_path)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching distribution\n",
        "error: Request failed after 3 retries\n  Caused by: dns error\n",
    ],
)
def test_no_network_is_told_from_a_refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str) -> None:
    fail_with(monkeypatch, said)
    with pytest.raises(errors.TransportError, match="the package index cannot be reached"):
        installer.download(REQUIREMENT, tmp_path)


def test_a_disk_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fail_with(monkeypatch, "ERROR: Could not install: [Errno 28] No space left on device\n")
    with pytest.raises(errors.ProviderNotConfiguredError, match="disk is full"):
        installer.download(REQUIREMENT, tmp_path)


def test_a_silent_failure_has_a_message_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fail_with(monkeypatch, "")
    with pytest.raises(errors.TransportError, match="could not download"):
        installer.download(REQUIREMENT, tmp_path)


def test_nothing_of_the_current_directory_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    (here / "tiny_module.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(here)
    program = installer.Installer("pip", (sys.executable, "-m", "tiny_module"), shows_on_stdout=True)
    monkeypatch.setattr(installer, "find_installer", lambda: program)
    with pytest.raises(errors.TransportError, match="No module named tiny_module"):
        installer.download(REQUIREMENT, there)


SHOWING = "import sys; sys.{}.write('=====> 42 %')"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_progress_is_shown_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], stream: str
) -> None:
    use_script(monkeypatch, SHOWING.format(stream), shows_on_stdout=stream == "stdout")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    installer.download(REQUIREMENT, tmp_path)
    assert capfd.readouterr() == ("", "=====> 42 %")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_elsewhere_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], stream: str
) -> None:
    use_script(monkeypatch, SHOWING.format(stream), shows_on_stdout=stream == "stdout")
    installer.download(REQUIREMENT, tmp_path)
    assert capfd.readouterr() == ("", "")
