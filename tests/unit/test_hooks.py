"""Mistakes in the code of a provider: each is one line that names the provider, its hook and what is wrong."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from g4f_lite import (
    Attached,
    BaseProvider,
    Body,
    Client,
    Fallback,
    Finish,
    G4FLiteError,
    HookError,
    Identity,
    ImageResponse,
    OtherChoice,
    Prompt,
    Provider,
    Reasoning,
    Refusal,
    Revision,
    ServiceError,
    StreamInterruptedError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.answers.deltas import shown
from g4f_lite.http import Exchange
from g4f_lite.testing import Scripted

URL = "http://quill.example"


class Quill(Provider):
    """A provider that works; each test puts a mistake into a subclass of the same name."""

    url = URL

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/chat", json={}, headers=self.headers_with())

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Any]:
        yield body.json()
        yield Finish()


@pytest.fixture(autouse=True)
def service() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        mocked.post(f"{URL}/chat", json="Hello")
        yield mocked


def quill(**hooks: Any) -> Provider:
    made: Provider = type("Quill", (Quill,), hooks)()
    return made


def yielding(*deltas: Any) -> Any:
    def hook(self: Any, *_: Any) -> Iterator[Any]:
        yield from deltas

    return hook


def returning(value: Any) -> Any:
    return lambda self, *_: value


def iter_of(*deltas: Any) -> Iterator[Any]:
    yield from deltas


def raising(self: Any, *_: Any) -> Any:
    return {}["token"]


def request_of(**arguments: Any) -> Any:
    return lambda self, prompt, token: requests.Request(**{"method": "POST", "url": f"{URL}/chat", **arguments})


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"deltas": yielding(b"abc", Finish())},
        'Quill.deltas yielded bytes (b\'abc\'); write .decode("utf-8", "replace") for a whole line; where a piece',
    ),
    ({"deltas": yielding("a", None)}, "Quill.deltas yielded None; yield str, Finish or another Delta"),
    ({"deltas": yielding("a", {"text": "b"})}, "Quill.deltas yielded dict ({'text': 'b'}); yield str, "),
    ({"deltas": yielding(3)}, "Quill.deltas yielded int (3); yield str, "),
    ({"deltas": returning("abc")}, "Quill.deltas returned str ('abc'); return an iterator: write it with yield"),
    ({"deltas": returning(None)}, "Quill.deltas returned None; return an iterator: write it with yield"),
    ({"deltas": raising}, "Quill.deltas raised KeyError: 'token' (test_hooks.py, line "),
    ({"request": raising}, "Quill.request raised KeyError: 'token' (test_hooks.py, line "),
    ({"request": returning(None)}, "Quill.request returned None; return a requests.Request, which is prepared"),
    ({"request": returning(requests.Request("GET", URL).prepare())}, "Quill.request returned PreparedRequest ("),
    (
        {"request": request_of(url="/chat")},
        "Quill.request returned a request to str ('/chat'); write f\"{self.",
    ),
    ({"request": request_of(url=None)}, 'Quill.request returned a request to None; write f"{self.base_url}/…"'),
    ({"request": request_of(headers={"X-N": 42})}, "Quill.request returned the header X-N as int; make it a str"),
    ({"request": request_of(headers={"X-N": "key\n-7"})}, "Quill.request made a request with a header 'X-N' that is "),
    ({"bootstrap": returning(None)}, 'Quill.bootstrap returned None; return a str, "" if there is no token'),
    ({"bootstrap": returning(b"the-token")}, 'Quill.bootstrap returned bytes; return a str, "" if there is no token'),
    ({"bootstrap": raising}, "Quill.bootstrap raised KeyError: 'token' (test_hooks.py, line "),
    (
        {"bootstrap": lambda self, exchange: exchange.send(requests.Request("GET", "/token"), "bootstrap").json()},
        "Quill.bootstrap made a request with an invalid URL: Invalid URL '/token'",
    ),
]


FIELDS: list[tuple[Any, str]] = [
    (Usage("3", 4, 7), "Usage with prompt_tokens='3'; make it int"),  # type: ignore[arg-type]
    (Usage(3, None, 7), "Usage with completion_tokens=None; make it int"),  # type: ignore[arg-type]
    (Usage(3, 4, 7.5), "Usage with total_tokens=7.5; make it int"),  # type: ignore[arg-type]
    (Usage(3, 4, 7, "x"), "Usage with cached_tokens='x'; make it int or None"),  # type: ignore[arg-type]
    (Usage(3, 4, 7, extra=None), "Usage with extra=None; make it dict"),  # type: ignore[arg-type]
    (Reasoning(None), "Reasoning with text=None; make it str"),  # type: ignore[arg-type]
    (Refusal(b"no"), "Refusal with text=b'no'; make it str"),  # type: ignore[arg-type]
    (Revision(3), "Revision with text=3; make it str"),  # type: ignore[arg-type]
    (ToolCallDelta("a"), "ToolCallDelta with index='a'; make it int"),  # type: ignore[arg-type]
    (ToolCallDelta(0, arguments={}), "ToolCallDelta with arguments={}; make it str"),  # type: ignore[arg-type]
    (ToolCallDelta(0, name=3), "ToolCallDelta with name=3; make it str or None"),  # type: ignore[arg-type]
    (ToolCallDelta(0, extra=[3]), "ToolCallDelta with extra=[3]; make it dict"),  # type: ignore[arg-type]
    (Reasoning("a", name=[3]), "Reasoning with name=[3]; make it str or None"),  # type: ignore[arg-type]
    (Identity(model=3), "Identity with model=3; make it str or None"),  # type: ignore[arg-type]
    (Identity(created="3"), "Identity with created='3'; make it int or None"),  # type: ignore[arg-type]
    (Identity(extra=[3]), "Identity with extra=[3]; make it dict"),  # type: ignore[arg-type]
    (ImageResponse("/a.png", None), "ImageResponse with alt=None; make it str"),  # type: ignore[arg-type]
    (ImageResponse([]), "ImageResponse without a URL; leave it out where there is no image"),
    (Attached(["a"]), "Attached with fields=['a']; make it dict"),  # type: ignore[arg-type]
    (OtherChoice(None, "x"), "OtherChoice with index=None; make it int"),  # type: ignore[arg-type]
    (OtherChoice(1, Refusal(3)), "Refusal with text=3; make it str"),  # type: ignore[arg-type]
    (Finish(3), "Finish with reason=3; make it str or None"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("delta", "message"), FIELDS, ids=[message[:40] for _, message in FIELDS])
def test_a_wrong_field_of_a_delta_names_the_hook(delta: Any, message: str) -> None:
    class Shout(BaseProvider):
        def begin(self, prompt: Prompt) -> Iterator[Any]:  # type: ignore[override]
            yield from ("a", delta, Finish())

    for provider, hook in ((quill(deltas=yielding("a", delta, Finish())), "Quill.deltas"), (Shout(), "Shout.begin")):
        for ask in (provider.ask, Client(provider).ask, Client(provider).chat.completions.create):
            with pytest.raises(HookError) as caught:
                ask("x")
            assert str(caught.value) == f"{hook} yielded {message}"
        leading = type(provider.name, (type(provider),), {hook[6:]: yielding(delta, "a", Finish())})()
        assert Fallback([leading, Scripted("Instead")]).ask("x") == "Instead"


@pytest.mark.parametrize("value", [None, "abc", 3, [3], {"a": 1}])
def test_a_list_of_models_that_is_none_names_the_hook(value: Any) -> None:
    class Shout(Scripted):
        def get_models(self) -> Any:
            return value

    message = rf"^Shout\.get_models returned {re.escape(shown(value))}; return a list of names$"
    for ask in (Client(Shout("x")).models.list, Client(Shout("x")).models.get_all):
        with pytest.raises(HookError, match=message):
            ask()


def test_what_get_models_raises_names_it_too() -> None:
    with pytest.raises(HookError, match=r"^Quill\.get_models raised KeyError: 'token' \(test_hooks\.py, line"):
        Client(quill(get_models=raising)).models.list()
    assert Client(quill(get_models=returning(("a", "b")))).models.get_all() == ["a", "b"]


@pytest.mark.parametrize(("hooks", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_a_mistake_names_the_hook(service: responses.RequestsMock, hooks: dict[str, Any], message: str) -> None:
    with pytest.raises(HookError) as caught:
        quill(**hooks).ask("x")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(service.calls) <= 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    if not caught.value.partial:
        assert Fallback([quill(**hooks), Scripted("Instead")]).ask("x") == "Instead"


def test_a_wrong_error_of_a_service_is_named_too(service: responses.RequestsMock) -> None:
    service.replace(responses.POST, f"{URL}/chat", status=500, body="broken")
    for hook, message in (
        (returning("broken"), "Quill.service_error returned str ('broken'); return an error such as ServiceError"),
        (raising, "Quill.service_error raised KeyError: 'token'"),
    ):
        with pytest.raises(HookError) as caught:
            quill(service_error=hook).ask("x")
        assert str(caught.value).startswith(message)
    assert sum(call.request.method == "POST" for call in service.calls) == 2  # a mistake is not tried again
    with pytest.raises(ServiceError, match="broken"):
        quill(service_error=returning(ServiceError("broken", may_retry=False))).ask("x")


def test_the_traceback_leads_to_the_line_of_the_hook() -> None:
    with pytest.raises(HookError) as caught:
        quill(bootstrap=raising).ask("x")
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["raising"]


def test_what_had_arrived_is_kept() -> None:
    with pytest.raises(HookError) as caught:
        quill(deltas=yielding("Good", b" day")).ask("x")
    assert caught.value.partial == "Good"
    stream = quill(deltas=yielding("Good", b" day")).stream("x")
    assert next(stream) == "Good"
    for _ in range(2):
        with pytest.raises(HookError, match=r"^Quill\.deltas yielded bytes .* the same codecs\.getincrementaldecoder"):
            next(stream)


def test_a_mistake_behind_the_first_piece_names_the_hook_too() -> None:
    def breaking(self: Any, *_: Any) -> Iterator[str]:
        yield "Good"
        raise KeyError("day")

    with pytest.raises(HookError, match=r"^Quill\.deltas raised KeyError: 'day' \(test_hooks\.py, line") as caught:
        quill(deltas=breaking).ask("x")
    assert caught.value.partial == "Good"


def test_half_a_character_at_a_cut_is_not_lost() -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        quill(deltas=yielding("Good \ud83d")).ask("x")
    assert caught.value.partial == "Good \ufffd"


def test_an_action_of_ones_own_is_named_too() -> None:
    class Quill(Provider):
        url = URL
        request, deltas = request_of(), yielding("x")

        def get_models(self) -> list[str]:
            return self.run(self.list_models)

        def list_models(self, exchange: Exchange) -> list[str]:
            return [{}["name"]]

    with pytest.raises(HookError, match=r"^Quill\.list_models raised KeyError: 'name' \(test_hooks\.py, line"):
        Quill().get_models()


def test_the_hook_of_a_provider_without_a_service_too() -> None:
    class Shout(BaseProvider):
        def __init__(self, begin: Any) -> None:
            self.begin = begin  # type: ignore[method-assign]

        def begin(self, prompt: Prompt) -> Any:
            raise NotImplementedError

    for value, message in (
        ("abc", "Shout.begin returned str ('abc'); write it with yield"),
        (None, "Shout.begin returned None; write it with yield"),
    ):
        with pytest.raises(HookError) as caught:
            Shout(lambda prompt, value=value: value).ask("x")
        assert str(caught.value) == message
        chain = Fallback([Shout(lambda prompt, value=value: value), Scripted("Instead")])
        assert chain.ask("x") == "Instead"
    assert Fallback([Shout(lambda prompt: iter_of(b"abc")), Scripted("Instead")]).ask("x") == "Instead"
    for delta in (b"abc", None, 3, {}):
        closed = []

        def begin(prompt: Prompt, delta: Any = delta, closed: list[bool] = closed) -> Iterator[Any]:
            try:
                yield "a"
                yield delta
                yield "b"
            finally:
                closed.append(True)

        stream = Shout(begin).stream("x")
        with pytest.raises(HookError, match=r"^Shout\.begin yielded ") as caught:
            stream.text()
        assert caught.value.partial == "a"
        assert closed == [True]


def test_what_is_raised_there_and_is_an_error_of_ours_stays_as_it_is() -> None:
    def busy(self: Any, *_: Any) -> Any:
        raise ServiceError("busy")

    for hook in ("bootstrap", "request", "deltas"):
        with pytest.raises(ServiceError, match="busy"):
            quill(**{hook: busy}).ask("x")


def test_a_constructor_that_forgets_its_base_class_is_an_error_at_once() -> None:
    class Quill(Provider):
        url = URL
        request, deltas = request_of(), yielding("x")

        def __init__(self, user: str) -> None:
            self.user = user

    with pytest.raises(TypeError, match=r"^Quill\.__init__ does not call super\(\)\.__init__\(\*\*settings\)$"):
        Quill("ann")


def test_a_chain_goes_on_and_lists_the_mistake() -> None:
    with pytest.raises(G4FLiteError, match=r"(?s)no provider answered.*\n  Quill\.bootstrap raised KeyError: 'token'"):
        Fallback([quill(bootstrap=raising)]).ask("x")


@pytest.mark.parametrize("name", ["models", "known_options"])
def test_a_name_alone_is_not_a_list_of_names(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^Quill\.{name} must be a collection of names; write \['swan-2'\]$"):
        quill(**{name: "swan-2"})


def test_a_header_is_named_with_underscores() -> None:
    made = Quill(headers={"X_As_It_Is": "yes"}).headers_with(X_Quill_Ticket="t-1", Accept="*/*")
    assert made == {"Accept-Encoding": "identity", "X-Quill-Ticket": "t-1", "Accept": "*/*", "X_As_It_Is": "yes"}
