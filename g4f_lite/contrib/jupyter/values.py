"""Showing an answer that becomes a value."""

from __future__ import annotations

import json
from functools import partial
from typing import TypeVar

from IPython.display import clear_output

from ...answers.display import LiveOutput
from ...answers.interruption import part_of
from ...answers.ipython import in_notebook
from ...answers.markdown import safe_markdown
from ...typed.stream import TypedStream

T = TypeVar("T")


def show_value(stream: TypedStream[T]) -> T:
    """Return the value of an answer, and show its JSON, or "…" before there is any, in a notebook until it is whole.

    :raises OutputError: if the answer does not fit the type; what has arrived stays to be seen
    :raises G4FLiteError: if there is no whole answer
    """
    if not in_notebook():
        return stream.output
    with LiveOutput() as output:
        output.draw(lambda: "…")
        has_json = False
        try:
            for snapshot in stream.partials():
                has_json = True
                text = json.dumps(snapshot, ensure_ascii=False, indent=2)
                output.draw(partial(safe_markdown, f"```json\n{text}\n```"))
            value = stream.output
        except BaseException:
            text = "" if has_json else part_of(stream)
            if text:
                output.draw(partial(safe_markdown, text))
            elif not has_json:
                clear_output(wait=True)  # when the error is displayed: nothing is awaited any more
            raise
    clear_output(wait=value is not None)  # when the value is displayed, as the cell's result; None is not
    return value
