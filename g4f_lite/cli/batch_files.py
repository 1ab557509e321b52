"""The files of ``g4f-lite batch``: what is read, what is written, and that none destroys another."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from ..batch.answer_files import Writer, answers_in, check_names
from ..batch.files import DELIMITERS, UTF_8, Row, format_of, opened, read_rows, told_of_options, wrong_byte
from ..batch.summary import counted
from ..store.answers import AnswerStore
from .batch_output import OutputFile
from .failure import Failure, Misuse, checking_arguments
from .files import is_there
from .wording import in_options
from .written_file import WrittenFile

_EMPTY = "; --empty skip leaves such rows out, keep writes them without an answer, and send sends what is there"
# What to do about errors in the input, by how their message ends.
_HINTS = {
    "is empty": _EMPTY,
    "is missing": _EMPTY,
    "give the delimiter": " with --delimiter",
}
_AS_UTF_8 = "; save it as UTF-8, which a spreadsheet calls 'CSV UTF-8', or name its --encoding, such as cp1252"


class BatchFiles:
    """The files that the arguments of the command name.

    :param source: the file with the prompts; ``-`` for standard input
    :param target: the file for the answers; None or ``-`` for standard output
    :param failed: the file for the rows that failed; it may be the source, and takes its place then
    :param store: where answers are kept; None for a file beside the target
    :param hosted: the state of a hosted batch, which keeps its answers by itself
    :param kind: the format of the source; None for the one that its name says
    :param delimiter: what separates the columns of tables; None for the usual character
    :param schema: the format of the answers, whose fields become columns of a table
    :param prefix: what the names of the columns for the answers begin with
    :param encoding: of the source; None for UTF-8, in which all is written
    :raises click.ClickException: if two are the same file, or a name does not say a format
    """

    def __init__(
        self,
        source: Path,
        target: Path | None,
        failed: Path | None,
        store: Path | None,
        hosted: Path | None,
        kind: str | None,
        delimiter: str | None,
        schema: dict[str, Any] | None,
        prefix: str,
        encoding: str | None = None,
    ) -> None:
        self.source, self.failed, self.hosted = source, failed, hosted
        self.output = OutputFile(target)
        self.failures = None if failed is None else OutputFile(failed)
        if store is None and hosted is None and self.output.partial is not None:
            store = Path(f"{target}.store")
        self.store = store
        # Not of --failed: it may be the source, which its user edits, and has no answers.
        self._written: WrittenFile | None = None
        if target is not None and self.output.partial is not None:
            self._written = WrittenFile(target, store or Path(f"{hosted}.store"))
        named = {"IN": source, "-o": target, "--failed": failed, "--store": store, "--hosted": hosted}
        beside = {"what is written beside -o": self.output.partial}
        if self.failures is not None:
            beside["what is written beside --failed"] = self.failures.partial
        self._check_different({**named, **beside})
        delimiter = "\t" if delimiter == "\\t" else delimiter
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise Misuse(f"--delimiter must be one character, such as ';', not {delimiter!r}")
        self._delimiter = delimiter
        self._encoding = encoding
        with checking_arguments():
            _check_encoding(encoding or UTF_8)
        if encoding is not None and failed is not None and _is_same(failed, source):
            raise Misuse(f"--failed would replace {source} in UTF-8, and --encoding says {encoding}; name another file")
        self._fields = _fields_of(schema)
        self._is_json = schema is not None
        self._prefix = prefix
        with checking_arguments():
            if not _is_standard(source):
                kind = kind or _kind_of_source(source)  # of standard input, its beginning says it
            self._kind = kind
            self._target_kind = _kind_of_output(self.output.path)
            is_text = kind == "text" and failed is not None and failed.suffix.lower() in ("", ".txt")
            self._failed_kind = "text" if is_text else _kind_of_output(failed)
        self.earlier = 0  # answers in the target
        self.skipped = 0  # empty rows, which are left out or kept without an answer
        self._columns: list[str] = []  # of all rows
        self._rest: Iterator[Row] = iter(())  # the rows behind the head, which have not been read

    def read(self, template: str | None, *, empty: str, head: int | None) -> list[Row]:
        """Read the rows, so that a bad one is found before anything is sent.

        :param head: how many rows to take; None for all
        :raises click.ClickException: if one does not make a prompt, or if the target has something
            that answers to these rows should not replace
        """
        if self.failed is not None and _is_same(self.failed, self.source) and (head is not None or empty == "skip"):
            raise Misuse(f"--failed would replace {self.source}, and --head and --empty skip leave rows of it out")
        self._rest = self._rows(template, empty, head)
        rows = list(islice(self._rest, head))
        self._columns = list(dict.fromkeys(name for row in rows for name in row.values))
        with checking_arguments():
            check_names(rows, self._target_kind, self._fields, is_json=self._is_json, prefix=self._prefix)
            if self.output.path is not None and self.output.partial is not None:
                self.earlier = answers_in(self.output.path, self._target_kind, self._delimiter, prefix=self._prefix)
        return rows

    def told_of_options(self, rows: Sequence[Row]) -> str:
        """Say which options the rows have of their own, or may look as if they had; "" if none."""
        return told_of_options(rows, self._columns if self._kind in DELIMITERS else ())

    def rows_behind(self) -> list[Row]:
        """Read the rows behind the head, as far as they can be read; those that make no prompt are left out."""
        rows: list[Row] = []
        with suppress(Misuse):
            rows.extend(self._rest)
        return rows

    def writer(self) -> Writer:
        """Return what writes the answers."""
        how: dict[str, Any] = {"fields": self._fields, "is_json": self._is_json, "prefix": self._prefix}
        return Writer(self.output.file, self._target_kind, **self._how, **how)

    def writer_of_failures(self) -> Writer:
        """Return what writes the rows that failed."""
        assert self.failures is not None
        return Writer(self.failures.file, self._failed_kind, **self._how)

    @property
    def _how(self) -> dict[str, Any]:
        # What a spreadsheet reads in an old encoding, it reads in UTF-8 only with the mark.
        is_marked = self._encoding is not None or (not _is_standard(self.source) and _is_marked(self.source))
        return {"delimiter": self._delimiter, "columns": self._columns, "is_marked": is_marked, "say": in_options}

    def publish(self) -> None:
        """Put the new files in the place of the old ones.

        :raises click.ClickException: if one cannot be written, or somebody has changed the target meanwhile
        :raises StoreError: if the store cannot be used
        """
        if self._written is not None and self.output.partial is not None:
            if self._written.is_changed():
                raise Failure(f"{self.output.path} was changed meanwhile, and not replaced; move it away")
            self._written.note(self.output.partial)
        self.output.publish()
        if self.failures is not None:
            self.failures.publish()

    def check_earlier(self, rows: int, *, fresh: bool) -> None:
        """Raise if the target was changed, has more answers than there are prompts, or such as would be paid for again.

        :param fresh: whether to ask again for what is answered
        :raises click.ClickException: if so
        :raises StoreError: if the store cannot be used
        """
        if self._written is not None and self._written.is_changed():
            store = f" and --store {self.store}, so that no answer is paid for again" if self.store else ""
            raise Misuse(
                f"{self.output.path} was changed after it was written, and would be replaced: "
                f"name another file with -o{store}, or move it away"
            )
        has = f"{self.output.path} has {counted(self.earlier, 'answer')}"
        if self.earlier > rows:
            hint = "name another file with -o, or remove it"
            raise Misuse(f"{has}, more than the {counted(rows, 'prompt')} here; {hint}")
        if self.earlier and not fresh and self.store is not None:
            hint = "pass --fresh to ask for all again, or name another file with -o"
            if not is_there(self.store) or not AnswerStore(self.store).count():
                raise Misuse(f"{has}, and there are none in {self.store}, so that all would be asked again; {hint}")

    @property
    def name(self) -> str:
        """The source, as a message names it."""
        return "standard input" if _is_standard(self.source) else str(self.source)

    def _rows(self, template: str | None, empty: str, head: int | None) -> Iterator[Row]:
        how: dict[str, Any] = {"delimiter": self._delimiter, "empty": empty, "head": head, "on_skip": self._skip}
        try:
            if _is_standard(self.source):
                text = _standard_input(self._encoding or UTF_8)
                self._kind = self._kind or _guess(text)
                yield from read_rows(io.StringIO(text, newline=""), self._kind, template, **how)
            else:
                with opened(self.source, "r", self._encoding or UTF_8) as file:
                    yield from read_rows(file, self._kind or "text", template, **how)
        except OSError as error:
            raise Misuse(f"cannot read {self.name}: {error.strerror}") from error
        except UnicodeError as error:
            if self._encoding is not None or not isinstance(error, UnicodeDecodeError):
                raise Misuse(f"{self.name} is not text in {self._encoding}: {error}") from error
            place = self._place_of(error)
            raise Misuse(f"{self.name} is not UTF-8 text: {error.reason}{place}{_AS_UTF_8}") from error
        except ValueError as error:
            hint = next((hint for words, hint in _HINTS.items() if str(error).endswith(words)), "")
            raise Misuse(f"{self.name}, {error}{hint}") from error

    def _place_of(self, error: UnicodeDecodeError) -> str:
        """Say where a byte is that is not UTF-8; "" for what is neither all there nor can be read once more."""
        lines: Iterable[bytes] = ()
        with ExitStack() as stack:
            if _is_standard(self.source):
                lines = io.BytesIO(error.object)
            elif self.source.is_file():
                lines = stack.enter_context(self.source.open("rb"))
            line, byte = wrong_byte(lines)
        return f" in line {line:,}, at byte {byte:,}" if line else ""

    def _skip(self) -> None:
        self.skipped += 1

    @staticmethod
    def _check_different(files: dict[str, Path | None]) -> None:
        """Raise if two of the files are one, so that writing the one would destroy the other.

        :raises click.ClickException: if two are the same, also through links
        """
        given = [(what, path) for what, path in files.items() if path is not None and not _is_standard(path)]
        for number, (what, path) in enumerate(given):
            for other, place in given[:number]:
                if {what, other} != {"IN", "--failed"} and _is_same(path, place):
                    raise Misuse(f"{other} and {what} are the same file, {path}; name another one")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them does not exist yet
        return os.path.realpath(one) == os.path.realpath(other)


def _is_marked(path: Path) -> bool:
    """Return whether a file begins as a spreadsheet begins UTF-8."""
    with suppress(OSError):
        if path.is_file():  # and not a pipe
            with path.open("rb") as file:
                return file.read(3) == codecs.BOM_UTF8
    return False


def _is_standard(path: Path) -> bool:
    """Return whether a path stands for standard input or output."""
    return str(path) == "-"


def _kind_of_source(path: Path) -> str:
    try:
        return format_of(path)
    except ValueError as error:
        raise Misuse(f"{error}; --format names another") from error


def _kind_of_output(path: Path | None) -> str:
    if path is None or _is_standard(path):
        return "jsonl"
    with suppress(ValueError):
        if (kind := format_of(path)) != "text":
            return kind
    raise ValueError(f"{path} must be a .jsonl, .csv or .tsv file")


def _check_encoding(name: str) -> None:
    try:
        "".encode(name)
    except LookupError as error:
        raise ValueError(f"--encoding: {error}; such as cp1252 and utf-16 are known") from error


def _standard_input(encoding: str) -> str:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding=encoding, errors="strict", newline="")
    return sys.stdin.read()


def _guess(text: str) -> str:
    """Return the format of what is on standard input: JSON lines, or a prompt in each line."""
    return "jsonl" if text.lstrip()[:1] in ("{", '"', "[") else "text"


def _fields_of(schema: Any) -> list[str]:
    """Return the names of the fields of answers that fit a response format."""
    for name in ("json_schema", "schema", "properties"):
        schema = schema.get(name) if isinstance(schema, dict) else None
    return [str(name) for name in schema] if isinstance(schema, dict) else []
