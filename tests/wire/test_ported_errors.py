"""Error handlers that were written for OpenAI's client, with the names that the documentation gives for theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import g4f_lite
from g4f_lite import Client, G4FLiteError
from g4f_lite.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "from-openai.md"
REFUSED = {"body": '{"error": {"message": "no", "type": "invalid_request_error"}}', "content_type": "application/json"}
STATUS = ["APIStatusError", "APIError", "OpenAIError"]
CONNECTION = ["APIConnectionError", "APIError", "OpenAIError"]
# A fault, its settings, and what OpenAI's client raises, with what that is below there.
FAULTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "400": ("status", {"status": 400, **REFUSED}, ["BadRequestError", *STATUS]),
    "401": ("token", {}, ["AuthenticationError", *STATUS]),
    "403": ("status", {"status": 403, **REFUSED}, ["PermissionDeniedError", *STATUS]),
    "404": ("status", {"status": 404, **REFUSED}, ["NotFoundError", *STATUS]),
    "409": ("status", {"status": 409, **REFUSED}, ["ConflictError", *STATUS]),
    "422": ("status", {"status": 422, **REFUSED}, ["UnprocessableEntityError", *STATUS]),
    "429": ("rate_limit", {}, ["RateLimitError", *STATUS]),
    "429 for good": ("quota", {}, ["RateLimitError", *STATUS]),
    "500": ("error", {}, ["InternalServerError", *STATUS]),
    "503": ("server_error", {}, ["InternalServerError", *STATUS]),
    "stall": ("stall", {}, ["APITimeoutError", *CONNECTION]),
    "refused": ("refuse", {}, CONNECTION),
}
TIMEOUTS = {"stall": 0.05}  # seconds; of the others none may pass
each_fault = pytest.mark.parametrize(("fault", "settings", "names"), FAULTS.values(), ids=FAULTS.keys())


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def rows() -> dict[str, tuple[type[G4FLiteError], ...]]:
    """Read the table: what an ``except`` of OpenAI's client becomes."""
    _, _, table = PAGE.read_text().partition("| exception of OpenAI's client |")
    named: dict[str, tuple[type[G4FLiteError], ...]] = {}
    for line in table.split("\n\n")[0].splitlines()[2:]:
        theirs, ours = line.strip("| ").split("|")
        kinds = tuple(getattr(g4f_lite, name) for name in re.findall(r"\w+", ours))
        named.update(dict.fromkeys(re.findall(r"\w+", theirs), kinds))
    return named


def raised(emulator: Emulator, timeout: float) -> G4FLiteError:
    with Client(base_url=f"{emulator.url}/v1", model="gpt-4o-mini", retry=None, timeout=timeout) as client:
        try:
            client.chat.completions.create("x")
        except G4FLiteError as error:
            return error
    raise AssertionError("nothing was raised")


@each_fault
def test_the_row_of_the_table_catches_it(
    emulator: Emulator, fault: str, settings: dict[str, Any], names: list[str]
) -> None:
    emulator.fail(fault, times=None, **settings)
    error = raised(emulator, TIMEOUTS.get(fault, 30))
    for name in names:
        assert isinstance(error, rows()[name]), name
    assert isinstance(error, rows()["APIStatusError"]) == ("APIStatusError" in names)
    assert isinstance(error, rows()["APIConnectionError"]) == ("APIConnectionError" in names)


@each_fault
def test_the_official_client_raises_what_is_said_of_it(
    emulator: Emulator, fault: str, settings: dict[str, Any], names: list[str]
) -> None:
    openai = pytest.importorskip("openai", reason="the official package is not installed")
    emulator.fail(fault, times=None, **settings)
    timeout = TIMEOUTS.get(fault, 30)
    with openai.OpenAI(base_url=f"{emulator.url}/v1", api_key="none", max_retries=0, timeout=timeout) as client:
        with pytest.raises(openai.OpenAIError) as caught:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        kinds = [kind.__name__ for kind in type(caught.value).__mro__]
    assert [kind for kind in kinds if kind in names] == names


SCRIPT = """
try:
    client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "Hello"}])
except (TransportError, DeadlineExceededError) as e:
    said = "not reached"
except RateLimitError as e:
    said = f"slow down: {e.status_code}"
except (ProviderError, ModelNotSupportedError) as e:
    said = f"status {e.status_code}: {e.message}"
"""


@pytest.mark.parametrize(
    ("fault", "settings", "said"),
    [
        ("status", {"status": 400, **REFUSED}, "status 400: no"),
        ("status", {"status": 403, **REFUSED}, "status 403: no"),
        ("server_error", {}, "status 503: status 503"),
        ("rate_limit", {}, "slow down: 429"),
        ("refuse", {}, "not reached"),
        ("stall", {}, "not reached"),
    ],
)
def test_a_ported_handler_handles(emulator: Emulator, fault: str, settings: dict[str, Any], said: str) -> None:
    emulator.fail(fault, times=None, **settings)
    assert ported(emulator, TIMEOUTS.get(fault, 30)).startswith(said)


def test_a_ported_handler_handles_an_unknown_model(emulator: Emulator) -> None:
    emulator.configure(refuse_unknown_models=True)
    assert ported(emulator, 30).startswith("status 404: The model `gpt-9` does not exist")


def ported(emulator: Emulator, timeout: float) -> str:
    with Client(base_url=f"{emulator.url}/v1", retry=None, timeout=timeout) as client:
        names: dict[str, Any] = {**{name: getattr(g4f_lite, name) for name in g4f_lite.__all__}, "client": client}
        exec(SCRIPT, names)
    return str(names["said"])
