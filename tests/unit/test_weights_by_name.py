"""Weights by name: from a hub on loopback, from an address, and from what other programs have."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Local, ModelNotSupportedError, ProviderNotConfiguredError, ResponseFormatError
from g4f_lite.providers.local import catalogue, references, weights
from g4f_lite.providers.local.progress import ProgressLine

from .fake_hub import COMMIT, REPOSITORY, FakeHub, Fault
from .weights_fixtures import MODEL, NAME, Q4, Q8, SHA256, files_in, give_cache, note_waits, serve_hub, serve_secure_hub  # noqa: F401  fixtures


class TestFromTheHub:
    def test_a_file_is_fetched_once(self, hub: FakeHub, cache: Path) -> None:
        path = Local.pull(NAME)
        assert path.read_bytes() == MODEL
        assert path == cache / "models" / REPOSITORY.replace("/", "--") / COMMIT / Q4
        assert Local.pull(NAME) == weights.find(NAME) == weights.fetch(NAME) == path
        assert len(hub.delivered) == 1
        assert files_in(cache) == {Q4}

    def test_what_was_fetched_is_found_without_the_hub(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        path = Local.pull(NAME)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        before = len(hub.received)
        assert (
            weights.fetch(f"{NAME}@main")
            == weights.fetch(f"{NAME}@{COMMIT}")
            == weights.fetch(f"{NAME}:q4_k_m")
            == path
        )
        assert weights.find(f"{NAME}@v2") is None
        assert weights.find(f"{NAME}:Q8_0") is None
        assert len(hub.received) == before

    @pytest.mark.parametrize(
        ("which", "file"), [(":Q8_0", Q8), (f"/{Q8}", Q8), (":q4_k_m", Q4), ("", Q4), (f":Q8_0@{COMMIT}", Q8)]
    )
    def test_the_file_that_is_named_is_taken(self, hub: FakeHub, which: str, file: str) -> None:
        assert Local.pull(NAME + which).name == file

    def test_a_branch_means_what_it_means_now(self, hub: FakeHub) -> None:
        first = Local.pull(NAME)
        hub.commits["main"], hub.files[Q4] = "f" * 40, MODEL + b"newer"
        assert Local.pull(NAME).read_bytes() == MODEL + b"newer"
        assert first.read_bytes() == MODEL

    def test_files_of_one_name_in_several_folders_are_kept_apart(self, hub: FakeHub, cache: Path) -> None:
        hub.files = {"q4/model.gguf": MODEL, "q8/model.gguf": MODEL + b"larger"}
        for _ in range(2):
            paths = [Local.pull(f"{NAME}/{file}") for file in hub.files]
            assert [path.read_bytes() for path in paths] == [*hub.files.values()]
        assert paths == [weights.find(f"{NAME}/{file}") for file in hub.files]
        assert len(hub.delivered) == 2
        for file in hub.files:
            weights.remove(f"{NAME}/{file}")
        assert [*(cache / "models").iterdir()] == []

    @pytest.mark.parametrize(
        ("name", "match"),
        [
            (f"{NAME}:Q5_K_M", f"no such file; there are {Q4}, {Q8}"),
            (f"{NAME}/other.gguf", "no such file"),
            (f"{NAME}@gone", "nothing at .*revision/gone"),
            ("hf:owner/other", "nothing at .*owner/other"),
            ("hf:owner", "not a file on the hub"),
        ],
    )
    def test_what_is_not_there_is_told(self, hub: FakeHub, name: str, match: str) -> None:
        with pytest.raises(ModelNotSupportedError, match=match):
            Local.pull(name)
        assert hub.delivered == []

    def test_one_of_several_must_be_named(self, hub: FakeHub) -> None:
        hub.files = {"a-F16.gguf": MODEL, "b-F16.gguf": MODEL}
        with pytest.raises(ModelNotSupportedError, match=r"2 such files; there are a-F16\.gguf, b-F16\.gguf"):
            Local.pull(NAME)

    def test_parts_and_projectors_are_no_models(self, hub: FakeHub) -> None:
        hub.files = {"mmproj-Q8_0.gguf": MODEL, "a-00001-of-00002.gguf": MODEL, "a-Q2_K.gguf": MODEL}
        assert Local.pull(NAME).name == "a-Q2_K.gguf"
        with pytest.raises(ModelNotSupportedError, match="no such file"):
            Local.pull(f"{NAME}/a-00001-of-00002.gguf")

    def test_a_projector_is_taken_by_its_own_name(self, hub: FakeHub) -> None:
        hub.files = {"mmproj-Q8_0.gguf": MODEL, "a-Q8_0.gguf": b"GGUF" + MODEL}
        assert Local.pull(f"{NAME}/mmproj-Q8_0.gguf").name == "mmproj-Q8_0.gguf"
        assert weights.find(NAME) is None
        assert Local.pull(f"{NAME}:Q8_0").name == "a-Q8_0.gguf"

    def test_a_file_without_a_hash_is_not_taken(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "api", lambda revision: (200, {"sha": COMMIT, "siblings": [{"rfilename": Q4}]}))
        with pytest.raises(ModelNotSupportedError, match="no hash of"):
            Local.pull(NAME)

    @pytest.mark.parametrize("answer", [[], {"sha": "../..", "siblings": []}, {"sha": COMMIT}])
    def test_another_answer_is_not_the_hubs(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
        monkeypatch.setattr(hub, "api", lambda revision: (200, answer))
        with pytest.raises(ResponseFormatError, match="says nothing of the files"):
            Local.pull(NAME)

    @pytest.mark.parametrize("name", ["a\0.gguf", "a\ud800.gguf", "a\\b.gguf", "a\n.gguf", f"{'a' * 1000}.gguf"])
    def test_a_name_that_no_path_can_have_is_passed_over(self, hub: FakeHub, name: str) -> None:
        hub.files = {name: MODEL}
        with pytest.raises(ModelNotSupportedError, match="no such file, and none that Local can use"):
            Local.pull(NAME)

    @pytest.mark.parametrize("sha256", ["/" * 64, "0" * 63 + "\0", "é" * 64])
    def test_a_hash_is_hexadecimal(self, hub: FakeHub, sha256: str) -> None:
        hub.hashes = {Q4: sha256}
        with pytest.raises(ModelNotSupportedError, match="no hash of"):
            Local.pull(NAME)

    def test_nothing_is_fetched_that_nobody_asked_for(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "interactive", lambda: True)
        with pytest.raises(ProviderNotConfiguredError, match=f"only those of smollm2 .*`g4f-lite local pull {NAME}`"):
            weights.fetch(NAME)
        assert hub.received == []
        assert weights.fetch(NAME, download=True).is_file()

    def test_a_known_name_needs_no_api(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        known = catalogue.HubFile(REPOSITORY, COMMIT, Q4, len(MODEL), SHA256)
        monkeypatch.setitem(catalogue.WEIGHTS, "known", known)
        assert Local.pull("known").read_bytes() == MODEL
        assert [request.path for request in hub.received] == [f"/{REPOSITORY}/resolve/{COMMIT}/{Q4}"]

    @pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "G4F_LITE_OFFLINE"])
    def test_offline_nothing_is_asked(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        monkeypatch.setenv(variable, "1")
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
        with pytest.raises(ProviderNotConfiguredError, match=f"{variable}.* unset it"):
            Local.pull(NAME)


class TestFromAnAddress:
    def test_a_file_is_fetched_once(self, hub: FakeHub, cache: Path) -> None:
        address = f"{hub.cdn}/{Q4}"
        path = Local.pull(address, sha256=SHA256)
        assert path.read_bytes() == MODEL
        assert Local.pull(f"{address}#sha256={SHA256}") == weights.find(f"{address}#sha256={SHA256}") == path
        assert len(hub.delivered) == 1

    def test_without_a_length_it_is_its_hash_that_counts(self, hub: FakeHub, cache: Path) -> None:
        hub.faults = [Fault(tells_length=False, cut=1000), Fault(tells_length=False)]
        with pytest.raises(ResponseFormatError, match="not the file that was expected"):
            Local.pull(f"{hub.cdn}/{Q4}", sha256=SHA256)
        assert files_in(cache) == set()
        assert Local.pull(f"{hub.cdn}/{Q4}", sha256=SHA256).read_bytes() == MODEL

    @pytest.mark.parametrize(
        ("address", "match"),
        [
            ("https://example.org/model.gguf", "needs the file's hash"),
            (f"https://example.org/model.gguf#sha256={SHA256[1:]}", "needs the file's hash"),
            (f"https://example.org/model.bin#sha256={SHA256}", r"not the address of a \.gguf"),
            ("http://127.0.0.1:8080/v1", r"not the address of a \.gguf file; a server is OpenAICompatible\(…\)$"),
        ],
    )
    def test_an_address_needs_a_hash(self, address: str, match: str) -> None:
        with pytest.raises(ValueError, match=match):
            Local.pull(address)

    @pytest.mark.parametrize(
        ("address", "name"),
        [
            ("https://huggingface.co/a/b-GGUF", "hf:a/b-GGUF"),
            ("https://huggingface.co/a/b-GGUF/?library=x", "hf:a/b-GGUF"),
            ("https://huggingface.co/a/b-GGUF/tree/main", "hf:a/b-GGUF"),
            ("https://huggingface.co/a/b-GGUF/tree/v2", "hf:a/b-GGUF@v2"),
            ("https://huggingface.co/a/b/blob/main/c/d%20e.gguf?download=true", "hf:a/b/c/d e.gguf"),
            ("https://huggingface.co/a/b/resolve/v2/d.gguf", "hf:a/b/d.gguf@v2"),
            ("http://www.huggingface.co/a/b", "hf:a/b"),
            ("hf.co/a/b-GGUF:Q8_0", "hf:a/b-GGUF:Q8_0"),
            ("hf:a/b", "hf:a/b"),
            ("a/b", "a/b"),
            ("https://huggingface.co/a", "https://huggingface.co/a"),
            ("https://hf.co.example/a/b", "https://hf.co.example/a/b"),
            (f"https://hf.co/a/b/resolve/main/d.gguf#sha256={SHA256}",) * 2,
        ],
    )
    def test_an_address_of_the_hub_is_a_name_on_it(self, address: str, name: str) -> None:
        assert references.hub_name(address) == name
        if name.startswith("hf:"):
            assert Local(address).get_model() == name
            assert isinstance(references.parse(address), references.HubReference)

    @pytest.mark.parametrize("settings", [{"revision": "main"}, {"sha256": SHA256}])
    def test_a_known_name_has_its_own(self, settings: dict[str, str]) -> None:
        with pytest.raises(ValueError, match=f"{next(iter(settings))}= is not for 'smollm2'"):
            Local.pull("smollm2", **settings)  # type: ignore[arg-type]


class TestElsewhere:
    """What other programs have is used where it lies."""

    def put(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MODEL)
        return path

    @pytest.fixture
    def known(self, monkeypatch: pytest.MonkeyPatch) -> str:
        file = catalogue.HubFile(REPOSITORY, COMMIT, Q4, len(MODEL), SHA256)
        monkeypatch.setitem(catalogue.WEIGHTS, "known", file)
        return "known"

    @pytest.mark.parametrize(
        "place",
        [
            f"huggingface/hub/models--owner--name-GGUF/snapshots/{COMMIT}/{Q4}",
            f"huggingface/hub/models--owner--name-GGUF/blobs/{SHA256}",
            f"home/.lmstudio/models/{REPOSITORY}/{Q4}",
            f"home/.ollama/models/blobs/sha256-{SHA256}",
        ],
    )
    def test_a_file_is_used_and_not_changed(self, tmp_path: Path, known: str, place: str, cache: Path) -> None:
        path = self.put(tmp_path / place)
        assert weights.find(known) == weights.fetch(known) == path
        assert {each.name for each in path.parent.iterdir()} == {path.name}
        with pytest.raises(ProviderNotConfiguredError, match="belongs to another program"):
            weights.remove(known)

    @pytest.mark.parametrize(
        ("variable", "place"),
        [
            ("HF_HUB_CACHE", f"models--owner--name-GGUF/blobs/{SHA256}"),
            ("OLLAMA_MODELS", f"blobs/sha256-{SHA256}"),
        ],
    )
    def test_the_environment_says_where_it_is(
        self, tmp_path: Path, known: str, variable: str, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, str(tmp_path / "moved"))
        path = self.put(tmp_path / "moved" / place)
        assert weights.find(known) == path

    def test_another_file_in_its_place_is_not_used(self, tmp_path: Path, known: str) -> None:
        path = self.put(tmp_path / f"home/.ollama/models/blobs/sha256-{SHA256}")
        path.write_bytes(MODEL[:-1] + b"!")
        assert weights.find(known) is None

    def test_the_hubs_own_cache_says_what_a_branch_means(self, tmp_path: Path) -> None:
        repository = tmp_path / "huggingface/hub/models--owner--name-GGUF"
        blob = self.put(repository / "blobs" / SHA256)
        snapshot = repository / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        with contextlib.suppress(OSError):
            (snapshot / Q4).symlink_to(blob)
        if not (snapshot / Q4).is_symlink():
            pytest.skip("no links here: Windows wants a right for them, and Wine makes none")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(COMMIT)
        assert weights.fetch(NAME) == weights.fetch(f"{NAME}@{COMMIT}") == snapshot / Q4


def test_progress_is_told(hub: FakeHub) -> None:
    seen: list[tuple[int, int | None]] = []
    Local.pull(NAME, progress=lambda here, total: seen.append((here, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(MODEL), len(MODEL))


def test_a_line_shows_speed_and_time_left() -> None:
    out, times = io.StringIO(), iter([0.0, 1.0, 1.1, 2.0])
    line = ProgressLine(out, clock=lambda: next(times))
    for here in (10_000_000, 20_000_000, 21_000_000, 40_000_000):
        line(here, 100_000_000)
    line.end()
    shown = [text for text in out.getvalue().split("\r\033[K") if text]
    assert shown == ["20 of 100 MB, 10.0 MB/s, 0:08 left", "40 of 100 MB, 15.0 MB/s, 0:04 left"]


def test_the_list_has_known_and_fetched_models_and_rm_removes_them(hub: FakeHub, cache: Path) -> None:
    Local.pull(NAME)
    source = f"hf:{REPOSITORY}/{Q4}@{COMMIT}"
    listed = {one.name: one for one in weights.known()}
    assert list(listed) == [*catalogue.WEIGHTS, source]
    assert listed["qwen3-0.6b"].path is None
    assert (listed[source].size, listed[source].licence) == (len(MODEL), "apache-2.0")
    assert weights.remove(NAME) == listed[source].path
    assert weights.find(NAME) is None
    assert list(cache.rglob("*")) == [cache / "models"], "no folder of its own stays"
    with pytest.raises(ProviderNotConfiguredError, match="not on this machine"):
        weights.remove(NAME)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf:a/b", references.HubReference("a/b")),
        ("hf:a/b:Q4_K_M", references.HubReference("a/b", quantization="Q4_K_M")),
        ("hf:a/b/sub/c.gguf", references.HubReference("a/b", file="sub/c.gguf")),
        ("hf:a/b/c.gguf@v1.0", references.HubReference("a/b", file="c.gguf", revision="v1.0")),
        ("hf:a/b:Q8_0@refs/pr/1", references.HubReference("a/b", quantization="Q8_0", revision="refs/pr/1")),
    ],
)
def test_a_name_is_read_and_written(name: str, expected: references.HubReference) -> None:
    assert references.parse(name) == expected
    assert str(expected) == name


def test_the_catalogue_is_complete() -> None:
    for name, file in catalogue.WEIGHTS.items():
        assert len(file.sha256) == 64, name
        assert int(file.sha256, 16), name
        assert file.file_name.endswith(".gguf")
        assert os.sep not in file.file_name


def test_the_models_of_local_are_its_own_and_those_that_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = {"qwen3-0.6b": tmp_path}
    monkeypatch.setattr(weights, "find", there.get)
    assert Local().get_models() == ["smollm2", "qwen3-0.6b"]
    assert Local("qwen3-0.6b").get_models() == ["qwen3-0.6b"]
