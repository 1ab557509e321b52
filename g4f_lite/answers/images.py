"""Image answers."""

from __future__ import annotations

import base64
import binascii
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from ..errors import G4FLiteError, MissingDependencyError, ResponseFormatError
from ..messages import get_random_string, image_type, to_data_uri, valid_text
from .markdown import safe_markdown

if TYPE_CHECKING:
    import PIL.Image

MAX_IMAGE_BYTES = 32 * 1024 * 1024

_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp"}
_DEVICE_NAMES = r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)"

Fetch = Callable[[str], bytes]


class FetchLimit:
    """The limit for all images of an answer: a service may name any number, and each is fetched in a call of its own.

    :param seconds: after which no further one is fetched
    :param size: the bytes that all of them may have
    """

    def __init__(self, seconds: float = 10.0, size: int = 2 * MAX_IMAGE_BYTES) -> None:
        self._ends_at = time.monotonic() + seconds
        self._left = size
        self._told = f"its images have more than {size // 1024**2} MiB, or take {max(0, seconds):.3g} s"

    def bytes_of(self, image: ImageResponse, index: int = 0) -> bytes:
        """Return the bytes of an image.

        :raises ResponseFormatError: if this one is beyond the limit
        :raises G4FLiteError: if it cannot be fetched
        """
        is_late = time.monotonic() > self._ends_at
        data = b"" if is_late else image.bytes(index)
        self._left -= len(data)
        if is_late or self._left < 0:
            raise ResponseFormatError(self._told)
        return data


class ImageResponse:
    """One or more images that a service generated.

    ``str()`` returns Markdown; a notebook displays the first image itself.

    :param urls: the URLs of the images, as the service sent them, or ``data:`` URIs
    :param alt: the alternative text, usually the prompt
    :param fetch: returns the bytes at one of the URLs
    :param data: the bytes of the first image, if they are already known
    :param revised_prompts: for each image, the prompt as the service revised it, or None
    :param created: when the images were made, as the service reports, in seconds since 1970
    :param usage: token counts, as the service reports them
    """

    def __init__(
        self,
        urls: str | list[str],
        alt: str = "",
        *,
        fetch: Fetch | None = None,
        data: bytes | None = None,
        revised_prompts: Sequence[str | None] = (),
        created: int | None = None,
        usage: dict[str, Any] | None = None,
    ) -> None:
        self.urls = [valid_text(url) for url in ([urls] if isinstance(urls, str) else urls)]
        self.alt = alt
        self.revised_prompts = [*revised_prompts, *[None] * (len(self.urls) - len(revised_prompts))]
        self.created = created
        self.usage = usage
        self.fetch = fetch
        self._data: dict[str, bytes] = {} if data is None else {self.urls[0]: data}
        # By process: in a forked child, a lock that another thread of the parent held would be held for ever.
        self._fetching: dict[int, threading.Lock] = {}

    def bytes(self, index: int = 0) -> bytes:
        """Return the bytes of an image, which are fetched at most once.

        :param index: which of the images
        :raises G4FLiteError: if the image cannot be fetched
        """
        url = self.urls[index]
        with self._fetching.setdefault(os.getpid(), threading.Lock()):
            if url not in self._data:
                if url.startswith("data:"):
                    self._data[url] = _decode_data_uri(url)
                elif self.fetch is None:
                    raise G4FLiteError("this image was pickled before it was fetched; call bytes() before pickling")
                else:
                    self._data[url] = self.fetch(url)
            return self._data[url]

    def fetch_now(self, fetch: Fetch) -> None:
        """Fetch all images that were not fetched yet.

        :param fetch: returns the bytes at one of the URLs
        """
        self.fetch = fetch
        for index in range(len(self.urls)):
            self.bytes(index)

    @property
    def data_uri(self) -> str:
        """The first image as a URI, ``data:<MIME type>;base64,…``."""
        return to_data_uri(self.bytes())

    def save(self, path: str | os.PathLike[str], *, index: int = 0, overwrite: bool = False) -> Path:
        """Write an image to a file, whole or not at all.

        :param path: a file, whose suffix is corrected to the type of the image, or an existing directory, in which
            the file is named after the URL
        :param index: which of the images
        :param overwrite: whether to replace an existing file
        :returns: the path of the written file
        :raises FileExistsError: if the file exists and ``overwrite`` is False
        """
        data = self.bytes(index)
        suffix = _SUFFIXES[image_type(data) or "image/png"]
        target = Path(path)
        if target.is_dir():
            target = target / (_file_name(self.urls[index]) + suffix)
        elif target.suffix.lower() in (*_SUFFIXES.values(), ".jpeg"):
            target = target if target.suffix == ".jpeg" and suffix == ".jpg" else target.with_suffix(suffix)
        else:
            target = target.with_name(target.name + suffix)
        written = target.with_name(f".{target.name}.{get_random_string()}") if overwrite else target
        with open(written, "xb") as file:
            try:
                file.write(data)
                file.flush()
            except BaseException:
                written.unlink()
                raise
        if overwrite:
            os.replace(written, target)
        return target

    def to_pil(self, index: int = 0) -> PIL.Image.Image:
        """Open an image with Pillow.

        :param index: which of the images
        :raises MissingDependencyError: if Pillow is not installed
        """
        import io

        try:
            import PIL.Image
        except ImportError as error:
            raise MissingDependencyError("to_pil() needs Pillow: pip install pillow") from error
        return PIL.Image.open(io.BytesIO(self.bytes(index)))

    def __str__(self) -> str:
        alt = re.sub(r"([\[\]\\])", r"\\\1", " ".join(self.alt.split()))
        return "\n".join(f"![{alt}]({_for_markdown(url)})" for url in self.urls)

    def __repr__(self) -> str:
        shown = [url.partition("?")[0][:80] for url in self.urls]  # the query may be a signature
        return f"ImageResponse({shown!r}, alt={self.alt[:80]!r})"

    def __copy__(self) -> ImageResponse:
        copied = ImageResponse(
            self.urls,
            self.alt,
            fetch=self.fetch,
            revised_prompts=self.revised_prompts,
            created=self.created,
            usage=self.usage,
        )
        copied._data.update(self._data)
        return copied

    def __deepcopy__(self, _: Any) -> ImageResponse:
        return self.__copy__()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "fetch": None, "_fetching": {}}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        try:
            data = self.bytes()
        except G4FLiteError:  # IPython would print the whole traceback; a link is more use
            return {"text/markdown": safe_markdown(str(self)), "text/plain": repr(self)}
        mime = image_type(data) or "image/png"
        return {mime: base64.b64encode(data).decode("ascii"), "text/plain": repr(self)}


def _decode_data_uri(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    try:
        data = unquote_to_bytes(body)
        if head.endswith(";base64"):
            data = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ResponseFormatError("the service sent an image as a data: URI that cannot be decoded") from error
    if len(data) > MAX_IMAGE_BYTES or image_type(data) is None:
        raise ResponseFormatError("the service sent a data: URI that is not an image, or is too large")
    return data


def _file_name(url: str) -> str:
    """Derive a safe file name, without a suffix, from the last part of a URL."""
    last = "" if url.startswith("data:") else Path(unquote(urlsplit(url).path)).name
    name = re.sub(r"[^\w-]+", "-", last.rpartition(".")[0] or last, flags=re.ASCII).strip("-_")[:80]
    return f"image-{name}" if not name or re.match(_DEVICE_NAMES, name) else name


def _for_markdown(url: str) -> str:
    """Encode the characters that would end a Markdown link early."""
    return re.sub(r"[\s()<>]", lambda found: quote(found.group()), url)
