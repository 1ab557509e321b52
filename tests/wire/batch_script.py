"""A batch in a process of its own, which a test kills: ``batch_script.py URL STORE PROMPTS WORKERS``."""

from __future__ import annotations

import sys

from g4f_lite import Client


def main(url: str, store: str, prompts: str, workers: str) -> None:
    with Client(base_url=f"{url}/v1", model="m") as client:
        results = client.map([f"prompt {number}" for number in range(int(prompts))], store=store, workers=int(workers))
        print("begun", flush=True)
        for result in results:
            assert result.text == f"prompt {result.index}", result
    print("done", flush=True)


main(*sys.argv[1:])
