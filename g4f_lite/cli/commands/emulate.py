"""``g4f-lite emulate``: emulate the services on this machine."""

from __future__ import annotations

import errno
import queue
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import click

from ...emulator import Emulator, ReceivedRequest, Settings
from ...errors import sanitize
from ..assignments import read_assignment
from ..completion import FILE
from ..emulation import Backend, add_faults, backend_option, fail_option, make_backend
from ..failure import Failure, checking_arguments
from ..output import write

PORT = 8484
SECONDS = 0.5  # between two checks for Ctrl-C, which does not interrupt a wait on Windows

USAGE = """\
The emulator is running at {url}; the answers are from {name}. Press Ctrl-C to stop it.

In another terminal:
  {ca}g4f-lite chat --provider AiChatOnline --base-url {url} "Why is the sky blue?"
  {ca}g4f-lite chat --provider AiChats --base-url {url} "Why is the sky blue?"
  {ca}g4f-lite chat --provider AiChats --base-url {url} --model dalle "A lighthouse at night"
  {ca}g4f-lite chat --provider AiEngine --base-url {url} "Why is the sky blue?"
  {ca}g4f-lite chat --provider Chatgpt4Online --base-url {url} "Why is the sky blue?"
  {ca}g4f-lite chat --provider OpenAICompatible --base-url {url}/v1 "Why is the sky blue?"

In Python, and likewise for the others:
  g4f_lite.AiChats(base_url="{url}"{verify}).create(messages="Why is the sky blue?")

As the environment of an app that names no provider:
  {ca}G4F_LITE_BASE_URL={url}/v1

Requests:
"""


@click.command()
@backend_option
@fail_option
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help=f"The port; 0 is any free one. By default {PORT}, or a free one.",
)
@click.option("--tls", metavar="FILE", type=FILE, help="Use https, with the certificate and the key in this file.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the services, such as framing=close or plugin_version=2.6.3; can be repeated.",
)
def command(
    backend: str, faults: tuple[str, ...], host: str, port: int | None, tls: Path | None, assignments: tuple[str, ...]
) -> None:
    """Emulate the services on this machine.

    They are AiChatOnline, AiChats, AI Engine and OpenAI's API. Answers come from the backend, and images are made up.
    Nothing leaves this machine unless the backend sends it. A line is printed for each request, without its headers and
    its text.
    """
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    with checking_arguments():
        context = None if tls is None else _tls(tls)
        hints = get_type_hints(Settings)
        settings = dict(read_assignment(text, hints) for text in assignments)
        Settings(**settings)

    provider = make_backend(backend)
    with Backend(provider, lines.put) as answers:

        def make(port: int) -> Emulator:
            emulator = Emulator(
                answers,
                host=host,
                port=port,
                tls=context,
                on_end=lambda request: lines.put(describe(request)),
                **settings,
            )
            add_faults(emulator, faults)
            return emulator

        with _start(make, host, port) as emulator:
            try:
                write(usage(emulator.url, provider.name, tls))
                _show(lines)
            except KeyboardInterrupt:  # the way to stop it
                click.echo(err=True)


def usage(url: str, name: str, tls: Path | None) -> str:
    """Return how to use the emulator, as lines to copy."""
    for everywhere, here in (("//0.0.0.0:", "//127.0.0.1:"), ("//[::]:", "//[::1]:")):
        url = url.replace(everywhere, here)
    ca, verify = ("", "") if tls is None else (f'G4F_LITE_CA_BUNDLE="{tls}" ', f', verify="{tls}"')
    return USAGE.format(url=url, name=name, ca=ca, verify=verify)


def describe(request: ReceivedRequest) -> str:
    """Return one line about a request and its result, without secrets."""
    outcome = "no answer" if request.status is None else str(request.status)
    if request.status is not None and not request.complete:
        outcome += ", cut"
    if request.fault is not None:
        outcome += f", fault {request.fault}"
    seconds = (request.ended or request.started) - request.started
    purpose = f"{request.service} {request.step}" if request.step else "unknown"
    line = f"{time.strftime('%H:%M:%S')}  {request.method} {request.path} → {outcome}  ({purpose}, {seconds:.3f} s)"
    return sanitize(line)


def _start(make: Callable[[int], Emulator], host: str, port: int | None) -> Emulator:
    try:
        return make(PORT if port is None else port).start()
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return make(0).start()
        reason = str(error.strerror).partition(" (while attempting")[0]  # which Python adds, with the same address
        other = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise Failure(f"cannot listen on {host}, port {PORT if port is None else port}: {reason}{other}") from error


def _show(lines: queue.SimpleQueue[str]) -> None:
    while True:
        try:
            write(lines.get(timeout=SECONDS) + "\n")
        except queue.Empty:
            continue


def _tls(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{path} does not contain a certificate and its key: {error.strerror or error}") from error
    return context
