"""Asks from a parent and its children at once, after the parent's pool was filled: ``fork_script HOW URL``.

Prints a line for each call: the process, what was asked, what came.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading

from g4f_lite import AiEngine, Provider

CHILDREN, CALLS = 4, 25


def ask(provider: Provider, count: int = CALLS) -> None:
    for number in range(count):
        text = f"{os.getpid()} {threading.get_ident()} {number}"
        answer = provider.create(messages=text, timeout=30)
        sys.stdout.write(json.dumps([os.getpid(), text, answer]) + "\n")
        sys.stdout.flush()


def fork(provider: Provider) -> None:
    children = []
    for _ in range(CHILDREN):
        if (child := os.fork()) == 0:
            status = 1
            try:
                ask(provider)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    ask(provider)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def processes(provider: Provider, method: str) -> None:
    context = multiprocessing.get_context(method)
    children = [context.Process(target=ask, args=(provider,)) for _ in range(CHILDREN)]
    for child in children:
        child.start()
    ask(provider)
    for child in children:
        child.join(60)
        assert child.exitcode == 0


def main() -> None:
    how, url = sys.argv[1:]
    provider = AiEngine(url)
    threads = [threading.Thread(target=ask, args=(provider, 2)) for _ in range(3)]
    for thread in threads:  # several sessions, each with a connection and a nonce
        thread.start()
    for thread in threads:
        thread.join()
    open_answer = provider.create_generator(messages=f"{os.getpid()} open answer")
    next(open_answer)  # a child inherits one that is half read, too
    if how == "os.fork":
        fork(provider)
    else:
        processes(provider, how)
    assert open_answer.text() == f"{os.getpid()} open answer"


if __name__ == "__main__":
    main()
