"""How many tokens a text or a prompt has, counted by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests

from ...errors import ResponseFormatError
from ...http.body import Body
from ...http.exchange import Exchange
from ...messages import Message
from ...prompt import Prompt
from ..openai.fields import count_in
from .base import NOWHERE, EngineProvider, directed
from .control_tokens import broken_up
from .question import ask_engine


def count_tokens(provider: EngineProvider, prompt: str | Sequence[Message], model: str) -> int:
    """Count the tokens of a text, or of a prompt with all that the model's template adds to it.

    :param prompt: a text, or messages
    :param model: a model's name or path, as its provider calls it
    :raises G4FLiteError: if the engine does not answer
    """

    def of_text(token: str) -> requests.Request:
        url, headers = f"{NOWHERE}/tokenize", provider.headers_with()
        content = broken_up(prompt, provider.runner.metadata(model).control_tokens)  # as in a prompt
        request = directed(requests.Request("POST", url, json={"content": content}, headers=headers), token)
        request.url = request.url.replace("/v1/tokenize", "/tokenize")  # the engine's own, beside those of OpenAI's API
        return request

    def of_messages(token: str) -> requests.Request:
        request = provider.request(checked, token)
        request.url += "/input_tokens"
        return request

    def read(body: Body, _: Exchange) -> int:
        answer: Any = body.json()
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        count = len(tokens) if isinstance(tokens, list) else count_in(answer, "input_tokens")
        if count is None:
            raise ResponseFormatError("the engine's answer holds no count of tokens")
        return count

    if isinstance(prompt, str):
        return ask_engine(provider, model, of_text, read)
    checked = Prompt.of(model, prompt)
    provider.check(checked)
    return ask_engine(provider, model, of_messages, read)
