"""Image answers: fetched once, saved whole, shown as Markdown that renders."""

from __future__ import annotations

import base64
import builtins
import pickle
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from g4f_lite import G4FLiteError, ImageResponse, MissingDependencyError, ResponseFormatError
from g4f_lite.answers.images import MAX_IMAGE_BYTES, FetchLimit
from g4f_lite.messages import to_data_uri

PNG = b"\x89PNG\r\n\x1a\n rest"
JPEG = b"\xff\xd8\xff rest"


class Fetcher:
    """Returns the bytes of an image, and records the calls."""

    def __init__(self, data: bytes = PNG) -> None:
        self.data = data
        self.urls: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.urls.append(url)
        return self.data


def test_the_urls_are_the_services_own() -> None:
    assert ImageResponse("http://x/1").urls == ["http://x/1"]
    assert ImageResponse(["http://x/1", "http://x/2"]).urls == ["http://x/1", "http://x/2"]


def test_bytes_are_fetched_when_wanted_and_once() -> None:
    fetch = Fetcher()
    image = ImageResponse(["http://x/1", "http://x/2"], fetch=fetch)
    assert fetch.urls == []
    assert image.bytes() == image.bytes(0) == PNG
    assert image.data_uri == to_data_uri(PNG)
    assert fetch.urls == ["http://x/1"]
    image.bytes(1)
    assert fetch.urls == ["http://x/1", "http://x/2"]


def test_threads_that_want_it_at_once_fetch_it_once() -> None:
    together = threading.Barrier(4, timeout=5)
    begun = threading.Semaphore(0)

    class Slow(Fetcher):
        def __call__(self, url: str) -> bytes:
            begun.acquire(timeout=0.05)  # long enough for the others to come, if they may
            return super().__call__(url)

    fetch = Slow()
    image = ImageResponse("http://x/1", fetch=fetch)

    def want() -> None:
        together.wait()
        image.bytes()

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetch.urls == ["http://x/1"]


def test_bytes_that_are_here_are_not_fetched() -> None:
    assert ImageResponse("http://x/1", data=PNG).bytes() == PNG


@pytest.mark.parametrize(
    "uri",
    [
        to_data_uri(PNG),
        to_data_uri(PNG).replace("=", "%3D"),
        "data:image/png,%89PNG%0D%0A%1A%0A%20rest",
    ],
)
def test_a_data_uri_is_decoded_and_not_fetched(uri: str) -> None:
    assert ImageResponse(uri).bytes() == PNG


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64,!!!",
        "data:image/png;base64," + base64.b64encode(b"<svg/>").decode(),
        "data:,hello",
        "data:",
        "data:,\ud800",
        to_data_uri(PNG + bytes(MAX_IMAGE_BYTES)),
    ],
    ids=["no base64", "no image", "text", "nothing", "half a letter", "too large"],
)
def test_a_data_uri_that_is_not_an_image(uri: str) -> None:
    with pytest.raises(ResponseFormatError, match="data: URI"):
        ImageResponse(uri).bytes()


def test_a_failed_fetch_is_tried_again_when_wanted_again() -> None:
    failures = [ResponseFormatError("no image")]

    def fetch(url: str) -> bytes:
        if failures:
            raise failures.pop()
        return PNG

    image = ImageResponse("http://x/1", fetch=fetch)
    with pytest.raises(ResponseFormatError):
        image.bytes()
    assert image.bytes() == PNG


def test_a_copy_by_pickle_keeps_what_was_fetched_and_cannot_fetch() -> None:
    image = ImageResponse(["http://x/1", "http://x/2"], "a cat", fetch=Fetcher())
    image.bytes()
    again = pickle.loads(pickle.dumps(image))
    assert (again.urls, again.alt, again.bytes()) == (image.urls, "a cat", PNG)
    with pytest.raises(G4FLiteError, match="before pickling"):
        again.bytes(1)


@pytest.mark.parametrize(
    ("given", "data", "written"),
    [
        ("cat.png", PNG, "cat.png"),
        ("cat.jpg", PNG, "cat.png"),
        ("cat.jpeg", JPEG, "cat.jpeg"),
        ("cat.jpeg", PNG, "cat.png"),
        ("cat.png", JPEG, "cat.jpg"),
        ("cat", PNG, "cat.png"),
        ("v1.2", PNG, "v1.2.png"),
    ],
)
def test_save_sets_the_suffix_right(given: str, data: bytes, written: str, tmp_path: Path) -> None:
    assert ImageResponse("http://x/1", data=data).save(tmp_path / given) == tmp_path / written
    assert (tmp_path / written).read_bytes() == data


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://x/a/cat.webp?size=1", "cat.png"),
        ("http://x/", "image-.png"),
        ("http://x/..%2F..%2Fetc%2Fpasswd", "passwd.png"),
        ("http://x/..", "image-.png"),
        ("http://x/%2e%2e%5cevil.exe", "evil.png"),
        ("http://x/nul.png", "image-nul.png"),
        ("http://x/.bashrc", "bashrc.png"),
        ("http://x/--help.png", "help.png"),
        ("http://x/" + "a" * 300 + ".png", "a" * 80 + ".png"),
        (to_data_uri(PNG), "image-.png"),
    ],
)
def test_save_in_a_directory_takes_a_harmless_name(url: str, name: str, tmp_path: Path) -> None:
    image = ImageResponse(url, fetch=Fetcher())
    assert image.save(tmp_path) == tmp_path / name
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_save_replaces_a_file_only_where_that_is_wanted(tmp_path: Path) -> None:
    target = tmp_path / "cat.png"
    target.write_bytes(b"old")
    image = ImageResponse("http://x/1", data=PNG)
    with pytest.raises(FileExistsError):
        image.save(target)
    assert target.read_bytes() == b"old"
    assert image.save(str(target), overwrite=True) == target
    assert target.read_bytes() == PNG
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("overwrite", [False, True])
def test_save_leaves_nothing_half_written(overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open

    def full(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs).close()
        file = MagicMock()
        file.__enter__.return_value.write.side_effect = OSError(28, "No space left on device")
        file.__exit__.return_value = False
        return file

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(OSError, match="No space left"):
        ImageResponse("http://x/1", data=PNG).save(tmp_path / "cat.png", overwrite=overwrite)
    assert list(tmp_path.iterdir()) == []


def test_save_another_of_several(tmp_path: Path) -> None:
    image = ImageResponse([to_data_uri(PNG), to_data_uri(JPEG)])
    assert image.save(tmp_path / "cat", index=1).name == "cat.jpg"


@pytest.mark.parametrize(
    ("urls", "alt", "markdown"),
    [
        ("http://x/1.png", "a cat", "![a cat](http://x/1.png)"),
        (["http://x/1", "http://x/2"], "", "![](http://x/1)\n![](http://x/2)"),
        ("http://x/1", "a [red]\n\n cat\\", "![a \\[red\\] cat\\\\](http://x/1)"),
        ("http://x/a b(1)<2>", "", "![](http://x/a%20b%281%29%3C2%3E)"),
        ("http://x/a\u2003b", "", "![](http://x/a%E2%80%83b)"),
    ],
)
def test_the_markdown_renders(urls: Any, alt: str, markdown: str) -> None:
    assert str(ImageResponse(urls, alt)) == markdown


def test_the_repr_is_short() -> None:
    assert len(repr(ImageResponse(to_data_uri(PNG + bytes(5000)), "cat " * 1000))) < 250


def test_a_notebook_shows_the_image() -> None:
    shown = ImageResponse("http://x/1", data=JPEG)._repr_mimebundle_()
    assert base64.b64decode(shown["image/jpeg"]) == JPEG
    assert shown["text/plain"].startswith("ImageResponse(")


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match="pip install pillow"):
        ImageResponse("http://x/1", data=PNG).to_pil()


def test_all_images_of_an_answer_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("g4f_lite.answers.images.time.monotonic", lambda: now[0])

    def fetch(url: str) -> bytes:
        now[0] += 30
        return PNG

    image = ImageResponse(["http://x/1", "http://x/2"], fetch=fetch)
    limit = FetchLimit()
    assert limit.bytes_of(image) == PNG  # one that takes long is given if no other follows
    with pytest.raises(ResponseFormatError, match="more than 64 MiB, or take 10 s"):
        limit.bytes_of(image, 1)
    large = FetchLimit(60, 2 * len(PNG))
    assert [large.bytes_of(image, index) for index in (0, 1)] == [PNG, PNG]
    with pytest.raises(ResponseFormatError, match="its images have more than"):
        large.bytes_of(image)
