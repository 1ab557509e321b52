"""The check of a provider of one's own passes one that works, and says what is wrong with another."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import requests

from g4f_lite import Body, Finish, G4FLiteError, Prompt, ServiceError, Usage
from g4f_lite.http import Exchange, parse_json
from g4f_lite.testing import Reply, check_provider, provider_check

from .quill_provider import REPLIES, SAID, TEXT, LogsIn, Plain, Quill


def check(kind: type[Quill]) -> None:
    check_provider(partial(kind, api_key="the-good-key"), REPLIES, text=TEXT)


@pytest.fixture(autouse=True)
def _few_early_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the answers early in few places, but for the first test."""
    monkeypatch.setattr(provider_check, "EARLY_ENDS", 8)


def test_a_provider_that_works_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    check(Quill)


class ReadsLines(Quill):
    """Decodes pieces that may be cut within a character."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            text = line.decode("ascii", "ignore").removeprefix("data: ").strip('"')
            if text and text != "[DONE]":
                yield text
        yield Finish()


class MissesTheEnd(Quill):
    """Swallows what tells of a cut answer."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        try:
            yield from super().deltas(body, prompt)
        except G4FLiteError:
            yield Finish()


class LinesOfJSON(Quill):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            fields = parse_json(line)
            yield Finish() if fields.get("end") else fields["t"]


class LinesOfText(Quill):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            yield line.decode("utf-8", "replace")
        yield Finish()


class PlainText(Quill):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield from codecs.iterdecode(body, "utf-8", "replace")
        yield Finish()


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (LinesOfJSON, '{"t": "Olá"}\n{"t": " garça"}\n{"end": true}'),
        (LinesOfText, "Olá\n garça"),
        (PlainText, "Olá garça"),
    ],
)
def test_the_ways_to_read_what_is_not_events(kind: type[Quill], answer: str) -> None:
    replies = {**REPLIES, "/chat": Reply(answer, headers={"Content-Type": "text/plain"})}
    make = partial(kind, api_key="the-good-key")
    check_provider(make, replies, text="Olá garça", unmarked_end=kind is not LinesOfJSON)


class NeedsNoEnd(Quill):
    """Takes the end of the body for that of the answer."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for event in body.events():
            if event.data != "[DONE]":
                yield parse_json(event.data)
        yield Finish()


class KeepsItsToken(Quill):
    """Declares that its token can be replaced, and says of a refused one that it cannot."""

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return ServiceError("refused")


class HidesALimit(Quill):
    """Words the errors of every status itself, but for that of a token."""

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return None if status == 401 else ServiceError(f"Quill says: {text}")


class ShowsItsKey(Quill):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.api_key})"


class KnowsOneError(Quill):
    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return ServiceError(parsed["error"]["message"])


class Forgets(Quill):
    _used = False

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        self._used, used = True, self._used
        yield from ["Other"] if used else []
        yield from super().deltas(body, prompt)


class GoesOn(Quill):
    """Does not stop at the end."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield from super().deltas(body, prompt)
        yield "."


class Counts(Quill):
    """Says at the very end how many tokens there were."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish | Usage]:
        yield from super().deltas(body, prompt)
        yield Usage(1, 2, 3)


class Remembers(Quill):
    """Keeps on itself what belongs to one call."""

    last = 0

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        self.last = 7
        return super().request(prompt, token)


class KeepsItsTokenItself(Quill):
    """Keeps the token of a session where all threads find it."""

    token = ""

    def bootstrap(self, exchange: Exchange) -> str:
        self.token = super().bootstrap(exchange)
        return self.token


class Collects(Quill):
    """The same, with a list that every call adds to."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[str] = []

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        self.seen.append(token)
        return super().request(prompt, token)


class KnowsItsUser(Quill):
    """Finds out once what does not change."""

    user = ""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        self.user or setattr(self, "user", "ann")  # as a lock would guard it
        return super().request(prompt, token)


class Prints(Quill):
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        sys.stdout.write("asked\n")
        return super().request(prompt, token)


class SendsItself(Quill):
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        requests.get(f"{self.base_url}/token", timeout=5)
        return super().request(prompt, token)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (ReadsLines, "the answer, sent whole, is read as 'Schn "),
        (Forgets, "is read as 'OtherSch"),
        (MissesTheEnd, "a cut answer is read as 'Sch"),
        (
            NeedsNoEnd,
            "an answer that ends too early is read as 'Sch.*; yield Finish where the service .*unmarked_end",
        ),
        (KeepsItsToken, r"a refusal of the prompt is a ServiceError \(refused\), and not an AuthenticationError"),
        (HidesALimit, r"makes a ServiceError of status 429 .*; return RateLimitError\(…\), or None"),
        (ShowsItsKey, "its repr shows one of its secrets"),
        (GoesOn, r"deltas yields '\.' after Finish; yield Finish last"),
        (Remembers, r"a call changes self\.last, as a call in another thread would"),
        (Collects, r"a call changes self\.seen, as a call in another thread would"),
        (KeepsItsTokenItself, r"a call changes self\.token, as a call in another thread would"),
        (Prints, r"the provider prints 'asked'; use logging\.getLogger"),
        (
            SendsItself,
            r"SendsItself\.request raised AssertionError: requests is called directly; .*, line",
        ),
        (KnowsOneError, r"KnowsOneError\.service_error raised TypeError: 'NoneType' object is not subscriptable"),
    ],
)
def test_what_is_wrong_is_said(kind: type[Quill], message: str) -> None:
    with pytest.raises((AssertionError, G4FLiteError), match=message):
        check(kind)


class TakesAnEarlyEnd(Quill):
    """Reads what it gets, and makes an end of whatever comes then."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        with suppress(G4FLiteError):
            yield from (part for part in super().deltas(body, prompt) if isinstance(part, str))
        yield Finish()


def test_an_answer_in_one_piece_hides_no_early_end() -> None:
    replies = {**REPLIES, "/chat": 'data: "Good day"\n\ndata: [DONE]\n\n'}
    check_provider(partial(Quill, api_key="the-good-key"), replies, text="Good day")
    with pytest.raises(AssertionError, match=r"ends before b'.*\[DONE\].*' is taken for complete; .* in two pieces"):
        check_provider(partial(TakesAnEarlyEnd, api_key="the-good-key"), replies, text="Good day")


class NeverGivesUp(Quill):
    """Asks for its result again, whatever happens to the request."""

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        while True:
            with suppress(G4FLiteError):
                (yield super().request(prompt, token)).read()
                return


@pytest.mark.once
def test_a_request_that_never_gives_up_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_check, "CALL_SECONDS", 0.3)
    with pytest.raises(AssertionError, match=r"no error in 0\.3 s; let errors of a request end it"):
        check(NeverGivesUp)


@pytest.mark.parametrize("kind", [Counts, KnowsItsUser])
def test_what_is_odd_but_right_passes(kind: type[Quill]) -> None:
    check(kind)


def test_a_service_may_mark_no_end() -> None:
    check_provider(Plain, {"/say": SAID}, text="Good day", unmarked_end=True)
    with pytest.raises(AssertionError, match="ends too early"):
        check_provider(Plain, {"/say": SAID}, text="Good day")


class TakesNoTags(Plain):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        text = body.read().decode("utf-8", "replace")
        if text.startswith("<"):
            raise ServiceError("a page")
        yield text
        yield Finish()


@pytest.mark.parametrize(
    ("kind", "headers", "message"),
    [
        (
            Plain,
            {},
            r"'<b>' is lost: expected an answer, got a web page: 'Good day'; give the reply its type, as in Reply",
        ),
        (TakesNoTags, {"Content-Type": "text/plain"}, r"an answer that begins with '<b>' is lost: a page$"),
        (Plain, {"content-type": "text/html; charset=utf-8"}, None),
    ],
)
def test_a_plain_text_may_begin_with_a_tag(kind: type[Plain], headers: dict[str, str], message: str | None) -> None:
    replies = {"/say": Reply("Good day", headers=headers)}
    if message is None:
        check_provider(kind, replies, text="Good day", unmarked_end=True)
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(kind, replies, text="Good day", unmarked_end=True)


class Forgetful(LogsIn):
    """Logs in, and sends the prompt without its cookies."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/chat", headers={"Cookie": ""})


def test_a_login_by_cookies() -> None:
    replies = {
        "/login": Reply(status=303, headers={"Location": "/home"}, cookies={"sid": "c-1", "lang": "en"}),
        "/chat": REPLIES["/chat"],
    }
    make = partial(LogsIn, api_key="the-good-key")
    check_provider(make, replies, text=TEXT)
    with pytest.raises(AssertionError, match="the prompt came without the cookie sid, which the service had set"):
        check_provider(partial(Forgetful, api_key="the-good-key"), replies, text=TEXT)


def test_replies_that_are_none_are_refused() -> None:
    for replies, message in (
        ({}, "replies is empty"),
        ({"/chat": []}, "the replies of /chat are an empty list"),
        ({"/chat": 7}, "a reply of /chat must be a str, bytes or a Reply, not int"),
        ({"chat": "x"}, "a path of replies begins with a slash, as in '/chat', not 'chat'"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            check_provider(Plain, replies, text="Good day")  # type: ignore[arg-type]
    for refusal, message in (
        (401, "the refusal of /say must be a str, bytes or a Reply, not int"),
        ({"/say": ("no", 7)}, "the refusal of /say has 7 in the place of an error such as RateLimitError"),
        ({"/sya": ""}, "refusal has the path '/sya', which has no reply; the paths are /say"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            check_provider(Plain, {"/say": SAID}, text="Good day", refusal=refusal)  # type: ignore[arg-type]


def test_a_class_within_a_function_is_named_instead_of_pickles_error() -> None:
    class Within(Plain):
        pass

    with pytest.raises(AssertionError, match="Within cannot be pickled; define the class at the top of a module"):
        check_provider(Within, {"/say": SAID}, text="Good day", unmarked_end=True)


class Elsewhere(Plain):
    """Sends its prompt to the service itself, whatever its base_url."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.url}/say")


@pytest.mark.parametrize(
    ("kind", "replies", "message"),
    [
        (
            Elsewhere,
            {"/say": "x"},
            r"a request goes to http://plain\.example, and not to self\.base_url, which is http://127\.0\.0\.1:\d+",
        ),
        (Plain, {"/chat": "x"}, "there is no reply for /say, to which a request came"),
        (
            partial(Quill, api_key="the-good-key"),
            dict(reversed(REPLIES.items())),
            "deltas reads the response to /chat: put that reply last, after /token",
        ),
    ],
)
def test_where_its_requests_go_is_checked_first(kind: Any, replies: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_provider(kind, replies, text="x")


class Tidies(Plain):
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield from super().deltas(body, prompt)
        self.run(self.tidy)

    def tidy(self, exchange: Exchange) -> None:
        for method in ("PUT", "PATCH", "OPTIONS", "HEAD", "DELETE"):
            self.check_response(exchange.send(requests.Request(method, f"{self.base_url}/said"), "bootstrap"))


@pytest.mark.once
def test_a_request_behind_the_answer_has_any_method_and_is_not_the_prompt() -> None:
    check_provider(Tidies, {"/said": "{}", "/say": SAID}, text="Good day", unmarked_end=True)


def test_a_provider_in_the_place_of_its_class_is_refused() -> None:
    with pytest.raises(TypeError, match=r"make must be the class, or a function that makes a provider, not Plain$"):
        check_provider(Plain(), {"/say": "x"}, text="x")  # type: ignore[arg-type]
