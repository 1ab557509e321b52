"""One parser for the URL that is checked and the one that is sent."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite.errors import ProviderNotConfiguredError
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.exchange import Exchange
from g4f_lite.http.pool import PooledSession
from g4f_lite.http.session import Session
from g4f_lite.http.urls import Origin, as_sent, is_loopback, is_plain, parse_origin, redirected
from g4f_lite.timeout import Timeout

NO_ORIGIN: Origin = ("", None, None)


@pytest.mark.parametrize(
    ("url", "origin", "plain"),
    [
        ("http://host.test", ("http", "host.test", 80), True),
        ("HTTPS://HOST.test:443/a?b#c", ("https", "host.test", 443), True),
        ("http://host.test:8080/@name", ("http", "host.test", 8080), True),
        ("http://[::1]:80/", ("http", "[::1]", 80), True),
        ("http://bücher.test/ü", ("http", "xn--bcher-kva.test", 80), True),
        ("http://host.test?@other.test", ("http", "host.test", 80), True),
        ("http://host.test#@other.test", ("http", "host.test", 80), True),
        ("http://host.test:1\\@other.test:2/", ("http", "host.test", 1), False),
        ("http://host.test/\\@other.test:2/", ("http", "host.test", 80), False),
        ("http://user:password@host.test/", ("http", "host.test", 80), False),
        (" http://host.test/", ("http", "host.test", 80), False),
        ("http://[fe80::1%25eth0]/", ("http", "[fe80::1%eth0]", 80), True),
        ("http:///host.test/", NO_ORIGIN, False),
        ("http:host.test", NO_ORIGIN, False),
        ("//host.test", NO_ORIGIN, False),
        ("ftp://host.test", NO_ORIGIN, False),
        ("http://[::1", NO_ORIGIN, False),
        ("http://host.test:port/", NO_ORIGIN, False),
        ("", NO_ORIGIN, False),
    ],
)
def test_an_origin_is_that_of_the_request(url: str, origin: Origin, plain: bool) -> None:
    assert parse_origin(url) == origin
    assert is_plain(url) == plain


@pytest.mark.parametrize("host", ["{a}", "127.0.0.1%2f.test", "a%3a22", "a*b", "a,b"])
def test_a_host_with_odd_signs_is_not_plain(host: str) -> None:
    assert not is_plain(f"http://{host}/")


PIECES = [
    "a",
    "b.test",
    "127.0.0.1",
    "[::1]",
    ":",
    ":80",
    "@",
    "/",
    "?",
    "#",
    "\\",
    "%5c",
    "%2f",
    "%40",
    "é",
    "ß",
    "。",
    "＠",
]


@pytest.mark.once
def test_a_url_of_any_length_is_not_plain() -> None:
    url = "http://host.test/".ljust(64 * 1024, "é")
    assert is_plain(url)
    assert not is_plain(url + "x")
    began = time.process_time()
    assert redirected("http://host.test/", url * 100) is None
    assert time.process_time() - began < 1  # a hundredth of a second


@given(st.sampled_from(["http://", "https://", "http:", "//"]), st.lists(st.sampled_from(PIECES), max_size=7))
def test_the_parsers_of_the_standard_library_and_of_urllib3_agree_on_a_plain_url(scheme: str, rest: list[str]) -> None:
    url = scheme + "".join(rest)
    if is_plain(url):
        parts = urlsplit(as_sent(url))  # which requests connects to
        found = (parts.scheme, f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname)
        assert parse_origin(url) == (*found, parts.port or {"http": 80, "https": 443}[parts.scheme])


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/", True),
        ("http://localhost./", True),
        ("http://[::1]/", True),
        ("http://a.localhost", True),
        ("//127.0.0.1", True),
        ("//[::1]", True),
        ("socks5h://user:password@127.0.0.1:1080", True),
        ("socks5h://127.0.0.1@proxy.test:1080", False),
        ("socks5://proxy.test\\@127.0.0.1:1080", False),
        ("//0.0.0.0", False),
        ("//host.test", False),
        (" http://host.test\\@127.0.0.1/", False),
        ("http://host.test\\@127.0.0.1/", False),
        ("http://host.test/@127.0.0.1", False),
        ("http://0.0.0.0/", False),
        ("http://[::1", False),
    ],
)
def test_only_what_requests_sends_to_this_machine_is_loopback(url: str, here: bool) -> None:
    assert is_loopback(url) == here


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/there", "https://host.test/there"),
        ("//other.test/", "https://other.test/"),
        ("//[::1", None),
        ("//user@other.test", None),
        ("https://other.test\\@host.test/", None),
        ("file:///etc/passwd", None),
        ("", None),
        (None, None),
    ],
)
def test_a_redirect_leads_to_a_plain_url_or_nowhere(location: str | None, target: str | None) -> None:
    assert redirected("https://host.test/here", location) == target


def test_offline_is_about_the_host_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    exchange = Exchange(PooledSession(Session()), Deadline(Timeout()))
    with responses.RequestsMock() as web:
        with pytest.raises(ProviderNotConfiguredError, match=r"http://host\.test is not"):
            exchange.send(requests.Request("GET", "http://host.test\\@127.0.0.1/"), "bootstrap")
        assert not web.calls
