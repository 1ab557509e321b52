"""``g4f-lite demo``: the whole SDK at work, on this machine."""

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
from ..emulation import Backend, add_faults, backend_option, fail_option, make_backend
from ..failure import Misuse, checking_arguments
from ..output import write
from ..tour import Tour

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
@click.option("--save", metavar="FOLDER", type=Path, help="Save the picture in this folder.")
def command(backend: str, faults: tuple[str, ...], save: Path | None) -> None:
    """Run the providers against emulated services, and show what happens on the wire.

    The services are a server on this machine, with the embedded model behind it.  What is shown of
    the requests is what this server received.
    """
    if save is not None and not save.is_dir():
        raise Misuse(f"{save} is no folder")
    began = time.monotonic()
    provider = make_backend(backend)
    with Backend(provider) as answers, Emulator(answers) as emulator:
        add_faults(emulator, faults)
        write(
            f"The services are emulated at {emulator.url}, on this machine; {provider.name} answers"
            f" (ready after {time.monotonic() - began:.1f} s).\n"
        )
        pictures = _run(emulator)
        requests, connections = len(emulator.requests), emulator.connections
    if save is not None:
        for picture in pictures:
            with checking_arguments():
                write(f"\nThe picture is {picture.save(save)}\n")
    write(
        f"\nThose were {requests} requests on {connections} connections, over HTTP."
        " `g4f-lite emulate` keeps the services up for your own code.\n"
    )


def _run(emulator: Emulator) -> list[ImageResponse]:
    """Ask all services; give the pictures."""
    tour = Tour(emulator)
    with AiChatOnline(base_url=emulator.url) as online:
        _head(online, "fetches a token, and sends the conversation as one prompt")
        tour.call(online, SKY)
    with AiChats(base_url=emulator.url) as chats:
        _head(chats, "visits the page for its cookies, and sends the turns of the conversation")
        tour.call(chats, FRUIT)
        _head(chats, "draws; the cookies and the connection are there already")
        pictures = tour.call(chats, LIGHTHOUSE, "dalle")
    with Chatgpt4Online(base_url=emulator.url) as chatgpt:
        _head(chatgpt, "fetches a nonce; the last turn is apart from the earlier ones")
        tour.call(chatgpt, ITALY)
    return pictures


def _head(provider: Any, what: str) -> None:
    write(f"\n{provider.name} {what}.\n")
