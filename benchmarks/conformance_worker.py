"""Ask a server through one client, and print what it kept of the answers: one JSON line in, one out.

It runs in the client's own environment, where only that client is installed.  All three have OpenAI's interface, so
that the same loop reads their answers, as applications do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

QUESTION = [{"role": "user", "content": "What is the answer?"}]


def ours() -> Callable[..., Any]:
    from g4f_lite import Client, OpenAICompatible

    def create(base_url: str, **options: Any) -> Any:
        return Client(OpenAICompatible(base_url, retry=None)).chat.completions.create(QUESTION, model="m", **options)

    return create


def openai() -> Callable[..., Any]:
    from openai import OpenAI

    def create(base_url: str, **options: Any) -> Any:
        client = OpenAI(base_url=base_url, api_key="none", max_retries=0)
        return client.chat.completions.create(messages=QUESTION, model="m", **options)

    return create


def litellm() -> Callable[..., Any]:
    import litellm

    litellm.suppress_debug_info = True

    def create(base_url: str, **options: Any) -> Any:
        return litellm.completion("openai/m", QUESTION, api_base=base_url, api_key="none", num_retries=0, **options)

    return create


def kept_of(create: Callable[..., Any], base_url: str, stream: bool) -> dict[str, Any]:
    """Ask, and list the text, the tool calls and the words of an error."""
    text, calls, error = "", {}, None
    try:
        answer = create(base_url, stream=stream)
        for made in answer if stream else [answer]:
            for choice in made.choices or []:
                part = choice.delta if stream else choice.message
                text += part.content or ""
                for position, call in enumerate(part.tool_calls or []):
                    index = call.index if stream else position
                    known = calls.setdefault(index, ["", ""])
                    known[0] += call.function.name or ""
                    known[1] += call.function.arguments or ""
    except Exception as raised:  # noqa: BLE001  whatever a client raises is what it says
        error = f"{type(raised).__name__}: {raised}"
        text = text or str(getattr(raised, "partial", "") or "")
    return {"text": text, "calls": sorted(calls.values()), "error": error}


if __name__ == "__main__":
    ask = {"g4f_lite": ours, "openai": openai, "litellm": litellm}[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps(kept_of(ask, **json.loads(line))), flush=True)
