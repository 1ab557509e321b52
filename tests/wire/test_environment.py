"""The environment's proxies, and that a call leaves the environment as it is."""

from __future__ import annotations

import os

import pytest
import requests

from g4f_lite import AiChats, TransportError
from g4f_lite.emulator import Emulator

from .proxies import HTTPProxy

DEAD = "http://127.0.0.1:9"


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_loopback_is_reached_directly_and_the_environment_is_not_written(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread would see what is written, and could go direct where it must take its proxy."""
    monkeypatch.setenv(variable, DEAD)
    written: list[object] = []
    put, unset = os.putenv, os.unsetenv
    monkeypatch.setattr(os, "putenv", lambda *pair: (written.append(pair), put(*pair)))
    monkeypatch.setattr(os, "unsetenv", lambda name: (written.append(name), unset(name)))
    with Emulator() as emulator, AiChats(base_url=emulator.url, retry=None) as chats:
        assert chats.create(messages="Hello") == "Hello"
        assert len(chats.create("dalle", "Hello").images) == 1
    assert written == []


@pytest.mark.parametrize("scheme", ["http", "all"])
def test_a_session_s_own_proxy_is_for_loopback_too(scheme: str) -> None:
    with requests.Session() as session, Emulator() as emulator:
        session.proxies = {scheme: DEAD}
        with pytest.raises(TransportError):
            AiChats(base_url=emulator.url, retry=None, session=session).create(messages="Hello")
        assert emulator.requests == []


def test_a_variable_that_another_thread_removes_is_no_hindrance(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pytest does before each test, beside calls in the background."""
    looked: list[str] = []
    look = requests.sessions.get_environ_proxies

    def changed(url: str, **more: object) -> object:
        looked.append(url)
        if len(looked) == 1:
            raise KeyError("PYTEST_CURRENT_TEST")  # from os.environ.items()
        return look(url, **more)

    monkeypatch.setattr(requests.sessions, "get_environ_proxies", changed)
    with HTTPProxy() as proxy, AiChats(base_url=emulator.url, proxy=proxy.address, retry=None) as chats:
        assert chats.create(messages="Hello") == "Hello"
    assert len(looked) > 2
