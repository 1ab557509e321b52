"""How an engine ends, however the program does, and how it comes back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from g4f_lite import EngineError, Local, ProviderNotConfiguredError, StreamInterruptedError, Timeout
from g4f_lite.http.deadline import Deadline
from g4f_lite.providers.local import engines
from g4f_lite.providers.local.child import remove
from g4f_lite.providers.local.engine import Engine

from .conftest import COPY_CONTEXT, engine_of
from .tiny_model import write_tiny_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

SCRIPT = """
import os, signal, sys, threading, time
from g4f_lite import EngineError, Local
from g4f_lite.providers.local import engines

local = Local(sys.argv[1], context=1024, timeout=60, retry=None)


def engine():
    return engines._engines[next(reversed(engines._engines))]


def pid():
    return engine()._process.pid


def say_where():
    print(pid(), os.path.dirname(engine().socket_path), flush=True)


def ask(provider=local, tokens=2):
    return provider.create(messages="Hello", max_tokens=tokens)


def stream(began):
    for _ in local.create_generator(messages="Tell a story.", max_tokens=900):
        began.set()


def stream_in_background():
    began = threading.Event()
    threading.Thread(target=stream, args=(began,), daemon=True).start()
    assert began.wait(60)
"""
GONE_SECONDS = 5.0  # 0.03 where nothing else runs


def is_there(process: int) -> bool:
    """Tell whether a process runs; one that has ended, and that nobody has waited for, does not."""
    try:
        os.kill(process, 0)
        return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(process: int) -> bool:
    deadline = time.monotonic() + GONE_SECONDS
    while is_there(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def run(path: Path, code: str, before: str = "") -> tuple[int, list[str], str]:
    """Run a script; give its exit code, the words that it printed, and its standard error."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", before + SCRIPT + code, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.split(), done.stderr


ENDS = {  # how a program ends, with its exit code and the last line that it says
    "sys.exit in mid-answer": ("stream_in_background(); say_where(); sys.exit(3)", 3, ""),
    "an answer half read": (
        "s = local.create_generator(messages='Hi'); next(s); say_where(); raise ValueError('mine')",
        1,
        "ValueError: mine",
    ),
    "killed": (
        "stream_in_background(); say_where(); os.kill(os.getpid(), signal.SIGKILL)",
        -signal.SIGKILL,
        "",
    ),
    "killed, and its engine asked to end": (
        "stream_in_background(); say_where(); os.kill(pid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGKILL)",
        -signal.SIGKILL,
        "",
    ),
}


@pytest.mark.parametrize("how", [pytest.param(how, marks=[pytest.mark.once] * (how != "killed")) for how in ENDS])
def test_it_ends_with_the_program(tiny: Path, how: str) -> None:
    code, expected, last_line = ENDS[how]
    returned, out, error = run(tiny, code)
    assert returned == expected, error
    assert error.strip().rpartition("\n")[2] == last_line
    process, directory = out
    assert wait_until_gone(int(process))
    assert not Path(directory).exists()


FORKS = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork go badly together
def in_child(work):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        work()
        sys.stdout.flush()
        sys.exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5

def use():
    ask()
    print("child", pid(), flush=True)

def start_own():
    engine = next(reversed(engines._engines.values()))
    os.kill(pid(), signal.SIGKILL)
    while engine.running:
        time.sleep(0.01)
    ask()
    print("own", pid(), flush=True)

local.start()
print("parent", pid())
in_child(use)
in_child(start_own)
ask()
print("parent", pid())
"""


GREEN = {
    "threads": "",
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.once
@pytest.mark.parametrize("kind", GREEN)
def test_a_forked_child_uses_the_engine_as_long_as_it_is_there(tiny: Path, kind: str) -> None:
    if kind != "threads":
        pytest.importorskip(kind, exc_type=ImportError)
    returned, out, error = run(tiny, FORKS, before=GREEN[kind])
    assert returned == 0, error
    assert error == "" or kind != "threads"
    engines_of = list(zip(out[::2], out[1::2], strict=True))
    first = engines_of[0][1]
    assert [name for name, _ in engines_of] == ["parent", "child", "own", "parent"]
    assert engines_of[1][1] == first
    assert len({first, engines_of[2][1], engines_of[3][1]}) == 3
    assert all(wait_until_gone(int(process)) for _, process in engines_of)


PORT_IN_CHILD = """
local.start()
print(pid(), flush=True)
if os.fork() == 0:
    ask()
    print(pid(), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.once
def test_a_forked_child_does_not_use_a_port_of_its_parents_engine(tiny: Path) -> None:
    without_sockets = "import warnings; warnings.simplefilter('ignore'); del __import__('socket').AF_UNIX\n"
    returned, out, error = run(tiny, without_sockets + PORT_IN_CHILD)
    assert (returned, error) == (0, "")
    assert len(set(out)) == 2


@pytest.mark.once
@pytest.mark.usefixtures("tiny")
def test_a_second_copy_of_a_model_in_one_program_is_told(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "twice.gguf")
    Local(path, context=COPY_CONTEXT, keep_alive=10).start()
    with pytest.warns(UserWarning, match=r"twice\.gguf in memory twice: call start\(\)"):
        Local(path, context=COPY_CONTEXT + 1, keep_alive=0).start()


@pytest.fixture(scope="module", autouse=True)
def unused(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Local, Engine]:
    """Give a provider, and its engine, which nobody uses while the other tests run."""
    path = write_tiny_model(tmp_path_factory.mktemp("unused") / "unused.gguf")
    local = Local(path, context=COPY_CONTEXT, timeout=60, retry=None)
    local.create(messages="Hello", max_tokens=1, keep_alive=0)
    return local, engines._engines[next(reversed(engines._engines))]


LONG = 3900  # tokens, which take a second


@pytest.fixture(scope="module")
def own(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model that no other file uses."""
    return write_tiny_model(tmp_path_factory.mktemp("own") / "own.gguf")


@pytest.fixture
def provider(own: Path) -> Local:
    """Give a provider whose engine runs, and is nobody else's."""
    local = Local(own, context=4096, timeout=60, retry=None)
    local.start()
    return local


def process_of(engine: Engine) -> int:
    return engine._process.pid


def test_a_crash_is_told_and_the_next_call_starts_it_anew(provider: Local) -> None:
    engine = engine_of(provider)
    with provider.create_generator(messages="Tell a story.", max_tokens=LONG) as stream:
        first = next(stream)
        os.kill(process_of(engine), signal.SIGSEGV)
        with pytest.raises(EngineError, match=r"the engine of own\.gguf crashed \(signal 11\)") as caught:
            list(stream)
    assert str(caught.value.partial).startswith(str(first))
    assert caught.value.provider == "Local"
    assert provider.create(messages="Hello", max_tokens=1)
    assert process_of(engine_of(provider)) != process_of(engine)


@pytest.mark.once
def test_one_whose_socket_has_been_tidied_away_is_replaced_and_ends_after_its_calls(own: Path) -> None:
    provider = Local(own, context=4096, timeout=60, retry=None, keep_alive=-1)
    engine = engine_of(provider)
    with provider.create_generator(messages="Tell a story.", max_tokens=LONG) as stream:
        next(stream)
        shutil.rmtree(Path(engine.socket_path).parent)
        with pytest.warns(UserWarning, match=r"own\.gguf in memory twice"):
            assert provider.create(messages="Hello", max_tokens=1)
        assert process_of(engine_of(provider)) != process_of(engine)
        assert not engine.running
        assert is_there(process_of(engine))
        assert list(stream)  # to its end
    assert engine._ended.wait(GONE_SECONDS)
    assert engine.left()


def test_its_last_words_are_told(tiny: Path) -> None:
    provider = Local(tiny, context=COPY_CONTEXT, timeout=60, retry=None)
    engine = engine_of(provider)
    with pytest.raises(Exception, match="failed to parse grammar"):
        provider.create(messages="Hello", grammar="root ::= (")
    os.kill(process_of(engine), signal.SIGABRT)
    assert engine.crashed()
    with pytest.raises(EngineError) as caught, engine.crash_told():
        raise caught_error()
    assert "error parsing grammar" in caught.value.last_words


def caught_error() -> Exception:
    from g4f_lite import TransportError

    return TransportError("lost")


def take_port(engine: Engine) -> socket.socket:
    return socket.create_server(("127.0.0.1", int(engine.base_url.split(":")[2].removesuffix("/v1"))))


def take_directory(engine: Engine) -> socket.socket:
    path = Path(engine.socket_path)
    path.parent.mkdir()
    taken = socket.socket(socket.AF_UNIX)
    taken.bind(str(path))
    taken.listen()
    return taken


@pytest.mark.parametrize("take", [pytest.param(take_port, marks=pytest.mark.once), take_directory])
def test_whoever_has_taken_the_address_of_an_engine_that_ended_gets_nothing(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, take: Callable[[Engine], socket.socket]
) -> None:
    """The call found the engine running, or its connection kept, and it has ended since."""
    provider: Local = request.getfixturevalue("at_port" if take is take_port else "provider")
    engine = engine_of(provider)
    monkeypatch.setattr(provider.runner, "engine", lambda *_, **__: engine)
    assert provider.count_tokens("Hello")
    os.kill(process_of(engine), signal.SIGKILL)
    assert engine._ended.wait(GONE_SECONDS)
    monkeypatch.setattr(os, "geteuid", lambda: -1)  # as the directory is now this user's
    try:
        with take(engine) as taken:
            for ask in (provider.count_tokens, provider.embed, lambda text: provider.create(messages=text)):
                with pytest.raises(EngineError, match=r"\.gguf crashed \(signal 9\) while it answered"):
                    ask("Hello")
                connection, _ = taken.accept()
                with connection:
                    assert connection.recv(1) == b""
    finally:
        remove(engine.socket_path)


@pytest.mark.once
def test_a_process_that_does_not_say_that_it_is_there_is_sent_nothing(at_port: Local) -> None:
    engine = engine_of(at_port)
    os.kill(process_of(engine), signal.SIGSTOP)
    os.waitpid(process_of(engine), os.WUNTRACED)  # until it has stopped, which is not at once
    try:
        with (
            Deadline(Timeout(0.1, 60, 60)) as call,
            pytest.raises(TimeoutError, match="does not answer"),
        ):
            engine.confirm(call)
    finally:
        os.kill(process_of(engine), signal.SIGCONT)
    with Deadline(Timeout(60, 60, 60)) as call:
        engine.confirm(call)


def test_an_answer_that_is_closed_leaves_the_engine_to_others(provider: Local) -> None:
    engine = engine_of(provider)
    stream = provider.create_generator(messages="Tell a story.", max_tokens=LONG)
    next(stream)
    stream.close()
    with pytest.raises((StopIteration, StreamInterruptedError)):
        next(stream)
    assert provider.create(messages="Hello", max_tokens=1)
    assert engine_of(provider) is engine


INJECT = """
import g4f_lite
print(local.create(messages="Hello", max_tokens=1) and pid())
"""


@pytest.mark.once
def test_nothing_around_it_runs_in_its_process(tiny: Path, tmp_path: Path) -> None:
    """Neither what PYTHONPATH leads to, nor the current directory, nor what libraries take from the environment."""
    for name in ("sitecustomize", "usercustomize", "xllamacpp", "json", "threading"):
        (tmp_path / f"{name}.py").write_text(f"import os; open('ran', 'a').write(f'{name} {{os.getpid()}}\\n')\n")
    startup = tmp_path / "startup.py"
    startup.write_text("import os; open('ran', 'a').write(f'startup {os.getpid()}\\n')\n")
    code = "import os, sys; sys.path[:] = [p for p in sys.path if p not in ('', os.getcwd())]\n" + SCRIPT + INJECT
    environment = {**os.environ, "PYTHONSTARTUP": str(startup), "PYTHONINSPECT": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(tmp_path)])
    (tmp_path / "json.py").unlink()  # which the program itself would take from there
    (tmp_path / "threading.py").unlink()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip().isdigit(), done.stderr
    ran = (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else ""
    assert done.stdout.strip() not in ran


@pytest.mark.parametrize("program", ["/bin/true", "/bin/cat"])
def test_a_program_that_is_not_python_is_told(tiny: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setenv("G4F_LITE_PYTHON", program)
    local = Local(tiny, context=COPY_CONTEXT + 1, retry=None)
    with pytest.raises(ProviderNotConfiguredError, match=f"{program} did not run the engine .* set G4F_LITE_PYTHON"):
        local.create(messages="Hello")


def test_unused_it_ends_and_comes_back(unused: tuple[Local, Engine]) -> None:
    provider, first = unused  # for a second already: that is why this test is the last of this file
    assert first._ended.wait(GONE_SECONDS)
    assert first.left()
    assert provider.create(messages="Hello", max_tokens=1, keep_alive="1m")
    assert process_of(engine_of(provider)) != process_of(first)
