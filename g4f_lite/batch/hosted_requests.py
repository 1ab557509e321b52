"""The requests of a hosted batch: which are in which file, and what is written there."""

from __future__ import annotations

import hashlib
import json
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ..providers.openai.batches import ENDPOINT, BatchAPI

# OpenAI's limits of one batch: https://platform.openai.com/docs/guides/batch
MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
_ID = "request-"

# Gives the server and the JSON body of the prompt at a position.
RequestOf = Callable[[int], tuple[BatchAPI, dict[str, Any]]]


@dataclass
class RequestFile:
    """The requests of one file, which all go to one model of one server.

    :param api: the server's
    :param indexes: the positions of their prompts
    :param size: its bytes
    :param hasher: hashes the file
    """

    api: BatchAPI
    indexes: array[int] = field(default_factory=lambda: array("q"))
    size: int = 0
    hasher: Any = field(default_factory=hashlib.sha256)

    def add(self, index: int, line: bytes) -> None:
        """Add a request."""
        self.indexes.append(index)
        self.size += len(line)
        self.hasher.update(line)

    @property
    def digest(self) -> str:
        """A hash of the requests and the server's address."""
        hasher = self.hasher.copy()
        hasher.update(self.api.provider.base_url.encode())
        return str(hasher.hexdigest())

    @contextmanager
    def written(self, request_of: RequestOf) -> Iterator[BinaryIO]:
        """Write the requests to a file that is gone at the end of the ``with`` block."""
        with tempfile.TemporaryFile() as file:
            for index in self.indexes:
                file.write(_line_of(index, request_of(index)[1]))
            yield file


def files_of(count: int, request_of: RequestOf) -> list[RequestFile]:
    """Divide requests among files that a service takes.

    :param count: how many requests there are
    :raises ValueError: if a request is larger than a file may be
    """
    files: list[RequestFile] = []
    open_files: dict[Any, RequestFile] = {}
    for index in range(count):
        api, body = request_of(index)
        line = _line_of(index, body)
        if len(line) > MOST_BYTES:
            raise ValueError(f"prompts[{index}] has {len(line):,} bytes, and a batch takes {MOST_BYTES:,}")
        key = id(api), body["model"]
        file = open_files.get(key)
        if file is None or len(file.indexes) >= MOST_REQUESTS or file.size + len(line) > MOST_BYTES:
            file = open_files[key] = RequestFile(api)
            files.append(file)
        file.add(index, line)
    return files


def index_in(line: dict[str, Any]) -> int | None:
    """Return the position of the prompt that a line of results belongs to; None if it belongs to none."""
    id_ = line.get("custom_id")
    number = id_.removeprefix(_ID) if isinstance(id_, str) and id_.startswith(_ID) else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else None


def _line_of(index: int, body: dict[str, Any]) -> bytes:
    request = {"custom_id": f"{_ID}{index}", "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"
