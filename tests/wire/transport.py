"""Providers whose connection fails, and the failure."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from g4f_lite import (
    OpenAICompatible,
    RetryPolicy,
    TransportError,
)

from .raw_server import PATIENCE

FAST = RetryPolicy(attempts=3, backoff=0)


def provider_at(address: str, **settings: Any) -> OpenAICompatible:
    return OpenAICompatible(address, **{"model": "m", "retry": FAST, "timeout": PATIENCE, **settings})


def failure_of(provider: OpenAICompatible) -> TransportError:
    with provider, pytest.raises(TransportError) as caught:
        provider.create(messages="hi")
    assert isinstance(caught.value, requests.ConnectionError)
    return caught.value
