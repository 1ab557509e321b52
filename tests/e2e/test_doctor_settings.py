"""``g4f-lite doctor``: which settings are in effect, and which that are set are not."""

from __future__ import annotations

import pytest

from g4f_lite.cli.effective_settings import effective_settings

ELSEWHERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("given", "provider", "shown"),
    [
        ({}, "", (ELSEWHERE, "G4F_LITE_BASE_URL")),
        ({}, "echo", (f"{ELSEWHERE} (not used: G4F_LITE_PROVIDER goes first)", "G4F_LITE_BASE_URL")),
        ({"provider": "echo"}, "", (f"{ELSEWHERE} (not used: the named provider goes first)", "G4F_LITE_BASE_URL")),
        ({"provider": "vllm", "base_url": "http://gpu.test/v1"}, "", ("http://gpu.test/v1", "command line")),
    ],
)
def test_a_url_that_is_not_used_is_shown_as_such(
    given: dict[str, str], provider: str, shown: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", ELSEWHERE)
    monkeypatch.setenv("G4F_LITE_PROVIDER", provider)
    (row,) = [row for row in effective_settings(given) if row.name == "base_url"]
    assert (row.value, row.source) == shown
