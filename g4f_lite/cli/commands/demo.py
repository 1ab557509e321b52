"""``g4f-lite demo``: the providers at work, against emulated services."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ...answers.images import ImageResponse
from ...emulator import Emulator
from ...providers.ai_chat_online import AiChatOnline
from ...providers.ai_chats.provider import AiChats
from ...providers.ai_engine.chatgpt4_online import Chatgpt4Online
from ..call_trace import CallTrace
from ..completion import FILE
from ..emulation import Backend, add_faults, backend_option, fail_option, make_backend
from ..failure import Misuse, checking_arguments
from ..files import is_folder
from ..output import write

SKY = "Why is the sky blue? Answer in one sentence."
FRUIT = [
    {"role": "user", "content": "Name a fruit."},
    {"role": "assistant", "content": "An apple."},
    {"role": "user", "content": "What colour is it?"},
]
LIGHTHOUSE = "A lighthouse at night"
ITALY = [
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "The capital of France is Paris."},
    {"role": "user", "content": "And of Italy?"},
]


@click.command()
@backend_option
@fail_option
@click.option("--save", metavar="DIRECTORY", type=FILE, help="Save the image in this directory.")
def command(backend: str, faults: tuple[str, ...], save: Path | None) -> None:
    """Run the providers against emulated services.

    The services are emulated by a server on this machine, with the embedded model behind it. The requests are shown as
    that server received them, and then the answers.
    """
    if save is not None and not is_folder(save):
        raise Misuse(f"{save} is not a directory")
    began = time.monotonic()
    provider = make_backend(backend)
    with Backend(provider) as answers, Emulator(answers) as emulator:
        add_faults(emulator, faults)
        write(
            f"The services are emulated at {emulator.url}, on this machine; the answers are from {provider.name}"
            f" (ready after {time.monotonic() - began:.1f} s).\n"
        )
        images = _run(emulator)
        requests, connections = len(emulator.requests), emulator.connections
    if save is not None:
        for image in images:
            with checking_arguments():
                write(f"\nThe image is saved as {image.save(save)}\n")
    write(
        f"\nIn total: {requests} requests on {connections} connections, over HTTP."
        " `g4f-lite emulate` runs the services for your own code.\n"
    )


def _run(emulator: Emulator) -> list[ImageResponse]:
    """Call all services, and return the images."""
    trace = CallTrace(emulator)
    with AiChatOnline(base_url=emulator.url) as online:
        _write_heading(online, "fetches a token, and sends the conversation as one prompt")
        trace.call(online, SKY)
    with AiChats(base_url=emulator.url) as chats:
        _write_heading(chats, "loads the page for its cookies, and sends the messages of the conversation")
        trace.call(chats, FRUIT)
        _write_heading(chats, "generates an image; it reuses the cookies and the connection")
        images = trace.call(chats, LIGHTHOUSE, "dalle")
    with Chatgpt4Online(base_url=emulator.url) as chatgpt:
        _write_heading(chatgpt, "fetches a nonce; the last message is separate from the earlier ones")
        trace.call(chatgpt, ITALY)
    return images


def _write_heading(provider: Any, what: str) -> None:
    write(f"\n{provider.name} {what}.\n")
