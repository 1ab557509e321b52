"""Asks one client all cases, in its own environment: ``python -m benchmarks.conformance_clients CLIENT ADDRESS``.

Each client is used as its documentation says: chunks are read one by one, and tool calls put together by their index.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from .conformance_cases import CASES, Case, Facts

MESSAGES = [{"role": "user", "content": "Hello"}]
FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
SECONDS = 10
Ask = Callable[..., Any]
REASONING = ("reasoning_content", "reasoning", "reasoning_text")


def ours() -> tuple[Ask, Ask | None, Ask]:
    from g4f_lite import Client, OpenAICompatible

    def client(base_url: str) -> Any:
        return Client(OpenAICompatible(base_url, api_key="key", model="m", timeout=SECONDS))

    return (
        lambda base_url, **more: client(base_url).chat.completions.create(**more),
        lambda base_url: [model.id for model in client(base_url).models.list()],
        lambda base_url: client(base_url).images.generate(prompt="a cat"),
    )


def openai() -> tuple[Ask, Ask | None, Ask]:
    from openai import OpenAI  # type: ignore[import-not-found,unused-ignore]

    def client(base_url: str) -> Any:
        return OpenAI(base_url=base_url, api_key="key", timeout=SECONDS)

    return (
        lambda base_url, **more: client(base_url).chat.completions.create(model="m", **more),
        lambda base_url: [model.id for model in client(base_url).models.list()],
        lambda base_url: client(base_url).images.generate(prompt="a cat", model="m"),
    )


def litellm() -> tuple[Ask, Ask | None, Ask]:
    import litellm as lite  # type: ignore[import-not-found,unused-ignore]

    lite.suppress_debug_info = True
    common: dict[str, Any] = {"model": "openai/m", "api_key": "key", "timeout": SECONDS}

    return (
        lambda base_url, **more: lite.completion(api_base=base_url, **common, **more),
        None,  # it lists the models that it knows itself
        lambda base_url: lite.image_generation(prompt="a cat", api_base=base_url, **common),
    )


CLIENTS = {"g4f_lite": ours, "openai": openai, "litellm": litellm}


class Seen:
    """What a client gave of an answer so far."""

    def __init__(self) -> None:
        self.facts: Facts = {"text": "", "reasoning": "", "calls": [], "finish": None, "usage": None, "images": 0}
        self._calls: dict[Any, list[str]] = {}

    def read_chunks(self, chunks: Iterable[Any]) -> None:
        for chunk in chunks:
            self._note_usage(chunk)
            for choice in chunk.choices or []:
                self._note(choice, choice.delta)

    def read_whole(self, completion: Any) -> None:
        if isinstance(completion, str):  # as openai gives what is not JSON
            raise TypeError(f"a string: {completion[:80]}")
        self._note_usage(completion)
        self._note(completion.choices[0], completion.choices[0].message)

    def _note_usage(self, holder: Any) -> None:
        usage = getattr(holder, "usage", None)
        if usage is not None:
            self.facts["usage"] = [usage.prompt_tokens, usage.completion_tokens]

    def _note(self, choice: Any, said: Any) -> None:
        facts = self.facts
        if getattr(choice, "usage", None):
            fields = choice.usage if isinstance(choice.usage, dict) else vars(choice.usage)
            facts["usage"] = [fields.get("prompt_tokens"), fields.get("completion_tokens")]
        facts["finish"] = choice.finish_reason or facts["finish"]
        if said is None:
            return
        text = said.content or ""
        facts["text"] += text
        facts["images"] += len(getattr(said, "images", None) or []) or text.count("](data:image")
        reasoning = next((value for name in REASONING if (value := getattr(said, name, None))), "")
        details = getattr(said, "reasoning_details", None) or []
        facts["reasoning"] += reasoning or "".join(each.get("text", "") for each in details)
        for place, call in enumerate(said.tool_calls or []):
            index = getattr(call, "index", None)
            kept = self._calls.setdefault(place if index is None else index, ["", "", ""])
            kept[0] = kept[0] or call.id or ""
            if call.function is not None:
                kept[1] = kept[1] or call.function.name or ""
                arguments = call.function.arguments
                kept[2] += arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        facts["calls"] = list(self._calls.values())


def ask(client: str, case: Case, base_url: str) -> Facts:
    """Ask a client, and give what it came to know; what it raises is one of these facts."""
    chat, models, image = CLIENTS[client]()
    seen = Seen()
    try:
        if case.how == "models":
            return {"no such call": True} if models is None else {"models": models(base_url)}
        if case.how == "image":
            made = image(base_url)
            tokens = getattr(made.usage, "total_tokens", None)
            return {"image": [made.data[0].url, made.data[0].revised_prompt, made.created, tokens]}
        if case.how == "loop":
            first = chat(base_url, messages=MESSAGES, tools=TOOLS).choices[0].message
            tool = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"}
            seen.read_chunks(chat(base_url, messages=[*MESSAGES, first, tool], tools=TOOLS, stream=True))
        elif case.how == "whole":
            seen.read_whole(chat(base_url, messages=MESSAGES, **case.options))
        else:
            more = {"stream_options": {"include_usage": True}, **case.options}
            seen.read_chunks(chat(base_url, messages=MESSAGES, stream=True, **more))
        seen.facts["text"].encode()  # halves of a character can be neither printed nor saved
    except Exception as error:  # noqa: BLE001  whatever a client raises is what it makes of the case
        body = getattr(error, "body", "")
        text = f"{type(error).__name__}: {error} {body}"
        seen.facts["finish"] = getattr(error, "finish_reason", None) or seen.facts["finish"]
        if (usage := getattr(error, "usage", None)) is not None:
            seen.facts["usage"] = [usage.prompt_tokens, usage.completion_tokens]
        return {**seen.facts, "length": len(seen.facts["text"]), "error": text}
    return {**seen.facts, "length": len(seen.facts["text"])}


def main() -> None:
    client, address = sys.argv[1:]
    for number, case in enumerate(case for cases in CASES.values() for case in cases):
        print(json.dumps([number, ask(client, case, f"{address}/{number}{case.address}")]), flush=True)


if __name__ == "__main__":
    main()
