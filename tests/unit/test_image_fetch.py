"""Which addresses a picture is fetched from, and what is taken for one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
import responses

from g4f_lite import G4FLiteError, ProviderNotConfiguredError, ResponseFormatError, ResponseStatusError
from g4f_lite.answers.images import MAX_IMAGE_BYTES
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.exchange import Exchange
from g4f_lite.http.pool import PooledSession, set_cookies
from g4f_lite.http.route import Route
from g4f_lite.http.session import Session
from g4f_lite.providers.image_fetch import MAX_REDIRECTS, fetch_image, refuse_private
from g4f_lite.timeout import Timeout

HOME = "https://service.test/v1"
PNG = b"\x89PNG\r\n\x1a\n rest"


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def exchange() -> Exchange:
    session = Session()
    session.headers["X-Api-Key"] = "a-secret-header"
    session.auth = ("user", "a-password")
    set_cookies(session, {"visit": "a-cookie"}, "service.test")
    set_cookies(session, {"visit": "a-cookie"}, "pictures.test")
    return Exchange(PooledSession(session), Deadline(Timeout()), name="P")


PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "240.0.0.1",
    "224.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "192.0.0.192",
    "192.88.99.1",
    "168.63.129.16",
    "3fff::1",
    "5f00::1",
    "::ffff:192.0.0.192",
    "::1",
    "::",
    "::127.0.0.1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2001:0:7f00:1::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    refuse_private(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(ResponseFormatError, match="not a public address"):
        refuse_private(address)


@pytest.mark.parametrize(
    ("own", "home"), [("https://service.test:443", HOME), ("http://service.test:80", HOME[:4] + HOME[5:])]
)
def test_a_picture_of_the_services_own(own: str, home: str, web: responses.RequestsMock, exchange: Exchange) -> None:
    web.get(f"{own}/cat.png", PNG)
    assert fetch_image(exchange, f"{own}/cat.png", home=home.replace("service", "SERVICE")) == PNG
    headers = web.calls[0].request.headers
    assert headers["Cookie"] == "visit=a-cookie"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    "url", ["https://pictures.test/cat.png", "http://service.test/c", "https://service.test:8443/c"]
)
def test_another_host_gets_no_cookie_and_no_credential(
    url: str, web: responses.RequestsMock, exchange: Exchange, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:
        file.write("default login user password a-password")
    monkeypatch.setenv("NETRC", netrc)
    web.get(url, PNG)
    assert fetch_image(exchange, url, home=HOME) == PNG
    assert not {"Cookie", "Authorization", "X-Api-Key"} & set(web.calls[0].request.headers)


def test_a_redirect_to_another_host_takes_nothing_along(web: responses.RequestsMock, exchange: Exchange) -> None:
    web.get("https://service.test/cat", status=302, headers={"Location": "https://pictures.test/a"})
    web.get("https://pictures.test/a", status=307, headers={"Location": "../b"})
    web.get("https://pictures.test/b", PNG)
    assert fetch_image(exchange, "https://service.test/cat", home=HOME) == PNG
    assert ["Cookie" in call.request.headers for call in web.calls] == [True, False, False]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed(status: int, web: responses.RequestsMock, exchange: Exchange) -> None:
    web.get("https://service.test/cat", status=status, headers={"Location": "/real"})
    web.get("https://service.test/real", PNG, headers={"Location": "/not-this"})  # no redirect, with status 200
    assert fetch_image(exchange, "https://service.test/cat", home=HOME) == PNG


@pytest.mark.parametrize("body", [PNG, b"no picture"])
def test_the_session_for_another_host_is_closed(
    body: bytes, web: responses.RequestsMock, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Session] = []
    monkeypatch.setattr(Session, "close", lambda session: closed.append(session))
    web.get("https://pictures.test/cat", body)
    with contextlib.suppress(ResponseFormatError):
        fetch_image(exchange, "https://pictures.test/cat", home=HOME)
    assert len(closed) == 1
    assert closed[0] is not exchange.pooled.session


@pytest.mark.parametrize("hops", [MAX_REDIRECTS, MAX_REDIRECTS + 1])
def test_redirects_come_to_an_end(hops: int, web: responses.RequestsMock, exchange: Exchange) -> None:
    for hop in range(hops):
        web.get(f"https://service.test/{hop}", status=301, headers={"Location": f"/{hop + 1}"})
    web.get(f"https://service.test/{hops}", PNG)
    if hops <= MAX_REDIRECTS:
        assert fetch_image(exchange, "https://service.test/0", home=HOME) == PNG
    else:
        with pytest.raises(ResponseFormatError, match="redirects more than 5 times"):
            fetch_image(exchange, "https://service.test/0", home=HOME)
        assert len(web.calls) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "//x/y", "", "http://", "https://x:port/", "http://[::1"]
)
def test_only_http_addresses_are_asked(url: str, web: responses.RequestsMock, exchange: Exchange) -> None:
    with pytest.raises(ResponseFormatError, match="the service sent the image URL") as caught:
        fetch_image(exchange, url, home=HOME)
    assert caught.value.step == "image"
    assert not web.calls


NOT_PLAIN = [
    "https://victim.test\\@service.test/cat",
    "https://victim.test\\@service.test/../../cat",
    "https://service.test\\cat",
    "https://user@service.test/cat",
    "https://user:password@pictures.test/cat",
    "https://@service.test/cat",
    "https://service.test/a cat",
    " https://service.test/cat",
    "https://service.test/cat\n",
    "https://service.test\t/cat",
    "https://service.test/\x00cat",
    "https://service.test/\u202ecat",
]


@pytest.mark.parametrize("url", NOT_PLAIN)
def test_a_url_that_programs_read_apart_is_not_asked(url: str, web: responses.RequestsMock, exchange: Exchange) -> None:
    with pytest.raises(ResponseFormatError, match="without credentials, white space and backslashes"):
        fetch_image(exchange, url, home=HOME)
    assert not web.calls


@pytest.mark.parametrize("location", [NOT_PLAIN[0], "//user@pictures.test/cat", "//victim.test\\@service.test/"])
def test_a_redirect_to_such_a_url_is_not_followed(
    location: str, web: responses.RequestsMock, exchange: Exchange
) -> None:
    web.get("https://service.test/cat", status=302, headers={"Location": location})
    with pytest.raises(ResponseFormatError, match="without credentials, white space and backslashes"):
        fetch_image(exchange, "https://service.test/cat", home=HOME)
    assert len(web.calls) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<svg xmlns='http://www.w3.org/2000/svg'/>", ResponseFormatError),
        (200, b"hello", ResponseFormatError),
        (200, b"", ResponseFormatError),
        (200, PNG + bytes(MAX_IMAGE_BYTES), ResponseFormatError),
        (404, b"gone", ResponseStatusError),
        (302, b"no Location", ResponseStatusError),
    ],
    ids=["svg", "text", "nothing", "too large", "404", "302"],
)
@pytest.mark.parametrize("host", ["service.test", "pictures.test"])
def test_what_is_no_picture(
    host: str, status: int, body: bytes, kind: type[G4FLiteError], web: responses.RequestsMock, exchange: Exchange
) -> None:
    web.get(f"https://{host}/cat", body, status=status)
    with pytest.raises(kind) as caught:
        fetch_image(exchange, f"https://{host}/cat", home=HOME)
    assert caught.value.step == "image"


@pytest.mark.parametrize(
    ("address", "allowed"), [("8.8.8.8", True), ("10.0.0.1", False), ("::ffff:127.0.0.1", False), (None, True)]
)
def test_through_a_proxy_the_look_up_here_is_checked(
    address: str | None,
    allowed: bool,
    web: responses.RequestsMock,
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look_up(host: str, port: None) -> list[tuple[object, ...]]:
        assert host == "pictures.test"
        if address is None:  # only the proxy knows the name
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    exchange.route = Route("http://proxy.test:3128")
    web.get("https://pictures.test/cat", PNG)
    if allowed:
        assert fetch_image(exchange, "https://pictures.test/cat", home=HOME) == PNG
    else:
        with pytest.raises(ResponseFormatError, match="not a public address") as caught:
            fetch_image(exchange, "https://pictures.test/cat", home=HOME)
        assert caught.value.step == "image"
        assert not web.calls


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1.", "127.0.0.1%2e", "169.254.169.254.", "10.0.0.1..", "[::1]", "[fe80::1%25nowhere]"),
        *("localhost", "localhost.", "LOCALHOST", "a.localhost", "a.localhost."),
        *(
            "0x7f000001",
            "0x7f000001.",
            "0X7F.1",
            "0x7f.0x0.0x0.0x1.",
            "2130706433.",
            "017700000001.",
            "127.1.",
            "127..1",
        ),
    ],
)
def test_through_a_proxy_no_spelling_of_a_private_host_is_asked(
    host: str, web: responses.RequestsMock, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(host: str, port: None) -> list[tuple[object, ...]]:
        assert not host.endswith(".")
        if host in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
            return [(2, 1, 6, "", (host, 0))]
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    exchange.route = Route("http://proxy.test:3128")
    with pytest.raises(ResponseFormatError, match="not a public address"):
        fetch_image(exchange, f"http://{host}/cat", home=HOME)
    assert not web.calls


def test_offline_no_name_is_looked_up_for_a_proxy(
    web: responses.RequestsMock, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    monkeypatch.setattr(socket, "getaddrinfo", None)
    exchange.route = Route("http://127.0.0.1:3128")
    with pytest.raises(ProviderNotConfiguredError, match="G4F_LITE_OFFLINE=1"):
        fetch_image(exchange, "https://secret.pictures.test/cat", home=HOME)
    assert not web.calls


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "a.localhost"])
def test_through_a_proxy_the_services_own_host_is_asked_wherever_it_is(
    host: str, web: responses.RequestsMock, exchange: Exchange
) -> None:
    exchange.route = Route("http://proxy.test:3128")
    web.get(f"http://{host}/cat", PNG)
    assert fetch_image(exchange, f"http://{host}/cat", home=f"http://{host}/v1") == PNG
