"""OpenAI's Batch API: prompts in a file, answered at half the price within a day."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import requests

from ...answers.deltas import Delta
from ...answers.images import ImageResponse
from ...errors import G4FLiteError, ProviderError, ResponseFormatError, ServiceError
from ...http.checks import shorten
from ...http.deadline import Deadline
from ...http.exchange import Exchange
from ...http.parsing import parse_json
from ...http.redact import Cleaner, hide, redact
from ...http.spellings import SHORTEST_PART, Spellings
from ...timeout import Timeout
from ..call import fetch, run
from ..image_fetch import fetch_image
from ..sending import at_step
from .address import NO_SUCH_PAGE
from .answer import MAX_LINE_BYTES, read_completion
from .base import OpenAIProvider
from .errors import error_of, service_error, with_body
from .fields import number_in, objects_in, text_in

ENDPOINT = "/v1/chat/completions"  # whatever the address of the server
_WINDOW = "24h"  # the only one there is
_STEP = "batch"
_READ_BYTES = 64 * 1024
_LISTED = 100  # batches on a page
_MOST_PAGES = 20
# The ids in a batch: requests name them, so they stay as they are, and are refused if they are a secret.
_IDS = ("id", "output_file_id", "error_file_id")
Result = TypeVar("Result")


class BatchAPI:
    """The Batch API of a server.

    :param provider: the server
    :param timeout: the timeout of each request
    :param proxy: the URL of a proxy for all of them
    """

    def __init__(self, provider: OpenAIProvider, timeout: Timeout, proxy: str | None = None) -> None:
        self.provider = provider
        self._timeout = timeout
        self.proxy = proxy

    def upload(self, file: BinaryIO, name: str) -> str:
        """Upload a file of requests, and return its id."""
        form = _Form(file, name)

        def send(exchange: Exchange) -> str:
            request = self.provider.to_send("POST", "/files")
            request.headers = {**request.headers, "Content-Type": form.content_type}
            request.data = form
            id_ = _id_of(self._read(exchange, request), "a file")
            _refuse_secret(id_, exchange.hidden())
            return id_

        return self._run(send)

    def create(self, file_id: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        """Create a batch of an uploaded file, with one attempt: a second one might make two batches.

        :param metadata: what to find it by
        """
        body = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": _WINDOW,
            "metadata": dict(metadata),
        }
        provider = self.provider
        provider.check_ready()
        route = provider.route(self.proxy)
        with (
            Deadline(self._timeout) as deadline,
            provider.pool.lend() as pooled,
            Exchange(pooled, deadline, route, provider.name, provider.secrets) as exchange,
        ):
            exchange.attempts = 1
            exchange.abandon()  # on a connection of its own: one that was kept may be lost, and replaced
            with at_step(exchange, _STEP):
                return _batch_of(self._read(exchange, provider.to_send("POST", "/batches", body)), exchange.hidden())

    def find(self, metadata: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the newest batch with this metadata among its own, or None if there is none."""
        after = ""
        for _ in range(_MOST_PAGES):
            try:
                page, secrets = self._page(after)
            except ProviderError as error:
                if error.status in NO_SUCH_PAGE:  # a server that lists no batches
                    return None
                raise
            batches = objects_in(page.get("data") if isinstance(page, dict) else None)
            for batch in batches:
                told = batch.get("metadata")
                if isinstance(told, dict) and metadata.items() <= told.items():  # a service may add its own
                    return _batch_of(batch, secrets)
            after = text_in(batches[-1], "id") if batches else ""
            if not after or not page.get("has_more"):
                return None
        return None

    def get(self, batch_id: str) -> dict[str, Any]:
        """Return a batch as it is now."""
        return self._batch("GET", f"/batches/{_in_path(batch_id)}")

    def cancel(self, batch_id: str) -> dict[str, Any]:
        """Cancel a batch; what was answered until then is in its files."""
        return self._batch("POST", f"/batches/{_in_path(batch_id)}/cancel")

    def read(self, file_id: str, take: Callable[[dict[str, Any], Iterable[str]], None]) -> int:
        """Read a file of results, and return how many there are; lines that cannot be read are left out.

        :param take: called with each line and the strings that no message may show, and again with the same ones if the
            download was cut; the time that it takes, for instance to fetch images, is not the download's
        """

        def download(exchange: Exchange) -> int:
            count = 0
            request = self.provider.to_send("GET", f"/files/{_in_path(file_id)}/content")
            body = fetch(exchange, request, _STEP, self.provider)
            secrets = exchange.hidden()
            for line in body.lines(max_line_bytes=MAX_LINE_BYTES):
                value = _object_in(line)
                if value is not None:
                    with exchange.deadline.paused():
                        take(value, secrets)
                    count += 1
            return count

        return self._run(download)

    def answer(self, line: Mapping[str, Any]) -> Generator[Delta, None, None]:
        """Read the answer in a line of a file of results.

        :raises G4FLiteError: if it is an error
        """
        status, body = _response_in(line)
        if status is not None and 200 <= status < 300:
            for delta in read_completion(body):
                if isinstance(delta, ImageResponse):
                    delta.fetch = self._fetch_image
                yield delta
            return
        error = None if status is None else service_error(status, body)
        error = error or error_of(line.get("error"), status, dict(line))
        raise with_body(error or ServiceError(f"the request failed: {shorten(json.dumps(line))}", status=status), line)

    def _fetch_image(self, url: str) -> bytes:
        return self._run(lambda exchange: fetch_image(exchange, url, home=self.provider.base_url))

    def _page(self, after: str) -> tuple[Any, Iterable[str]]:
        """Return a page of the list of batches, and the strings that no message may show."""
        path = f"/batches?limit={_LISTED}" + (f"&after={_in_path(after)}" if after else "")
        return self._run(lambda exchange: (self._read(exchange, self.provider.to_send("GET", path)), exchange.hidden()))

    def _batch(self, method: str, path: str) -> dict[str, Any]:
        return self._run(
            lambda exchange: _batch_of(self._read(exchange, self.provider.to_send(method, path)), exchange.hidden())
        )

    def _run(self, action: Callable[[Exchange], Result]) -> Result:
        self.provider.check_ready()

        def at_batch(exchange: Exchange) -> Result:
            with at_step(exchange, _STEP):
                return action(exchange)

        return run(self.provider, at_batch, timeout=self._timeout, route=self.provider.route(self.proxy))

    def _read(self, exchange: Exchange, request: requests.Request) -> Any:
        try:
            body = fetch(exchange, request, _STEP, self.provider)
        except ProviderError as error:
            if error.status in NO_SUCH_PAGE and request.url.endswith(("/files", "/batches")):
                error.message += "; the server may have no Batch API: client.map() sends the prompts one by one"
                error.args = (error.message,)
            raise
        try:
            return body.json()
        finally:
            body.drain()


class _Form:
    """A form with a file, which is read as it is sent, and again if it is sent again.

    requests would read the file, and the form with it, into memory.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        disposition = "Content-Disposition: form-data; name="
        self._file = file
        self._head = (
            f'--{boundary}\r\n{disposition}"purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\n{disposition}"file"; filename="{name}"\r\nContent-Type: application/jsonl\r\n\r\n'
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._head) + self._file.seek(0, 2) + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        self._file.seek(0)
        while chunk := self._file.read(_READ_BYTES):
            yield chunk
        yield self._tail


def _object_in(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line of a file; None if there is none, as at the end of a file that was cut."""
    try:
        value = parse_json(line)
    except ResponseFormatError:
        return None
    return value if isinstance(value, dict) else None


def _in_path(id_: str) -> str:
    return quote(id_, safe="", errors="replace")  # half of a character, too


def _id_of(value: Any, what: str) -> str:
    """Return the id in an answer.

    :raises G4FLiteError: if there is none
    """
    id_ = text_in(value, "id") if isinstance(value, dict) else ""
    if id_:
        return id_
    failure: G4FLiteError | None = service_error(200, value)
    raise failure or ResponseFormatError(f"expected {what}, got {shorten(json.dumps(value), 200)}")


def _refuse_secret(id_: str, secrets: Iterable[str]) -> None:
    """Raise if an id, which is kept in a file, holds a secret that was sent; short ones may be a part of any id.

    :raises ResponseFormatError: if so
    """
    if hide(id_, [secret for secret in secrets if len(secret) >= SHORTEST_PART]) != id_:
        raise ResponseFormatError("expected an id, got one with the key or another secret in it, which is not kept")


def _response_in(line: Mapping[str, Any]) -> tuple[int | None, Any]:
    """Return the status and the body of the response in a line of a file of results."""
    response = line.get("response")
    return (number_in(response, "status_code"), response.get("body")) if isinstance(response, dict) else (None, None)


def _batch_of(value: Any, secrets: Iterable[str]) -> dict[str, Any]:
    """Check that an answer is a batch, and return it without secrets.

    :raises G4FLiteError: if it is not
    """
    _id_of(value, "a batch")
    if not text_in(value, "status"):
        raise ResponseFormatError(f"expected a batch with a status, got {shorten(json.dumps(value), 200)}")
    for name in _IDS:
        _refuse_secret(text_in(value, name), secrets)
    spellings = Spellings(secrets)
    clean = Cleaner(lambda text: redact(text, spellings))
    return {name: each if name in _IDS else clean(each) for name, each in value.items()}
