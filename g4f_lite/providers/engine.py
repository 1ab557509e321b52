"""One llama.cpp engine per .gguf file, inside this process, behind its own HTTP server on loopback.

    engine = engine_for("model.gguf")
    requests.post(engine.base_url + "/chat/completions", json={"messages": […]})

The engine belongs to the process that started it: a forked child that asks for
one starts its own, and the parent's is neither used nor touched there.  It
starts at the first request for it, never at import, and ends with the process.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g4f_lite.errors import MissingDependencyError, ModelNotSupportedError
from g4f_lite.providers.hangup import hang_up

logger = logging.getLogger(__name__)

GGUF_MAGIC = b"GGUF"
#: The shortest header: magic, version, number of tensors, number of metadata entries.
GGUF_HEADER_BYTES = 24

#: Seconds that requests in progress get to end, at exit: llama.cpp looks once a second whether a waiting client is there.
DRAIN_SECONDS = 1.5


@dataclass(frozen=True)
class EngineSettings:
    """Size an engine.

    :param parallel: requests answered at the same time; more of them wait for their turn
    :param context: tokens of prompt and answer together that each of them may have
    :param threads: threads that compute; ``None`` leaves the choice to llama.cpp, which takes one a physical core
    """

    parallel: int = 4
    context: int = 4096
    threads: int | None = None


class Engine:
    """A running llama.cpp server; made by :func:`engine_for`, shared by all who use the file.

    :ivar path: the model's file
    :ivar settings: its size
    :ivar base_url: where it listens, ``http://127.0.0.1:PORT/v1``
    """

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        self.path = path
        self.settings = settings
        started = time.monotonic()
        self._server = _start_server(path, settings)
        # The destructor joins native threads. In a forked child they do not exist and it would wait
        # for ever, so that only stop(), in the process that started the server, may run it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))
        address: str = self._server.listening_address
        self.base_url = address + "/v1"
        self._port = int(address.rpartition(":")[2])
        logger.info("loaded %s in %.2f s, listening on %s", path, time.monotonic() - started, address)

    def __repr__(self) -> str:
        return f"<Engine {self.path.name} at {self.base_url}>"

    def stop(self) -> None:
        """End the server; requests in progress are cut."""
        # The destructor waits for the client of every request, holding the interpreter's lock, which these
        # clients need: they have to go first. Where they do not, the server is left to the end of the process.
        if hang_up(self._port, within=DRAIN_SECONDS):
            server, self._server = self._server, None
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(server))


# By process id, so that a forked child finds neither its parent's engines nor a lock that a thread of the parent held.
_engines: dict[tuple[int, Path], Engine] = {}
_locks: dict[int, threading.Lock] = {}


def engine_for(path: str | os.PathLike[str], settings: EngineSettings = EngineSettings()) -> Engine:
    """Give the engine of a .gguf file, starting it if this process has none yet.

    Any number of threads may call it at once; one of them loads the model, in
    about 0.4 s for a file of 100 MB, during which no Python thread runs.

    :param path: the model's file
    :param settings: its size; all users of a file must agree on it
    :raises MissingDependencyError: xllamacpp is not installed
    :raises ModelNotSupportedError: the file is none that llama.cpp can load
    :raises ValueError: the file's engine is running with other settings
    """
    resolved = check_gguf(path)
    key = os.getpid(), resolved
    with _locks.setdefault(os.getpid(), threading.Lock()):
        engine = _engines.get(key)
        if engine is None:
            engine = _engines[key] = Engine(resolved, settings)
    if engine.settings != settings:
        raise ValueError(f"{resolved} is already loaded with {engine.settings}; all users of a file must agree on them")
    return engine


def check_gguf(path: str | os.PathLike[str]) -> Path:
    """Check that a path leads to a readable .gguf file, by its first bytes, and give it resolved.

    :raises ModelNotSupportedError: it does not
    """
    resolved = Path(path).expanduser().resolve()
    try:
        with resolved.open("rb") as file:
            header = file.read(GGUF_HEADER_BYTES)
    except FileNotFoundError as error:
        raise ModelNotSupportedError(f"there is no file {resolved}; give the path of a .gguf file") from error
    except IsADirectoryError as error:
        raise ModelNotSupportedError(f"{resolved} is a directory; give the path of a .gguf file in it") from error
    except OSError as error:
        raise ModelNotSupportedError(f"cannot read {resolved}: {error.strerror}") from error
    if not header.startswith(GGUF_MAGIC) or len(header) < GGUF_HEADER_BYTES:
        raise ModelNotSupportedError(f"{resolved} is not a .gguf file: it does not begin as one; download it again")
    return resolved


def _start_server(path: Path, settings: EngineSettings) -> Any:
    try:
        xllamacpp = importlib.import_module("xllamacpp")
    except ImportError as error:
        raise MissingDependencyError(
            'the embedded model needs xllamacpp: pip install "g4f-lite[local]"', provider="Local"
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.verbosity = -1
    params.n_parallel = settings.parallel
    params.n_ctx = settings.parallel * settings.context
    if settings.threads is not None:
        params.cpuparams.n_threads = settings.threads
    params.fit_params = False
    params.ui = False
    params.endpoint_slots = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelNotSupportedError(
            f"llama.cpp cannot load {path}: it is damaged, too large for the memory, or of a kind that this version "
            "does not know; download it again, or upgrade xllamacpp",
            provider="Local",
        ) from error


def _stop_all() -> None:
    for pid, path in list(_engines):
        if pid == os.getpid():
            _engines.pop((pid, path)).stop()


atexit.register(_stop_all)
