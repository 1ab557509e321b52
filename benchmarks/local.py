"""The embedded model through ``Local``, beside the engine that it asks, and beside bare engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .clients import OURS
from .table import Bar, Numbers

BY_HAND, BEST = "its HTTP by hand", "the best bare engine"
TURNS = [2] * 9 + [48] * 5  # the tokens of each turn: many short ones for the first piece, long ones for the rate
FRESH: dict[str, Any] = {"cache_prompt": False}  # else whoever asks second has the prompt computed already
PROMPT = "Why is the sky blue?"
BARS = {
    "first piece, ms": [Bar(1.02, BY_HAND), Bar(1.1, BEST)],
    "tokens/s": [Bar(0.98, BY_HAND, at_least=True), Bar(0.9, BEST, at_least=True)],
}
#: Of a bare engine's threads: the library's own way to wait, and one that spins for a moment only.
SPINNING: tuple[dict[str, str], ...] = ({}, {"GOMP_SPINCOUNT": "300"})
Answer = tuple[float, float, str]  # seconds to the first piece, tokens a second after it, the text
Ask = Callable[[dict[str, Any]], Answer]


def beside_the_engine() -> dict[str, Numbers]:
    """Milliseconds to the first piece, and tokens a second from the first to the last of 48, at temperature 0, so that
    all write the same: through `Local`, by `requests` from the engine that it started, and from bare engines in
    processes of their own, one for each sensible setting, of which the best counts.  The best of several turns,
    because the machine can only make one slower."""
    import requests

    from g4f_lite import Local
    from g4f_lite.http.deadline import Deadline
    from g4f_lite.providers.local.engine import BearerAuth
    from g4f_lite.timeout import Timeout

    provider, session = Local(download=True), requests.Session()
    provider.start()
    engine = provider.runner.engine(provider.get_model(), Deadline(Timeout()))
    address, _, key = engine.token.partition(" ")
    session.auth = BearerAuth(key)

    def through_local(body: dict[str, Any]) -> Answer:
        return _timed(
            map(str, provider.create_generator(messages=body["messages"], max_tokens=body["max_tokens"], **FRESH))
        )

    def by_hand(body: dict[str, Any]) -> Answer:
        return _timed(_pieces(session, address, body))

    with ExitStack() as stack:
        bare = {
            f"{BEST} {threads} {spinning}": stack.enter_context(_bare_engine(engine.settings.path, threads, spinning))
            for threads in sorted({1, os.cpu_count() or 1})
            for spinning in SPINNING
        }
        figures = _in_turns({OURS: through_local, BY_HAND: by_hand, **bare})
    best = max((figures.pop(name) for name in bare), key=lambda numbers: numbers["tokens/s"])
    return {**figures, BEST: best}


def _pieces(session: Any, address: str, body: dict[str, Any]) -> Iterator[str]:
    response = session.post(f"{address}/chat/completions", json=body, stream=True)
    for line in response.iter_lines(chunk_size=1):
        if line.startswith(b"data: {"):
            yield "".join(choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"])


def _timed(pieces: Iterator[str]) -> Answer:
    began = time.perf_counter()
    given = [(time.perf_counter(), text) for text in pieces if text]
    first, last = given[0][0], given[-1][0]
    return first - began, (len(given) - 1) / max(last - first, 1e-9), "".join(text for _, text in given)


@contextmanager
def _bare_engine(path: Path, threads: int, spinning: dict[str, str]) -> Iterator[Ask]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("bare_engine.py")), str(path), str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **spinning},
        start_new_session=True,  # as ours: the system may share the cores between sessions
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()

        def ask(body: dict[str, Any]) -> Answer:
            process.stdin.write(json.dumps(body) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            answer = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return answer["first"], answer["rate"], answer["text"]

        yield ask
        process.stdin.close()


def _in_turns(ways: dict[str, Ask]) -> dict[str, Numbers]:
    from g4f_lite.providers.local import weights
    from g4f_lite.providers.local.gguf import read_metadata
    from g4f_lite.providers.local.manners import manner_of

    manner = manner_of(read_metadata(weights.fetch()))
    figures: dict[str, list[Answer]] = {way: [] for way in ways}
    for number, tokens in enumerate(TURNS):
        messages = [
            {"role": "system", "content": manner.system},
            {"role": "user", "content": f"{PROMPT} ({number % 10})"},
        ]
        body = {"messages": messages, "stream": True, "max_tokens": tokens, **manner.sampling, **FRESH}
        turn = number % len(ways)
        answers = {way: ways[way](body) for way in [*list(ways)[turn:], *list(ways)[:turn]]}
        for way, answer in answers.items():
            figures[way].append(answer)
    return {
        way: {
            "first piece, ms": min(first for first, _, _ in answers) * 1000,
            "tokens/s": max(rate for (_, rate, _), tokens in zip(answers, TURNS, strict=True) if tokens == max(TURNS)),
        }
        for way, answers in figures.items()
    }
