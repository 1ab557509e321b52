"""Answers to files: JSON lines, CSV, and the format of OpenAI's Batch API."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from ..answers.answer import Answer
from ..answers.json_text import read_json
from ..errors import OutputError
from ..messages import to_json
from .files import DELIMITERS, EARLIER_ERROR, MAX_FIELD_BYTES, Row, opened
from .result import Result
from .templates import text_of

# The columns that a table has beside those of the input.
_ADDED = ("answer", "error", "finish_reason", "refusal", "prompt_tokens", "completion_tokens")
# The fields that JSON lines have beside those of the input.
_TOLD = ("answer", "error", "finish_reason", "refusal", "usage")


class Writer:
    """Writes rows with their results: as a ``csv``, ``tsv`` or ``jsonl`` file.

    :param file: the file, opened with ``newline=""``
    :param kind: its format
    :param delimiter: what separates the columns, if it is not the usual character of the format
    :param columns: all columns of the input, where not each row has them; without them, those of the first row
    :param fields: fields of answers in JSON, which become columns of a table
    :param is_json: whether answers are JSON, whose value is ``output`` in JSON lines
    :param prefix: what the names of all that is said about an answer begin with
    :param is_marked: whether a table begins with the mark by which a spreadsheet knows UTF-8
    :param say: gives the words for what an error says
    """

    def __init__(
        self,
        file: TextIO,
        kind: str,
        *,
        delimiter: str | None = None,
        columns: Sequence[str] = (),
        fields: Sequence[str] = (),
        is_json: bool = False,
        prefix: str = "",
        is_marked: bool = False,
        say: Callable[[str], str] = str,
    ) -> None:
        self.file = file
        self._kind = kind
        self._delimiter = delimiter or DELIMITERS.get(kind, ",")
        self._input = columns
        self._fields = fields
        self._is_json = is_json
        self._prefix = prefix
        self._is_marked = is_marked
        self._say = say
        self._csv: Any = None

    def write(self, row: Row, result: Result[Any]) -> None:
        """Write a row with its answer, or its error."""
        if self._kind in DELIMITERS:
            columns = {**row.values, **self._named(self._columns(result))}
            self._write_columns({**columns, **self._beside({*self._input, *columns}, result)})
        else:
            error = self._say(result.error_text)
            if row.custom_id is None:
                value = {**row.values, **self._named(_told(result, error)), **self._beside({*row.values}, result)}
                value |= self._named({"output": _output_of(result)} if self._is_json else {})
            else:
                value = _batch_line(row, result, error)
            self.file.write(to_json(value, ensure_ascii=False) + "\n")

    def begin_failed(self, row: Row) -> None:
        """Write the names of the columns of a table for failures, which may have no rows.

        :param row: any row of the input
        """
        if self._kind in DELIMITERS:
            self._begin_columns([*{**row.values, **self._error(row, "")}])

    def write_failed(self, row: Row, result: Result[Any]) -> None:
        """Write a row that failed, so that the file can be asked again."""
        error = self._error(row, self._say(result.error_text))
        if self._kind in DELIMITERS:
            self._write_columns({**row.values, **error})
        elif self._kind == "jsonl":
            self.file.write(to_json({**row.values, **error}, ensure_ascii=False) + "\n")
        else:
            self.file.write(f"{row.values['prompt']}\n")  # a line, as it was read

    @staticmethod
    def _error(row: Row, error: str) -> dict[str, str]:
        return {EARLIER_ERROR: error} if row.custom_id is None else {}

    def _named(self, values: dict[str, Any]) -> dict[str, Any]:
        return {f"{self._prefix}{name}": value for name, value in values.items()}

    def _beside(self, columns: set[str], result: Result[Any]) -> dict[str, Any]:
        """Return the facts about a result; a column that is called as one of them stays as it is."""
        return {name: fact for name, fact in self._named(_facts(result)).items() if name not in columns}

    def _columns(self, result: Result[Any]) -> dict[str, Any]:
        usage = result.usage
        values = (
            _text_of(result),
            self._say(result.error_text) or None,
            result.finish_reason,
            result.refusal,
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.completion_tokens,
        )
        return {**dict(zip(_ADDED, values, strict=True)), **_fields_in(_output_of(result), self._fields)}

    def _write_columns(self, values: dict[str, Any]) -> None:
        if self._csv is None:
            self._begin_columns([*values])
        self._csv.writerow({name: value if value is None else text_of(value) for name, value in values.items()})

    def _begin_columns(self, names: list[str]) -> None:
        names = [*dict.fromkeys((*self._input, *names))]
        if self._is_marked:
            self.file.write("\ufeff")
        self._csv = csv.DictWriter(self.file, names, delimiter=self._delimiter, extrasaction="ignore")
        self._csv.writeheader()


def check_names(
    rows: Sequence[Row], kind: str, fields: Sequence[str], *, is_json: bool = False, prefix: str = ""
) -> None:
    """Raise if a column of the input would be lost beside the answers.

    :param kind: the format of the output
    :param fields: fields of the answers that become columns of a table
    :param is_json: whether answers are JSON
    :param prefix: what the names of all that is said about an answer begin with
    :raises ValueError: if the input has such a column, a field is called as a column that is added anyway, or the
        form of the output leaves no room for a prefix
    """
    is_table = kind in DELIMITERS
    if prefix and not is_table and any(row.custom_id is not None for row in rows):
        form = "the answers to requests of OpenAI's Batch API have a form of their own, without a prefix"
        raise ValueError(f"{form}; leave out prefix=, or write a .csv file")
    added, own = (_ADDED, [*fields]) if is_table else (_TOLD, ["output"] if is_json else [])
    names = {f"{prefix}{name}" for name in (*added, *own)}
    taken = list(dict.fromkeys(name for row in rows for name in row.values if name in names))
    if taken:
        told = ", ".join(map(repr, taken))
        other = f"or pass {'another ' if prefix else ''}prefix=, so that the names of the answers begin with it"
        one = f"a column is called {told}, as one of the answers would be; rename it, {other}"
        more = f"columns are called {told}, as those of the answers would be; rename them, {other}"
        raise ValueError(one if len(taken) == 1 else more)
    if (wrong := next((name for name in own if name in added), None)) is not None:
        raise ValueError(f"the schema has {wrong!r}, as a column beside the answers is called; rename it")


def answers_in(path: Path, kind: str, delimiter: str | None = None, *, prefix: str = "") -> int:
    """Count the answers in a file that a ``Writer`` may have written; 0 if there is no such file.

    :raises ValueError: if it is something else
    :raises OSError: if it cannot be read
    """
    if not path.exists() or not path.stat().st_size:
        return 0
    with suppress(ValueError, csv.Error), opened(path, "r") as file:
        if kind in DELIMITERS:
            csv.field_size_limit(MAX_FIELD_BYTES)
            rows = csv.DictReader(file, delimiter=delimiter or DELIMITERS[kind])
            answer, error, *others = (f"{prefix}{name}" for name in _ADDED)
            if {answer, error} <= set(rows.fieldnames or ()):
                return sum(not row[error] and any(row.get(name) for name in (answer, *others)) for row in rows)
        else:
            return sum(_has_answer(json.loads(line), f"{prefix}answer", f"{prefix}error") for line in file)
    raise ValueError(f"{path} has something else than the answers of a batch; remove it, or name another file")


def _has_answer(line: Any, answer: str, error: str) -> bool:
    """Return whether a JSON line has an answer, rather than an error or nothing, as of an empty row that was kept.

    :param answer: the name of the answer, of which a line of OpenAI's Batch API has a ``response`` instead
    :param error: the name of the error
    :raises ValueError: if it is not such a line
    """
    if not isinstance(line, dict) or error not in line or not {answer, "response"} & line.keys():
        raise ValueError("not an answer")
    return line[error] is None and line[answer if answer in line else "response"] is not None


def _fields_in(value: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return fields of the value of an answer as columns; empty where it does not have them."""
    found = value if isinstance(value, dict) else {}
    return {name: text_of(found.get(name, "")) for name in names}


def _output_of(result: Result[Any]) -> Any:
    """Return the value of an answer in JSON; None for one that is not what was asked for."""
    if not isinstance(result.output, Answer):
        return result.output
    with suppress(ValueError, RecursionError):
        return read_json(result.output)
    return None


def _text_of(result: Result[Any]) -> str | None:
    """Return the text of an answer, also of one that is not what was asked for; None if there is none."""
    return result.error.partial if isinstance(result.error, OutputError) else result.text


def _told(result: Result[Any], error: str) -> dict[str, Any]:
    """Return what a JSON line says about a result; an answer that is not what was asked for has an error as well."""
    usage = None if result.usage is None else result.usage.to_dict()
    told = (_text_of(result), error or None, result.finish_reason, result.refusal, usage)
    return dict(zip(_TOLD, told, strict=True))


def _facts(result: Result[Any]) -> dict[str, Any]:
    """Return who answered, and of which kind an error is."""
    error = result.error
    return {
        "provider": result.provider,
        "model": result.asked_model if result.answer is None else result.answer.model,
        "served_model": result.served_model,
        "error_type": None if error is None else type(error).__name__,
        "status": getattr(error, "status", None),
    }


def _batch_line(row: Row, result: Result[Any], error: str) -> dict[str, Any]:
    """Return a line of an output file of OpenAI's Batch API."""
    line: dict[str, Any] = {"id": f"batch_req_{result.index}", "custom_id": row.custom_id}
    line |= {"response": None, "error": None}
    answer: Answer | None = result.answer
    if answer is None and result.error is None:  # of an empty row that is kept
        return line
    if answer is None or result.error is not None:
        return {**line, "error": {"code": type(result.error).__name__, "message": error}}
    usage = answer.to_dict()["usage"]
    choice = {"index": 0, "message": answer.to_message(), "finish_reason": answer.finish_reason}
    model = answer.served_model or answer.model
    body = {"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}
    return {**line, "response": {"status_code": 200, "request_id": None, "body": body}}
