"""OpenAI's Batch API: ``/v1/batches``, whose prompts come from a file and whose answers go to one."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from ..record import ReceivedRequest
from ..reply import Piece, Reply, json_reply
from ..settings import Settings
from .failure import refusal
from .files import Files

MOST_REQUESTS = 50_000
_ENDPOINT = "/v1/chat/completions"
_OVER = ("completed", "failed", "expired", "cancelled")
_REASONS = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was cancelled."),
}

# Answers the body of one request, as the server would.
Answer = Callable[[dict[str, Any]], Reply]


class Batches:
    """Keep batches, and answer their requests when a client has asked often enough how they are.

    A batch is over after ``Settings.batch_polls`` such questions. The other settings named ``batch_…`` say how it ends.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._lock = threading.RLock()
        self._batches: dict[str, dict[str, Any]] = {}
        self._polls: dict[str, int] = {}

    def clear(self) -> None:
        """Remove them all."""
        with self._lock:
            self._batches.clear()
            self._polls.clear()

    def reply(self, request: ReceivedRequest, settings: Settings, answer: Answer) -> Reply:
        """Answer a request about batches."""
        _, _, id_, action, *_ = [*request.path.strip("/").split("/"), "", ""]
        with self._lock:
            if not id_:
                return self._create(request, settings) if request.method == "POST" else self._list(request)
            batch = self._batches.get(id_)
            if batch is None:
                return refusal(404, f"No batch found with id '{id_}'.", param="batch_id")
            if action == "cancel":
                return self._cancel(batch)
            self._advance(batch, settings, answer)
            return json_reply(200, batch)

    def _create(self, request: ReceivedRequest, settings: Settings) -> Reply:
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return refusal(400, "We could not parse the JSON body of your request.")
        if self._files.content(body.get("input_file_id")) is None:
            return refusal(400, f"No such File object: {body.get('input_file_id')}", param="input_file_id")
        if body.get("endpoint") != _ENDPOINT or body.get("completion_window") != "24h":
            return refusal(400, f"'endpoint' must be '{_ENDPOINT}', and 'completion_window' '24h'.")
        now, id_ = int(time.time()), f"batch_{secrets.token_hex(8)}"
        self._batches[id_] = {
            "id": id_,
            "object": "batch",
            "endpoint": _ENDPOINT,
            "completion_window": "24h",
            "input_file_id": body["input_file_id"],
            "output_file_id": None,
            "error_file_id": None,
            "status": "validating",
            "errors": None,
            "metadata": body.get("metadata"),
            "created_at": now,
            "expires_at": now + 86_400,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        self._polls[id_] = settings.batch_polls
        return json_reply(200, self._batches[id_])

    def _list(self, request: ReceivedRequest) -> Reply:
        newest = [*self._batches.values()][::-1]
        after = request.query.get("after")
        begin = next((number for number, batch in enumerate(newest, 1) if batch["id"] == after), 0)
        limit = int(request.query.get("limit", "20"))
        page = newest[begin : begin + limit]
        return json_reply(200, {"object": "list", "data": page, "has_more": begin + limit < len(newest)})

    def _cancel(self, batch: dict[str, Any]) -> Reply:
        if batch["status"] in _OVER:
            return refusal(409, f"Cannot cancel a batch with status '{batch['status']}'.")
        batch["status"] = "cancelling"
        return json_reply(200, batch)

    def _advance(self, batch: dict[str, Any], settings: Settings, answer: Answer) -> None:
        if batch["status"] in _OVER:
            return
        self._polls[batch["id"]] -= 1
        if self._polls[batch["id"]] > 0 and batch["status"] != "cancelling":
            batch["status"] = "in_progress"
            return
        lines = (self._files.content(batch["input_file_id"]) or b"").splitlines()
        errors = _errors_of(lines)
        if errors or settings.batch_end == "failed":
            failure = [{"code": "invalid_request", "message": "The batch failed.", "line": None, "param": None}]
            batch |= {"status": "failed", "errors": {"object": "list", "data": errors or failure}}
            return
        end = "cancelled" if batch["status"] == "cancelling" else settings.batch_end
        self._answer([json.loads(line) for line in lines], batch, end, settings, answer)

    def _answer(
        self, requests: list[dict[str, Any]], batch: dict[str, Any], end: str, settings: Settings, answer: Answer
    ) -> None:
        """Write the two files of a batch, in another order than that of its requests."""
        done = len(requests) if end == "completed" else min(settings.batch_done, len(requests))
        answered: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for number, request in enumerate(requests):
            line: dict[str, Any] = {"id": f"batch_req_{secrets.token_hex(6)}", "custom_id": request["custom_id"]}
            if number in settings.batch_missing:
                continue
            if number >= done:
                code, message = _REASONS[end]
                failed.append({**line, "response": None, "error": {"code": code, "message": message}})
                continue
            reply = refusal(500, "The server had an error.") if number in settings.batch_failed else None
            reply = reply or answer(request["body"])
            body = json.loads(b"".join(item.data for item in reply.body if isinstance(item, Piece)))
            response = {"status_code": reply.status, "request_id": secrets.token_hex(6), "body": body}
            (answered if reply.status == 200 else failed).append({**line, "response": response, "error": None})
        batch["status"] = end
        batch["request_counts"] = {"total": len(requests), "completed": len(answered), "failed": len(failed)}
        for name, lines in (("output", answered), ("error", failed)):
            if lines:
                content = "".join(json.dumps(line) + "\n" for line in reversed(lines)).encode()
                batch[f"{name}_file_id"] = self._files.add(f"{batch['id']}_{name}.jsonl", "batch_output", content)


def _errors_of(lines: list[bytes]) -> list[dict[str, Any]]:
    """Check the lines of an input file, as the service does before it answers any of them."""
    seen: set[str] = set()
    models: set[Any] = set()
    errors = []

    def note(code: str, message: str, line: int | None = None) -> None:
        errors.append({"code": code, "message": message, "line": line, "param": None})

    if not lines:
        note("empty_file", "The file is empty.")
    if len(lines) > MOST_REQUESTS:
        note("too_many_requests", f"The batch has more than {MOST_REQUESTS} requests.")
    for number, line in enumerate(lines, 1):
        try:
            request = json.loads(line)
            id_, body, is_right = request["custom_id"], request["body"], request["method"] == "POST"
        except (ValueError, KeyError, TypeError):
            note("invalid_json_line", "This line is not a request.", number)
            continue
        if not is_right or request.get("url") != _ENDPOINT or not isinstance(body, dict) or body.get("stream"):
            note("invalid_request", "This request is not one of the batch's endpoint.", number)
        elif id_ in seen:
            note("duplicate_custom_id", f"The custom_id {id_!r} occurs twice.", number)
        else:
            seen.add(id_)
            models.add(body.get("model"))
    if len(models) > 1:
        note("mismatched_model", "All requests of a batch must have the same model.")
    return errors
