"""A typed answer in progress."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from ..answers.answer import Answer
from ..answers.short_traceback import with_short_errors
from ..errors import OutputError, RefusalError, ResponseFormatError
from .json_so_far import JsonSoFar
from .mismatch import Mismatch
from .thoughts import pieces_without_thoughts

if TYPE_CHECKING:
    from .ask import Question
    from .output import Output

T = TypeVar("T")
Item = TypeVar("Item")
_SNAPSHOTS = 200  # a snapshot reads all that there is: not before the answer is longer by this part


class TypedStream(Generic[T]):
    """A typed answer in progress: iterate it for the pieces of its text.

    ::

        with client.stream("Tell me of three cities.", output=list[City]) as stream:
            for city in stream.items():
                print(city)

    It is read once, however it is read: what has been read as text is in ``partials()`` and ``output`` as well.
    Nothing is sent before it is read, and nothing is sent twice: an answer that does not fit is not asked for again.

    :param question: the prompt and the type
    """

    def __init__(self, question: Question[T]) -> None:
        self.question = question
        self._pieces: list[str] = []
        self._begun = False
        self._values: list[T] = []  # the value, when the answer has been read and fits
        self._error: OutputError | RefusalError | None = None  # why it does not

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.start()
        try:
            piece = str(next(self.question.stream))
        except StopIteration:
            self._finish()
            raise
        try:
            self.question.stream.check_length()  # what is longer is nobody's value
        except ResponseFormatError:
            self.close()
            raise
        self._pieces.append(piece)
        return piece

    def __repr__(self) -> str:
        state = f"{sum(map(len, self._pieces)):,} characters read" if self._begun else "not sent yet"
        return f"<TypedStream: {state}; iterate over it, or use items(), partials() or output>"

    def start(self) -> TypedStream[T]:
        """Send the prompt and wait for the first piece, so that errors are raised here.

        :returns: the stream itself
        :raises G4FLiteError: if the answer does not begin
        """
        if not self._begun:
            self.question.begin()
            self._begun = True
        return self

    def partials(self) -> Iterator[Any]:
        """Iterate snapshots of the JSON as it grows, as plain dicts, lists and strings, which are not checked.

        Each one has more than the one before; the last one is whole.  Of a long answer, not each piece makes one.
        """
        json = JsonSoFar()
        last, length, read = None, 0, 0
        for piece in chain(self._without_thoughts(), [""]):
            json.feed(piece)
            length += len(piece)
            if piece and (length - read) * _SNAPSHOTS < length:  # each one reads all that there is
                continue
            read, value = length, json.value
            if self.question.output.schema.wrapped and isinstance(value, dict):
                value = value.get("value")
            if value is not None and value != last:
                last = value
                yield value

    def items(self: TypedStream[list[Item]]) -> Iterator[Item]:
        """Iterate the elements of a list, each as soon as it is complete, converted and checked.

        :raises TypeError: if ``output`` is not a list
        :raises OutputError: if an element does not fit, or the whole does not, or begins with other elements
        """
        return self._elements(self.question.output.element())

    @property
    @with_short_errors
    def output(self) -> T:
        """The value; the rest of the answer is read first.

        :raises OutputError: if the answer does not fit
        :raises RefusalError: if the model refuses
        :raises G4FLiteError: if there is no whole answer
        """
        for _ in self:
            pass
        if self._error is not None:
            raise self._error
        return self._values[0]

    @property
    def answer(self) -> Answer:
        """What has come so far, as an Answer with usage, finish reason and reasoning."""
        return self.question.answer

    def close(self) -> None:
        """End the answer, from any thread."""
        self.question.close()

    def __enter__(self) -> TypedStream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        self.question.stream.__reduce__()

    @with_short_errors
    def _elements(self, element: Output[Any]) -> Iterator[Any]:
        json = JsonSoFar(wrapped=self.question.output.schema.wrapped)
        count = 0
        for piece in self._without_thoughts():
            json.feed(piece)
            while count < len(json.elements):
                try:
                    value = element.convert_part(json.elements[count])
                except Mismatch as error:
                    reason = Mismatch(f"element {count}: {error}")
                    reason.__cause__ = error.with_traceback(None)  # whose frames hold the answer
                    raise self.question.mismatched(reason) from reason
                count += 1
                yield value
        everything: Any = self.output
        if count:
            self._check_given(json.elements)
        yield from everything[count:]

    def _check_given(self, elements: list[str]) -> None:
        """Compare the elements that were given with the value, as JSON: the caller may have changed them since.

        :raises OutputError: if the value does not begin with them
        """
        try:
            if not self.question.output.begins_with(elements, self.answer):
                raise Mismatch("the list that came first is not the value of the whole")
        except Mismatch as reason:
            raise self.question.mismatched(reason) from reason

    def _without_thoughts(self) -> Iterator[str]:
        """Iterate all pieces, also those that have been read, without the thoughts that the text begins with."""
        return pieces_without_thoughts(chain(["".join(self._pieces)], self))

    def _finish(self) -> None:
        """Convert the whole answer, once."""
        if self._values or self._error is not None:
            return
        question = self.question
        try:
            self._values = [question.checked(question.whole())]
        except (OutputError, RefusalError) as error:
            self._error = error
        else:
            question.keep_turn()
