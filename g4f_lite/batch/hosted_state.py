"""The file in which a hosted batch keeps where it is, so that another process can go on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import StoreError
from ..http.checks import shorten
from ..providers.openai.fields import count_in, number_in, text_in
from ..store.whole_file import write_whole
from . import kept_errors

_FORMAT = "g4f_lite hosted batch"
_VERSION = 1
OVER = ("completed", "failed", "expired", "cancelled")


@dataclass
class Part:
    """A part of a batch, which is one batch for the service.

    :param digest: a hash of its requests
    :param input_file_id: the uploaded file of requests; None before it is uploaded
    :param is_created: whether the service may have been told to create the batch
    :param batch_id: the service's id of it; None before it is known
    :param status: the service's word for how it is
    :param output_file_id: the file of answers, or None
    :param error_file_id: the file of errors, or None
    :param completed: how many requests the service says are answered
    :param failed: how many it says have failed
    :param errors: why the service refused the whole batch
    :param is_fetched: whether its results are here
    """

    digest: str
    input_file_id: str | None = None
    is_created: bool = False
    batch_id: str | None = None
    status: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    completed: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)
    is_fetched: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the service does nothing more for it."""
        return self.status in OVER

    @property
    def lacks_file(self) -> bool:
        """Whether the service has answers, but has not named their file."""
        return self.completed > 0 and self.output_file_id is None

    def take(self, batch: Mapping[str, Any]) -> None:
        """Take over what the service says about the batch, in few words."""
        self.batch_id = str(batch["id"])
        self.status = shorten(batch["status"]).lower()
        self.output_file_id = text_in(batch, "output_file_id") or None
        self.error_file_id = text_in(batch, "error_file_id") or None
        counts = batch.get("request_counts")
        self.completed, self.failed = count_in(counts, "completed") or 0, count_in(counts, "failed") or 0
        told = batch.get("errors")
        rows = told.get("data") if isinstance(told, dict) else None
        self.errors = [_error_in(row) for row in rows[:3] if isinstance(row, dict)] if isinstance(rows, list) else []


class State:
    """The state of a hosted batch, and its file.

    :param path: the file, which need not exist
    :param digests: a hash of the requests of each part
    :raises StoreError: if the file cannot be read
    :raises ValueError: if it belongs to other prompts
    """

    def __init__(self, path: Path, digests: Sequence[str]) -> None:
        self.path = path
        self.run = uuid.uuid4().hex
        self.parts = [Part(digest) for digest in digests]
        # By the positions of the prompts that failed: what is kept of their errors, the line of the service where an
        # earlier version wrote the file, or None where the service gave none.
        self.failures: dict[int, dict[str, Any] | None] = {}
        self.load()

    @property
    def is_fetched(self) -> bool:
        """Whether all results are here."""
        return all(part.is_fetched for part in self.parts)

    def load(self) -> None:
        """Read the file, if there is one.

        :raises StoreError: if it cannot be read, or is not such a file
        :raises ValueError: if it belongs to other prompts
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            reason = "directory" if self.path.is_dir() else "foreign"
            raise StoreError(f"{self.path} cannot be read: {error}", self.path, reason=reason) from error
        try:
            value = json.loads(text)
            is_ours, version = value["format"] == _FORMAT, value["version"]
        except (ValueError, KeyError, TypeError, RecursionError):
            is_ours, version = False, 0
        if not is_ours:
            raise StoreError(
                f"{self.path} is not the state of a hosted batch; name another file", self.path, reason="foreign"
            )
        if version != _VERSION:
            raise StoreError(f"{self.path} is of a later version of g4f_lite; upgrade it", self.path, reason="newer")
        try:
            parts = [_part_of(part) for part in value["parts"]]
            failures = {int(index): line and dict(line) for index, line in value["failures"].items()}
            for kept in filter(None, failures.values()):
                if not is_line(kept):
                    kept_errors.from_json(kept)
            run = str(value["run"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{self.path} is damaged: {error!r}; restore a copy", self.path) from error
        if [part.digest for part in parts] != [part.digest for part in self.parts]:
            raise ValueError(
                f"{self.path} belongs to a batch of other prompts, options or another service: "
                "repeat its prompts to go on with it, or name another file"
            )
        self.run, self.parts, self.failures = run, parts, failures

    def save(self) -> None:
        """Write the file, as a whole or not at all; a new one is for its owner only.

        :raises StoreError: if it cannot be written
        """
        value = {
            "format": _FORMAT,
            "version": _VERSION,
            "run": self.run,
            "parts": [asdict(part) for part in self.parts],
            "failures": self.failures,
        }
        try:
            write_whole(str(self.path), json.dumps(value, indent=1).encode())
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error}", self.path, reason="unwritable") from error


def is_line(kept: Mapping[str, Any]) -> bool:
    """Return whether what is kept of a failure is the line of the service, as in the file of an earlier version."""
    return "custom_id" in kept or "kind" not in kept


def _part_of(value: Mapping[str, Any]) -> Part:
    """Return a part as it was saved.

    :raises TypeError: if a value in it has another type
    """
    part = Part(**value)
    empty = Part("")
    for each in fields(Part):
        usual, given = getattr(empty, each.name), getattr(part, each.name)
        kinds = (str, type(None)) if usual is None else (type(usual),)
        if not isinstance(given, kinds):
            raise TypeError(f"{each.name} is {given!r:.80}")
    return part


def _error_in(row: Mapping[str, Any]) -> str:
    number = number_in(row, "line")
    line = "" if number is None else f"line {number}: "
    return shorten(f"{line}{row.get('message') or row.get('code') or 'no reason given'}")
