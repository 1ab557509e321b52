"""How many tokens a text or a prompt has, and how that is known: nothing is downloaded to know it."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Fallback
from g4f_lite.client import token_count
from g4f_lite.client.text_limits import approximate_tokens
from g4f_lite.client.token_count import TokenCount
from g4f_lite.testing import Scripted

MESSAGES = [{"role": "system", "content": "one two"}, {"role": "user", "name": "Ada", "content": "three"}]


class Counting(Scripted):
    """A provider that can count."""

    def count_tokens(self, prompt: Any, *, model: str | None = None) -> int:
        return 7 if model == "m" else 8


def test_a_provider_that_counts_is_asked() -> None:
    count = Client(Counting()).count_tokens("x", model="m")
    assert (count, count.method, count.is_estimate) == (7, "engine", False)
    assert Client(Counting()).count_tokens(MESSAGES) == 8
    assert Client(Fallback([Counting(), Scripted()])).count_tokens("x") == 8


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("Hello", 1), ("Hello, world!", 4), ("incomprehensible", 3), ("日本", 2), (" \n", 0)]
)
def test_an_estimate_is_called_one(text: str, count: int) -> None:
    made = Client(Scripted()).count_tokens(text, model="unheard-of")
    assert (made, made.method, made.is_estimate) == (count, "estimate", True)


def test_messages_have_more_than_their_text() -> None:
    """By hand: 3, then 3 + 1 + 2 for the first message, and 3 + 1 + 1 + 1 + 1 for the second."""
    assert Client(Scripted()).count_tokens(MESSAGES) == 16


def test_a_count_is_a_number_that_can_be_copied() -> None:
    count = pickle.loads(pickle.dumps(TokenCount(5, "tiktoken")))
    assert (count + 1, f"{count}", count.method) == (6, "5", "tiktoken")


@pytest.mark.parametrize("prompt", [7, None, [], [{"role": "user"}], [7]])
def test_what_is_no_prompt(prompt: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Client(Scripted()).count_tokens(prompt)


class Encoding:
    def encode(self, text: str, *, disallowed_special: Any) -> list[int]:
        assert disallowed_special == ()
        return [ord(character) for character in text]


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Install a tiktoken that has a token for each character, and would download; give its cache."""

    def name_of(model: str) -> str:
        return {"gpt-4o": "o200k_base", "gpt-oss": "o200k_harmony", "davinci": "r50k_base"}[model]

    stub: Any = types.ModuleType("tiktoken")
    stub.encoding_name_for_model = name_of
    stub.get_encoding = lambda name: Encoding()
    monkeypatch.setitem(sys.modules, "tiktoken", stub)
    monkeypatch.setattr(token_count, "_encodings", {})
    monkeypatch.setitem(token_count.VOCABULARIES, "o200k_base", hashlib.sha256(b"words").hexdigest())
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    return (
        tmp_path / hashlib.sha1(b"https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken").hexdigest()
    )


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o", "gpt-oss"])
def test_the_vocabulary_of_a_model_counts_if_it_is_here(cache: Path, model: str) -> None:
    assert Client(Scripted()).count_tokens("abc def", model=model).method == "estimate"
    cache.write_bytes(b"words")
    count = Client(Scripted()).count_tokens("abc def", model=model)
    assert (count, count.method) == (7, "tiktoken")
    cache.unlink()
    assert Client(Scripted()).count_tokens("abc def", model=model) == 7  # which is loaded now


def test_messages_by_a_vocabulary(cache: Path) -> None:
    """By hand: 3, then 3 + 6 + 7 for the first message, and 3 + 4 + 5 + 1 + 3 for the second."""
    cache.write_bytes(b"words")
    assert Client(Scripted()).count_tokens(MESSAGES, model="gpt-4o") == 35
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert Client(Scripted()).count_tokens([{"role": "user", "content": [picture]}], model="gpt-4o").is_estimate


@pytest.mark.parametrize("model", ["gpt-4o", "davinci", "llama"])
def test_what_tiktoken_would_download_is_estimated(cache: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_bytes(b"damaged")  # which tiktoken would delete, and download again
    assert Client(Scripted()).count_tokens("abc def", model=model).method == "estimate"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert Client(Scripted()).count_tokens("abc def", model=model).method == "estimate"


@pytest.mark.skipif(sys.platform == "win32", reason="other users have no access there")
def test_what_another_user_may_have_put_there_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(cache)
    assert not token_count._is_here("o200k_base")
    cache.unlink()
    cache.write_bytes(b"words")
    assert token_count._is_here("o200k_base")
    owner = cache.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert token_count._is_here("o200k_base") == (owner == 0)


def test_the_cache_is_where_tiktoken_has_it(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache.write_bytes(b"words")
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path))
    assert token_count._is_here("o200k_base")
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert not token_count._is_here("o200k_base")
    (tmp_path / "data-gym-cache").mkdir()
    cache.rename(tmp_path / "data-gym-cache" / cache.name)
    assert token_count._is_here("o200k_base")


def test_the_vocabularies_are_those_of_the_real_tiktoken() -> None:
    source = pytest.importorskip("tiktoken_ext.openai_public", reason="tiktoken is not installed")
    text = Path(source.__file__).read_text(encoding="utf-8")
    for name, digest in token_count.VOCABULARIES.items():
        assert f'"{token_count._ADDRESS.format(name)}",\n        expected_hash="{digest}"' in text


def test_a_run_of_blanks_is_counted_in_a_moment() -> None:
    began = time.process_time()
    assert approximate_tokens("a" + " \n\u3000" * 20_000) == 1
    assert approximate_tokens(" " * 20_000 + "a" + " " * 20_000 + "b") == 2
    assert time.process_time() - began < 1  # some hundredths of a second
