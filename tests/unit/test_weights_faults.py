"""Downloads that are cut, refused or wrong, and where the user's token goes."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from g4f_lite import (
    AuthenticationError,
    Local,
    ModelNotSupportedError,
    ProviderNotConfiguredError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    TransportError,
)
from g4f_lite.providers.local import download
from g4f_lite.providers.local.store import cache_directory

from .fake_hub import REPOSITORY, FakeHub, Fault, serving
from .weights_fixtures import MODEL, NAME, Q4, Q8, SHA256, files_in, give_cache, note_waits, serve_hub, serve_secure_hub  # noqa: F401  fixtures


class TestFaults:
    @pytest.mark.product
    @pytest.mark.parametrize("cut", [0, 1, 1000, len(MODEL) // 2, len(MODEL) - 1])
    @pytest.mark.parametrize("tells_length", [True, False])
    def test_a_download_goes_on_where_it_was_cut(self, hub: FakeHub, cut: int, tells_length: bool) -> None:
        hub.faults = [Fault(cut=cut, tells_length=tells_length)]
        assert Local.pull(NAME).read_bytes() == MODEL
        assert hub.ranges() == [None, f"bytes={cut}-" if cut else None]

    def test_a_server_that_knows_no_ranges_sends_all_of_it_again(self, hub: FakeHub) -> None:
        hub.faults = [Fault(cut=1000), Fault(ignores_range=True)]
        assert Local.pull(NAME).read_bytes() == MODEL

    def test_a_later_process_goes_on(self, hub: FakeHub, cache: Path) -> None:
        hub.faults = [Fault(cut=1000), *[Fault(status=503)] * 10]
        with pytest.raises(ResponseStatusError, match="503"):
            Local.pull(NAME)
        hub.faults.clear()
        hub.delivered.clear()
        assert Local.pull(NAME).read_bytes() == MODEL
        assert hub.ranges() == ["bytes=1000-"]
        assert files_in(cache) == {Q4}

    def test_it_goes_on_as_long_as_something_comes(self, hub: FakeHub) -> None:
        hub.faults = [Fault(cut=1000)] * 12
        assert Local.pull(NAME).read_bytes() == MODEL
        assert len(hub.delivered) == 13

    def test_it_gives_up_where_nothing_comes(self, hub: FakeHub, waits: list[float]) -> None:
        hub.faults = [Fault(cut=0)] * 50
        with pytest.raises(TransportError, match="ended its response early"):
            Local.pull(NAME)
        assert len(hub.delivered) == download.ATTEMPTS
        assert len(waits) == download.ATTEMPTS - 1

    def test_a_wrong_file_is_not_kept(self, hub: FakeHub, cache: Path) -> None:
        hub.hashes[Q4] = "a" * 64
        with pytest.raises(ResponseFormatError, match=f"its SHA-256 is {SHA256} and not aaaa"):
            Local.pull(NAME)
        assert files_in(cache) == set()

    def test_a_file_that_is_too_long_is_not_kept(self, hub: FakeHub, cache: Path) -> None:
        hub.hashes[Q4] = SHA256
        api = hub.api("main")
        hub.files[Q4] = MODEL + b"more"
        hub.api = lambda revision: api  # type: ignore[method-assign]
        with pytest.raises(ResponseFormatError, match="not the file that was expected"):
            Local.pull(NAME)
        assert files_in(cache) == set()

    def test_too_many_requests_are_waited_for(self, hub: FakeHub, waits: list[float]) -> None:
        hub.faults = [Fault(status=429, headers={"Retry-After": "7"})]
        Local.pull(NAME)
        assert waits == [7.0]

    def test_too_long_a_wait_is_told(self, hub: FakeHub, waits: list[float]) -> None:
        hub.faults = [Fault(status=429, headers={"Retry-After": "700"})]
        with pytest.raises(RateLimitError) as caught:
            Local.pull(NAME)
        assert caught.value.retry_after == 700
        assert waits == []

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_refusal_is_not_tried_again(self, hub: FakeHub, status: int) -> None:
        hub.faults = [Fault(status=status, headers={"Location": "/elsewhere"})] * 2
        with pytest.raises((AuthenticationError, ModelNotSupportedError)) as caught:
            Local.pull(NAME)
        assert len(hub.delivered) == 1
        assert "very-secret" not in str(caught.value)

    def test_a_redirect_to_nowhere_is_told(self, hub: FakeHub) -> None:
        hub.faults = [Fault(status=302)] * 2
        with pytest.raises(ResponseStatusError, match="status 302"):
            Local.pull(NAME)
        assert len(hub.delivered) == 1

    def test_a_disk_without_room_is_told_first(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 100, 1 << 20))
        with pytest.raises(
            ProviderNotConfiguredError, match=r"disk is full: \d+ MiB are needed .*, and 1 MiB are free"
        ):
            Local.pull(NAME)
        assert hub.delivered == []

    def test_a_file_without_end_leaves_room_on_the_disk(
        self, hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = namedtuple("usage", "total used free")
        looks: list[Path] = []

        def fills_up(path: Path) -> usage:
            looks.append(path)
            return usage(1 << 30, 0, download.SPARE_BYTES - (len(looks) > 1))

        monkeypatch.setattr(shutil, "disk_usage", fills_up)
        hub.faults = [Fault(tells_length=False)]
        url = f"{hub.cdn}/{Q4}"
        with pytest.raises(
            ProviderNotConfiguredError, match=r"disk is full: 64 MiB are needed .*, and 63 MiB are free"
        ):
            Local.pull(url, sha256=SHA256)
        assert len(looks) == 2  # before it, and at its first piece
        assert not list(cache.rglob("*.partial"))

    def test_a_disk_that_fills_up_is_told(self, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        for name, sha256 in ((NAME, None), (f"{hub.cdn}/{Q4}", SHA256)):
            with pytest.raises(ProviderNotConfiguredError, match=r"cannot keep .*: the disk is full: make room in"):
                Local.pull(name, sha256=sha256)

    def test_a_redirect_to_plain_http_is_refused(self, secure: FakeHub) -> None:
        secure.cdn = "http://127.0.0.1:9"
        with pytest.raises(ResponseFormatError, match=r"redirects to http://127\.0\.0\.1:9.*not a plain https URL"):
            Local.pull(NAME)


def test_two_that_ask_at_once_download_once(hub: FakeHub) -> None:
    hub.faults = [Fault(cut=1000)]
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(Local.pull(NAME))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 3
    assert hub.ranges() == [None, "bytes=1000-"]


PAGE = (
    rf"not for everybody \(status 401\): look for a misprint, or accept the terms at (https://\S+)/{REPOSITORY} "
    r"in your browser, and set HF_TOKEN to a token of yours from \1/settings/tokens$"
)


class TestToken:
    @pytest.fixture(autouse=True)
    def token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", " hf_secret-token ")

    def authorizations(self, hub: FakeHub) -> list[str | None]:
        return [request.headers.get("Authorization") for request in hub.received]

    def test_goes_nowhere_where_it_is_not_needed(self, secure: FakeHub) -> None:
        Local.pull(NAME)
        assert self.authorizations(secure) == [None, None]

    def test_goes_to_the_hub_that_refuses_a_request_without_it(self, secure: FakeHub) -> None:
        secure.token = "hf_secret-token"
        Local.pull(NAME)
        sent = "Bearer hf_secret-token"
        assert self.authorizations(secure) == [None, sent, None, sent]
        assert [request.headers.get("Authorization") for request in secure.delivered] == [None]

    def test_goes_to_no_host_that_a_redirect_dresses_up_as_the_hub(self, secure: FakeHub) -> None:
        secure.token, secure.faults = "hf_secret-token", [Fault(status=401)]
        secure.cdn = f"{secure.cdn}\\@{secure.url.partition('://')[2]}"
        with pytest.raises(ResponseFormatError, match="not a plain https URL"):
            Local.pull(NAME)
        assert secure.delivered == []

    def test_goes_to_no_host_that_a_name_dresses_up_as_the_hub(self, secure: FakeHub) -> None:
        secure.faults = [Fault(status=401)]
        with pytest.raises(
            AuthenticationError, match=r"\(status 401\): download it yourself, and give the path of the"
        ):
            Local.pull(f"{secure.cdn}\\@{secure.url.partition('://')[2]}/{Q4}", sha256=SHA256)
        assert [request.headers.get("Authorization") for request in secure.delivered] == [None]

    def test_is_not_shown(self, secure: FakeHub) -> None:
        secure.token = "another"
        with pytest.raises(AuthenticationError, match="the token in HF_TOKEN is not good for it") as caught:
            Local.pull(NAME)
        assert "hf_secret" not in f"{caught.value!r} {caught.value.__cause__!r}"

    def test_without_one_it_is_named(self, secure: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HF_TOKEN")
        secure.token = "hf_secret-token"
        with pytest.raises(AuthenticationError, match=PAGE):
            Local.pull(NAME)

    def test_is_not_sent_in_the_clear(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(FakeHub({Q4: MODEL}, token="hf_secret-token")) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            with pytest.raises(AuthenticationError):
                Local.pull(NAME)
            assert self.authorizations(hub) == [None]


def test_a_hub_out_of_reach_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setattr("g4f_lite.providers.local.web.HUB", "http://127.0.0.1:9")
    with pytest.raises(TransportError) as caught:
        Local.pull(NAME)
    asked = "is this machine online? HF_ENDPOINT can name a mirror of the hub, and"
    assert str(caught.value).endswith(f"; {asked} a .gguf file that you have is used by its path")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_path", nowhere)
    with pytest.raises(ProviderNotConfiguredError, match="XDG_CACHE_HOME"):
        cache_directory()
