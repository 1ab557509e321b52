"""One tree of errors: what they are to an old script, what they carry, what survives a pickle."""

from __future__ import annotations

import copy
import pickle
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import g4f_lite
from g4f_lite import BaseProvider, Client, ConversationFileError, CostLimitError, NotJsonError, Prompt, errors
from g4f_lite.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    BatchStoppedError,
    ChallengeError,
    ContentFilterError,
    ContextLengthExceededError,
    ConversationChangedError,
    ConversationNotFoundError,
    DeadlineExceededError,
    EmptyResponseError,
    EngineError,
    G4FLiteError,
    HookError,
    MissingDependencyError,
    ModelNotSupportedError,
    OutputError,
    OutputTruncatedError,
    ProviderError,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    QuotaExceededError,
    RateLimitError,
    RefusalError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    StoreError,
    StreamInterruptedError,
    ToolDenied,
    TransportError,
    TurnsExceededError,
)

TREE = [
    (ProviderError, G4FLiteError, None),
    (ResponseStatusError, ProviderError, requests.HTTPError),
    (RateLimitError, ProviderError, requests.HTTPError),
    (QuotaExceededError, RateLimitError, requests.HTTPError),
    (AuthenticationError, ProviderError, requests.HTTPError),
    (ChallengeError, ProviderError, None),
    (ServiceError, ProviderError, None),
    (ContextLengthExceededError, ServiceError, None),
    (ContentFilterError, ServiceError, None),
    (HookError, ProviderError, None),
    (ResponseFormatError, ProviderError, requests.exceptions.InvalidJSONError),
    (NotJsonError, ResponseFormatError, ValueError),
    (OutputError, ResponseFormatError, ValueError),
    (OutputTruncatedError, OutputError, ValueError),
    (RefusalError, ProviderError, None),
    (EmptyResponseError, ProviderError, None),
    (StreamInterruptedError, ProviderError, requests.exceptions.ChunkedEncodingError),
    (TransportError, G4FLiteError, requests.ConnectionError),
    (DeadlineExceededError, G4FLiteError, requests.Timeout),
    (ModelNotSupportedError, G4FLiteError, ValueError),
    (ProviderNotFoundError, G4FLiteError, ValueError),
    (ProviderNotConfiguredError, G4FLiteError, None),
    (AllProvidersFailedError, G4FLiteError, None),
    (ConversationChangedError, G4FLiteError, None),
    (ConversationNotFoundError, G4FLiteError, LookupError),
    (EngineError, G4FLiteError, None),
    (StoreError, G4FLiteError, None),
    (ConversationFileError, StoreError, ValueError),
    (BatchStoppedError, G4FLiteError, None),
    (CostLimitError, G4FLiteError, None),
    (ToolDenied, G4FLiteError, None),
    (TurnsExceededError, G4FLiteError, None),
    (MissingDependencyError, G4FLiteError, ImportError),
]
KINDS = [G4FLiteError, *(kind for kind, _, _ in TREE)]
OWN: dict[type[G4FLiteError], dict[str, Any]] = {
    ProviderError: {"status": 500, "retry_after": 1.5, "partial": "Hel"},
    ResponseStatusError: {"status": 503, "retry_after": 2.0, "body": "busy"},
    TransportError: {"cause": "tls"},
    DeadlineExceededError: {"limit": "read", "seconds": 60.0, "partial": "Hel"},
    OutputError: {"partial": "Hel"},
    OutputTruncatedError: {"partial": "Hel", "finish_reason": "length"},
    RefusalError: {"partial": "No."},
    EngineError: {"last_words": "abort", "partial": "Hel"},
    StoreError: {"path": "answers.db", "reason": "full"},
    CostLimitError: {"max_cost": 5.0},
    TurnsExceededError: {"messages": [{"role": "user", "content": "Hello"}]},
}


def make(kind: type[G4FLiteError]) -> G4FLiteError:
    return kind("no luck", provider="P", step="prompt", attempts=2, elapsed=1.25, **OWN.get(kind, {}))


@pytest.mark.parametrize(
    ("wait", "told"),
    [(0.04, "0.04"), (0.3, "0.3"), (7.66, "7.7"), (9, "9"), (9.96, "10"), (99.7, "100"), (3600, "3600")],
)
def test_a_wait_that_was_asked_for_is_told(wait, told):
    assert str(RateLimitError("slow down", retry_after=wait)) == f"slow down; try again in {told} s"


def test_no_wait_is_told_where_none_was_asked_for():
    assert str(RateLimitError("slow down")) == "slow down"


def test_a_timeout_is_of_the_whole_call_where_nothing_else_is_said():
    assert DeadlineExceededError("late").limit == "total"


def test_the_table_has_the_whole_tree() -> None:
    """In all files, also in those that nothing has imported yet."""
    texts = [path.read_text(encoding="utf-8") for path in Path(g4f_lite.__file__).parent.rglob("*.py")]
    bases = dict(re.findall(r"(?m)^class (\w+)\((.*?)\):", "\n".join(texts)))
    names = {"G4FLiteError"}
    for _ in range(5):  # more than the tree has levels
        names |= {name for name, parents in bases.items() if names & {*re.findall(r"\w+", parents)}}
    assert names == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize(("kind", "parent", "legacy"), TREE)
def test_an_old_scripts_except_still_catches(
    kind: type[G4FLiteError], parent: type[G4FLiteError], legacy: type[Exception] | None
) -> None:
    assert parent in kind.__bases__
    if legacy is None:
        assert not issubclass(kind, (requests.RequestException, ValueError, ImportError))
    else:
        assert issubclass(kind, legacy)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_public_and_drawn(kind: type[G4FLiteError]) -> None:
    assert getattr(g4f_lite, kind.__name__) is kind
    assert kind.__name__ in (errors.__doc__ or "")


def test_the_page_of_errors_draws_the_same_tree() -> None:
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    drawn = re.search(r"(?s)::\n\n(.*?)\n\nMany", errors.__doc__ or "")
    assert drawn
    assert f"```text\n{textwrap.dedent(drawn[1])}\n```" in page


@pytest.mark.product
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("remake", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_a_copy_has_everything(kind: type[G4FLiteError], remake: Any) -> None:
    error = make(kind)
    again = remake(error)
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.args == error.args == ("no luck",)
    for name, value in {**vars(error), **OWN.get(kind, {})}.items():
        assert getattr(again, name) == value, name


def test_a_pickle_has_neither_request_nor_response() -> None:
    error = make(ResponseStatusError)
    assert isinstance(error, ResponseStatusError)
    error.request = requests.Request("GET", "http://x", headers={"Authorization": "Bearer hidden-key"}).prepare()
    error.response = requests.Response()
    pickled = pickle.dumps(error)
    assert b"hidden-key" not in pickled
    again = pickle.loads(pickled)
    assert (again.request, again.response) == (None, None)


def test_the_errors_of_a_chain_pickle_with_it() -> None:
    error = AllProvidersFailedError("nobody", errors=[make(ServiceError), make(DeadlineExceededError)])
    again = pickle.loads(pickle.dumps(error))
    assert list(map(type, again.errors)) == [ServiceError, DeadlineExceededError]
    assert again.errors[1].limit == "read"


def test_a_kind_of_a_users_own_pickles() -> None:
    again = pickle.loads(pickle.dumps(Peculiar(7)))
    assert (type(again), again.code, str(again)) == (Peculiar, 7, "code 7")


class Peculiar(ServiceError):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({}, "no luck"),
        ({"provider": "P"}, "P: no luck"),
        ({"step": "prompt"}, "prompt: no luck"),
        ({"provider": "P", "step": "prompt", "attempts": 1, "elapsed": 0.5}, "P, prompt: no luck"),
        ({"provider": "P", "attempts": 3, "elapsed": 2.04}, "P: no luck (3 attempts in 2.0 s)"),
        ({"attempts": 3}, "no luck"),
    ],
)
def test_the_text_says_who_where_and_how_often(context: dict[str, Any], text: str) -> None:
    assert str(G4FLiteError("no luck", **context)) == text


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (TransportError("x"), "cause", "connection"),
        (DeadlineExceededError("x", limit="total"), "partial", ""),
        (ServiceError("x"), "partial", ""),
        (ServiceError("x"), "status", None),
        (RateLimitError("x"), "retry_after", None),
        (ResponseStatusError("x"), "body", ""),
        (AllProvidersFailedError("x"), "errors", []),
        (G4FLiteError("x"), "attempts", None),
    ],
)
def test_what_is_not_known_has_a_value_too(error: G4FLiteError, name: str, value: object) -> None:
    assert getattr(error, name) == value


class Interrupted(BaseProvider):
    """A provider whose user presses Ctrl-C."""

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        yield from ()
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda client: client.ask("Hello"), 1),
        (lambda client: client.ask("Hello", output=int), 1),
        (lambda client: client.conversation().ask("Hello"), 1),
        (lambda client: list(client.stream("Hello")), 3),
        (lambda client: client.stream("Hello").text(), 3),
        (lambda client: client.chat.completions.create("Hello"), 4),
        (lambda client: client.provider.ask("Hello"), 4),
        (lambda client: client.map(["Hello"]).texts(), 3),
    ],
)
def test_ctrl_c_shows_the_line_of_the_caller_and_few_of_this_library(ask: Any, most: int) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        ask(Client(Interrupted()))
    package = Path(g4f_lite.__file__).parent
    frames = [frame.name for frame in caught.traceback if package in Path(frame.path).parents]
    assert len(frames) <= most, frames
