"""Downloads a large file: goes on after a cut, checks its hash, and puts it in its place only then."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...arguments import safe_url
from ...errors import (
    DeadlineExceededError,
    G4FLiteError,
    ProviderError,
    ProviderNotConfiguredError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    TransportError,
)
from ...http.body import Body
from .store import put_in_place
from .web import Web

logger = logging.getLogger(__name__)

#: Called with the bytes that are here, and all of them where that is known.
Progress = Callable[[int, int | None], object]

ATTEMPTS = 5  # in a row that bring nothing
BACKOFF_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
CHUNK_BYTES = 1 << 20
SPARE_BYTES = 64 << 20  # that a download leaves free on the disk


@dataclass
class Download:
    """A file that is being downloaded.

    :param url: where it is
    :param target: where it goes
    :param size: its bytes; None where nobody has said
    :param sha256: its hash
    :param progress: told how far it is
    :param alone: whether no other process downloads it at the same time
    """

    url: str
    target: Path
    size: int | None
    sha256: str
    progress: Progress | None = None
    alone: bool = True

    def run(self, web: Web) -> None:
        """Download it; what an earlier try has left is not asked for again.

        :raises ProviderNotConfiguredError: if there is no room for it
        :raises ResponseFormatError: if what came is not the file
        :raises G4FLiteError: if it could not be had
        """
        failures = 0
        while True:
            before = self._here()
            try:
                self._check_room()
                if self.size is None or before < self.size:
                    self._receive(web, before)
                break
            except ProviderNotConfiguredError:
                if self.size is None:  # it may be without end, so there is nothing to go on with
                    self._partial.unlink(missing_ok=True)
                raise
            except (TransportError, DeadlineExceededError, ResponseStatusError, RateLimitError) as error:
                if getattr(error, "status", None) == 416:  # there is no more of it; whether it is right is seen below
                    break
                failures = 1 if self._here() > before else failures + 1
                wait = _wait(error, failures)
                if failures >= ATTEMPTS or wait is None:
                    raise
                logger.info("%s: %s; trying again in %.1f s", safe_url(self.url), error, wait)
                web.call.sleep(wait)
        self._put_in_place()

    @property
    def _partial(self) -> Path:
        whose = "" if self.alone else f".{os.getpid()}"
        return self.target.with_name(f"{self.target.name}.{self.sha256[:8]}{whose}.partial")

    def _here(self) -> int:
        try:
            return self._partial.stat().st_size
        except FileNotFoundError:
            return 0

    def _receive(self, web: Web, begin: int) -> None:
        """Ask for the rest, and add it to what is here.

        :raises TransportError: less came than there is
        """
        body = web.get(self.url, **({"Range": f"bytes={begin}-"} if begin else {}))
        try:
            begin = begin if body.status == 206 and _begins_at(body, begin) else 0
            length = body.headers.get("Content-Length", "")
            if self.size is None and length.isdigit():
                self.size = begin + int(length)
            with self._partial.open("r+b" if begin else "wb") as file:
                file.seek(begin)
                here = begin
                for chunk in body:
                    here += len(chunk)
                    if self.size is None:
                        self._check_room()
                    elif here > self.size:
                        break
                    file.write(chunk)
                    if self.progress is not None:
                        self.progress(here, self.size)
        finally:
            body.close()
        if self.size is not None and here < self.size:
            raise TransportError(f"{safe_url(self.url)} was cut after {here:,} of {self.size:,} bytes")

    def _check_room(self) -> None:
        """Check that the disk has room for the rest; of a file of unknown size, for the next piece.

        :raises ProviderNotConfiguredError: if it does not
        """
        free = shutil.disk_usage(self.target.parent).free
        needed = 0 if self.size is None else self.size - self._here()
        if free < needed + SPARE_BYTES:
            raise ProviderNotConfiguredError(
                f"the disk is full: {(needed + SPARE_BYTES) >> 20} MiB are needed in {self.target.parent}, and "
                f"{free >> 20} MiB are free",
                provider="Local",
            )

    def _put_in_place(self) -> None:
        digest = hashlib.sha256()
        with self._partial.open("rb+") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
            os.fsync(file.fileno())
        if digest.hexdigest() != self.sha256:
            self._partial.unlink()
            raise ResponseFormatError(
                f"{safe_url(self.url)} is not the file that was expected: its SHA-256 is {digest.hexdigest()} "
                f"and not {self.sha256}; nothing of it was kept",
                provider="Local",
            )
        put_in_place(self._partial, self.target, self.sha256)


def _begins_at(body: Body, begin: int) -> bool:
    return body.headers.get("Content-Range", "").startswith(f"bytes {begin}-")


def _wait(error: G4FLiteError, failures: int) -> float | None:
    """Return the seconds until the next try; None where there shall be none."""
    if isinstance(error, TransportError) and error.cause in ("tls", "proxy"):
        return None
    asked = error.retry_after if isinstance(error, ProviderError) else None
    if isinstance(error, ResponseStatusError) and asked is None and (error.status or 0) < 500:
        return None
    wait = random.uniform(0, BACKOFF_SECONDS * 2.0**failures) if asked is None else asked
    return wait if wait <= LONGEST_WAIT_SECONDS else None
