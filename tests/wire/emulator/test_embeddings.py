"""The emulated embeddings."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

# The first two numbers of vectors that must never change, for tests of others are built on them.
KNOWN = {"a cat": (0.435112, -0.073570), "a dog": (-0.154477, -0.441749)}


def embed(emulator: Emulator, value: object, **more: Any) -> requests.Response:
    return requests.post(emulator.url + "/v1/embeddings", json={"model": "m", "input": value, **more})


def test_vectors_are_always_the_same(emulator: Emulator) -> None:
    response = embed(emulator, list(KNOWN))
    answer = response.json()
    assert (response.status_code, answer["object"], answer["model"]) == (200, "list", "m")
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert [(item["object"], item["index"]) for item in answer["data"]] == [("embedding", 0), ("embedding", 1)]
    for item, first in zip(answer["data"], KNOWN.values(), strict=True):
        assert len(item["embedding"]) == 8
        assert item["embedding"][:2] == pytest.approx(first, abs=1e-6)
        assert math.hypot(*item["embedding"]) == pytest.approx(1)
    assert (emulator.requests[0].service, emulator.requests[0].step) == ("openai", "embeddings")


@pytest.mark.parametrize(("value", "count"), [("a", 1), (["a", "b"], 2), ([1, 2], 1), ([[1, 2], [3]], 2)], ids=str)
def test_inputs(emulator: Emulator, value: object, count: int) -> None:
    assert len(embed(emulator, value).json()["data"]) == count


@pytest.mark.parametrize("value", ["", [], [""], [["a"]], [None], 7, None, [[]]], ids=str)
def test_bad_inputs(emulator: Emulator, value: object) -> None:
    response = embed(emulator, value)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input")


@pytest.mark.parametrize("dimensions", [1, 100])
def test_dimensions(emulator: Emulator, dimensions: int) -> None:
    (item,) = embed(emulator, "a", dimensions=dimensions).json()["data"]
    assert len(item["embedding"]) == dimensions


@pytest.mark.parametrize("dimensions", [0, 4097, "8"])
def test_bad_dimensions(emulator: Emulator, dimensions: object) -> None:
    assert embed(emulator, "a", dimensions=dimensions).status_code == 400


def test_vectors_can_be_encoded(emulator: Emulator) -> None:
    (plain,) = embed(emulator, "a").json()["data"]
    (encoded,) = embed(emulator, "a", encoding_format="base64").json()["data"]
    assert struct.unpack("<8f", base64.b64decode(encoded["embedding"])) == pytest.approx(plain["embedding"], abs=1e-6)


def test_embeddings_can_fail(emulator: Emulator) -> None:
    emulator.fail("limit", step="embeddings", retry_after=2)
    refused = embed(emulator, "a")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert embed(emulator, "a").status_code == 200
    emulator.configure(api_key="key")
    assert embed(emulator, "a").status_code == 401
