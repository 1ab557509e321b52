"""What kind of answer came: challenge, the service's own error, status, answer — in this order."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import responses

from g4f_lite import (
    AuthenticationError,
    ChallengeError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    TransportError,
)
from g4f_lite.http.body import Body
from g4f_lite.http.checks import check, shorten
from g4f_lite.http.waits import parse_retry_after
from g4f_lite.providers.openai.errors import service_error

URL = "http://service.test/v1"
CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>cf-chl</body></html>"
OVERLOADED = '{"error": {"message": "overloaded"}}'


def _checked(status: int, body: str = "", **headers: str) -> G4FLiteError | None:
    with responses.RequestsMock() as mock:
        mock.get(URL, status=status, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = Body(requests.get(URL, stream=True, allow_redirects=False))
        try:
            check(response, lambda status, parsed, text: service_error(status, parsed))
        except G4FLiteError as error:
            return error
        finally:
            response.close()
    return None


@pytest.mark.parametrize("body", ["", "{}", "data: x\n\n", "a < b", '{"text": "<html>"}'])
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/html"])
def test_the_body_decides_and_not_its_content_type(body: str, content_type: str) -> None:
    assert _checked(200, body, Content_Type=content_type) is None


@pytest.mark.parametrize("status", [200, 403, 429, 500, 503])
@pytest.mark.parametrize("beginning", ["", "\ufeff", " \r\n"])
def test_a_challenge_comes_first(status: int, beginning: str) -> None:
    error = _checked(status, beginning + CHALLENGE)
    assert type(error) is ChallengeError
    assert error.status == status
    assert "Just a moment..." in str(error)


@pytest.mark.parametrize("word", ["Attention Required!", "captcha", "DDoS-Guard", "Verify you are human"])
def test_other_words_of_challenges(word: str) -> None:
    assert type(_checked(403, f"<html>{word}</html>")) is ChallengeError


def test_the_header_of_a_challenge_is_enough() -> None:
    assert type(_checked(403, "", cf_mitigated="challenge")) is ChallengeError


def test_an_answer_about_captchas_is_an_answer() -> None:
    assert _checked(200, 'data: {"choices": [{"delta": {"content": "a captcha is"}}]}\n\n') is None
    error = _checked(400, '{"error": {"message": "captcha is not supported"}}')
    assert type(error) is ServiceError


@pytest.mark.parametrize("status", [200, 201])
def test_a_page_is_no_answer(status: int) -> None:
    error = _checked(status, "<html><style>x</style><body>Welcome <b>home</b></body></html>")
    assert type(error) is ResponseFormatError
    assert "Welcome home" in str(error)


PAGES = (
    "<!doctype html><p>Hello",
    "\ufeff\r\n <!DocType\n HTML PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN'>",
    "<html>Hello</html>",
    "<HTML lang='en'>",
    "<!-- one --> <!-- two --><html>",
    "<?xml version='1.0'?>\n<!DOCTYPE html>",
)
PLAIN = (
    "<b>x</b> is bold",
    "<think>hm</think>yes",
    "<3 is a heart",
    "<",
    "<!-- note --> <p>",
    "<htmlx/>",
    "\n<!doctypes",
)
XML = ("<reply>Hello</reply>", "<?xml version='1.0'?><reply>Hello</reply>", "<!-- a --><?xml-style b?><reply/>")


@pytest.mark.parametrize("content_type", ["text/plain", "text/xml", "application/xml", "image/svg+xml", "text/html"])
@pytest.mark.parametrize("body", PAGES)
def test_a_page_is_a_page_under_any_type(body: str, content_type: str) -> None:
    error = _checked(200, body, Content_Type=content_type)
    assert type(error) is ResponseFormatError
    assert "got a web page" in str(error)


@pytest.mark.parametrize("content_type", ["text/plain", "Text/Plain; charset=utf-8", "text/markdown"])
@pytest.mark.parametrize("body", [*PLAIN, "<b>A captcha</b> tells people from programs."])
def test_a_plain_text_may_begin_with_a_tag(body: str, content_type: str) -> None:
    assert _checked(200, body, Content_Type=content_type) is None


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml; charset=utf-8", "application/soap+xml"])
@pytest.mark.parametrize("body", XML)
def test_xml_is_read_by_the_provider(body: str, content_type: str) -> None:
    assert _checked(200, body, Content_Type=content_type) is None


def test_xml_that_says_so_needs_no_type_of_its_own() -> None:
    assert _checked(200, XML[1], Content_Type="application/octet-stream") is None


@pytest.mark.parametrize("body", [*PLAIN, *XML])
@pytest.mark.parametrize(
    "content_type", ["text/html", "application/xhtml+xml", "application/json", "text/event-stream; charset=utf-8"]
)
def test_what_begins_with_a_tag_is_a_page_where_an_answer_does_not(body: str, content_type: str) -> None:
    assert type(_checked(200, body, Content_Type=content_type)) is ResponseFormatError


def test_a_page_that_shows_nothing_is_quoted_with_its_type() -> None:
    error = _checked(200, "<frameset><frame src='/home'></frameset>", Content_Type="application/json")
    assert str(error) == (
        "expected an answer, got a web page of the type 'application/json' that shows no text: "
        "\"<frameset><frame src='/home'></frameset>\""
    )


@pytest.mark.parametrize(("status", "kind"), [(501, ResponseStatusError), (401, AuthenticationError)])
def test_a_page_with_the_status_of_an_error_is_called_a_page(status: int, kind: type[G4FLiteError]) -> None:
    """As Python's http.server sends it, with the same words in title, heading and text."""
    said = "<p>Error code: 501</p><p>Message: Unsupported method.</p><p>501 - Server does not support it.</p>"
    error = _checked(
        status, f"<!DOCTYPE HTML><title>Error response</title><body><h1>Error response</h1>{said}</body></html>"
    )
    assert type(error) is kind
    assert str(error).endswith(
        f"status {status}, with a web page in place of an answer: "
        "'Error response Error code: 501 Message: Unsupported method.…'"
    )


def test_a_status_without_a_word_names_the_address() -> None:
    assert str(_checked(404)) == "status 404 from http://service.test/v1"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, OVERLOADED, ServiceError),
        (400, "no JSON", ResponseStatusError),
        (400, "[" * 100_000, ResponseStatusError),
        (401, "", AuthenticationError),
        (401, OVERLOADED, AuthenticationError),
        (403, "<html>no</html>", AuthenticationError),
        (402, "", QuotaExceededError),
        (402, OVERLOADED, QuotaExceededError),
        (407, "", TransportError),
        (418, "", ResponseStatusError),
        (429, "", RateLimitError),
        (429, OVERLOADED, RateLimitError),
        (429, "You exceeded your current quota", QuotaExceededError),
        (500, "You have reached your daily limit", ResponseStatusError),
        (500, '{"message": "You have reached the limit of the day"}', QuotaExceededError),
        (500, '{"error": {"message": "Rate limit reached for gpt"}}', RateLimitError),
        (503, OVERLOADED, ResponseStatusError),
        (302, "", ResponseStatusError),
    ],
)
def test_the_kind_that_fits_best(status: int, body: str, kind: type[G4FLiteError]) -> None:
    error = _checked(status, body)
    assert type(error) is kind
    if isinstance(error, ProviderError):
        assert error.status == status


@pytest.mark.parametrize("kind", [ResponseStatusError, RateLimitError, AuthenticationError])
def test_an_old_script_catches_these_as_http_errors(kind: type[Exception]) -> None:
    assert issubclass(kind, requests.HTTPError)


def test_a_redirect_names_its_target_and_is_not_followed() -> None:
    error = _checked(307, Location="https://elsewhere.test/v1")
    assert type(error) is ResponseStatusError
    assert "https://elsewhere.test/v1" in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_was_asked_for_is_on_the_error(status: int) -> None:
    error = _checked(status, Retry_After="17")
    assert isinstance(error, ProviderError)
    assert error.retry_after == 17


def test_a_long_body_is_bounded_and_shortened_in_the_message() -> None:
    error = _checked(500, "word " * 100_000)
    assert isinstance(error, ResponseStatusError)
    assert len(error.body) == 64 * 1024
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 17 ", 17),
        ("1.5", 1.5),
        ("9" * 400, 1e9),
        ("9" * 20, 1e9),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60),
        ("Thursday, 01-Jan-70 00:17:40 GMT", 60),
        ("Thu Jan  1 00:17:40 1970", 60),  # asctime; HTTP dates are GMT
        ("Thu, 01 Jan 1970 00:17:40 -0000", 60),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 9999 00:00:00 GMT", 1e9),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert parse_retry_after(value, now=lambda: 1000.0) == seconds


def test_shorten_folds_blanks_and_says_that_it_cut() -> None:
    assert shorten(" a\n\tb ") == "a b"
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
