"""Many prompts: beside the same work by hand, at a service's hidden limit, in bounded memory, and from the store."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .background import background
from .clients import BARE, LITELLM, OURS
from .subject import Subject, memory
from .table import Numbers

PROMPTS, SECONDS, WORKERS = 1000, 0.1, 32
IDEAL = PROMPTS * SECONDS / WORKERS
LIMIT, LIMITED = 100, 3000  # requests a second; prompts
FIXED = (8, 10, 12, 16)
MANY = 100_000
BEST, SHARE = "the best fixed number", "of 429s, %"


def batch(subject: Subject) -> Numbers:
    """Time of 1,000 prompts of 100 ms with 32 workers, as a multiple of the ideal, 3.125 s.  By hand it is a
    ``ThreadPoolExecutor`` whose threads have a ``requests.Session`` each; of litellm it is ``batch_completion``.  Ours
    is taken with a store, too."""
    with background("slow_emulator", SECONDS) as (url, received):
        prompts = [f"prompt {number}" for number in range(PROMPTS)]
        took = _timed(subject.name, url, prompts) / IDEAL
        assert received()["prompts"] >= PROMPTS
        if subject.name != OURS:
            return {"× ideal": took}
        with tempfile.TemporaryDirectory() as folder:
            stored = _timed(OURS, url, prompts, store=Path(folder) / "answers.db") / IDEAL
    return {"× ideal": took, "with a store, × ideal": stored, "with a store, × without": stored / took}


def hidden_limit() -> dict[str, Numbers]:
    """Prompts a second against a service that takes 100 requests a second, of 3,000 prompts of 100 ms: with ``"auto"``,
    and with the best of 8, 10, 12 and 16 workers; and the share of requests that were refused."""
    taken = {workers: _at_limit(workers) for workers in ("auto", *FIXED)}
    best = max(FIXED, key=lambda workers: taken[workers]["prompts/s"])
    return {OURS: taken["auto"], BEST: taken[best]}


def growth() -> dict[str, Numbers]:
    """Growth of resident memory, in megabytes, over 100,000 prompts from a generator, which a provider without a
    service answers at once; and µs of each."""
    client = _client_without_service()
    list(client.map((str(number) for number in range(200)), workers=WORKERS))
    before, began = memory()[0], time.perf_counter()
    count = sum(1 for _ in client.map((f"prompt number {number}" for number in range(MANY)), workers=WORKERS))
    seconds = time.perf_counter() - began
    assert count == MANY
    return {OURS: {"growth, MB": memory()[0] - before, "µs": seconds / MANY * 1e6}}


def resuming() -> dict[str, Numbers]:
    """Processor time, in µs, of each of 100,000 prompts whose answers are in the store: the checks at the call, and
    reading the results."""
    client = _client_without_service()
    prompts = [f"prompt number {number}" for number in range(MANY)]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "answers.db"
        for _ in client.map(prompts, workers=8, store=store):
            pass
        began = time.process_time()
        assert all(result.is_stored for result in client.map(prompts, store=store))
        seconds = time.process_time() - began
    return {OURS: {"µs": seconds / MANY * 1e6}}


def _timed(name: str, url: str, prompts: list[str], **settings: Any) -> float:
    """Answer prompts with a client, and return the seconds."""
    ask = {OURS: _ours, BARE: _by_hand, LITELLM: _litellm}[name]
    ask(url, prompts[:WORKERS])  # loads what is loaded at the first use
    began = time.perf_counter()
    assert ask(url, prompts, **settings) == ["answer"] * len(prompts)
    return time.perf_counter() - began


def _ours(url: str, prompts: list[str], **settings: Any) -> list[str]:
    from g4f_lite import Client

    texts: list[str] = Client(base_url=f"{url}/v1", model="m").map(prompts, workers=WORKERS, **settings).texts()
    return texts


def _by_hand(url: str, prompts: list[str]) -> list[str]:
    import requests

    own = threading.local()

    def ask(prompt: str) -> str:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
        answer = own.session.post(f"{url}/v1/chat/completions", json=body).json()
        return str(answer["choices"][0]["message"]["content"])

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(ask, prompts))


def _litellm(url: str, prompts: list[str]) -> list[str]:
    import litellm

    litellm.suppress_debug_info = True
    messages = [[{"role": "user", "content": prompt}] for prompt in prompts]
    answers = litellm.batch_completion("openai/m", messages, api_base=f"{url}/v1", api_key="none", max_workers=WORKERS)
    return [answer.choices[0].message.content for answer in answers]


def _at_limit(workers: int | str) -> Numbers:
    from g4f_lite import Client

    with background("slow_emulator", SECONDS, LIMIT) as (url, received):
        began = time.perf_counter()
        results = Client(base_url=f"{url}/v1", model="m").map([f"prompt {n}" for n in range(LIMITED)], workers=workers)
        assert results.texts() == ["answer"] * LIMITED
        seconds = time.perf_counter() - began
        counts = received()
    return {"prompts/s": LIMITED / seconds, SHARE: counts["refused"] / counts["prompts"] * 100}


def _client_without_service() -> Any:
    from g4f_lite import BaseProvider, Client, Finish

    class Answers(BaseProvider):
        def begin(self, prompt: Any) -> Iterator[Any]:
            yield "answer"
            yield Finish()

    return Client(Answers())
