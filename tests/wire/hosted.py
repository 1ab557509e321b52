"""What the tests of hosted batches share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from g4f_lite import Client, HostedBatch
from g4f_lite.emulator import Emulator

KEY = "sk-a-secret-that-nobody-shall-see"
PROMPTS = ["one", "two", "one", "three"]
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def batch_of(client: Client, path: Path, prompts: Any = PROMPTS, **options: Any) -> HostedBatch[Any]:
    return client.batch(prompts, path=path, poll=0.001, **options)


def sent(emulator: Emulator) -> list[str]:
    """List the requests, without how often the state was asked for."""
    words = [f"{request.method} {request.path.split('/')[2]}" for request in emulator.requests]
    return [word for word in words if word != "GET batches"]


def errors_of(batch: HostedBatch[Any]) -> list[str]:
    return ["" if result.error is None else str(result.error) for result in batch]


def answered_by(
    lines: Iterable[Any], client: Client, emulator: Emulator, path: Path, prompts: Any = PROMPTS, **options: Any
) -> None:
    """Create a batch whose results the service gives in these lines."""
    batch_of(client, path, prompts, **options).submit()
    (batch,) = emulator._openai.batches._batches.values()
    written = [json.dumps(line).encode() for line in lines]
    emulator._openai.files._files["file-lines"] = ({}, b"\n".join(written))
    batch |= {"status": "completed", "output_file_id": "file-lines", "request_counts": {"completed": len(written)}}


def answer_line(index: int, text: str, **choice: Any) -> dict[str, Any]:
    """Return the line of an answer."""
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop", **choice}], "usage": USAGE}
    return {"custom_id": f"request-{index}", "response": {"status_code": 200, "body": body}}


def failed_line(index: int, status: int, error: Any) -> dict[str, Any]:
    """Return the line of a refused request."""
    return {"custom_id": f"request-{index}", "response": {"status_code": status, "body": {"error": error}}}
