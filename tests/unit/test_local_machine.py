"""What the embedded model finds out of the machine, of the program that it is in, and of a model's file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from g4f_lite import MissingDependencyError, ModelNotSupportedError, ProviderNotConfiguredError
from g4f_lite.providers.local import child, cores, process
from g4f_lite.providers.local.gguf import check_gguf, read_metadata
from g4f_lite.providers.local.memory import slots_for
from g4f_lite.providers.local.python import find_program, interpreter

from .gguf_files import SMOLLM2, gguf


class TestInterpreter:
    def test_is_the_one_that_runs(self) -> None:
        assert interpreter() == sys.executable

    @pytest.mark.parametrize("program", ["", "/usr/local/bin/uwsgi", "/opt/app/server"])
    def test_of_the_environment_where_the_program_is_another(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
    ) -> None:
        python = executable(tmp_path / ("Scripts/python.exe" if os.name == "nt" else "bin/python3"))
        monkeypatch.setattr(sys, "executable", program)
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        assert interpreter() == str(python)

    @pytest.mark.parametrize(
        ("program", "frozen"),
        [("/opt/app/app", True), ("/usr/bin/python3", True), ("/opt/app/app", False), ("", False)],
    )
    def test_where_there_is_none_the_variable_is_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, frozen: bool
    ) -> None:
        monkeypatch.setattr(sys, "executable", program)
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
        monkeypatch.setattr(sys, "frozen", frozen, raising=False)
        with pytest.raises(ProviderNotConfiguredError, match="set G4F_LITE_PYTHON to the path"):
            interpreter()
        python = executable(tmp_path / "mine.exe")
        monkeypatch.setenv("G4F_LITE_PYTHON", str(python))
        assert interpreter() == str(python)

    def test_one_that_cannot_be_run_is_told(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("G4F_LITE_PYTHON", str(tmp_path))
        with pytest.raises(ProviderNotConfiguredError, match=r"G4F_LITE_PYTHON names .*, which cannot be run"):
            interpreter()


class TestPrograms:
    @pytest.mark.parametrize("path", [".", "", "{}{}other"])
    def test_in_the_current_directory_are_not_run(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
    ) -> None:
        executable(tmp_path / "uv.exe")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", path.format(tmp_path / "no", os.pathsep))
        assert find_program("uv.exe") is None
        monkeypatch.setenv("G4F_LITE_PYTHON", "uv.exe")
        with pytest.raises(ProviderNotConfiguredError, match="cannot be run"):
            interpreter()

    def test_on_the_path_are(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        here = executable(tmp_path / "uv.exe")
        monkeypatch.setenv("PATH", f"relative{os.pathsep}{tmp_path / 'no'}{os.pathsep}{tmp_path}")
        assert Path(find_program("uv.exe") or "") == here
        monkeypatch.setenv("G4F_LITE_PYTHON", "uv.exe")
        assert Path(interpreter()) == here


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
class TestCores:
    @pytest.fixture
    def machine(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """Give the folder of a machine with eight hardware threads on four cores, and no quota."""
        monkeypatch.setattr(cores, "TOPOLOGY", tmp_path / "cpu")
        monkeypatch.setattr(cores, "CGROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
        for number in range(8):
            write(tmp_path / f"cpu/cpu{number}/topology/thread_siblings_list", f"{number % 4},{number % 4 + 4}")
        return tmp_path

    def test_hardware_threads_of_one_core_count_once(self, machine: Path) -> None:
        assert cores.usable_cores() == 4

    def test_an_affinity_counts(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 2, 5})
        assert cores.usable_cores() == 2

    @pytest.mark.parametrize(
        ("quota", "expected"), [("max 100000", 4), ("250000 100000", 2), ("50000 100000", 1), ("nonsense", 4)]
    )
    def test_a_containers_quota_counts(self, machine: Path, quota: str, expected: int) -> None:
        write(machine / "cgroup/cpu.max", quota)
        assert cores.usable_cores() == expected

    def test_an_old_containers_quota_counts(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read = cores._read
        monkeypatch.setattr(cores, "_read", lambda path: "4:cpu,cpuacct:/box" if path.name == "cgroup" else read(path))
        write(machine / "cgroup/cpu/box/cpu.cfs_quota_us", "300000")
        write(machine / "cgroup/cpu/box/cpu.cfs_period_us", "100000")
        assert cores.usable_cores() == 3

    @pytest.mark.parametrize(
        ("busy", "expected"), [(None, 4), (0.0, 4), (0.4, 4), (0.6, 3), (2.1, 2), (4.0, 1), (9.0, 1)]
    )
    def test_other_programs_keep_theirs(self, busy: float | None, expected: int) -> None:
        assert child.free_cores(4, busy) == expected

    def test_how_busy_they_are_is_measured(self) -> None:
        assert child.busy_cores(None) is None
        busy = child.busy_cores(list(child.computed() or []))
        assert busy is not None
        assert 0 <= busy < 2 * (os.cpu_count() or 1)


def executable(path: Path) -> Path:
    """Make a file that may be run, and is not a program."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("not a program")
    path.chmod(0o755)
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_only_what_changes_with_work_is_counted() -> None:
    metrics = (
        "# HELP x\nllamacpp:n_decode_total 5\nllamacpp:requests_processing 1\nllamacpp:prompt_tokens_seconds 7.5\n"
    )
    assert child.counters(metrics) == {"n_decode_total": 5.0, "requests_processing": 1.0}


class TestFiles:
    def test_their_metadata_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "model.gguf"
        path.write_bytes(gguf(SMOLLM2))
        metadata = read_metadata(path)
        assert metadata.values["general.basename"] == "SmolLM2"
        assert metadata.values["general.quantized"] is True
        assert metadata.get("block_count") == 30
        assert metadata.control_tokens == ("<s>", "<|im_start|>", "<|im_end|>")
        assert metadata.token_count == len(SMOLLM2["tokenizer.ggml.tokens"])
        assert metadata.cache_bytes() == 30 * 3 * 64 * 2 * 2

    def test_a_changed_file_is_read_again(self, tmp_path: Path) -> None:
        path = tmp_path / "model.gguf"
        path.write_bytes(gguf(SMOLLM2))
        read_metadata(path)
        path.write_bytes(gguf({"general.basename": "other"}))
        assert read_metadata(path).values == {"general.basename": "other"}

    @pytest.mark.once
    def test_that_are_cut_anywhere_are_told(self, tmp_path: Path) -> None:
        whole = gguf(SMOLLM2)
        for length in range(0, len(whole), 3):
            path = tmp_path / "cut.gguf"
            path.write_bytes(whole[:length])
            with pytest.raises(ModelNotSupportedError, match=r"cut\.gguf.*download it again"):
                read_metadata(path)

    @pytest.mark.once
    def test_with_any_byte_changed_raise_nothing_else(self, tmp_path: Path) -> None:
        whole = gguf(SMOLLM2)
        path = tmp_path / "changed.gguf"
        told = 0
        for place in range(0, len(whole), 2):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            try:
                read_metadata(path)
            except ModelNotSupportedError:
                told += 1
        assert told > 50

    @pytest.mark.parametrize(
        ("make", "match"),
        [
            pytest.param(lambda path: None, "there is no file .*model.gguf", id="missing"),
            pytest.param(lambda path: path.mkdir(), "model.gguf is a directory", id="a directory"),
            pytest.param(lambda path: path.write_bytes(b""), "is empty, and not a .gguf file; download", id="empty"),
            pytest.param(
                lambda path: path.write_bytes(b"GGUF\3\0\0\0"), "is cut or damaged; download", id="cut at once"
            ),
            *(
                pytest.param(lambda path, begin=begin: path.write_bytes(begin + bytes(99)), match, id=str(begin))
                for begin, match in (
                    (b"my notes", "gguf is not a .gguf file; give the path of one"),
                    (b"<!DOCTYPE html>", "is a web page, and not a .gguf file; download the file"),
                    (b"\n <html>", "is a web page"),
                    (
                        b"version https://git-lfs.github.com/spec/v1\n",
                        "is a pointer of git-lfs, .*; run `git lfs pull`",
                    ),
                    (b'@\0\0\0\0\0\0\0{"__metadata__"', "is a .safetensors file, .*; download the model as .gguf"),
                    (b"PK\3\4", "is a zip archive, such as a model of PyTorch, .*; download the model as .gguf"),
                )
            ),
        ],
    )
    def test_that_are_none_are_told(self, tmp_path: Path, make: object, match: str) -> None:
        path = tmp_path / "model.gguf"
        make(path)  # type: ignore[operator]
        with pytest.raises(ModelNotSupportedError, match=match):
            check_gguf(path)

    def test_a_path_that_the_system_refuses(self, tmp_path: Path) -> None:
        with pytest.raises(ModelNotSupportedError, match=r"(cannot read|there is no file) .*xx"):
            check_gguf(tmp_path / ("x" * 300 + ".gguf"))

    @pytest.mark.parametrize(("layers", "slots"), [(30, 4), (300, 1), (3000, 1), (0, 4)])
    def test_as_many_answers_at_a_time_as_there_is_memory_for(self, tmp_path: Path, layers: int, slots: int) -> None:
        path = tmp_path / "model.gguf"
        path.write_bytes(gguf({**SMOLLM2, "llama.block_count": layers}))
        assert slots_for(read_metadata(path).cache_bytes(), 4096) == slots


class TestProcess:
    def test_that_cannot_be_started_is_told(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("G4F_LITE_PYTHON", str(executable(tmp_path / "python.exe")))
        monkeypatch.setattr(process, "folder_of_xllamacpp", lambda: tmp_path)
        with pytest.raises(ProviderNotConfiguredError, match=r"cannot start a process .*python\.exe: \w+"):
            process.start_process()

    def test_is_of_the_kind_that_is_there_now(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A worker of gunicorn is patched by gevent when the app is there already, and the old kind fails then."""

        class Popen(subprocess.Popen[bytes]):
            pass

        monkeypatch.setattr(process, "folder_of_xllamacpp", lambda: tmp_path)
        monkeypatch.setattr(process.subprocess, "Popen", Popen)
        started = process.start_process()
        assert isinstance(started, Popen)
        with started:
            started.kill()

    def test_needs_its_code_as_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(process, "CODE", tmp_path / "child.py")
        with pytest.raises(ProviderNotConfiguredError, match="--collect-all xllamacpp"):
            process.start_process()

    def test_needs_xllamacpp(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingDependencyError, match=r"g4f-lite\[local\]"):
            process.start_process()

    def test_gets_nothing_that_could_load_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PYTHONPATH", "PYTHONSTARTUP", "GGML_BACKEND_PATH", "LLAMA_ARG_MODEL", "OMP_WAIT_POLICY"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        environment = process._environment()
        assert "x" not in environment.values()
        assert environment["CUDA_VISIBLE_DEVICES"] == "1"
        assert environment["GOMP_SPINCOUNT"] == "300"
