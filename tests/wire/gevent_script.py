"""What a program under gevent does, patched first as gevent asks for: ``gevent_script WHAT URL``, WHAT being words."""

from __future__ import annotations

import sys

from gevent import monkey

if "worker" not in sys.argv:
    monkey.patch_all()

import os
import signal
import warnings
from pathlib import Path

import gevent
from green_calls import STALL, TOTAL, ended

from g4f_lite import OpenAICompatible

DESCRIPTORS = Path("/proc/self/fd")


def many(provider: OpenAICompatible) -> None:
    answers = [gevent.spawn(provider.create, messages=f"number {n}") for n in range(20)]
    gevent.joinall(answers)
    assert [str(answer.value) for answer in answers] == [f"number {n}" for n in range(20)]


def total(provider: OpenAICompatible) -> None:
    """The limit holds while other greenlets work."""
    late = gevent.spawn(ended, "DeadlineExceededError", provider.create, messages=STALL, timeout=TOTAL)
    many(provider)
    late.get()


def close(provider: OpenAICompatible) -> None:
    """Another greenlet closes an answer that is waited for: before it begins, and after."""
    for prompt in (STALL, f"word {STALL}"):
        stream = provider.create_generator(messages=prompt)
        gevent.spawn_later(0.1, stream.close)
        ended("StreamInterruptedError", stream.text)


def timeout(provider: OpenAICompatible) -> None:
    """gevent's own limit, which is no Exception, leaves a call like any other."""
    with gevent.Timeout(0.1, False):
        provider.create(messages=STALL)


def interrupt(provider: OpenAICompatible) -> None:
    """Ctrl-C ends the main greenlet's call; the test sends it."""
    try:
        provider.create(messages=STALL)
    except KeyboardInterrupt:
        print("interrupted")


def worker(provider: OpenAICompatible) -> None:
    """A worker is forked, and then patched, as gunicorn does it; Ctrl-C reaches it nevertheless."""
    provider.create(messages="in the parent")
    warnings.simplefilter("ignore")  # of the parent's threads, and of the modules that are imported already
    child = os.fork()
    if child == 0:
        status = 1
        try:
            monkey.patch_all()
            assert provider.create(messages="in the worker") == "in the worker"
            status = int(interrupts_are_put_off())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def interrupts_are_put_off() -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def sockets() -> int:
    return sum(os.readlink(file).startswith("socket:") for file in DESCRIPTORS.iterdir() if file.is_symlink())


def main() -> None:
    what, url = sys.argv[1:]
    provider = OpenAICompatible(url + "/v1", model="m", timeout=30, retry=None)
    for name in what.split():
        globals()[name](provider)
    assert provider.create(messages="after all") == "after all"
    provider.close()
    assert not DESCRIPTORS.exists() or sockets() == 0, "a connection is left"
    assert not interrupts_are_put_off()
    print("well")


if __name__ == "__main__":
    main()
