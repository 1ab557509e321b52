"""At which paths servers answer, and what they say at others."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...exchange import Exchange
from ...record import ReceivedRequest
from ...reply import Reply, bytes_reply, json_reply
from ..dialect import Dialect

_DEPLOYMENT = re.compile(r"/openai/deployments/[^/]+(/.+)")


def _deployment(request: ReceivedRequest) -> str | None:
    found = _DEPLOYMENT.fullmatch(request.path)
    return f"/v1{found.group(1)}" if found and request.query.get("api-version") else None


def _azure_not_found(exchange: Exchange) -> Reply:
    return json_reply(404, {"error": {"code": "404", "message": "Resource not found"}})


def _at_root(request: ReceivedRequest) -> str | None:
    return None if request.path.startswith("/v1/") else "/v1" + request.path


def _as_usual(request: ReceivedRequest) -> str | None:
    return request.path


def _unexpected(exchange: Exchange) -> Reply:
    request = exchange.request
    return json_reply(200, {"error": f"Unexpected endpoint or method. ({request.method} {request.path})"})


def _with_slash(request: ReceivedRequest) -> str | None:
    return request.path.rstrip("/") if request.path.endswith("/") else None


def _redirect(status: int) -> Callable[[Exchange], Reply]:
    """Redirect to the same path with a slash at its end."""

    def not_found(exchange: Exchange) -> Reply:
        path = exchange.request.path
        if path.endswith("/"):
            return _detail(exchange)
        return Reply(status, [("Location", path + "/")], [])

    return not_found


def _detail(exchange: Exchange) -> Reply:
    return json_reply(404, {"detail": "Not Found"})


def _go(exchange: Exchange) -> Reply:
    return bytes_reply(404, "text/plain", b"404 page not found")


DIALECTS = [
    Dialect(
        "azure-api-version",
        "Answer below `/openai/deployments/NAME` if the query has `api-version`; the key is in `api-key`.",
        "Azure OpenAI",
        path=_deployment,
        not_found=_azure_not_found,
        key_header="api-key",
    ),
    Dialect(
        "without-v1", "Answer at `/chat/completions`, and not below `/v1`.", "Perplexity, GitHub Models", path=_at_root
    ),
    Dialect(
        "lm-studio-unexpected-endpoint",
        "Answer 200 and an error at paths that it does not know.",
        "LM Studio",
        path=_as_usual,
        not_found=_unexpected,
    ),
    Dialect(
        "redirect-307",
        "Redirect with 307 to the path with a slash at its end.",
        "servers made with FastAPI",
        path=_with_slash,
        not_found=_redirect(307),
    ),
    Dialect(
        "redirect-308",
        "Redirect with 308 to the path with a slash at its end.",
        "servers made with Flask, Vercel",
        path=_with_slash,
        not_found=_redirect(308),
    ),
    Dialect(
        "not-found-detail",
        "Answer 404 and a string `detail` at paths that it does not know.",
        "servers made with FastAPI",
        path=_as_usual,
        not_found=_detail,
    ),
    Dialect(
        "not-found-text",
        "Answer 404 and a line of text at paths that it does not know.",
        "Ollama, one-api and other servers in Go",
        path=_as_usual,
        not_found=_go,
    ),
]
