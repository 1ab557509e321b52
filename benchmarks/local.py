"""The embedded model through Local, beside the same request by hand."""

from __future__ import annotations

import time

import requests

from .table import BARE, OURS, Figures

PROMPT = "Why is the sky blue?"


def first_piece(rounds: int) -> Figures:
    """Milliseconds to the first piece of text of the embedded model, through Local and by hand."""
    from g4f_lite import Local
    from g4f_lite.providers.engine import engine_for
    from g4f_lite.providers.local import SAMPLING, SYSTEM

    provider = Local()
    next(provider.create_generator(messages=PROMPT))  # loads the model
    engine = engine_for(provider._path("smollm2"))
    session = requests.Session()
    figures = Figures()
    for number in range(max(rounds, 5) * 4):
        prompt = f"{PROMPT} ({number})"
        began = time.perf_counter()
        with provider.create_generator(messages=prompt, max_tokens=5) as stream:
            next(stream)
            figures.add(OURS, {"ms": (time.perf_counter() - began) * 1000})
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{prompt}!"}]
        body = {"messages": messages, "stream": True, "max_tokens": 5, **SAMPLING}
        began = time.perf_counter()
        with session.post(engine.base_url + "/chat/completions", json=body, stream=True) as response:
            for line in response.iter_lines(chunk_size=1):
                if b'"content":"' in line:
                    break
            figures.add(BARE, {"ms": (time.perf_counter() - began) * 1000})
    return figures
