"""A request as a WSGI server passes it on, and the response to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from ...http.parsing import MAX_JSON_PARTS
from ..replies import to_json
from .failures import ApiError

MAX_BODY = 32 * 1024 * 1024  # bytes: a few photos in Base64; one emoji makes a text take eight times as many
_NAMED = 20  # fields that are ignored; a header has limits
_FIELD = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Request:
    """A request, with what the endpoints need of it.

    :param environ: the environment of WSGI
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        # WSGI has the bytes of a path as the characters of Latin-1.
        self.path: str = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace") or "/"

    def header(self, name: str) -> str:
        """Return a header; "" if the request has none of this name."""
        variable = name.upper().replace("-", "_")
        value: str = self.environ.get(variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}", "")
        return value.strip()

    def json(self) -> dict[str, Any]:
        """Read the body as a JSON object.

        :raises ApiError: if it is too large, or not a JSON object of this media type
        """
        media_type = self.header("Content-Type").partition(";")[0].strip().lower()
        if media_type != "application/json":  # a form of another site could send the others without asking
            raise ApiError(415, "send the request as JSON, with the header Content-Type: application/json")
        data = self._body()
        if data.count(b"[") + data.count(b"{") > MAX_JSON_PARTS:  # all other requests would wait for them
            raise ApiError(413, f"the body has more than {MAX_JSON_PARTS:,} objects and lists")
        if data.count(b",") > MAX_JSON_PARTS:  # each number or short string takes many times its bytes
            raise ApiError(413, f"the body has more than {MAX_JSON_PARTS:,} commas, between values or in text")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ApiError(400, f"the body must be a JSON object, not {type(value).__name__}")
        return value

    def _body(self) -> bytes:
        """Read the body, up to its end or its limit.

        :raises ApiError: if it exceeds the limit, or ends too early
        """
        announced = self.environ.get("CONTENT_LENGTH") or ""
        if announced and not announced.isdecimal():
            raise ApiError(400, "the header Content-Length is not a number")
        if announced and int(announced) > MAX_BODY:
            raise _too_large()
        if not announced and not self.environ.get("wsgi.input_terminated"):
            return b""  # reading a stream whose length is unknown could wait for ever
        limit = int(announced) if announced else MAX_BODY + 1
        data: bytes = self.environ["wsgi.input"].read(limit)
        if len(data) > MAX_BODY:
            raise _too_large()
        if announced and len(data) < limit:
            raise ApiError(400, f"the body ended after {len(data)} of {limit} bytes")
        return data


def encoded(value: Any) -> bytes:
    """Write a value as JSON, with nothing in it that a client could not read."""
    return to_json(value).encode()


def ignored_fields(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the header that names fields which are ignored; the request may call them anything."""
    shown = sorted({name if _FIELD.fullmatch(name) else "?" for name in names})[:_NAMED]
    return [("x-ignored-fields", ", ".join(shown))] if shown else []


def _too_large() -> ApiError:
    return ApiError(413, f"the body is larger than {MAX_BODY // 1024**2} MiB; send fewer images, or smaller ones")


@dataclass
class Response:
    """A response.

    :param body: its bytes, closed by the server if it has ``close``
    """

    status: int
    body: Iterable[bytes]
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status_line(self) -> str:
        """The status as WSGI writes it."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @classmethod
    def of_json(cls, value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
        """Write a value as JSON."""
        data = encoded(value)
        fixed = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
        ]
        return cls(status, [data], [*fixed, *headers])

    @classmethod
    def of_error(cls, error: ApiError) -> Response:
        """Report an error."""
        return cls.of_json(error.to_dict(), error.status, error.headers)
