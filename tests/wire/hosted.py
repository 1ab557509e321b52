"""What the tests of hosted batches share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from g4f_lite import Client, HostedBatch
from g4f_lite.emulator import Emulator

KEY = "sk-a-secret-that-nobody-shall-see"
PROMPTS = ["one", "two", "one", "three"]


def batch_of(client: Client, path: Path, prompts: Any = PROMPTS, **options: Any) -> HostedBatch[Any]:
    return client.batch(prompts, path=path, poll=0.001, **options)


def sent(emulator: Emulator) -> list[str]:
    """List the requests, without how often the state was asked for."""
    words = [f"{request.method} {request.path.split('/')[2]}" for request in emulator.requests]
    return [word for word in words if word != "GET batches"]


def errors_of(batch: HostedBatch[Any]) -> list[str]:
    return ["" if result.error is None else str(result.error) for result in batch]
