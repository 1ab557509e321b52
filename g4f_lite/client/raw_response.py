"""``with_raw_response``: a result together with the head of the response that it came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, overload

from ..answers.response import Response
from ..http.checks import request_id_of
from .results import Completion

T = TypeVar("T")


class RawResponse(Generic[T]):
    """A result, and the head of the response that it came in.

    The body is read as it comes, and is not kept.  A copy or a pickle has no headers, which may hold a cookie.

    :ivar status_code: the HTTP status; None if there was no response, as from a provider without HTTP
    :ivar headers: the headers of the response; their names may be read in any case
    :ivar request_id: the service's id of the request, which its support asks for
    :ivar retries_taken: how often the request was sent again
    """

    def __init__(self, result: T, response: Response | None, attempts: int | None) -> None:
        self._result = result
        self.status_code = None if response is None else response.status
        self.headers: Mapping[str, str] = {} if response is None else response.headers
        self.request_id = request_id_of(self.headers)
        self.retries_taken = max(0, (attempts or 1) - 1)

    @classmethod
    def of(cls, result: Any) -> RawResponse[Any]:
        """Take a result that knows its response."""
        return cls(result, result._response, result._attempts)

    def parse(self) -> T:
        """Return what the method would have returned without ``with_raw_response``."""
        return self._result

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "headers": {}}

    def __repr__(self) -> str:
        return f"RawResponse(status_code={self.status_code}, request_id={self.request_id!r})"  # headers may be secret


class RawCompletions:
    """The object ``client.chat.completions.with_raw_response``.

    :param create: the method of ``client.chat.completions``
    :param parse: likewise
    """

    def __init__(self, create: Callable[..., Any], parse: Callable[..., Any]) -> None:
        self._create, self._parse = create, parse

    @overload
    def create(self, *arguments: Any, stream: Literal[True], **options: Any) -> RawResponse[Any]: ...

    @overload
    def create(
        self, *arguments: Any, stream: Literal[False] | None = None, **options: Any
    ) -> RawResponse[Completion]: ...

    def create(self, *arguments: Any, **options: Any) -> RawResponse[Any]:
        """Do as ``client.chat.completions.create``, and return the head of the response too."""
        return RawResponse.of(self._create(*arguments, **options))

    def parse(self, *arguments: Any, **options: Any) -> RawResponse[Any]:
        """Do as ``client.chat.completions.parse``, and return the head of the last response too."""
        return RawResponse.of(self._parse(*arguments, **options))
