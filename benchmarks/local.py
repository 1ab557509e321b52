"""The embedded model through ``Local``, beside the same engine asked directly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from .clients import OURS
from .table import Bar, Numbers

BY_HAND, FUNCTION = "its HTTP by hand", "its function called"
TURNS = [2] * 9 + [48] * 4  # the tokens of each turn: many short ones for the first piece, long ones for the rate
FRESH: dict[str, Any] = {"cache_prompt": False}  # else whoever asks second has the prompt computed already
Got = Callable[[str], None]
Ask = Callable[[str, int, Got], None]
PROMPT = "Why is the sky blue?"
BARS = {
    "first piece, ms": [Bar(1.02, BY_HAND), Bar(1.02, FUNCTION)],
    "tokens/s": [Bar(0.98, BY_HAND, at_least=True), Bar(0.98, FUNCTION, at_least=True)],
}


def beside_the_engine() -> dict[str, Numbers]:
    """Milliseconds to the first piece, and tokens a second from the first to the last of 48, at temperature 0, so that
    all write the same: through `Local`, by `requests` from the engine's own server on loopback, and by calling the
    engine's function.  The best of several turns, because the machine can only make one slower."""
    import requests

    from g4f_lite import Local
    from g4f_lite.providers.local.engine import engine_for
    from g4f_lite.providers.local.provider import SAMPLING, SYSTEM

    provider, session = Local(download=True), requests.Session()
    provider.create(messages=PROMPT, max_tokens=1)  # loads the model
    engine = engine_for(provider._path("smollm2"))

    def body(prompt: str, tokens: int) -> dict[str, Any]:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
        return {"messages": messages, "stream": True, "max_tokens": tokens, **SAMPLING, **FRESH}

    def through_local(prompt: str, tokens: int, got: Got) -> None:
        for piece in provider.create_generator(messages=prompt, max_tokens=tokens, **FRESH):
            got(str(piece))

    def by_hand(prompt: str, tokens: int, got: Got) -> None:
        response = session.post(engine.base_url + "/chat/completions", json=body(prompt, tokens), stream=True)
        for line in response.iter_lines(chunk_size=1):
            if line.startswith(b"data: {"):
                got(_text(json.loads(line[6:])))

    def called(prompt: str, tokens: int, got: Got) -> None:
        engine._server.handle_chat_completions(body(prompt, tokens), lambda chunk: got(_text(chunk)))

    return _in_turns({OURS: through_local, BY_HAND: by_hand, FUNCTION: called})


def _in_turns(ways: dict[str, Ask]) -> dict[str, Numbers]:
    firsts: dict[str, list[float]] = {way: [] for way in ways}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for number, tokens in enumerate(TURNS):
        written = set()
        turn = number % len(ways)
        for way in [*list(ways)[turn:], *list(ways)[:turn]]:
            pieces: list[tuple[float, str]] = []

            def got(text: str, pieces: list[tuple[float, str]] = pieces) -> None:
                if text:
                    pieces.append((time.perf_counter(), text))

            began = time.perf_counter()
            ways[way](f"{PROMPT} ({number % 10})", tokens, got)
            first, last = pieces[0][0], pieces[-1][0]
            firsts[way].append(first - began)
            if tokens == max(TURNS):
                rates[way].append((len(pieces) - 1) / (last - first))
            written.add("".join(text for _, text in pieces))
        assert len(written) == 1, written
    return {way: {"first piece, ms": min(firsts[way]) * 1000, "tokens/s": max(rates[way])} for way in ways}


def _text(chunk: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
