"""Results as columns, as a DataFrame, and as HTML."""

from __future__ import annotations

import dataclasses
import html as html_library
import importlib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ..answers.answer import Answer
from ..answers.short_traceback import with_short_errors
from ..errors import MissingDependencyError
from .inputs import Inputs
from .result import OfBatch, Result
from .summary import BatchUsage

T = TypeVar("T")

# Of pandas, with and without None.  Beside None, it would make a column of any objects, or of floats, of the first two.
_DTYPES = {bool: ("bool", "boolean"), int: ("int64", "Int64"), float: ("float64", "float64")}
_SHOWN_FAILURES = 5
_READ = "call <code>.texts()</code>, or iterate over the results."
_SO_FAR = "<code>.so_far</code> has what has come, and sends nothing."


class Results(OfBatch, list[Result[T]]):
    """A list of results, which can be made a table.

    :param results: some of a batch, in the order of the prompts
    :param inputs: the prompts of the batch
    """

    def __init__(self, results: Iterable[Result[T]], inputs: Inputs) -> None:
        super().__init__(results)
        self._index = inputs.index
        self._library = inputs.library
        self._columns = inputs.columns

    def texts(self) -> Any:
        """Return the texts, None for a failure: a list, or a Series with their labels where the prompts were one."""
        return self._column([result.text for result in self])

    def outputs(self) -> Any:
        """Return the outputs, None for a failure: a list, or a Series as ``texts()`` does, of numbers if they are."""
        outputs = [result.output for result in self]
        if self._library != "pandas":
            return self._column(outputs)
        pandas = importlib.import_module("pandas")
        typed = _typed(pandas, outputs)
        return pandas.Series(typed, index=self._labels(), dtype=object if typed is outputs else None)

    def to_frame(self, meta: bool = True) -> Any:
        """Return the results as a DataFrame, whose index in pandas has the prompts' labels, or else their positions.

        The columns are ``text``; with ``output=`` the fields of its type, or the keys of a dict, and ``output`` for a
        type without them, such as int.  The others are ``call_error``, ``call_provider``, ``call_model``,
        ``call_served_model``, ``call_attempts``, ``call_seconds``, ``call_finish_reason``, ``call_refusal``,
        ``call_prompt_tokens`` and ``call_completion_tokens``.

        :param meta: whether there are the columns that begin with ``call_``
        :raises MissingDependencyError: if pandas is not installed
        """
        module = table_module(self._library)
        rows = [{**_fields(result), **(_meta(result) if meta else {})} for result in self]
        names = list(dict.fromkeys([*self._columns, *(name for row in rows for name in row)]))
        columns = {name: [row.get(name) for row in rows] for name in names}
        if self._library == "polars":
            return module.DataFrame(columns, strict=False)
        return module.DataFrame(
            {name: _typed(module, values) for name, values in columns.items()}, index=self._labels()
        )

    def _column(self, values: list[Any]) -> Any:
        if self._library == "pandas":
            return importlib.import_module("pandas").Series(values, index=self._labels(), dtype=object)
        if self._library == "polars":
            polars = importlib.import_module("polars")
            is_text = all(value is None or type(value) is str for value in values)
            return polars.Series(values, dtype=polars.String if is_text else polars.Object)
        return values

    def _labels(self) -> Any:
        """Return the index of a pandas object; None for that of the positions from 0."""
        positions = [result.index for result in self]
        if self._index is None:
            return None if positions == [*range(len(self))] else positions
        return self._index if len(self) == len(self._index) else self._index.take(positions)


def _typed(pandas: Any, values: list[Any]) -> Any:
    """Return numbers or truth values as an array of their type, and any other values as they are."""
    kinds = {*map(type, values)} - {type(None)}
    if len(kinds) == 1 and (kind := kinds.pop()) in _DTYPES:
        with suppress(OverflowError):  # of a number of more than 64 bits
            return pandas.array(values, dtype=_DTYPES[kind][None in values])
    return values


class NotAColumn(OfBatch):
    """Results that can be neither a column of a DataFrame nor copied."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "ndim":  # pandas asks for it before it compares the lengths, whose error would not help
                self.__array__()
            return super().__getattr__(name)

    @with_short_errors
    def __array__(self, *_: Any, **__: Any) -> NoReturn:  # pandas would make a column of Result objects
        hint = "take .outputs() or .texts() of them, which keep the index of a Series, or the table .to_frame()"
        raise TypeError(f"results are not a column: {hint}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("the results of a batch cannot be copied or pickled; pickle list(results)")


def table_module(library: str | None) -> Any:
    """Import the library that makes tables.

    :param library: that of the prompts; None for pandas
    :raises MissingDependencyError: if it is not installed
    """
    try:
        return importlib.import_module(library or "pandas")
    except ModuleNotFoundError as error:
        raise MissingDependencyError("to_frame needs pandas: pip install pandas") from error


def html(usage: BatchUsage, total: int | None, failed: Sequence[Result[Any]], reason: BaseException | None) -> str:
    """Return a summary for a notebook, and how to go on where there is more to read.

    :param reason: why the batch stopped, if it did
    """
    of = "" if total is None else f" of {total:,}"
    rows = [
        ("done", f"{usage.done:,}{of}"),
        ("from the store", f"{usage.stored:,}"),
        ("failed", f"{usage.failures:,}"),
        ("cut", f"{usage.cut:,}"),
        ("tokens", f"{usage.prompt_tokens:,} + {usage.completion_tokens:,}"),
    ]
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    errors = "".join(
        f"<li>{html_library.escape(str(result.label))}: {html_library.escape(result.error_text[:200])}</li>"
        for result in failed[:_SHOWN_FAILURES]
    )
    more = len(failed) - _SHOWN_FAILURES
    errors += f"<li>… and {more:,} more</li>" if more > 0 else ""
    note = f"Nothing is sent before the results are read: {_READ}"
    if reason is not None:
        note = f"Stopped: {html_library.escape(str(reason)[:200] or type(reason).__name__)}. To go on, {_READ}"
    elif usage.done:
        note = "" if total is None or usage.done >= total else f"The rest is sent when it is read: {_READ} {_SO_FAR}"
    return f"<table>{cells}</table>" + (f"<ul>{errors}</ul>" if errors else "") + (f"<p>{note}</p>" if note else "")


def _fields(result: Result[Any]) -> dict[str, Any]:
    """Return an output's fields, as plain data; of one without fields, ``output``; of a text, ``text``."""
    return {name: _plain(value) for name, value in _parts(result.output).items()}


def _plain(value: Any) -> Any:
    """Return a value with dicts for all objects with fields in it, lists for all collections, and enums' values."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {_plain(name): _plain(inner) for name, inner in value.items()}
    if (names := _names_of(type(value))) is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    return [*map(_plain, value)] if isinstance(value, (list, tuple, set, frozenset)) else value


def _parts(output: Any) -> dict[str, Any]:
    if output is None:
        return {}
    if isinstance(output, Answer):  # without output=
        return {"text": str(output)}
    if isinstance(output, Mapping):
        return {str(name): value for name, value in output.items()}
    names = _names_of(type(output))
    return {"output": output} if names is None else {name: getattr(output, name) for name in names}


def columns_of(kind: Any) -> tuple[str, ...]:
    """Return the columns of answers in a table.

    :param kind: their type, or their JSON schema; None for text
    """
    if kind is None:
        return ("text",)
    if isinstance(kind, dict):
        return tuple(kind.get("properties", ()))
    kind = getattr(kind, "__value__", kind)  # of an alias, as Python 3.12 has them
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return columns_of(arguments[0])
    if origin in (typing.Union, types.UnionType):
        members = [member for member in arguments if member is not type(None)]
        return tuple(dict.fromkeys(name for member in members for name in columns_of(member)))
    kind = origin or kind
    if typing.is_typeddict(kind):
        return tuple(kind.__annotations__)
    if isinstance(kind, type) and issubclass(kind, Mapping):  # whose keys nobody knows before
        return ()
    names = _names_of(kind)
    return ("output",) if names is None else tuple(names)


def _names_of(kind: Any) -> Iterable[str] | None:
    """Return the names of the fields of a class; None if it has none."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    # Of a NamedTuple, of pydantic, and of msgspec.
    known = (getattr(kind, names, None) for names in ("_fields", "model_fields", "__struct_fields__"))
    return next((names for names in known if names is not None), None)


def _meta(result: Result[Any]) -> dict[str, Any]:
    usage = result.usage
    return {
        "call_error": result.error_text or None,
        "call_provider": result.provider,
        "call_model": result.model,
        "call_served_model": result.served_model,
        "call_attempts": result.attempts,
        "call_seconds": result.seconds,
        "call_finish_reason": result.finish_reason,
        "call_refusal": result.refusal,
        "call_prompt_tokens": None if usage is None else usage.prompt_tokens,
        "call_completion_tokens": None if usage is None else usage.completion_tokens,
    }
