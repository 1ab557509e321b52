"""Prompts from files: text, JSON lines, CSV, and the format of OpenAI's Batch API."""

from __future__ import annotations

import csv
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ..prompt import Prompt
from .templates import MISSING, fill, names_in, value_of, with_names

UTF_8 = "utf-8-sig"  # with the mark of a spreadsheet or without
FORMATS = ("csv", "tsv", "jsonl", "text")
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".txt": "text", "": "text"}
DELIMITERS = {"csv": ",", "tsv": "\t"}
_OTHER_DELIMITERS = ";\t|"  # of files that are called .csv nevertheless
_ASKED = ("prompt", "messages")
# The fields of a JSON line that are options of its prompt.  Others are carried along, as are all columns of a table: a
# temperature or a model may be what it is about, and a number would be a text.
_OPTIONS = (
    *("model", "system", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed"),
    *("presence_penalty", "frequency_penalty", "reasoning_effort"),
)
# Arguments that are no fields of OpenAI's API: a file does not say where prompts go, which other files are read, or how
# long a call takes.
_NOT_IN_BODY = {"extra_body", "extra_headers", "extra_query", "prompt", "provider"}
_NOT_IN_BODY |= {*inspect.signature(Prompt.of).parameters} - {"messages", "model", "options", "stream", "system"}
#: The column of rows that failed in an earlier batch, which says why; it is not asked.
EARLIER_ERROR = "call_error"
MAX_FIELD_BYTES = 2**31 - 1  # csv's own limit is 128 KiB


class Row(NamedTuple):
    """One row of a file.

    :param values: its columns by name
    :param prompt: the prompt that it makes; None for an empty row that is kept
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
    if suffix not in _SUFFIXES:
        raise ValueError(f"{path} has the ending {suffix!r}; known are {', '.join(filter(None, _SUFFIXES))}")
    return _SUFFIXES[suffix]


def read_rows(
    file: TextIO,
    kind: str,
    template: str | None = None,
    *,
    delimiter: str | None = None,
    empty: str = "error",
    head: int | None = None,
    on_skip: Callable[[], object] = lambda: None,
) -> Iterator[Row]:
    """Read the rows of a file.

    :param kind: its format, as ``format_of`` returns it
    :param template: a prompt with the names of columns in braces, such as ``"Summarise: {text}"``, or with paths in
        JSON lines, such as ``"{user.name}"``; without one, a text file has a prompt in each line, and other files a
        column ``prompt`` or ``messages``, or a single one
    :param delimiter: what separates the columns, if it is not the usual character of the format
    :param empty: what to do with a row in which the prompt, or a column for it, is empty or missing: ``"error"``;
        ``"skip"`` leaves it out, ``"keep"`` makes a row without a prompt, and ``"send"`` sends what the other columns
        make
    :param head: after how many rows those that make no prompt are just left out; None for never
    :param on_skip: called for each row before that which is left out or has no prompt
    :raises ValueError: if a row does not make a prompt; the message names its line
    """
    if kind in DELIMITERS:
        rows = _csv_rows(file, delimiter or DELIMITERS[kind], is_sure=delimiter is not None)
    else:
        rows = _text_rows(file, is_whole=empty in ("skip", "keep")) if kind == "text" else _json_rows(file)
    if template is not None:
        rows = with_names(rows, names_in(template), is_table=kind in DELIMITERS)
    number, column = 0, None
    for line, values in rows:
        is_behind = number == head
        column = column or _asked_column(values)
        try:
            prompt = _prompt_of(values, template, column, () if kind in DELIMITERS else _OPTIONS)
            lacks = _lack(values, template, column, prompt)
            is_sent = empty == "send" and template is not None and prompt.strip()
            if lacks and not is_sent:
                if empty not in ("skip", "keep"):
                    raise ValueError(lacks)
                prompt = None
        except ValueError as error:
            if is_behind:
                continue
            raise ValueError(f"line {line}: {error}") from None
        if prompt is None and not is_behind:
            on_skip()
        if prompt is not None or empty == "keep":
            number += not is_behind
            yield Row(values, prompt)


def told_of_options(rows: Iterable[Row], columns: Iterable[str]) -> str:
    """Say which options the rows have of their own, or which columns of a table may look as if they had; "" if none.

    :param rows: those whose prompts no template makes
    :param columns: all columns of the file
    """
    asked = [row.prompt for row in rows if isinstance(row.prompt, dict) and row.custom_id is None]
    sent = list(dict.fromkeys(name for prompt in asked for name in prompt if name not in _ASKED))
    if sent:
        return f"the rows' own {_listed(sent)} {'is' if len(sent) == 1 else 'are'} sent with their prompts"
    names = list(columns)
    kept = [name for name in _OPTIONS if name in names] if asked and "served_model" not in names else []
    if not kept:
        return ""
    one = len(kept) == 1
    told = f"the column{'' if one else 's'} {_listed(kept)} {'is' if one else 'are'} not sent"
    return f"{told}: of a table only the prompt is, and options of a row stand in JSON lines"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _text_rows(file: TextIO, *, is_whole: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate the lines, each with its number.

    :param is_whole: whether blank lines at the end are rows, too, and not only those before another one
    """
    blank: list[tuple[int, dict[str, Any]]] = []
    for line, text in enumerate(file, start=1):
        row = line, {"prompt": text.rstrip("\r\n")}
        if text.strip():
            yield from blank
            blank.clear()
            yield row
        else:
            blank.append(row)
    if is_whole:
        yield from blank


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


def _csv_rows(file: TextIO, delimiter: str, *, is_sure: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate the rows, each with the number of the line in which it begins."""
    csv.field_size_limit(MAX_FIELD_BYTES)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    line = 1
    try:
        names = next(reader, [])
        _check_header(names, is_sure=is_sure)
        while True:
            line = reader.line_num + 1
            if (values := next(reader, None)) is None:
                return
            if values and len(values) != len(names):
                raise ValueError(f"line {line} has not as many columns as the first line")
            if values:
                yield line, dict(zip(names, values, strict=True))
    except csv.Error as error:
        told = str(error)
        if '"' in told or told == "unexpected end of data":
            told = f"a quote is not closed, or one in a quoted text is not doubled ({told} in line {reader.line_num})"
        raise ValueError(f"line {line}: {told}") from None


def _check_header(names: Sequence[str], *, is_sure: bool) -> None:
    """Raise if the names of the columns are not what they should be.

    :param is_sure: whether the caller has said what separates them
    :raises ValueError: if a name is there twice, so that a column would be lost, or another character separates them
    """
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"line 1: two columns are called {twice!r}; rename one")
    if not is_sure and len(names) == 1 and (other := next((one for one in _OTHER_DELIMITERS if one in names[0]), None)):
        raise ValueError(f"line 1: there is one column, {names[0]!r}; if {other!r} separates them, give the delimiter")


def _asked_column(values: dict[str, Any]) -> str | None:
    """Return the column with the prompt: ``prompt``, or the only one; None if it is not clear."""
    return "prompt" if _has_prompt(values) else _only_column(values)


def _has_prompt(values: dict[str, Any]) -> bool:
    return any(name in values for name in _ASKED)


def _prompt_of(values: dict[str, Any], template: str | None, column: str | None, options: Sequence[str]) -> Any:
    """Return what a row asks: a text, or a dict of arguments.

    :param column: without a template, the column with the prompt of the rows before, or of this one
    :param options: the names of columns that are options of the prompt
    """
    if template is not None:
        if not names_in(template):
            name = _likely_column(values)
            has_braces = not {"{", "}"}.isdisjoint(name)
            what = f"rename {name!r}, which has braces, and name it" if has_braces else f"write {{{name}}} in it"
            raise ValueError(f"the prompt names no column, so that all rows would ask the same; {what}")
        return fill(template, values)
    if "custom_id" in values and isinstance(body := values.get("body"), dict):
        if wrong := sorted(_NOT_IN_BODY & body.keys()):
            raise ValueError(f"the body has {wrong[0]!r}, which is not a field of OpenAI's API")
        return {**body, "messages": body.get("messages", "")}
    if column is None:
        raise ValueError(f"there is no column 'prompt'; {_naming(values)}")
    if column != "prompt":
        if _has_prompt(values):
            raise ValueError(f"there is a prompt, and the lines before have only {column!r}; {_naming(values)}")
        asked = values.get(column)
        return "" if asked is None else str(asked)
    arguments = {name: values[name] for name in (*_ASKED, *options) if values.get(name) not in (None, "")}
    if "served_model" in values:  # the output of an earlier batch, whose column "model" says who answered
        arguments.pop("model", None)
    for name in _ASKED:
        if not isinstance(asked := arguments.get(name, ""), (str, list)):
            raise ValueError(f"the column {name!r} must be a text or a list of messages, not {asked!r:.80}")
    return arguments or ""


def _naming(values: dict[str, Any]) -> str:
    return f"name the columns to use, as in --prompt '{{{_likely_column(values)}}}'"


def _only_column(values: dict[str, Any]) -> str | None:
    """Return the name of the only column, beside why the row failed before; None if there are several."""
    names = [name for name in values if name != EARLIER_ERROR] or [*values]
    return names[0] if len(names) == 1 else None


def _likely_column(values: dict[str, Any]) -> str:
    """Return the name of the column with the longest text, which is more likely to be asked than a number."""
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    lengths = {name: len(value) for name, value in texts.items() if name != EARLIER_ERROR}
    return max(lengths, key=lengths.__getitem__, default=next(iter(values), "text"))


def _lack(values: dict[str, Any], template: str | None, column: str | None, prompt: Any) -> str | None:
    """Say which column leaves a prompt empty, or a part of it; None if none does."""
    if template is not None:
        for name in names_in(template):
            found = value_of(values, name)
            if found is MISSING or _is_empty(found):
                return f"the column {name!r} is {'missing' if found is MISSING else 'empty'}"
        return None
    if isinstance(prompt, str):
        asked = prompt
    else:
        asked = prompt["messages"] if "messages" in prompt else prompt.get("prompt")
    if not _is_empty(asked):
        return None
    if column is not None and column not in values and not _has_prompt(values):
        return f"the column {column!r} is missing"
    return "the prompt is empty" if column in (None, "prompt") else f"the column {column!r} is empty"


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def wrong_byte(lines: Iterable[bytes]) -> tuple[int, int]:
    """Return the line of the first byte that is not UTF-8, from 1, and how many bytes are before it; (0, 0) if all are.

    A decoder of a file does not tell that: it counts within a block.
    """
    before = 0
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return number, before + error.start
        before += len(line)
    return 0, 0


@contextmanager
def opened(path: Path, mode: str, encoding: str = UTF_8) -> Iterator[TextIO]:
    """Open a text file, as csv wants it; half of a character, which JSON may contain, is written as ``?``.

    :param encoding: of a file that is read; what is written is UTF-8
    """
    encoding, errors = (encoding, "strict") if mode == "r" else ("utf-8", "replace")
    with path.open(mode, encoding=encoding, errors=errors, newline="") as file:
        yield file  # type: ignore[misc]
