"""The engines of this process: one for each model and size, started when it is needed.

::

    engine = engine_for(EngineSettings(path), keep_alive=300)

A forked child uses the engines of its parent as long as they are there, and starts its own after that.  Of one that
listens on a port, it could not be certain that it is there.
"""

from __future__ import annotations

import os

from ...http.deadline import Deadline
from ...http.forks import lock_free_in_children
from .engine import Engine, EngineSettings

_engines: dict[EngineSettings, Engine] = {}
_lock = lock_free_in_children()
_process = os.getpid()


def engine_for(settings: EngineSettings, keep_alive: float, call: Deadline | None = None) -> Engine:
    """Return a running engine.

    Any number of threads may call it at once; one of them starts the process, and all wait until it
    has loaded the model.

    :param keep_alive: seconds without a request after which it ends; less than 0 is never
    :param call: the call that needs it, with its limits
    :raises G4FLiteError: if there is none; see :meth:`Engine.wait`
    """
    with _lock:
        _leave_to_parent()
        engine = _engines.get(settings)
        if engine is None or not engine.running:
            engine = _engines[settings] = Engine(settings, keep_alive)
    return engine.wait(call)


def _leave_to_parent() -> None:
    """Let go, in a forked child, of what keeps the parent's engines alive."""
    global _process
    if _process != os.getpid():
        _process = os.getpid()
        for settings, engine in list(_engines.items()):
            usable = engine.socket_path and engine.running
            engine.inherit()
            if not usable:
                del _engines[settings]


if hasattr(os, "register_at_fork"):  # behind those of the lock, which is free by then
    os.register_at_fork(after_in_child=_leave_to_parent)
