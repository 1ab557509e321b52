"""A pace that many processes share: what is counted in its storage, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Pace, ProviderNotConfiguredError
from g4f_lite.batch.pace import SharedMeter

from .batch_providers import Shout

pytest.importorskip("limits")


def test_a_batch_keeps_an_answer_whose_tokens_a_storage_cannot_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ProviderNotConfiguredError("the storage failed")

    monkeypatch.setattr(SharedMeter, "correct", fail)
    client = Client(Shout(), pace=Pace(tpm=600, storage="memory://"))
    results = client.map(["one", "two"], store=tmp_path / "answers.db")
    assert [result.text for result in results] == ["ONE", "TWO"]
    assert client.map(["one", "two"], store=tmp_path / "answers.db").estimate().calls == 0
    assert "the tokens of an answer are not counted" in caplog.text
