"""What a program under eventlet does, patched first as eventlet asks for: ``eventlet_script URL [AUTHORITY]``."""

from __future__ import annotations

import os
import warnings

os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # which would import whatever dnspython finds on this machine
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet itself says that it is deprecated
    import eventlet

    eventlet.monkey_patch()

import sys

from green_calls import STALL, TOTAL, ended

from g4f_lite import OpenAICompatible


def many(provider: OpenAICompatible) -> None:
    pool = eventlet.GreenPool(20)
    prompts = [f"number {n}" for n in range(20)]
    assert list(pool.imap(lambda prompt: str(provider.create(messages=prompt)), prompts)) == prompts


def total(provider: OpenAICompatible) -> None:
    """The limit holds, call after call, while other greenlets work."""
    for prompt in (STALL, f"word {STALL}", STALL):
        late = eventlet.spawn(ended, "DeadlineExceededError", provider.create, messages=prompt, timeout=TOTAL)
        many(provider)
        late.wait()


def close(provider: OpenAICompatible) -> None:
    """Another greenlet closes an answer that is waited for: before it begins, and after."""
    for prompt in (STALL, f"word {STALL}"):
        stream = provider.create_generator(messages=prompt)
        eventlet.spawn_after(0.1, stream.close)
        ended("StreamInterruptedError", stream.text)


def timeout(provider: OpenAICompatible) -> None:
    """eventlet's own limit, which is no Exception, leaves a call like any other."""
    with eventlet.Timeout(0.1, False):
        provider.create(messages=STALL)


def main() -> None:
    url, *authority = sys.argv[1:]
    verify = authority[0] if authority else None
    provider = OpenAICompatible(url + "/v1", model="m", timeout=30, retry=None, verify=verify)
    for check in (many, total, close, timeout):
        check(provider)
    assert provider.create(messages="after all") == "after all"
    provider.close()
    print("well")


if __name__ == "__main__":
    main()
