"""Log probabilities that are always the same for the same text: each piece of an answer is a token."""

from __future__ import annotations

from typing import Any

from ..reply import Reply
from .failure import refusal

_MOST_ALTERNATIVES = 20


def refuse_logprobs(body: dict[str, Any]) -> Reply | None:
    """Refuse a request whose ``logprobs`` and ``top_logprobs`` do not fit together; ``None`` for another."""
    top = body.get("top_logprobs")
    if top is None:
        return None
    if not isinstance(top, int) or not 0 <= top <= _MOST_ALTERNATIVES:
        return refusal(400, f"'top_logprobs' must be from 0 to {_MOST_ALTERNATIVES}.", param="top_logprobs")
    if body.get("logprobs") is not True:
        return refusal(400, "'top_logprobs' needs 'logprobs' to be true.", param="top_logprobs")
    return None


def logprobs_of(pieces: list[str], body: dict[str, Any]) -> dict[str, Any]:
    """Return the field ``logprobs`` of a choice that has these pieces; nothing unless the request asks for it."""
    if body.get("logprobs") is not True:
        return {}
    return {
        "logprobs": {"content": [_token(piece, body.get("top_logprobs") or 0) for piece in pieces], "refusal": None}
    }


def _token(text: str, top: int) -> dict[str, Any]:
    alternatives = [_likely(text if place == 0 else f"{text}{place}", place + 1) for place in range(top)]
    return {**_likely(text, 1), "top_logprobs": alternatives}


def _likely(text: str, place: int) -> dict[str, Any]:
    return {"token": text, "logprob": -0.25 * place, "bytes": list(text.encode())}
