"""Waits in slices, by which Windows notices Ctrl-C and close() while a call is silent."""

from __future__ import annotations

import io
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from g4f_lite.http import slices
from g4f_lite.http.slices import Flag, SlicedReads, wait


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "NEEDED", True)
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.01)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def sliced(sock: socket.socket, ended: Callable[[], bool] = lambda: False) -> io.BufferedReader:
    return io.BufferedReader(SlicedReads(sock.makefile("rb", buffering=0), sock, ended))


def later(act: Callable[[], object]) -> None:
    threading.Timer(0.03, act).start()


def test_what_comes_is_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.settimeout(5)
    with sliced(ours) as file:
        later(lambda: theirs.sendall(b"line\nrest"))
        assert file.readline() == b"line\n"
        assert file.peek(1) == b"rest"
        assert ours.gettimeout() == 5


def test_without_a_limit_it_waits_on(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with sliced(ours) as file:
        later(theirs.close)
        assert file.read() == b""
        assert ours.gettimeout() is None


def test_silence_is_a_timeout_and_no_end(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.settimeout(0.03)
    with sliced(ours) as file:
        with pytest.raises(TimeoutError):
            file.read(1)
        theirs.sendall(b"a")
        assert file.read(1) == b"a"


def test_the_end_of_the_call_is_the_end_of_the_file(pair: tuple[socket.socket, socket.socket]) -> None:
    ended = threading.Event()
    with sliced(pair[0], ended.is_set) as file:
        later(ended.set)
        assert file.read(1) == b""


def test_the_file_closes_what_it_replaces(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    file = sliced(ours)
    ours.close()
    file.close()
    assert theirs.recv(1) == b"", "nothing holds the socket any more"


def test_ctrl_c_ends_the_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    with sliced(pair[0]) as file:
        for waiting in (lambda: file.read(1), lambda: wait(Flag(), 5)):
            later(lambda: signal.raise_signal(signal.SIGINT))  # in a thread of its own, as on Windows
            with pytest.raises(KeyboardInterrupt):
                waiting()


def test_a_flag_ends_the_wait() -> None:
    flag = Flag()
    later(flag.set)
    wait(flag, 5)
    assert flag.is_set()
    wait(Flag(), 0.02)
    assert not Flag().wait(-1)
