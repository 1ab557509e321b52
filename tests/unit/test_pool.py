"""Sessions: lent to one call at a time, last used first, none of a parent's."""

from __future__ import annotations

import os
import threading

import pytest
import requests
import responses

from g4f_lite.http.pool import MAX_COOKIE_BYTES, PooledSession, SessionPool, set_cookies
from g4f_lite.http.session import Session


def test_the_session_used_last_is_lent_first() -> None:
    pool = SessionPool()
    with pool.lend() as first, pool.lend() as second:
        assert first is not second
    with pool.lend() as again:
        assert again is first  # it came back last
    pool.close()


def test_no_more_are_made_than_are_lent_at_once() -> None:
    made: list[requests.Session] = []
    pool = SessionPool(make=lambda: made.append(Session()) or made[-1])
    for _ in range(5):
        with pool.lend(), pool.lend():
            pass
    assert len(made) == 2
    pool.close()


def test_only_as_many_are_kept_as_were_asked_for() -> None:
    closed: list[int] = []
    pool = SessionPool(make=lambda: _noting(closed), size=1)
    with pool.lend(), pool.lend(), pool.lend():
        pass
    assert len(closed) == 2
    pool.close()
    assert len(closed) == 3


def _noting(closed: list[int]) -> requests.Session:
    session = Session()
    session.close = lambda: closed.append(id(session))  # type: ignore[method-assign]
    return session


def test_a_session_with_too_many_cookies_is_not_kept() -> None:
    closed: list[int] = []
    pool = SessionPool(make=lambda: _noting(closed))
    for value, kept in (("v" * (MAX_COOKIE_BYTES - 4), True), ("v" * (MAX_COOKIE_BYTES - 3), False)):
        with pool.lend() as lent:
            lent.session.cookies.set("a", value)
        assert (id(lent.session) in closed) is not kept
        with pool.lend() as again:
            assert (again is lent) is kept
    pool.close()


def test_a_renewed_session_is_another_without_cookies_token_and_state() -> None:
    pool = SessionPool()
    with pool.lend() as lent:
        before = lent.session
        lent.token, lent.state["a"] = "token", 1
        assert pool.renew(lent)
        assert (lent.session is before, lent.token, lent.state) == (False, None, {})
    with pool.lend() as again:
        assert again is lent
    pool.close()


def test_an_own_session_is_not_renewed() -> None:
    with Session() as own:
        pool = SessionPool(own=own)
        with pool.lend() as lent:
            assert not pool.renew(lent)
            assert lent.session is own


def test_close_ends_the_idle_now_and_the_lent_when_they_come_back() -> None:
    closed: list[int] = []
    pool = SessionPool(make=lambda: _noting(closed))
    with pool.lend() as lent:
        with pool.lend():
            pass
        pool.close()
        assert len(closed) == 1
    assert closed[-1] == id(lent.session)
    with pool.lend() as another:
        assert another is not lent
    assert len(closed) == 2


def test_an_error_gives_the_session_back_too() -> None:
    pool = SessionPool()
    with pytest.raises(KeyError), pool.lend() as lent:
        raise KeyError
    with pool.lend() as again:
        assert again is lent
    pool.close()


def test_an_own_session_is_the_only_one_and_is_never_closed() -> None:
    closed: list[int] = []
    own = _noting(closed)
    pool = SessionPool(own=own)
    with pool.lend() as first, pool.lend() as second:
        assert first is second
        assert first.session is own
    pool.close()
    assert pool.latest is own
    assert closed == []


def test_the_latest_is_the_one_used_last_also_while_it_is_lent() -> None:
    pool = SessionPool()
    with pool.lend() as lent:
        pass
    with pool.lend():
        assert pool.latest is lent.session
        assert pool.latest is lent.session
    pool.close()


def test_a_session_may_come_back_while_another_is_made() -> None:
    """As when the garbage collector closes an abandoned answer in the middle of it."""
    pool: SessionPool
    abandoned: list[PooledSession] = []

    def make() -> requests.Session:
        while abandoned:
            pool._give_back(abandoned.pop())
        return Session()

    pool = SessionPool(make=make)
    abandoned.append(pool._take())
    thread = threading.Thread(target=lambda: pool._give_back(pool._take()), daemon=True)
    thread.start()
    thread.join(2)
    assert not thread.is_alive(), "the pool waits for itself"
    assert len(pool._idle) == 2
    pool.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", ["lend", "give back", "close", "latest"])
def test_a_forked_child_starts_without_its_parents_sessions(what: str) -> None:
    closed: list[int] = []
    pool = SessionPool(make=lambda: _noting(closed))
    with pool.lend() as idle:
        pass
    lent = pool._take()
    pool._give_back(lent)
    with pool._lock:  # as a thread of the parent may hold it
        child = os.fork()
        if child == 0:
            try:
                thread = threading.Thread(target=_child, args=(pool, what, lent, idle, closed), daemon=True)
                thread.start()
                thread.join(3)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pool.lend() as again:
        assert again is lent
    pool.close()


def _child(pool: SessionPool, what: str, lent: PooledSession, idle: PooledSession, closed: list[int]) -> None:
    if what == "give back":
        pool._give_back(lent)  # of an answer that was begun in the parent
        ok = lent not in pool._idle
    elif what == "close":
        pool.close()
        ok = not closed
    elif what == "latest":
        ok = pool.latest is not idle.session
    else:
        with pool.lend() as mine:
            ok = mine is not idle and not closed
    os._exit(0 if ok else 3)


@pytest.mark.parametrize(
    ("host", "url", "sent"),
    [
        ("service.test", "http://service.test/", True),
        ("service.test", "http://other.test/", False),
        ("localhost", "http://localhost:8080/v1", True),
        ("127.0.0.1", "http://127.0.0.1:9/", True),
        ("127.0.0.1", "http://127.0.0.2:9/", False),
        ("::1", "http://[::1]:8080/", True),
    ],
)
def test_cookies_go_to_their_host_only(host: str, url: str, sent: bool) -> None:
    with Session() as session:
        set_cookies(session, {"visitor": "me"}, host)
        prepared = session.prepare_request(requests.Request("GET", url))
    assert prepared.headers.get("Cookie") == ("visitor=me" if sent else None)


@responses.activate
def test_a_session_follows_no_redirect_and_works_with_responses() -> None:
    responses.get("http://service.test/", status=307, headers={"Location": "http://evil.test/"})
    with Session() as session:
        assert session.get("http://service.test/").status_code == 307
    assert len(responses.calls) == 1


def test_a_sessions_secrets_are_its_token_cookies_and_signing_headers() -> None:
    with Session() as session:
        session.auth = ("user", "password-1")
        session.headers["X-Api-Key"] = b"key-in-bytes"  # type: ignore[assignment]
        session.headers["Authorization"] = "Bearer header-key"
        session.cookies.set("a", "cookie-1")
        found = set(PooledSession(session, token="token-1").secrets())
    assert {"token-1", "cookie-1", "password-1", "key-in-bytes", "Bearer header-key", "header-key"} <= found
    assert "user" not in found
