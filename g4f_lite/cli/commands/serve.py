"""``g4f-lite serve``: a server of OpenAI's API."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import G4FLiteError
from ...http.urls import is_loopback
from ...providers.openai.keys import clean
from ..completion import FILE, complete_provider
from ..failure import Failure, Misuse, checking_arguments, one_line
from ..options import EngineOptions, check_engine_options, engine_options, read_key
from ..output import write

if TYPE_CHECKING:
    from ...providers.base import BaseProvider

PORT = 1337
KEY_VARIABLE = "G4F_LITE_SERVER_KEY"
USAGE = """\
{name} answers at {url}/v1 as OpenAI's API does{key}. Press Ctrl-C to stop.

  The page to chat with:  {url}/
  Python:                 openai.OpenAI(base_url="{url}/v1", api_key="{shown}")
  curl:                   curl {url}/v1/chat/completions{header} -H "Content-Type: application/json" \\
                            -d '{{"messages": [{{"role": "user", "content": "Why is the sky blue?"}}]}}'
"""


@click.command()
@click.argument("providers", nargs=-1, metavar="[PROVIDER]...", shell_complete=complete_provider)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="The port; 0 for any.")
@click.option(
    "--api-key-file",
    "key_file",
    metavar="FILE",
    type=FILE,
    help=f"A file with the key that each request must have; {KEY_VARIABLE} may hold it instead.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="A site whose pages may call the server, such as https://chat.example.org; can be repeated.",
)
@engine_options
@click.option("--any-model", is_flag=True, help="Answer every model name with the provider's default model.")
@click.option("--max-streams", type=click.IntRange(1), default=64, show_default=True, help="Answers at once.")
@click.option("--quiet", is_flag=True, help="Show no line for each request.")
def command(
    providers: tuple[str, ...],
    host: str,
    port: int,
    key_file: Path | None,
    origins: tuple[str, ...],
    engine: EngineOptions,
    any_model: bool,
    max_streams: int,
    quiet: bool,
) -> None:
    """Serve a provider to any OpenAI client, and a page to chat with.

    PROVIDER is a name such as ollama or groq:llama-3.3-70b; several are fallbacks, in order. Without one the
    environment chooses, or else the embedded model answers. Only programs on this machine can reach the server, unless
    --host names another address, which needs a key.
    """
    from ...contrib.server.app import create_app
    from ...contrib.server.serving import Server
    from ...providers.local.catalogue import DEFAULT
    from ...providers.selection import choose_provider

    key = _key(key_file)
    if key is None and not is_loopback(f"//{f'[{host}]' if ':' in host else host}"):
        raise Misuse(f"--host {host} lets other machines in, which needs a key: use --api-key-file or {KEY_VARIABLE}")
    with checking_arguments():
        provider: BaseProvider = choose_provider(",".join(providers) or None, local={"download": DEFAULT, **engine})
        check_engine_options(engine, provider)
        models = {"*": None} if any_model else None
        app = create_app(provider, models=models, api_key=key, origins=origins, max_streams=max_streams)
    _warn_if_not_ready(provider)
    if not quiet:
        _show_requests()
    try:
        server = Server(app, host, port, max_streams)
    except OSError as error:
        raise Failure(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    write(
        USAGE.format(
            name=provider.name,
            url=server.url,
            key=" with your key" if key else "",
            shown="your key" if key else "none",
            header=' -H "Authorization: Bearer KEY"' if key else "",
        )
    )
    with provider:
        server.run()


def _key(path: Path | None) -> str | None:
    """Return the key of the server: from its file, or from the environment; None for none."""
    if path is not None:
        return read_key(path)
    value = os.environ.get(KEY_VARIABLE)
    if value is None:
        return None
    with checking_arguments():
        return clean(value, KEY_VARIABLE)


def _warn_if_not_ready(provider: BaseProvider) -> None:
    """Say what each request would fail for, such as a key that is missing."""
    for member in getattr(provider, "providers", (provider,)):
        try:
            getattr(member, "check_ready", lambda: None)()
        except (G4FLiteError, ValueError) as error:
            click.echo(f"Warning: {one_line(str(error))}", err=True)


def _show_requests() -> None:
    """Write a line for each request to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("g4f_lite.server")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
