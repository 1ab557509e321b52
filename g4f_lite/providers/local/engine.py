"""The program's side of an engine: a process of its own that runs llama.cpp, see ``child.py``.

The process lives as long as a pipe from here to it is open.  What it writes comes back through another:
first its address, later that it is still there, where it is asked, and its last words.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from ...answers.deltas import Delta
from ...arguments import warn
from ...errors import (
    EngineError,
    MissingDependencyError,
    ProviderNotConfiguredError,
    ServiceError,
    TransportError,
)
from ...http.deadline import Deadline
from ...http.exchange import Exchange
from .child import GROWTH_BYTES, TOO_LONG, computed, remove
from .cores import usable_cores
from .gguf import Metadata, read_metadata
from .load_failure import check_size, line_in_brackets, not_loaded, out_of_memory
from .memory import free_memory, memory_for, slots_for
from .presence import WAKE_SECONDS, Presence, has_no_writer, own_copy
from .process import start_process
from .python import VARIABLE
from .slots import Slots

logger = logging.getLogger(__name__)

PROVIDER = "Local"
LAST_WORDS_BYTES = 8 * 1024
READ_BYTES = 4096
END_SECONDS = 2.0  # from a lost connection until a process that crashed is gone
# Of computing, that the choice of a token may take.  On a slow machine with SmolLM2, which knows 49,152 tokens, it is
# 0.6 s for four answers at once from 200 alternatives each, and for one from 480; 0.1 s is much for other schemas.
CHOICE_SECONDS = 6.0
CHOICE_TOKENS = 8000  # that the model knows: a second for each of so many, where that is more
SOCKET_PATH_BYTES = 103  # that the path of a Unix socket may have; on Linux, four more
FAMILY = secrets.randbits(62)  # stands for this process and the children that it forks


@dataclass(frozen=True)
class EngineSettings:
    """What an engine is started with.

    :param path: the model's file
    :param context: tokens that a conversation may have, prompt and answer together
    :param threads: threads to compute with; None is as many as there are free cores when it starts
    :param embeddings: whether it gives vectors, and no answers
    :param projector: the file with which the model sees images
    """

    path: Path
    context: int
    threads: int | None = None
    embeddings: bool = False
    projector: Path | None = None


class Engine:
    """A process that runs a model; made by :func:`.engines.engine_for`, shared by all who use the same settings.

    :param settings: the model, and its size
    :param keep_alive: seconds after which it ends without a request; less than 0 is never
    :ivar base_url: the beginning of its URLs, ``http://NAME.localhost/v1``, or ``http://127.0.0.1:PORT/v1`` where it
        has no Unix socket; empty until it listens
    :ivar socket_path: of its Unix socket, if it has one
    :ivar threads: how many it computes with
    :ivar slots: which conversation is where
    :raises MissingDependencyError: xllamacpp is not installed
    :raises ProviderNotConfiguredError: if there is no Python interpreter to run it with
    :raises ModelNotSupportedError: if the file is damaged
    :raises EngineError: if the model is larger than all the memory
    """

    def __init__(self, settings: EngineSettings, keep_alive: float) -> None:
        check_size(settings.path)
        self.settings = settings
        self.base_url = self.socket_path = ""
        self.threads = 0
        self._key = secrets.token_urlsafe(32)
        self._name = f"g4f-lite-{secrets.token_hex(8)}"
        self._place = place_of_socket(self._name)
        self._mark = secrets.token_hex(16)
        self._began = time.monotonic()
        self._inherited, self._pipe = False, -1
        self._answered = threading.Event()  # it has told its address, or why it has none, or has ended
        self._ended = threading.Event()
        self._presence = Presence(self._write, lambda: self.running)
        self._message: dict[str, Any] = {}
        self._words = b""
        before = computed()
        self._process = start_process()
        try:  # its interpreter starts meanwhile
            metadata = read_metadata(settings.path)
            self.slots = Slots(1 if settings.embeddings else slots_for(metadata.cache_bytes(), settings.context))
            self._choice_seconds = max(CHOICE_SECONDS, metadata.token_count / CHOICE_TOKENS)
            self._write(json.dumps({**self._told(metadata), "keep_alive": keep_alive, "computed": before}))
            threading.Thread(target=self._read, name="g4f_lite-engine", daemon=True).start()
        except BaseException:
            with self._process:
                self._process.kill()
            raise

    def __repr__(self) -> str:
        return f"<Engine {self.settings.path.name} at {self.base_url or 'no address yet'}>"

    @property
    def running(self) -> bool:
        """Whether its process is there, and can be reached."""
        # The socket is gone where something tidies old files up.  A forked child that has become another user cannot
        # see it.
        return not self._has_ended(0) and (not self.socket_path or os.path.exists(self.socket_path))

    @property
    def token(self) -> str:
        """Its address and its key, separated by a space."""
        return f"{self.base_url} {self._key}"

    @contextlib.contextmanager
    def in_use(self, keep_alive: float) -> Iterator[None]:
        """Keep it from ending as unused during a ``with`` block, and for ``keep_alive`` seconds after it."""
        self._write(f"begin {keep_alive:g}")
        try:
            yield
        finally:
            self._write("end")

    def wait(self, call: Deadline | None = None) -> Engine:
        """Wait until it has loaded its model.

        :param call: the call that needs it, with its limits
        :returns: the engine itself
        :raises ModelNotSupportedError: llama.cpp cannot load the file
        :raises EngineError: if it crashed, or there is too little memory
        :raises MissingDependencyError: xllamacpp cannot be loaded
        :raises ProviderNotConfiguredError: if the interpreter did not run it
        :raises DeadlineExceededError: if the time of the call was over first; the engine goes on
        """
        while not self.base_url and not self._answered.wait(WAKE_SECONDS):
            if call is not None:
                call.check()
        if self.base_url:
            self._warn_of_copy()
            return self
        reason = self._message.get("reason", "")
        if self._message.get("failed") == "import":
            raise MissingDependencyError(
                f"xllamacpp cannot be loaded ({reason}); install what it misses (on Debian: apt install libgomp1)",
                provider=PROVIDER,
            )
        if self._message.get("failed") == "load":
            raise not_loaded(self._files(), self.settings.context, self._words, self._fits)
        if self._process.returncode >= 0:  # no crash, but a program that does not do what it is told
            raise ProviderNotConfiguredError(
                f"{self._process.python} did not run the engine (exit code {self._process.returncode}); set "
                f"{VARIABLE} to the path of a Python interpreter, 3.10 or newer{line_in_brackets(self._words, -1)}",
                provider=PROVIDER,
            )
        code = self._process.returncode
        if without_memory := out_of_memory(self._files(), self.settings.context, self._words, code, self._fits):
            raise without_memory
        raise self.error("while it loaded the model: the file may be damaged")

    def reach(self, exchange: Exchange) -> None:
        """Have the requests of a call go to it, and to nobody else."""
        exchange.pooled.token = self.token
        exchange.socket_path = self.socket_path
        exchange.confirm = self.confirm

    def confirm(self, call: Deadline) -> None:
        """Raise unless a connection that was made just now is one to its process.

        Its port, or its directory's name, may be anybody's as soon as it ends.

        :param call: the call that needs the connection, with its limits
        :raises OSError: if it is not there
        :raises G4FLiteError: if the call ended meanwhile
        """
        if self.socket_path:
            directory = os.lstat(os.path.dirname(self.socket_path))
            is_there = stat.S_ISDIR(directory.st_mode) and directory.st_uid == os.geteuid()
        else:
            is_there = self._presence.ask(call)
        if not is_there:
            raise ConnectionResetError("its process has ended")

    def check_crash(self, deltas: Iterator[Delta], *, has_form: bool) -> Iterator[Delta]:
        """Pass deltas on; see :meth:`crash_told`."""
        with self.crash_told(has_form=has_form):
            yield from deltas

    @contextlib.contextmanager
    def crash_told(self, *, has_form: bool = False) -> Iterator[None]:
        """Say why a connection is lost, where that is because the process has ended.

        :param has_form: whether the call has a grammar or a schema
        :raises EngineError: if it has crashed
        :raises ServiceError: if it was ended because a token took too long, which may be by this call's grammar
        :raises TransportError: if that is by another call's, so that this one may be sent again
        """
        try:
            yield
        except TransportError as error:
            if not self.crashed():
                raise
            if self._process.returncode != TOO_LONG:
                raise self.error("while it answered; the next call starts it anew") from error
            most = f"{self._choice_seconds:.0f} s of computing, or {GROWTH_BYTES >> 30} GiB of memory"
            ended = f"the engine was ended, because one token took more than {most}"
            if not has_form:
                raise TransportError(f"{ended}, as by the grammar of another call", provider=PROVIDER) from error
            raise ServiceError(
                f"{ended}: the grammar or schema of this call, or of another at the same time, leaves too much open; "
                "write it with fewer alternatives, optional and repeated parts",
                provider=PROVIDER,
                status=400,
            ) from error

    def crashed(self) -> bool:
        """Return whether the process has ended, and not because it was unused."""
        return self._has_ended(END_SECONDS) and self._process.returncode != 0

    def left(self) -> bool:
        """Return whether the process has ended because it was unused, or was the parent's."""
        return self._has_ended(0) and self._process.returncode == 0

    def error(self, when: str) -> EngineError:
        """Make the error that tells of a crash.

        :param when: what it was doing, and what to do
        """
        code = self._process.returncode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return EngineError(
            f"the engine of {self.settings.path.name} crashed ({how}) {when}",
            last_words=self._words.decode("utf-8", "replace").strip(),
            provider=PROVIDER,
        )

    def inherit(self) -> None:
        """Leave the process to the parent, in a forked child, which may use it as long as it answers."""
        if not self._inherited:
            self._inherited, self.slots = True, Slots(0)  # which ones the other processes use is not known
            self._close_input()
            assert self._process.stdout is not None
            with contextlib.suppress(OSError, ValueError):  # it has ended, and the pipe is closed
                self._pipe = own_copy(self._process.stdout.fileno())
            self._process.returncode = 0  # it is not a child of this process, which cannot wait for it

    def _files(self) -> str:
        settings = self.settings
        return f"{settings.path}" if settings.projector is None else f"{settings.path} with {settings.projector}"

    def _fits(self, context: int) -> bool:
        """Return whether there is memory for a context, as far as is known."""
        path, free = self.settings.path, free_memory()
        return free is None or memory_for(path.stat().st_size, read_metadata(path).cache_bytes(), context) <= free

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _warn_of_copy(self) -> None:
        if self._message.pop("only", True):
            return
        path = self.settings.path
        warn(
            f"this program has {path.name} in memory twice: call start() of a Local before it forks, give each Local "
            "of this model the same context= and threads=, or keep_alive=0 to one that is used once"
        )

    def _told(self, metadata: Metadata) -> dict[str, Any]:
        settings = self.settings
        place = hashlib.sha256(f"{FAMILY} {settings.embeddings} {settings.path}".encode()).digest()
        user = os.getuid() if hasattr(os, "getuid") else ""
        return {
            "path": str(settings.path),
            "alias": settings.path.stem,
            "context": settings.context,
            "slots": self.slots.count,
            "cores": usable_cores(),
            "threads": settings.threads,
            "embeddings": settings.embeddings,
            "projector": str(settings.projector or ""),
            "pooling": metadata.get("pooling_type") is not None,
            "choice_seconds": self._choice_seconds,
            "key": self._key,
            "socket": self._place,
            "mark": self._mark,
            "copies": {
                "file": os.path.join(tempfile.gettempdir(), f"g4f-lite-engines-{user}.lock"),
                "place": int.from_bytes(place[:7], "big"),
            },
        }

    def _write(self, line: str) -> None:
        if self._inherited:
            return
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has ended, which whoever needs it will see
            self._process.stdin.write(f"{line}\n".encode())

    def _read(self) -> None:
        """Read what the process writes until it ends."""
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while chunk := pipe.read(READ_BYTES):
                self._words += chunk
                self._look_for_messages()
                self._words = self._words[-LAST_WORDS_BYTES:]
        if self._inherited:  # under gevent, this goes on in a forked child
            return
        self._process.wait()
        self._close_input()
        remove(self._place)  # which a process that crashed has left
        self._ended.set()
        self._answered.set()

    def _look_for_messages(self) -> None:
        while True:
            before, _, rest = self._words.partition(self._mark.encode())
            line, newline, after = rest.partition(b"\n")
            if not newline:
                return
            self._words = before + after
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if number := message.get("here"):
            self._presence.heard(number)
            return
        self._message = message
        if address := self._message.get("address"):
            if address.startswith("unix:"):
                self.socket_path, address = self._place, f"http://{self._name}.localhost"
            self.threads, self.base_url = self._message["threads"], f"{address}/v1"
            seconds = time.monotonic() - self._began
            logger.info(
                "loaded %s in %.2f s, %d threads, at %s", self.settings.path, seconds, self.threads, self.base_url
            )
            self._answered.set()

    def _has_ended(self, seconds: float) -> bool:
        """Return whether the process ends within so many seconds."""
        if not self._inherited:
            return self._ended.wait(seconds)
        return self._pipe < 0 or has_no_writer(self._pipe, seconds)


def place_of_socket(name: str) -> str:
    """Return the path of a Unix socket, in a directory that is to be made for it; "" where there can be none.

    :param name: of the directory
    """
    paths = (os.path.join(folder, name, "engine.sock") for folder in (tempfile.gettempdir(), "/tmp"))
    fitting = (path for path in paths if len(os.fsencode(path)) <= SOCKET_PATH_BYTES)
    return next(fitting, "") if hasattr(socket, "AF_UNIX") else ""


class BearerAuth(requests.auth.AuthBase):
    """Puts a key on a request; requests lets ``~/.netrc`` replace a plain header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request
