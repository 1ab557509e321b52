"""What the prompts of a batch may be, and how each becomes a Prompt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..prompt import Prompt
from .task import Place

_A_FRAME = "a DataFrame is not a list of prompts; pass one of its columns, such as frame['text']"
_NOT_ONE = "map takes many prompts, and this is a single one; pass a list of prompts, or use ask"


class Inputs(NamedTuple):
    """The prompts of a batch.

    :param items: all of them, or an iterator that yields each once
    :param is_sized: whether they are all there
    :param index: the index of a pandas Series
    :param library: ``"pandas"`` or ``"polars"`` where they came as a Series
    :param columns: the columns of their answers in a table
    :param places: their places in the store, where they have them already; () otherwise
    """

    items: Sequence[Any] | Iterator[Any]
    is_sized: bool
    index: Any = None
    library: str | None = None
    columns: tuple[str, ...] = ("text",)
    places: Sequence[Place | None] = ()

    @property
    def labels(self) -> list[Any] | None:
        """The labels in the index of a pandas Series."""
        return None if self.index is None else self.index.tolist()

    @classmethod
    def of(cls, prompts: Any) -> Inputs:
        """Check the ``prompts`` argument of a batch.

        :raises TypeError: if it is a single prompt, a table, or not iterable
        """
        library = type(prompts).__module__.partition(".")[0]
        kind = type(prompts).__name__
        if isinstance(prompts, (str, bytes)):
            raise TypeError(f"prompts is a {kind}: {_NOT_ONE}")
        if hasattr(prompts, "columns"):
            raise TypeError(f"prompts is a {kind}: {_A_FRAME}")
        if isinstance(prompts, Mapping):
            raise TypeError(f"prompts is a {kind}: {_NOT_ONE}")
        if not isinstance(prompts, Iterable):
            hint = "; read it into a list first" if hasattr(prompts, "__aiter__") else ""
            raise TypeError(f"prompts must be an iterable of prompts, not {kind}{hint}")
        if library in ("pandas", "polars"):
            index = getattr(prompts, "index", None) if library == "pandas" else None
            return cls(prompts.to_list() if hasattr(prompts, "to_list") else list(prompts), True, index, library)
        if not hasattr(prompts, "__len__"):
            return cls(iter(prompts), False)
        items = list(prompts)
        if items and all(isinstance(item, Mapping) and "role" in item and "content" in item for item in items):
            raise TypeError(f"prompts is a list of messages: {_NOT_ONE}, as [messages, …]")
        return cls(items, True)


def as_prompt(
    item: Any, position: int, defaults: Mapping[str, Any], labels: Sequence[Any] | None = None
) -> tuple[Prompt, Any]:
    """Check one of the prompts, and return it with the provider that it names, if it does.

    :param item: a string, a list of messages, or a dict of arguments with ``"prompt"`` or ``"messages"``
    :param position: where it is, for the error
    :param defaults: the arguments that hold for all
    :param labels: the labels in the index of a pandas Series, for the error too
    :raises TypeError: if it has the wrong type, or an argument in it has
    :raises ValueError: if it is empty, or an argument in it has an invalid value
    """
    try:
        if isinstance(item, Mapping):
            arguments = {**defaults, **_arguments(item)}
            messages = arguments.pop("messages")
        else:
            arguments, messages = dict(defaults), item
            if _is_missing(item):
                hint = "leave such rows out first, as dropna() of pandas and drop_nulls() of polars do"
                raise TypeError(f"the cell of a table is empty ({item!r}); {hint}")
            if isinstance(item, str) and not item.strip():
                raise ValueError("the prompt is empty; leave out what is empty first")
            if not isinstance(item, (str, Sequence)) or isinstance(item, bytes):
                raise TypeError(f"a prompt must be a string, a list of messages or a dict, not {item!r:.80}")
        provider = arguments.pop("provider", None)
        return Prompt.of(arguments.pop("model", None) or None, messages, **arguments), provider
    except (TypeError, ValueError, OSError) as error:
        add_place(error, position, labels)
        raise


def _is_missing(item: Any) -> bool:
    """Return whether an item is what pandas or polars have in an empty cell."""
    return (
        item is None or (isinstance(item, float) and math.isnan(item)) or type(item).__name__ in ("NAType", "NaTType")
    )


def add_place(error: Exception, position: int, labels: Sequence[Any] | None = None) -> None:
    """Put the position of a prompt, and its label in a pandas Series, in front of an error's message."""
    label = position if labels is None else labels[position]
    place = f"prompts[{position}]: " if label == position else f"prompts[{position}], index {label}: "
    if isinstance(error, OSError) and error.filename is not None:  # an image that is not there
        error.args = (error.errno, f"{place}{error.strerror}", error.filename)
        error.strerror = f"{place}{error.strerror}"
    elif hasattr(error, "message"):
        error.message = f"{place}{error.message}"
        error.args = (error.message,)
    elif error.args:
        error.args = (f"{place}{error.args[0]}", *error.args[1:])


def _arguments(item: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the arguments in a dict, with the prompt as ``messages``."""
    for name in item:
        if not isinstance(name, str):
            raise TypeError(f"a dict needs the names of arguments, not {name!r:.80}")
    arguments = dict(item)
    if ("prompt" in arguments) == ("messages" in arguments):
        given = "both" if "prompt" in arguments else "neither"
        raise TypeError(f"a dict needs either 'prompt' or 'messages', and has {given}: {sorted(arguments)!r:.80}")
    if "prompt" in arguments:
        arguments["messages"] = arguments.pop("prompt")
    return arguments
