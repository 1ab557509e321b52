"""One llama.cpp engine per .gguf file, inside this process, behind its own HTTP server on loopback.

    engine = engine_for("model.gguf")
    requests.post(engine.base_url + "/chat/completions", json={"messages": […]})

The engine belongs to the process that started it: a forked child that asks for
one starts its own, and the parent's is neither used nor touched there.  It
starts at the first request for it, never at import, and ends with the process.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import importlib.util
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import MissingDependencyError, ModelNotSupportedError
from .hangup import hang_up

logger = logging.getLogger(__name__)

PROVIDER = "Local"
GGUF_MAGIC = b"GGUF"
#: The shortest header: magic, version, number of tensors, number of metadata entries.
GGUF_HEADER_BYTES = 24

#: Seconds that requests in progress get to end, at exit: llama.cpp looks once a second whether a
#: client is still there.
DRAIN_SECONDS = 1.5
#: Tokens of a prompt computed in one go: nothing, not even the end of the process, comes between.
BATCH_TOKENS = 256


@dataclass(frozen=True)
class EngineSettings:
    """Size an engine.

    :param parallel: requests answered at the same time; more of them wait for their turn
    :param context: tokens that each of them may have, prompt and answer together
    :param threads: threads that compute; ``None``: llama.cpp's choice, one a physical core
    """

    parallel: int = 4
    context: int = 4096
    threads: int | None = None


DEFAULT_SETTINGS = EngineSettings()


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
        # Destroyed before its loop has begun, it would wait for ever; the loop gives this answer.
        self._server.handle_metrics()
        address: str = self._server.listening_address
        self.base_url = address + "/v1"
        self._port = int(address.rpartition(":")[2])
        seconds = time.monotonic() - started
        logger.info("loaded %s in %.2f s, listening on %s", path, seconds, address)

    def __repr__(self) -> str:
        return f"<Engine {self.path.name} at {self.base_url}>"

    def stop(self) -> None:
        """End the server; requests in progress are cut."""
        # The destructor waits for the client of every request, holding the interpreter's lock,
        # which these clients need: they have to go first. Where they do not, the server stays.
        if hang_up(self._port, within=DRAIN_SECONDS):
            server, self._server = self._server, None
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(server))


_engines: dict[Path, Engine] = {}
# By process id: a forked child must not wait for a lock that a thread of its parent held.
_locks: dict[int, threading.Lock] = {}
_forked_from_engines = False


def engine_for(path: str | os.PathLike[str], settings: EngineSettings = DEFAULT_SETTINGS) -> Engine:
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
    with _locks.setdefault(os.getpid(), threading.Lock()):
        engine = _engines.get(resolved)
        if engine is None:
            engine = _engines[resolved] = Engine(resolved, settings)
    if engine.settings != settings:
        raise ValueError(f"{resolved} is already loaded with {engine.settings}; all its users must agree on them")
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
        raise _refuse(f"there is no file {resolved}; give the path of a .gguf file") from error
    except IsADirectoryError as error:
        raise _refuse(f"{resolved} is a directory; give the path of a .gguf file") from error
    except OSError as error:
        raise _refuse(f"cannot read {resolved}: {error.strerror}") from error
    if not header.startswith(GGUF_MAGIC) or len(header) < GGUF_HEADER_BYTES:
        raise _refuse(f"{resolved} does not begin as a .gguf file does; download it again")
    return resolved


def check_installed() -> None:
    """Raise unless llama.cpp is there; it is not loaded.

    :raises MissingDependencyError: xllamacpp is not installed
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingDependencyError(
            'the embedded model needs xllamacpp: pip install "g4f-lite[local]"', provider=PROVIDER
        )


def _start_server(path: Path, settings: EngineSettings) -> Any:
    check_installed()
    try:
        with _patient_threads():
            xllamacpp = importlib.import_module("xllamacpp")
    except ImportError as error:  # such as a slim container without OpenMP
        raise MissingDependencyError(
            f"xllamacpp cannot be loaded ({error}); install what it misses (on Debian: apt install libgomp1)",
            provider=PROVIDER,
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
    params.model_alias = {path.stem}  # else answers carry the whole path as the model's name
    params.fit_params = False  # it measures the devices' free memory, for 0.8 s
    params.cache_ram_mib = 0  # else every conversation is kept in memory, up to 8 GiB
    # Whoever else can reach loopback: no page in a browser, no look at other people's prompts.
    params.cors_origins = "http://127.0.0.1"
    params.endpoint_slots = False
    params.ui = False
    params.endpoint_metrics = True
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    try:
        with _no_interrupt():
            return xllamacpp.Server(params)
    except RuntimeError as error:
        raise _refuse(
            f"llama.cpp cannot load {path}: it is cut or damaged, does not fit into the memory, or "
            "is of a kind that this version does not know; download it again, or upgrade xllamacpp"
        ) from error


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Put Ctrl-C off until the model is loaded: llama.cpp takes one itself meanwhile, and waits for ever."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _patient_threads() -> Iterator[None]:
    """Have llama.cpp's threads sleep while they wait for each other, unless the user has chosen.

    By default they spin. On two cores that other processes use too, this gave 2 to 20 tokens a
    second instead of 35 to 70. OpenMP reads the variable once, when it is loaded.
    """
    if {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        yield
        return
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        yield
    finally:
        del os.environ["OMP_WAIT_POLICY"]


def _refuse(message: str) -> ModelNotSupportedError:
    return ModelNotSupportedError(message, provider=PROVIDER)


def _stop_all() -> None:
    if not _forked_from_engines:
        while _engines:
            _engines.popitem()[1].stop()


def _leave_to_parent() -> None:
    """Forget, in a forked child, the engines of the parent, and see to it that the child can end.

    llama.cpp's global objects join threads that exist in the parent only: destroying an
    engine in the child aborts it, and so does, or waits for ever, what C runs at exit.
    """
    global _forked_from_engines
    if _engines:
        _engines.clear()
        _forked_from_engines = True
        libc = ctypes.CDLL(None)
        if hasattr(libc, "on_exit"):  # the only way to learn the exit code there; glibc has it
            libc.on_exit(libc._exit, None)
            atexit.register(libc.fflush, None)


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
