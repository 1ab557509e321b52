"""A response's bytes as they arrive: never withheld, bounded, and drained at the end."""

from __future__ import annotations

import functools
import http.client
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import requests

from ..errors import G4FLiteError, ResponseFormatError
from ..timeout import Timeout
from .deadline import Deadline
from .failures import FAILURES, translate
from .parsing import BLANK, MAX_LINE_BYTES, Event, iter_events, parse_json, split_lines
from .signals import pass_on_signal
from .urls import origin_of

Part = TypeVar("Part")

READ_BYTES = 64 * 1024  # the most that one read gives
MAX_DECODED_BYTES = 64 * 1024 * 1024  # of a compressed body
MAX_JSON_BYTES = 32 * 1024 * 1024
DRAIN_BYTES = 64 * 1024
DRAIN_SECONDS = 0.1
START_BYTES = 1024  # which an error quotes of


class Body:
    """The body of one response, read once.

    ``requests.Response.iter_lines`` fills a buffer before it gives anything, which withholds a slow
    answer (psf/requests#2433); here each read gives what has come.

    :param response: a response to a request that was sent with ``stream=True``
    :param deadline: the limits of the call that the response belongs to; None without limits
    :ivar status: the HTTP status
    :ivar headers: the headers of the response, found in upper and lower case
    :ivar step: what it answers: ``"bootstrap"``, ``"prompt"`` or ``"image"``; "" outside of a call
    :ivar start: the first bytes that have been read, for errors
    :ivar new_token: a newer token that the service sent with this response; a provider that reads one sets it
    :ivar state: what ``request`` leaves here for ``deltas``, such as the id of a session; None until then
    :ivar complete: whether the body was read to its end
    :ivar ends_in_line: whether it was read by lines, and the last one has no end: it may have been cut
    :ivar on_close: called when the connection is closed
    :ivar on_end: called once, when the body was read to its end or closed
    """

    def __init__(self, response: requests.Response, deadline: Deadline | None = None) -> None:
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.step = ""
        self.bytes, self.start = 0, b""
        self.new_token: str | None = None
        self.state: Any = None
        self.complete = self.ends_in_line = False
        self.on_close: Callable[[], None] | None = None
        self.on_end: Callable[[], None] | None = None
        self._deadline = deadline or Deadline(Timeout(None, None, None))
        self.chunks: Iterator[bytes] = self._pull()
        self._hold_foreign_socket()

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    @property
    def origin(self) -> str:
        """Where the response came from, as ``scheme://host:port``."""
        return origin_of(self.response.url)

    def lines(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
        """Return the lines of the body, each as soon as its last byte has come."""
        self.ends_in_line = False
        return split_lines(self.chunks, max_line_bytes=max_line_bytes, on_rest=self._note_rest)

    def events(self, *, accept_unfinished: bool = False) -> Iterator[Event]:
        """Return the events of a ``text/event-stream`` body, each as soon as it is complete."""
        return iter_events(self.lines(), accept_unfinished=accept_unfinished)

    def read(self, limit: int = MAX_JSON_BYTES) -> bytes:
        """Read the rest.

        :param limit: the most bytes that are taken
        :raises ResponseFormatError: if the body is longer
        """
        read = bytearray()
        for chunk in self.chunks:
            read += chunk
            if len(read) > limit:
                raise ResponseFormatError(f"{self.origin} sent more than {limit:,} bytes")
        return bytes(read)

    def beginning(self, limit: int) -> bytes:
        """Read up to ``limit`` bytes for an error message; where reading fails, what had come until then."""
        read = bytearray()
        try:
            for chunk in self.chunks:
                read += chunk
                if len(read) >= limit:
                    break
        except G4FLiteError:
            self._deadline.check()  # a lost connection leaves what came before; the end of the call is an error
        return bytes(read[:limit])

    def json(self) -> Any:
        """Read the rest as one JSON value.

        :raises ResponseFormatError: if it is not JSON, or too large
        """
        return parse_json(self.read())

    def in_time(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Return the parts of a body that was read whole, while there is time to work on them.

        :raises G4FLiteError: if the call ended, and too much was left to be done
        """
        for part in parts:
            if self._deadline.ended is not None:
                self._deadline.check_work()
            yield part

    def peek(self, is_enough: Callable[[bytes], bool] | None = None) -> bytes:
        """Wait for the first bytes that are not blank and give everything up to there; it can be read again.

        Many PHP sites send blank lines before an answer.

        :param is_enough: takes all that has come, and returns whether to wait for no more
        :returns: nothing at the end of the body
        """
        first = b""
        for chunk in self.chunks:
            first += chunk
            if len(first) > DRAIN_BYTES or (chunk.strip(BLANK) if is_enough is None else is_enough(first)):
                break
        self.chunks = itertools.chain((first,), self.chunks)
        return first

    def drain(self) -> None:
        """Read on to the end, so that the connection can serve the next call; close it if that takes too long.

        Not urllib3's ``drain_conn``, which is bounded neither in bytes nor in time.
        """
        left = DRAIN_BYTES
        self._deadline.drain_within(DRAIN_SECONDS)
        try:
            for chunk in self.chunks:
                left -= len(chunk)
                if left < 0:
                    break
        except G4FLiteError:
            left = -1  # the answer is complete; only the connection is lost
        finally:
            self._deadline.keep_open()
        if not self.complete:
            self.close()

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        self._deadline.let_go()
        self.response.close()
        self._ended()
        if self.on_close is not None:
            self.on_close()

    def _note_rest(self) -> None:
        self.ends_in_line = True

    def _ended(self) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()

    def _pull(self) -> Iterator[bytes]:
        deadline = self._deadline
        read: Callable[[int], bytes] | None = None
        limit = MAX_DECODED_BYTES if self._is_compressed() else None
        if limit is not None and "br" in self._coding() and not brotli_has_limit():
            raise ResponseFormatError(f'{self.origin} sent a body in Brotli, which needs "brotli>=1.2" to be bounded')
        while True:
            if deadline.ended is not None:
                raise deadline.error()
            try:
                read = read or self._reader()
                chunk = read(READ_BYTES)
            except FAILURES as error:
                pass_on_signal(error)
                raise translate(error, deadline, self.origin) from error
            if deadline.ended is not None:
                raise deadline.error()
            if not chunk:
                self.complete = True
                self._ended()
                deadline.let_go()
                return
            if self.bytes < START_BYTES:
                self.start += chunk[: START_BYTES - self.bytes]
            self.bytes += len(chunk)
            if limit is not None and self.bytes > limit:
                raise ResponseFormatError(f"{self.origin} sent a compressed body of more than {limit:,} bytes")
            yield chunk

    def _reader(self) -> Callable[[int], bytes]:
        """Choose the function that gives what has come, at the least cost for the body's framing."""
        raw, deadline = self.response.raw, self._deadline
        if getattr(raw, "closed", False):  # a hook of the caller's session has read it already
            return io.BytesIO(self.response.content).read
        # For small chunks, which a stream of tokens has, http.client's own read1 takes a third less time than urllib3's
        # around it.  Only chunked bodies: with a Content-Length urllib3 counts what it gave.
        plain = getattr(raw, "_fp", None)
        if isinstance(plain, http.client.HTTPResponse) and plain.chunked and not self._is_compressed():
            read = plain.read1

            def read_chunked(size: int) -> bytes:
                # urllib3 has to see the end as well: then it gives the connection back to its pool.
                return read(size) or bytes(raw.read1(1))

            return read_chunked

        read_some = getattr(raw, "read1", raw.read)
        if plain is not None and not hasattr(type(plain), "read1"):
            # A wrapper that wants to see all that is read, such as CacheControl's, which read1 would pass by.
            read_some = raw.read
        if self._is_compressed():
            read_some = functools.partial(raw.read1, decode_content=True)

        def read_and_let_go(size: int) -> bytes:
            chunk: bytes = read_some(size)
            # With the last byte the connection went back to its pool, where another call may take it.
            if getattr(raw, "closed", False):
                deadline.let_go()
            return chunk

        return read_and_let_go

    def _is_compressed(self) -> bool:
        return self._coding() not in ("", "identity")

    def _coding(self) -> str:
        return self.headers.get("Content-Encoding", "identity").strip().lower()

    def _hold_foreign_socket(self) -> None:
        """Find the socket of a response that came over the caller's own session, whose connections are not ours."""
        if self._deadline.socket is None:
            raw = self.response.raw
            sock = getattr(getattr(raw, "connection", None), "sock", None)
            self._deadline.hold(sock, getattr(raw, "shutdown", None))


@functools.cache
def brotli_has_limit() -> bool:
    """Return whether the Brotli that urllib3 uses, if any, can stop before a whole body is decompressed.

    Up to 1.1 it cannot, and urllib3 lets it make gigabytes of a few bytes.
    """
    try:
        import brotlicffi as brotli  # in the order in which urllib3 looks for them
    except ImportError:
        try:
            import brotli
        except ImportError:
            return True
    decompressor = brotli.Decompressor()
    decompress = decompressor.decompress if hasattr(decompressor, "decompress") else decompressor.process
    try:
        decompress(b"", output_buffer_limit=1)
    except TypeError:
        return False
    return True


def iter_lines(response: requests.Response | Body, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    r"""Return the lines of a response to ``stream=True``, each as soon as its last byte has come.

    :param response: the response; lines end at ``\n``, ``\r\n`` or ``\r``
    :param max_line_bytes: the longest line that is taken
    :raises TransportError: if the body was cut
    :raises DeadlineExceededError: if nothing came for too long
    :raises ResponseFormatError: if a line is too long, or the body cannot be decompressed
    """
    body = response if isinstance(response, Body) else Body(response)
    return body.lines(max_line_bytes=max_line_bytes)
