"""The server over the embedded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from g4f_lite import Local

from .conftest import served

QUESTION, SECONDS = "Why is the sky blue?", 120.0


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:this program has .* in memory twice")  # other tests' engines have other threads
def test_the_embedded_model_says_the_same_as_without_the_server(local_weights: Path) -> None:
    """Temperature 0, a fixed seed and one thread, as sums are rounded otherwise with another number of them."""
    options: dict[str, Any] = {"temperature": 0, "seed": 1, "max_tokens": 12}
    local = Local(str(local_weights), threads=1)
    with local, served(f"local:{local_weights}", G4F_LITE_THREADS="1") as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=SECONDS)
        model = client.models.list().data[0].id
        for question in (QUESTION, "Say hello."):
            straight = local.create(messages=question, **options)
            messages = [{"role": "user", "content": question}]
            whole = client.chat.completions.create(model=model, messages=messages, **options)
            chunks = client.chat.completions.create(model=model, messages=messages, stream=True, **options)
            assert whole.choices[0].message.content == straight
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == straight
