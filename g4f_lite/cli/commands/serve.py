"""``g4f-lite serve``: a server of OpenAI's API."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from socket import gethostname

import click

from ...errors import AuthenticationError, G4FLiteError, TransportError
from ...http.urls import is_loopback
from ...providers.base import BaseProvider
from ...providers.fallback import Fallback
from ...providers.openai.keys import clean
from ...providers.openai.provider import OpenAICompatible
from ..completion import FILE, complete_model, complete_provider
from ..failure import Failure, Misuse, checking_arguments, one_line, tell
from ..notes import note
from ..options import OR_KEY, EngineOptions, ProviderOptions, engine_options, keyless_options, named_members, read_key
from ..output import write
from ..reachability import Endpoint, connect, look_up

PORT = 1337
SECONDS = 2.0  # to see whether a server on this machine runs
EVERYWHERE = ("0.0.0.0", "::")  # as --host
KEY_VARIABLE = "G4F_LITE_SERVER_KEY"
USAGE = """\
{name} answers at {url}/v1 as OpenAI's API does{key}. Press Ctrl-C to stop.

  The page to chat with:  {url}/
{others}  Python:                 openai.OpenAI(base_url="{url}/v1", api_key="{shown}")
  curl:                   curl {url}/v1/chat/completions{header} -H "Content-Type: application/json" \\
                            -d '{{"messages": [{{"role": "user", "content": "Why is the sky blue?"}}]}}'
"""
OTHERS = "  From other machines:    http://{name}:{port}/v1, or with the address of this machine for {name}\n"


@click.command()
@click.argument("providers", nargs=-1, metavar="[PROVIDER]...", shell_complete=complete_provider)
@keyless_options
@engine_options
@click.option(
    "--model", "-m", metavar="NAME", shell_complete=complete_model, help="The model for requests that name none."
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="The port; 0 is any free one.",
)
@click.option(
    "--api-key-file",
    "server_key_file",
    metavar="FILE",
    type=FILE,
    help=f"A file with the key that each request to this server must have; {KEY_VARIABLE} may hold it instead.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="A site whose pages may call the server, such as https://chat.example.org; can be repeated.",
)
@click.option("--any-model", is_flag=True, help="Answer every model name with the provider's default model.")
@click.option(
    "--max-streams",
    metavar="N",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="How many answers may be in progress at once.",
)
@click.option("--quiet", is_flag=True, help="Do not print a line for each request.")
def command(
    providers: tuple[str, ...],
    provider_options: ProviderOptions,
    engine: EngineOptions,
    model: str | None,
    host: str,
    port: int,
    server_key_file: Path | None,
    origins: tuple[str, ...],
    any_model: bool,
    max_streams: int,
    quiet: bool,
) -> None:
    """Serve a provider to any OpenAI client, and a page to chat with.

    PROVIDER is a name such as ollama or groq:llama-3.3-70b, as after --provider; several are fallbacks, in order.
    Without one the environment chooses, or else the embedded model answers. A provider's key is read from its own
    variable. Only programs on this machine can reach the server, unless --host names another address, which needs a
    key.
    """
    from ...contrib.server.app import create_app
    from ...contrib.server.serving import Server

    key = _key(server_key_file)
    if key is None and not is_loopback(f"//{f'[{host}]' if ':' in host else host}"):
        raise Misuse(f"--host {host} lets other machines in, which needs a key: use --api-key-file or {KEY_VARIABLE}")
    options = replace(provider_options, names=(*providers, *provider_options.names))
    settings = {"model": model, "timeout": options.timeout, "proxy": options.proxy}
    provider = options.choose(engine, **{name: value for name, value in settings.items() if value is not None})
    with checking_arguments():
        models = {"*": None} if any_model else None
        app = create_app(provider, models=models, api_key=key, origins=origins, max_streams=max_streams)
    _warn_if_not_ready(provider)
    _note_if_not_running(provider)
    if not quiet:
        _show_requests()
    try:
        server = Server(app, host, port, max_streams)
    except ValueError as error:  # of waitress, for a name without an address
        raise Misuse(f"--host {host} is not an address of this machine") from error
    except OSError as error:
        other = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise Failure(f"cannot listen on {host}, port {port}: {error.strerror}{other}") from error
    write(
        USAGE.format(
            name=" or ".join(_named(*member) for member in named_members(provider)),
            url=server.url,
            key=" with your key" if key else "",
            shown="your key" if key else "none",
            others=OTHERS.format(name=gethostname(), port=server.url.rpartition(":")[2]) if host in EVERYWHERE else "",
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


def _members(provider: BaseProvider) -> Sequence[BaseProvider]:
    return provider.providers if isinstance(provider, Fallback) else [provider]


def _named(name: str, provider: BaseProvider) -> str:
    """Return the name of a provider, with its model if it has one of its own that is not in its name."""
    model = getattr(provider, "model", None) or getattr(provider, "default_model", None)
    return f"{name} ({model})" if model and f"model {model!r}" not in name else name


def _warn_if_not_ready(provider: BaseProvider) -> None:
    """Say what each request would fail for, such as a key that is missing; of a chain, it was noted."""
    members = _members(provider)
    for member in members:
        try:
            getattr(member, "check_ready", lambda: None)()
        except (G4FLiteError, ValueError) as error:
            if len(members) == 1 or not isinstance(error, AuthenticationError):
                tell(f"Warning: {one_line(str(error).removesuffix(OR_KEY))}")  # the option is for the server's own


def _note_if_not_running(provider: BaseProvider) -> None:
    """Say that a server on this machine does not run, which may be started after this one."""
    for member in _members(provider):
        if isinstance(member, OpenAICompatible) and is_loopback(member.base_url):
            endpoint = Endpoint.of(member.base_url)
            try:
                connect(endpoint, look_up(endpoint, SECONDS), SECONDS).close()
            except TransportError as error:
                note(f"{member.name} does not run yet: {one_line(error.message)}")


def _show_requests() -> None:
    """Write a line for each request to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("g4f_lite.server")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
