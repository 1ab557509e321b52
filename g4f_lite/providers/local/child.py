"""What runs in the engine's process: llama.cpp behind its own HTTP server.

::

    python -I -S child.py FOLDER

The folder is the one that llama.cpp's package is in.

The program that starts it holds the other ends of its standard input and output.  Settings and key come
as one line of JSON, the address goes back as another.  Later lines of the input say when the engine is
used, or ask whether the process is there.  The process ends when its input does, which the operating
system sees to however that program ends, when it was unused for as long as it was told, and when it
is unused and its socket was removed.

The engine listens on a Unix socket in a directory that only its user can enter, so that nobody else can
connect to it; or else on a port of ``127.0.0.1``.

This file stands alone: the interpreter that runs it sees neither this package nor site-packages, nor
anything that the environment or the current directory could put in their place.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any, NoReturn

LOG_SECONDS = 0.3  # in which llama.cpp, which logs in a thread of its own, writes why it failed
LOOK_SECONDS = 1.0  # between two looks at what may end the process
SHORTEST_LOOK_SECONDS = 0.02
WATCH_SECONDS = 0.1  # between two glances at a look that waits
MEASURE_SECONDS = 0.1  # in which it is seen how busy the cores are
ARRIVAL_SECONDS = 5.0  # from the start to the first request, at least
STUCK_SECONDS = 120.0  # that the engine may be silent without computing
GROWTH_BYTES = 1 << 30  # that it may take while it chooses tokens; a few MiB are usual
TOO_LONG = 75  # the exit code when the choice of a token took too much
DELIVERY_SECONDS = 1.0  # from the last token until whoever asked has it, at least
BATCH_TOKENS = 256  # of a prompt, computed in one go: no other request comes between
IMAGE_BATCH_TOKENS = 512  # some models have to see all of an image in one go; llama.cpp's own number
_socket = ""  # that the engine listens on


class Announcements:
    """What the program says of its requests: a line ``begin SECONDS`` before each, and ``end`` after it.

    A line ``here NUMBER`` is answered.

    :param settings: with the seconds to wait for the first request; less than 0 is for ever
    :ivar open: how many there are now
    :ivar last: when the last line came
    :ivar keep_alive: seconds to wait for the next request
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.keep_alive = settings["keep_alive"]
        self._settings = settings
        self.last = 0.0
        self.open = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in iter(sys.stdin.buffer.readline, b""):
            word, _, seconds = line.partition(b" ")
            if word == b"here":
                say(self._settings, here=int(seconds))
                continue
            self.open += 1 if word == b"begin" else -1
            self.last = time.monotonic()
            if seconds:
                self.keep_alive = float(seconds)
        end(0)


def computed() -> tuple[float, float] | None:
    """Return the time, and the seconds that all programs have computed so far on our cores; None if unknown."""
    try:
        ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        with open("/proc/stat", encoding="ascii") as file:
            rows = [line.split() for line in file if line.startswith("cpu")]
    except (AttributeError, OSError):
        return None
    # user, nice, system, irq, softirq, steal: neither idle nor waiting for a disk
    ticks = sum(int(row[column]) for row in rows if row[0] in ours for column in (1, 2, 3, 6, 7, 8))
    return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK")


def busy_cores(before: list[float] | None) -> float | None:
    """Return how many of our cores other programs have kept busy since ``before``, after a wait if that is just now.

    :param before: what ``computed`` gave when this process was started
    """
    if before is None:
        return None
    time.sleep(max(0.0, before[0] + MEASURE_SECONDS - time.monotonic()))
    now = computed()
    return now and max(0.0, now[1] - before[1] - time.process_time()) / (now[0] - before[0])


def main() -> None:
    """Run the engine that standard input describes, until its end."""
    parent = os.getppid()
    sys.path.append(sys.argv[1])
    try:
        import xllamacpp  # which takes as long as the program needs for the settings
    except ImportError as error:
        failure = str(error)
    else:
        failure = ""
    if not (line := sys.stdin.buffer.readline()):
        return
    settings = json.loads(line)
    signal.signal(signal.SIGTERM, end_by_signal)
    if failure:
        say(settings, failed="import", reason=failure)
        return
    announcements = Announcements(settings)
    threads = settings["threads"] or free_cores(settings["cores"], busy_cores(settings["computed"]))
    try:
        server = start(xllamacpp, settings, threads)
    except RuntimeError as error:
        say(settings, failed="load", reason=str(error))
        time.sleep(LOG_SECONDS)
        return
    say(settings, address=server.listening_address, threads=threads, only=is_only_copy(**settings["copies"]))
    wait_until_unused(Looks(server, settings["choice_seconds"], parent), announcements)


def start(xllamacpp: Any, settings: dict[str, Any], threads: int) -> Any:
    """Start llama.cpp's server.

    :raises RuntimeError: if it cannot load the model
    """
    global _socket
    if make_private(os.path.dirname(settings["socket"])):
        _socket = settings["socket"]
        try:
            return xllamacpp.Server(params_of(xllamacpp, settings, threads, _socket))
        except RuntimeError:
            if os.path.exists(_socket):
                raise
        remove(_socket)  # on its file system there are no sockets
    return xllamacpp.Server(params_of(xllamacpp, settings, threads, "127.0.0.1"))


def make_private(directory: str) -> bool:
    """Make a directory that only this user can enter; return whether that is so.

    :param directory: its path; "" for none
    """
    try:
        os.mkdir(directory, 0o700)
        made = os.lstat(directory)
    except OSError:
        return False
    return made.st_uid == os.geteuid() and not made.st_mode & 0o077  # as some file systems have it


def remove(path: str) -> None:
    """Remove a socket, and its directory."""
    for removed, name in ((os.unlink, path), (os.rmdir, os.path.dirname(path))):
        try:
            removed(name)
        except OSError:  # it is not there
            continue


def end(code: int) -> NoReturn:
    """End the process without destructors, which wait for whoever is connected."""
    remove(_socket)
    os._exit(code)


def end_by_signal(number: int, _: object) -> None:
    """End the process as the signal would."""
    remove(_socket)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def free_cores(cores: int, busy: float | None) -> int:
    """Return the number of threads to compute with.

    They wait for each other at each step, so that one which shares its core with another program
    holds up all: one thread fewer is faster.
    """
    return cores if busy is None else max(1, cores - round(busy))


def params_of(xllamacpp: Any, settings: dict[str, Any], threads: int, host: str) -> Any:
    """Write the engine's settings as llama.cpp takes them.

    :param host: the address to listen on, or the path of a socket
    """
    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["alias"]}  # else answers carry the whole path as the model's name
    params.hostnames = [host]
    params.port = 0
    params.api_keys = [settings["key"]]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]
    params.cpuparams.n_threads = threads
    params.verbosity = 1  # with less, llama.cpp does not say why it cannot load a file
    params.fit_params = False  # it measures the devices' free memory, for 0.8 s
    params.cache_ram_mib = 0  # else every conversation is kept in memory, up to 8 GiB
    params.n_batch = params.n_ubatch = settings["context"] if settings["embeddings"] else BATCH_TOKENS
    if settings["projector"]:
        params.mmproj.path = settings["projector"]
        params.n_batch = params.n_ubatch = IMAGE_BATCH_TOKENS
    params.embedding = settings["embeddings"]
    if settings["embeddings"] and not settings["pooling"]:  # a model for chats, which says nothing of it
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # Whoever else can reach loopback: no page in a browser, no look at other people's prompts.
    params.cors_origins = "http://127.0.0.1"
    params.endpoint_slots = False
    params.ui = False
    params.endpoint_metrics = True
    return params


def say(settings: dict[str, Any], **message: Any) -> None:
    """Tell the program something, behind a mark: llama.cpp writes to the same pipe, and does not know it."""
    line = settings["mark"] + json.dumps(message) + "\n"
    os.write(1, line.encode())


def is_only_copy(file: str, place: int) -> bool:
    """Return whether no other engine in this family of processes has the same model, by a lock that ends with this one.

    :param place: the byte of the file that stands for model and family
    """
    try:
        import fcntl

        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (ImportError, OSError):  # Windows, or a directory that cannot be written
        return True
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except OSError:
        return False
    return True


class Looks:
    """Looks at the engine, and ends the process where it is left alone, and where the engine is stuck.

    llama.cpp answers a look at once, also while it computes prompts, images and vectors.  It does not while it chooses
    tokens, which a grammar can make arbitrarily long.  Nothing can interrupt that, and nobody gets an answer meanwhile.

    :param server: the engine
    :param seconds: of computing that the choice of a token may take; on a busy machine they take longer by the clock
    :param parent: the process that started this one
    """

    def __init__(self, server: Any, seconds: float, parent: int) -> None:
        self._server = server
        self._seconds = seconds
        self._began: tuple[float, float, int] | None = None  # of a look that waits: time, computing, memory
        threading.Thread(target=self._watch, args=(parent,), daemon=True).start()

    def look(self) -> dict[str, float]:
        """Return the metrics that change when the engine works."""
        self._began = time.monotonic(), time.process_time(), memory()
        metrics = self._server.handle_metrics()
        self._began = None
        return counters(metrics)

    def _watch(self, parent: int) -> None:
        while True:
            time.sleep(LOOK_SECONDS if self._began is None else WATCH_SECONDS)
            if os.getppid() != parent:  # a fork that Python did not see holds the input open
                end(0)
            if (began := self._began) is None:
                continue
            since, computing, size = began
            if time.process_time() - computing > self._seconds or memory() - size > GROWTH_BYTES:
                if self._began is began:  # it still waits
                    end(TOO_LONG)
            elif time.monotonic() - since > STUCK_SECONDS:
                os.write(2, f"the engine was silent for more than {STUCK_SECONDS:g} s\n".encode())
                end(1)


def memory() -> int:
    """Return the bytes that this process has in memory; 0 where the system does not tell, as only Linux does."""
    if sys.platform != "linux":  # Wine shows Linux's files to a program for Windows
        return 0
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def wait_until_unused(looks: Looks, announcements: Announcements) -> None:
    """Return when the engine has waited for a request as long as it shall, or has none and cannot be reached."""
    began, worked, before = time.monotonic(), 0.0, looks.look()
    while True:
        keep_alive = announcements.keep_alive
        often = max(SHORTEST_LOOK_SECONDS, keep_alive / 10) if keep_alive >= 0 else LOOK_SECONDS
        time.sleep(min(LOOK_SECONDS, often))
        counted = looks.look()
        if counted != before or counted["requests_processing"] or counted["requests_deferred"]:
            before, worked = counted, time.monotonic()  # forked children announce nothing
        keep_alive, now = announcements.keep_alive, time.monotonic()
        if _socket and not os.path.exists(_socket):  # so that the next call starts another engine
            keep_alive = 0.0
        last = announcements.last or began + ARRIVAL_SECONDS
        unused = announcements.open == 0 and now > max(last, worked) + keep_alive
        if keep_alive >= 0 and unused and now > worked + DELIVERY_SECONDS:
            return


def counters(metrics: str) -> dict[str, float]:
    """Read the metrics that change when the engine works, and only then."""
    rows = [line.removeprefix("llamacpp:").split() for line in metrics.splitlines() if line.startswith("llamacpp:")]
    return {
        row[0]: float(row[1]) for row in rows if row[0].endswith(("_total", "requests_processing", "requests_deferred"))
    }


if __name__ == "__main__":
    try:
        main()
    except Exception:  # noqa: BLE001  whatever it is, it belongs to the last words
        traceback.print_exc()
        end(1)
    end(0)
