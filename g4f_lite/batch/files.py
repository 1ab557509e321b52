"""Prompts from files, and answers to files: text, JSON lines, CSV, and the format of OpenAI's Batch API."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ..answers.answer import Answer
from .result import Result

_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".txt": "text", "": "text"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
# The fields of a JSON line that are arguments; others are carried along.
_ARGUMENTS = ("prompt", "messages", "model", "system", "temperature", "max_tokens")
# Arguments that are no fields of OpenAI's API: a file does not say where prompts go, or which other files are read.
_NOT_IN_BODY = {"extra_body", "extra_headers", "extra_query", "images", "prompt", "provider", "proxy", "retry"}
_MAX_FIELD_BYTES = 2**31 - 1  # csv's own limit is 128 KiB


class Row(NamedTuple):
    """One row of a file.

    :param values: its columns by name
    :param prompt: the prompt that it makes
    """

    values: dict[str, Any]
    prompt: Any

    @property
    def custom_id(self) -> str | None:
        """The id of a request in the format of OpenAI's Batch API; None for any other row."""
        return self.values["custom_id"] if "custom_id" in self.values and "body" in self.values else None


def format_of(path: Path) -> str:
    """Return the format of a file by the end of its name: ``"jsonl"``, ``"csv"``, ``"tsv"`` or ``"text"``.

    :raises ValueError: if the end is not known
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(f"{path} has the ending {suffix!r}; known are {', '.join(filter(None, _FORMATS))}")
    return _FORMATS[suffix]


def read_rows(file: TextIO, kind: str, template: str | None = None) -> Iterator[Row]:
    """Read the rows of a file.

    :param kind: its format, as ``format_of`` returns it
    :param template: a prompt with the names of columns in braces, such as ``"Summarise: {text}"``; without one, a text
        file has a prompt in each line, and other files a column ``prompt`` or ``messages``, or a single one
    :raises ValueError: if a row does not make a prompt; the message names its line
    """
    rows = _text_rows(file) if kind == "text" else _json_rows(file) if kind == "jsonl" else _csv_rows(file, kind)
    for line, values in rows:
        try:
            yield Row(values, _prompt_of(values, template))
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from None


def _text_rows(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in enumerate(file, start=1):
        if text.strip():
            yield line, {"prompt": text.rstrip("\r\n")}


def _json_rows(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {line} is not JSON: {error}") from None
        if not isinstance(value, (dict, str)):
            raise ValueError(f"line {line} must be an object or a string, not {text.strip()!r:.80}")
        yield line, {"prompt": value} if isinstance(value, str) else value


def _csv_rows(file: TextIO, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(_MAX_FIELD_BYTES)
    reader = csv.DictReader(file, delimiter=_DELIMITERS[kind], strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"line {reader.line_num} has not as many columns as the first line")
            yield reader.line_num, dict(row)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _prompt_of(values: dict[str, Any], template: str | None) -> Any:
    """Return what a row asks: a text, or a dict of arguments."""
    if template is not None:
        return fill(template, values)
    if "custom_id" in values and isinstance(body := values.get("body"), dict):
        if wrong := sorted(_NOT_IN_BODY & body.keys()):
            raise ValueError(f"the body has {wrong[0]!r}, which is not a field of OpenAI's API")
        return {**body, "messages": body.get("messages", "")}
    if "prompt" not in values and "messages" not in values:
        if len(values) == 1:
            return str(*values.values())
        hint = f"--prompt '{{{next(iter(values), 'text')}}}'"
        raise ValueError(f"there is no column 'prompt'; name the columns to use, as in {hint}")
    return {name: values[name] for name in _ARGUMENTS if values.get(name) not in (None, "")} or ""


def fill(template: str, values: dict[str, Any]) -> str:
    """Put the columns of a row in a template; ``{{`` and ``}}`` stand for braces.

    :raises ValueError: if the template names a column that is not there
    """

    def value(place: re.Match[str]) -> str:
        if place[0] in ("{{", "}}"):
            return place[0][0]
        name = place[1].strip()
        if name not in values:
            raise ValueError(f"there is no column {name!r} for the prompt; there are {', '.join(map(str, values))}")
        found = values[name]
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _PLACE.sub(value, template)


class Writer:
    """Writes rows with their results: as a ``csv``, ``tsv`` or ``jsonl`` file.

    :param file: the file, opened with ``newline=""``
    :param kind: its format
    """

    def __init__(self, file: TextIO, kind: str) -> None:
        self._file = file
        self._kind = kind
        self._csv: Any = None

    def write(self, row: Row, result: Result[Any]) -> None:
        """Write a row with its answer, or its error."""
        if self._kind not in _DELIMITERS:
            value = _batch_line(row, result) if row.custom_id is not None else {**row.values, **_told(result)}
            self._file.write(json.dumps(value, ensure_ascii=False) + "\n")
            return
        error = result.error_text
        self._write_columns({**row.values, "answer": result.text or "", "error": error})

    def write_failed(self, row: Row, result: Result[Any]) -> None:
        """Write a row that failed, so that the file can be asked again."""
        error = {"error": result.error_text} if row.custom_id is None else {}
        if self._kind in _DELIMITERS:
            self._write_columns({**row.values, **error})
        elif self._kind == "jsonl":
            self._file.write(json.dumps({**row.values, **error}, ensure_ascii=False) + "\n")
        else:
            self._file.write(" ".join(str(row.values["prompt"]).split()) + "\n")

    def _write_columns(self, values: dict[str, Any]) -> None:
        if self._csv is None:
            delimiter = _DELIMITERS[self._kind]
            self._csv = csv.DictWriter(self._file, list(values), delimiter=delimiter, extrasaction="ignore")
            self._csv.writeheader()
        self._csv.writerow(values)


def _told(result: Result[Any]) -> dict[str, Any]:
    """Return what a JSON line says about a result."""
    if result.answer is None:
        return {"answer": None, "error": result.error_text}
    told = result.answer.to_dict()
    names = ("provider", "model", "finish_reason", "usage")
    return {"answer": told["text"], "error": None, **{name: told[name] for name in names}}


def _batch_line(row: Row, result: Result[Any]) -> dict[str, Any]:
    """Return a line of an output file of OpenAI's Batch API."""
    line: dict[str, Any] = {"id": f"batch_req_{result.index}", "custom_id": row.custom_id}
    line |= {"response": None, "error": None}
    answer: Answer | None = result.answer
    if answer is None:
        return {**line, "error": {"code": type(result.error).__name__, "message": result.error_text}}
    usage = answer.to_dict()["usage"]
    choice = {"index": 0, "message": answer.to_message(), "finish_reason": answer.finish_reason}
    body = {"object": "chat.completion", "model": answer.model, "choices": [choice], "usage": usage}
    return {**line, "response": {"status_code": 200, "request_id": None, "body": body}}


@contextmanager
def opened(path: Path, mode: str) -> Iterator[TextIO]:
    """Open a text file as UTF-8, as csv wants it; half of a character, which JSON may contain, is written as ``?``."""
    encoding, errors = ("utf-8-sig", "strict") if mode == "r" else ("utf-8", "replace")
    with path.open(mode, encoding=encoding, errors=errors, newline="") as file:
        yield file  # type: ignore[misc]
