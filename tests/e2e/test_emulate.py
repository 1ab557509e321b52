"""``g4f-lite emulate`` as a user starts, uses and ends it."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
import trustme

from g4f_lite import G4FLiteError, OpenAICompatible
from g4f_lite.cli.commands.emulate import PORT
from g4f_lite.cli.emulation import Backend
from g4f_lite.emulator import Emulator

from .command import SECONDS, assert_failed, call, read_past, run, start

pytestmark = pytest.mark.usefixtures("interruptible")


class Running:
    """The command while it runs: what it said at its beginning, and where it is."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout
        self.child = child
        self._out = child.stdout.fileno()
        self._seen = b""
        self.said = self.wait_for("Requests:\n")
        self.url = re.findall(r"https?://[\w.:\[\]]+", self.said)[0].rstrip(":")

    def wait_for(self, wanted: str) -> str:
        """Wait for something to be shown, and give all since what was waited for last."""
        shown, self._seen = read_past(self._out, wanted.encode(), self._seen)
        return shown.decode()

    def interrupt(self) -> tuple[int, str, str]:
        """Press Ctrl-C; give the exit code, and what was written since."""
        self.child.send_signal(signal.SIGINT)
        out, err = self.child.communicate(timeout=SECONDS)
        return self.child.returncode, (self._seen + out).decode(), err.decode()


@pytest.fixture
def emulate() -> Iterator[Callable[..., Running]]:
    """Give a function that starts the command on a free port, with the echo behind it."""
    with ExitStack() as stack:

        def begin(*arguments: str, backend: str = "echo", **environment: str) -> Running:
            child = stack.enter_context(start("emulate", "--backend", backend, *arguments, **environment))
            stack.callback(child.kill)
            return Running(child)

        yield begin


def test_each_line_that_it_prints_can_be_pasted(emulate: Callable[..., Running]) -> None:
    running = emulate("--port", "0")
    lines = [line for line in running.said.splitlines() if line.lstrip().startswith("g4f-lite ")]
    providers = re.findall(r"--provider (\w+)", running.said)
    assert providers == ["AiChatOnline", "AiChats", "AiChats", "AiEngine", "Chatgpt4Online", "OpenAICompatible"]
    for line in lines:
        program, *arguments = shlex.split(line)
        done = call(*arguments)
        image = f"![A lighthouse at night]({running.url}/images/1.png)\n"
        expected = image if "dalle" in arguments else "Why is the sky blue?\n"
        assert (program, done.returncode, done.stdout) == ("g4f-lite", 0, expected), done.stderr
    assert len(lines) == len(providers)
    python = re.search(r"^  g4f_lite\.(\w+)\(base_url=\"(.+)\"\)\.create", running.said, re.MULTILINE)
    assert python
    assert python.groups() == ("AiChats", running.url)
    assert f"G4F_LITE_BASE_URL={running.url}/v1\n" in running.said
    assert run("chat", "Hi", G4F_LITE_BASE_URL=f"{running.url}/v1").stdout == "Hi\n"


def test_each_request_is_one_line_without_secrets(emulate: Callable[..., Running]) -> None:
    running = emulate("--port", "0", "--fail", "reset")
    assert call("chat", "a secret prompt", "-p", "AiChatOnline", "--base-url", running.url).returncode == 0
    requests.get(f"{running.url}/nothing?key=secret", headers={"Cookie": "secret=secret"}, timeout=SECONDS)
    # The client has its answer before the line is written, and each connection writes its own.
    lines = [re.sub(r"\d\.\d{3} s", "…", running.wait_for("\n")) for _ in range(4)]
    assert running.interrupt() == (0, "", "\n")
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    assert sorted(line[10:] for line in lines) == [
        "GET /api/v1/user/getUniqueId → 200  (ai_chat_online bootstrap, …)\n",
        "GET /nothing → 404  (unknown, …)\n",
        "POST /aichatonline/api/chat/gpt → 200  (ai_chat_online prompt, …)\n",
        "POST /aichatonline/api/chat/gpt → no answer, fault reset  (ai_chat_online prompt, …)\n",
    ]


def test_a_request_is_shown_as_soon_as_it_is_over(emulate: Callable[..., Running]) -> None:
    running = emulate("--port", "0", "--fail", "cut:after=1")
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two"}]}
    with pytest.raises(requests.RequestException):
        requests.post(f"{running.url}/v1/chat/completions", json=body, timeout=SECONDS)
    assert "200, cut, fault cut" in running.wait_for("\n")


def test_ctrl_c_ends_it_with_a_client_in_mid_answer(emulate: Callable[..., Running]) -> None:
    running = emulate("--port", "0", "--fail", "stall:after=1")
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two"}]}
    with requests.post(f"{running.url}/v1/chat/completions", json=body, timeout=SECONDS, stream=True) as response:
        arriving = response.iter_content(None)
        assert b"one" in next(arriving) + next(arriving)
        assert running.interrupt()[::2] == (0, "\n")


def test_why_the_backend_fails_is_shown_to_both_sides(emulate: Callable[..., Running]) -> None:
    running = emulate("--port", "0", backend="openai", G4F_LITE_OFFLINE="0")
    done = call("chat", "Hi", "-p", "AiChats", "--base-url", running.url)
    assert done.returncode == 1
    assert "OPENAI_API_KEY" in done.stderr
    assert "no answer: OpenAI: " in running.wait_for("OPENAI_API_KEY")


def test_without_a_port_another_one_is_taken_where_the_usual_is_in_use(emulate: Callable[..., Running]) -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # somebody else has it
            stack.enter_context(socket.create_server(("127.0.0.1", PORT)))
        assert not emulate().url.endswith(f":{PORT}")
        done = call("emulate", "--backend", "echo", "--port", str(PORT))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"Error: cannot listen on 127\.0\.0\.1, port {PORT}: [^(]+; choose another with --port\n", done.stderr
    )


def test_settings(emulate: Callable[..., Running]) -> None:
    running = emulate("--port", "0", "--set", "framing=length", "--set", "models=one,two", "--set", "api_key=none")
    response = requests.get(f"{running.url}/v1/models", timeout=SECONDS)
    assert "Content-Length" in response.headers
    assert [model["id"] for model in response.json()["data"]] == ["one", "two"]


def test_tls(emulate: Callable[..., Running], tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    running = emulate("--port", "0", "--tls", str(file))
    assert running.url.startswith("https://")
    assert f'verify="{file}"' in running.said
    assert f'G4F_LITE_CA_BUNDLE="{file}" g4f-lite chat' in running.said
    done = call("chat", "Hi", "--base-url", f"{running.url}/v1", G4F_LITE_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert (done.returncode, done.stdout) == (0, "Hi\n"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "nobody"], "no provider 'nobody'"),
        (["--backend", "AiEngine"], "AiEngine cannot be the backend, because it needs a base URL as well"),
        (["--fail", "explode"], "no fault is called 'explode'"),
        (["--fail", "reset:after"], "NAME=VALUE"),
        (["--fail", "reset:afterwards=1"], "no setting 'afterwards'"),
        (["--fail", "reset:after=soon"], "after must be a whole number or "),
        (["--fail", "reset:nth=0"], "nth"),
        (["--set", "framing=wide"], "framing must be 'chunked' or 'close' or 'length', not 'wide'"),
        (["--set", "colour=red"], "no setting 'colour'"),
        (["--set", "pacee=1"], "the settings are api_key, "),
        (["--set", "plugin_version=new"], "plugin_version"),
        (["--tls", "no-such-file.pem"], "no-such-file.pem"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], words: str) -> None:
    done = call("emulate", "--backend", "echo", "--port", "0", *arguments)
    assert_failed(done, words, code=1 if "--host" in arguments else 2)


def test_leaving_the_backend_ends_its_answers(emulator: Emulator) -> None:
    emulator.answer("one two")
    emulator.fail("stall", after=1)
    reported: list[str] = []
    pieces: list[str] = []
    first = threading.Event()

    def read(backend: Backend) -> None:
        with suppress(G4FLiteError):
            for piece in backend([{"role": "user", "content": "Hi"}]):
                pieces.append(piece)
                first.set()

    with Backend(OpenAICompatible(f"{emulator.url}/v1", model="m"), reported.append) as backend:
        reader = threading.Thread(target=read, args=(backend,))
        reader.start()
        assert first.wait(SECONDS)
    reader.join(SECONDS)
    assert not reader.is_alive()
    assert pieces == ["one"]
    assert len(reported) == 1
    assert reported[0].startswith("no answer: OpenAICompatible")
