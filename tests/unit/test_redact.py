"""Secrets stay out of texts, and out of an error with all that it was caused by."""

from __future__ import annotations

import base64
import json
import time
import traceback

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import (
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    ResponseFormatError,
    TransportError,
    Usage,
)
from g4f_lite.arguments import hide_keys
from g4f_lite.http import spellings
from g4f_lite.http.parsing import parse_json
from g4f_lite.http.redact import HIDDEN, hide, password_in, redact, scrub, secrets_in, secrets_in_query

SECRET = "canary-1f2e3d4c"


@pytest.mark.parametrize(
    "text",
    [
        "the key {} is wrong",
        "{}",
        "{}{}",
        "cut: {}"[:-2] + SECRET[:12] + "…",
        "'" + SECRET[:9] + "'",
    ],
)
def test_a_given_secret_is_hidden(text: str) -> None:
    shown = redact(text.format(SECRET, SECRET), [SECRET])
    assert "canary-1" not in shown
    assert HIDDEN in shown


def test_other_spellings_are_hidden_too() -> None:
    secret = "pass/w'rd\\x"
    assert "w'rd" not in redact(f"{secret} {secret!r}", [secret])
    assert "rd" not in redact("http%3A pass%2Fw%27rd%5Cx", [secret])


@pytest.mark.parametrize(
    "shown",
    [
        r'{"key": "Zk3\/9fQw+8L<N2"}',
        r'{"key": "Zk3/9fQw+8L\u003cN2"}',
        r'{"key": "\u005Ak3\u002f9fQw\u002B8L\u003CN2"}',
        r'"{\"key\": \"Zk3\\/9fQw+8L<N2\"}"',
        r"'Zk3\x2f9fQw\x2b8L<N2'",
        "<b>Zk3&#x2F;9fQw+8L&lt;N2</b>",
        "<b>Zk3&#47;9fQw&#43;8L&#60;N2</b>",
        "?k=Zk3%2f9fQw%2B8L%3CN2&x=1",
        "?k=Zk3%252f9fQw%252B8L%253CN2&x=1",
        r"cut: Zk3\/9fQw",
    ],
)
def test_a_secret_is_hidden_in_every_spelling(shown: str) -> None:
    hidden = hide(shown, ["Zk3/9fQw+8L<N2"])
    assert HIDDEN in hidden
    assert "9fQ" not in hidden
    before, after = hidden.split(HIDDEN)
    assert shown.startswith(before)
    assert shown.endswith(after)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("m%41secretkeyvalue12345", r"\u006d%41secretkeyvalue12345"),
        ("m%41secretkeyvalue12345", "m%2541secretkeyvalue12345"),
        ("m%41secretkeyvalue12345", "mAsecretkeyvalue12345"),
        ("m%2Fsecretkeyvalue12345", "m%2fsecretkeyvalue12345"),
        ("m%2Fsecretkeyvalue12345", "m%252fsecretkeyvalue12345"),
        ("m%2Fsecretkeyvalue12345", r"m%2fsecretkeyvalue1234\u0035"),
        ("m&amp;secretkeyvalue12345", r"m\u0026secretkeyvalue12345"),
        ("my/secret/keyvalue-Z", "my&#47secret&#47keyvalue-Z"),
        ("my/secret/keyvalue-Z", "my&#x2Fsecret&#X2fkeyvalue-Z"),
        ("my/secret/keyvalue-Z", "my&#x0000002F;secret&#000047;keyvalue-Z"),
        ("my/secret/keyvalue-Z", f"my&#{'0' * 60}47;secret/keyvalue-Z"),
        ("my/secret/keyvalue-Z", r"my\u0026#x0000002F;secret\u0026#47;keyvalue-Z"),
        ("my/secret/keyvalue-Z", r"my&#4\u0037;secret&#x0\u0030\u0032F;keyvalue-Z"),
        ("my&secret<keyvalue-Z", "my&ampsecret&ltkeyvalue-Z"),
        ("my|secret`keyvalue-Z", "my&VerticalLine;secret&DiacriticalGrave;keyvalue-Z"),
        ("mot-de-passé-très-long", "mot-de-pass%c3%a9-tr%c3%a8s-long"),
        ("correct horse 9 battery", "correct+horse+9+battery"),
        ("mot de passé + long", "mot+de+pass%C3%A9+%2B+long"),
        ("mot de passé + long", "mot%2Bde%2Bpass%25C3%25A9%2B%252B%2Blong"),
        ("correct%20horse%209", "correct+horse+9"),
        ("correct horse <9>", r"correct+horse+\u003c9\u003e"),
    ],
)
def test_a_secret_is_hidden_whole_in_every_legal_spelling(secret: str, shown: str) -> None:
    assert hide(f"<{shown}>", [secret]) == f"<{HIDDEN}>"


@pytest.mark.parametrize(
    "part", [r"\/", "%25", "&#47", "&#", "&", "&#" + "0" * 70, "&" + "a" * 31, "&#x" + "0" * 60 + "25;", "\\", "Zk3%2"]
)
def test_a_long_text_is_searched_in_a_moment(part: str) -> None:
    text = part * ((1 << 16) // len(part))
    began = time.process_time()
    hide(text, ["Zk3%2F9fQw+8L<N2", "Zk3/9fQw&amp;8L", "another-secret-1"])
    assert time.process_time() - began < 1  # some hundredths of a second


@pytest.mark.once
def test_a_long_text_is_searched_for_many_secrets_in_a_moment() -> None:
    text = r"%41\u0041 lorem ipsum dolor " * 20_000
    began = time.process_time()
    hide(text, [f"{number:08x}" for number in range(3_000)])
    assert time.process_time() - began < 1  # a tenth of a second


def test_what_is_too_long_to_be_searched_for_all_secrets_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spellings, "MAX_SEARCHED", 100)
    secrets = ["canary-1f2e3d4c", "canary-5b6a7980"]
    assert hide("ab" * 25, secrets) == "ab" * 25
    assert hide("ab" * 25 + "c", secrets) == "ab" * 25 + HIDDEN
    assert hide("the key canary-5b6a7980 is wrong" + "." * 100, secrets) == "the key *** is wrong" + "." * 18 + HIDDEN


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("pässwort-1", "p%C3%A4sswort-1"),
        ("pass wört/1", "pass%20w%C3%B6rt%2F1"),
        ("pass\tword-1", r"pass\tword-1"),
        ("pass  word\t1", "pass word 1"),
        ("😀pa😀ss-1", r"\ud83d\ude00pa\ud83d\ude00ss-1"),
    ],
)
def test_letters_that_take_several_bytes_and_control_characters_have_spellings_too(secret: str, shown: str) -> None:
    assert hide(f"'{shown}'", [secret]) == f"'{HIDDEN}'"


@pytest.mark.parametrize("text", [r"C:\users\name %41 &amp; 100% &nothing; \u12", "\\", "%", "&;", r"\ud83d\ude00"])
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert hide(text, ["canary-1f2e3d4c", "dark"]) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcdef123", "Authorization: Bearer ***"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("http://user:password@proxy:3128/x", "http://***@proxy:3128/x"),
        ("http://user:p@ssword@proxy:3128/x and mail@x", "http://***@proxy:3128/x and mail@x"),
        ("GET /x?api_key=abc&b=1", "GET /x?api_key=***&b=1"),
        ("?a=1&access_token=abc", "?a=1&access_token=***"),
        ("http://host.test/v1?code=abc&zipcode=12", "http://host.test/v1?code=***&zipcode=12"),
        (
            "/x.png?X-Amz-Signature=abc&sig=def&X-Amz-Credential=ghi",
            "/x.png?X-Amz-Signature=***&sig=***&X-Amz-Credential=***",
        ),
        ("http://user:pass/word?x#y@proxy:3128 is none", "http://***@proxy:3128 is none"),
        ("see http://a.test/b, or http://user:pw@host:1", "see http://a.test/b, or http://***@host:1"),
        ('{"url": "http://a.test/b", "to": "me@b.test"}', '{"url": "http://a.test/b", "to": "me@b.test"}'),
        ("key sk-abcdefgh12345 is bad", "key *** is bad"),
        ("key sk-proj-abc_def-12345 is bad", "key *** is bad"),
        ("sk_live_abcdefgh1234", HIDDEN),
        ("gsk_abcdefgh1234ABCD", HIDDEN),
        ("AIzaSyA-1234567890_abcdefghijk", HIDDEN),
        ("hf_abcdefGHIJKL", HIDDEN),
        ("xai-abcdefgh1234", HIDDEN),
        ("nvapi-abcdefgh_1234", HIDDEN),
        ("pplx-abcdefgh1234", HIDDEN),
        ("csk-abcdefgh1234", HIDDEN),
        ("r8_abcdefgh1234", HIDDEN),
        ("ghp_abcdefgh1234", HIDDEN),
        ("github_pat_11ABCDEFG_abcdefgh", HIDDEN),
        ("glpat-abcdefgh1234", HIDDEN),
        ("AKIAIOSFODNN7EXAMPLE", HIDDEN),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", HIDDEN),
        (
            "the sky-scraper of ski-resorts, hf_hub and ghost_writers",
            "the sky-scraper of ski-resorts, hf_hub and ghost_writers",
        ),
        ("nothing to hide", "nothing to hide"),
        ("basic english", "basic ***"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("name", ["hf_transformers", "sk-learn-models", "gpt-4.1", "http://pk-models.test/v1", "r8_7b"])
def test_a_name_that_begins_as_a_key_does_is_shown(name: str) -> None:
    assert hide_keys(name) == name
    assert hide_keys(f"{name} sk-abcdefgh12345") == f"{name} {HIDDEN}"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_very_short_secrets_would_hide_everything(short: str) -> None:
    assert redact("abc abc", [short]) == "abc abc"


@pytest.mark.parametrize("text", ["a test", "the key test is wrong", "'test'", "test"])
def test_a_word_that_is_a_secret_is_hidden_where_it_stands_alone(text: str) -> None:
    assert redact(text, ["test"]) == text.replace("test", HIDDEN)
    assert redact("the latest contest tested", ["test"]) == "the latest contest tested"


@pytest.mark.once
@given(st.text(min_size=16, max_size=40), st.text(max_size=60), st.text(max_size=60))
def test_no_secret_is_left_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret]).replace(HIDDEN, "")


def test_the_words_in_a_signing_header_are_secrets_too() -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": b"bytes-key-1", "Accept": "text/plain", "Cookie": None}
    assert secrets_in(headers) == [f"Bearer {SECRET}", SECRET, "bytes-key-1", "bytes-key-1"]


def test_a_basic_header_holds_a_password() -> None:
    header = {"Authorization": "Basic " + base64.b64encode(b"user:hunter-2").decode()}
    assert {"user:hunter-2", "hunter-2"} <= set(secrets_in(header))
    assert secrets_in({"Authorization": "Basic %%%"}) == ["Basic %%%"]


def test_what_looks_like_a_key_in_a_header_of_an_unknown_name_is_a_secret() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    words = {"X-Page": "17", "X-Mode": "streaming", "X-Day": "2023-06-01", "X-Site": "https://site.test/"}
    public = {"User-Agent": "a-program/1.0", "Sec-X": SECRET, "X-Name": "page 17 of this"}
    assert secrets_in({"X-Tenant": SECRET, "X-Trace": trace, **words, **public}) == [SECRET, trace]


def test_a_plain_word_of_a_header_is_no_secret() -> None:
    assert secrets_in({"X-Session-Mode": "prompt"}) == []


@pytest.mark.parametrize(
    ("query", "asked", "found"),
    [
        ("", "", []),
        ("?page=12", "?page=12", []),
        ("?api_key=a%20b-1", "?api_key=a%20b-1", ["a%20b-1", "a b-1"]),
        ("?page=12&code=a+b-1", "?page=12", ["a+b-1", "a b-1"]),
        ("?mode=chat", "", []),
        ("?sig=a-%31&Code=b-%31", "?sig=a-%31&Code=b-%31", ["a-%31", "a-1", "b-%31", "b-1"]),
        ("?encoding=b-2&zipcode=c-3", "?encoding=b-2&zipcode=c-3", []),
    ],
)
def test_secrets_of_a_query_are_those_that_look_so_or_were_added(query: str, asked: str, found: list[str]) -> None:
    assert [text for text in secrets_in_query(f"http://x/{query}", f"http://x/{asked}") if text] == found


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://user:p%40ss@proxy:3128", ["p%40ss", "p@ss", "dXNlcjpwQHNz"]),
        (
            "http://user:first/second?third@proxy",
            ["first/second?third", "first", "second", "third", "dXNlcjpmaXJzdC9zZWNvbmQ/dGhpcmQ"],
        ),
        ("http://user:first@second@proxy", ["first@second", "first", "second", "dXNlcjpmaXJzdEBzZWNvbmQ"]),
        ("user:first second@proxy:3128", ["first second", "first", "second", "dXNlcjpmaXJzdCBzZWNvbmQ"]),
        ("http://user@proxy", []),
        ("http://key-1%2F2@proxy:3128", ["key-1%2F2", "key-1/2"]),
        ("http://key-12345:@proxy", ["key-12345", "a2V5LTEyMzQ1Og"]),
        ("http://customer-1:first@proxy", ["first", "customer-1", "Y3VzdG9tZXItMTpmaXJzdA"]),
        ("http://proxy:3128", []),
        (None, []),
    ],
)
def test_a_password_in_all_the_forms_that_a_message_may_show(url: str | None, expected: list[str]) -> None:
    assert password_in(url) == expected


def test_control_characters_go() -> None:
    assert redact("a\x1b]0;title\x07\x1b[2J\x9b31mb\r\tc\nd") == "a\ufffd]0;title\ufffd\ufffd[2J\ufffd31mb\tc\nd"
    assert str(G4FLiteError("a\x1b[31mb")) == "a\ufffd[31mb"
    turned = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    assert str(G4FLiteError(f"{turned}\u200f\u05d0")) == "\ufffd" * 9 + "\u200f\u05d0"
    cause = OSError("a\x1b[31mb")
    error = TransportError("c")
    error.__cause__ = cause
    scrub(error)
    assert str(cause) == "a\ufffd[31mb"


def _chain() -> G4FLiteError:
    try:
        try:
            try:
                raise OSError(f"inner {SECRET}")
            except OSError as inner:
                raise requests.ConnectionError(
                    ValueError(f"argument {SECRET}"), request=requests.Request(headers={"X": SECRET})
                ) from inner
        except requests.ConnectionError:
            raise KeyError(f"context {SECRET}")  # noqa: B904
    except KeyError as error:
        found = TransportError(f"outer {SECRET}")
        found.note = SECRET  # type: ignore[attr-defined]
        found.__cause__ = error
        return found


def test_an_error_is_scrubbed_with_its_whole_chain() -> None:
    error = _chain()
    assert "".join(traceback.format_exception(error)).count(SECRET) >= 4
    scrub(error, [SECRET])
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    shown = [line for line in text.splitlines() if SECRET in line]
    assert shown == []
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, requests.RequestException):
            assert link.request is link.response is None
        link = link.__cause__ or link.__context__


def _fails() -> None:
    try:
        try:
            raise KeyError(f"inner {SECRET}")
        except KeyError:
            raise TransportError(f"outer {SECRET}")  # noqa: B904  a context is what this is about
    except TransportError as error:
        scrub(error, [SECRET])
        raise


def test_what_the_caller_was_handling_is_left_alone() -> None:
    mine = requests.HTTPError(SECRET, response=requests.Response())
    try:
        raise mine
    except requests.HTTPError:
        with pytest.raises(TransportError) as caught:
            _fails()
    inner = caught.value.__context__
    assert inner is not None
    assert inner.__context__ is mine
    assert SECRET not in f"{caught.value}{inner}"
    assert str(mine) == SECRET
    assert mine.response is not None


def test_only_secrets_that_are_no_words_go_out_of_an_answer_and_nothing_else() -> None:
    text = f"\x1b[1mBearer of news in 2024, dark & http://user:pw@host {SECRET} hunter2"
    error = EmptyResponseError("x", partial=text, usage=Usage(1, 2, 3, extra={"a": [SECRET], "b": 2}), reasoning=text)
    scrub(error, [SECRET, "dark", "1-b", "2024", "hunter2"])
    assert error.partial == error.reasoning == text.replace(SECRET, HIDDEN).replace("hunter2", HIDDEN)
    assert error.usage == Usage(1, 2, 3)
    assert error.usage.extra == {"a": [HIDDEN], "b": 2}


def test_a_message_that_a_cause_writes_anew_goes_with_the_cause() -> None:
    class Fixed(ValueError):
        def __str__(self) -> str:
            return f"input_value={SECRET}"

    error = TransportError("x")
    error.__cause__ = ValueError("y")
    error.__cause__.__context__ = Fixed()
    scrub(error, [SECRET])
    assert error.__cause__.__context__ is None


def test_what_programs_read_of_an_error_is_no_secret() -> None:
    secrets = ["total-1", "proxy-1", "prompt-1", "Name-1"]
    late = DeadlineExceededError("x total-1", limit="total-1", step="prompt-1", provider="Name-1")
    lost = TransportError("x proxy-1", cause="proxy-1")
    for error in (late, lost):
        scrub(error, secrets)
        assert error.message == "x ***"
    assert (late.limit, late.step, late.provider, lost.cause) == ("total-1", "prompt-1", "Name-1", "proxy-1")


def test_an_error_keeps_neither_a_whole_answer_nor_local_variables() -> None:
    with pytest.raises(ResponseFormatError) as caught:
        parse_json(SECRET + " and no JSON " + "x" * 1000)
    cause = caught.value.__cause__
    assert isinstance(cause, json.JSONDecodeError)
    scrub(caught.value, [SECRET])
    assert cause.doc == ""
    for error in (caught.value, cause):
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [frame for frame in shown.stack if frame.filename != __file__]
        assert frames
        assert not any(frame.locals for frame in frames)


def test_a_circle_of_causes_ends() -> None:
    first, second = TransportError(SECRET), TransportError(SECRET)
    first.__cause__, second.__context__ = second, first
    scrub(first, [SECRET])
    assert SECRET not in f"{first}{second}"
