"""The result of one prompt of a batch."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..answers.answer import Answer
from ..answers.deltas import Usage
from ..answers.short_traceback import with_short_errors
from ..errors import G4FLiteError, RefusalError

T = TypeVar("T")

# Attributes of the results of a batch, or of one of them, as people guess them.
_INSTEAD = {
    **dict.fromkeys(("answers", "contents", "responses"), "texts()"),
    **dict.fromkeys(("as_dataframe", "dataframe", "df", "to_df", "to_dataframe", "to_pandas"), "to_frame()"),
    **dict.fromkeys(("content", "message", "response"), "text"),
    **dict.fromkeys(("errors", "failures"), "failed"),
    **dict.fromkeys(("parsed", "value"), "output"),
    "show": "to_frame()",
    "values": "outputs()",
    "exception": "error",
    "prompt": "input",
    "to_csv": "to_frame().to_csv(…)",
    "to_excel": "to_frame().to_excel(…)",
    "to_json": "to_frame().to_json(…)",
    "to_parquet": "to_frame().to_parquet(…)",
}


@with_short_errors
def position_of(index: Any, total: int, labels: Sequence[Any] | None) -> int:
    """Return the position, from 0, of the result that is asked for by ``results[index]``.

    :param total: how many results there are
    :param labels: the labels of the prompts, where they are a pandas Series
    :raises IndexError: if there are not so many
    :raises TypeError: if it is not a whole number
    """
    told = f"{total:,} result{'' if total == 1 else 's'}, numbered from 0"
    if labels is not None and isinstance(index, (str, int)) and index in labels:
        told += f"; by label: results.outputs()[{index!r}]"
    if not hasattr(index, "__index__"):
        several = "; several: results.head(n), or results.so_far[a:b]" if isinstance(index, slice) else ""
        raise TypeError(f"{index!r} is not the number of a result: {told}{several}")
    try:
        return range(total)[operator.index(index)]
    except IndexError:
        raise IndexError(f"there is no result {index}: {told}") from None


class OfBatch:
    """What results have in common: they say what to write instead of a name that they lack."""

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            right = _INSTEAD.get(name, "")
            hint = f"; write .{right}" if right and hasattr(self, right.partition("(")[0]) else ""
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}", name=name, obj=self)


@dataclass(frozen=True, eq=False)
class Result(OfBatch, Generic[T]):
    """The result of one prompt: its answer, or the error that it failed with.

    :param index: the position of the prompt, from 0
    :param input: the prompt, as it was given; a pickle holds it with all that it was given, such as ``extra_headers``
    :param answer: the whole answer; None if there is an error
    :param output: the answer as the type that ``output=`` named; the text where there was none
    :param error: why there is no answer, or None
    :param attempts: how many times the prompt was sent, or None where the provider does not say
    :param seconds: how long the answer took, retries included
    :param is_stored: whether the answer was in the store already, and nothing was sent
    :param label: the prompt's label in the index of a Series of pandas; the position, where the prompts have none
    :param passed_over: of a chain, why the providers that were asked before did not answer, by their names
    :param is_shared: whether another program with the same store answered the prompt first: with ``is_stored`` this is
        its answer, and without both have paid
    :param asked_model: of an error, the model that was asked; None if the server chooses it, and of a chain
    """

    index: int
    input: Any
    answer: Answer | None = None
    output: T | None = None
    error: Exception | None = None
    attempts: int | None = None
    seconds: float = 0.0
    is_stored: bool = False
    label: Any = None
    passed_over: dict[str, str] = field(default_factory=dict)
    is_shared: bool = False
    asked_model: str | None = None

    @property
    def text(self) -> str | None:
        """The text of the answer; None if there is an error."""
        return None if self.answer is None else str(self.answer)

    @property
    def error_text(self) -> str:
        """What the error says, or ""; with its kind if that is not one of this library, as a KeyError says little."""
        error = self.error
        if error is None or isinstance(error, G4FLiteError):
            return str(error or "")
        return f"{type(error).__name__}: {error}"

    @property
    def usage(self) -> Usage | None:
        """Token counts, also those of an answer that failed; None if the service did not report them."""
        return getattr(self.error, "usage", None) if self.answer is None else self.answer.usage

    @property
    def provider(self) -> str | None:
        """The name of the provider that answered, or failed."""
        return getattr(self.error, "provider", None) if self.answer is None else self.answer.provider

    @property
    def model(self) -> str | None:
        """The model that was asked, or as the server names it where it chose; None if neither is known."""
        return self.asked_model if self.answer is None else self.answer.model or self.answer.served_model

    @property
    def served_model(self) -> str | None:
        """The model that answered, as the service names it; None if it does not, or there is an error."""
        return None if self.answer is None else self.answer.served_model

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, or None."""
        return getattr(self.error, "finish_reason", None) if self.answer is None else self.answer.finish_reason

    @property
    def refusal(self) -> str | None:
        """The model's refusal, where the service distinguishes it from an answer; None if there is none."""
        if isinstance(self.error, RefusalError):
            return self.error.partial
        return None if self.answer is None else self.answer.refusal

    @property
    def is_cut(self) -> bool:
        """Whether a limit of tokens, or the service's filter, cut the answer."""
        return self.answer is not None and self.answer.is_cut

    def __repr__(self) -> str:
        what = f"error={self.error!r:.200}" if self.error is not None else f"text={str(self.answer)[:80]!r}"
        label = "" if self.label is None or self.label == self.index else f"label={self.label!r}, "
        return f"Result({self.index}, {label}{what}{', is_cut=True' if self.is_cut else ''})"


@dataclass(frozen=True)
class BadPrompt:
    """Something that is not a prompt, or the exception of a generator, in its place among the results."""

    index: int
    error: Exception


Outcome = Result[Any] | BadPrompt
