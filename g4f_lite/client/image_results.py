"""The results of OpenAI's images API as plain dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .result import Extended, Result


@dataclass(slots=True)
class Image(Result):
    """An image: its URL, or its bytes in Base64."""

    url: str | None = None
    b64_json: str | None = None
    revised_prompt: str | None = None


@dataclass(slots=True)
class ImagesUsage(Extended):
    """Tokens that images took, as the service counted them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: dict[str, Any] | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class ImagesResponse(Result):
    """The generated images."""

    created: int
    data: list[Image]
    model: str | None = None
    provider: str | None = None
    usage: ImagesUsage | None = None
