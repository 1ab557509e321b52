"""Which key a provider sends, to a server that is not its own unless a test says so."""

from __future__ import annotations

import responses

from g4f_lite import OpenAICompatible

ELSEWHERE = "http://elsewhere.test/v1"
KEY = "canary-key-1f2e3d"


def sent_key(provider: OpenAICompatible) -> str | None:
    """Ask, and give the key that went out."""
    with responses.RequestsMock() as mock:
        mock.post(provider.base_url + "/chat/completions", body='{"choices": [{"message": {"content": "hi"}}]}')
        assert provider.create("m", "hi") == "hi"
        header = mock.calls[0].request.headers.get("Authorization")
        return None if header is None else str(header).removeprefix("Bearer ")
