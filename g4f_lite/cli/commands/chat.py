"""``g4f-lite chat``: ask, and print the answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..conversation_file import ConversationFile
from ..failure import checking_arguments
from ..options import ProviderOptions, provider_options
from ..output import show, write_json
from ..pictures import read_pictures
from ..prompt import read_prompt
from .local import tell_of_better_models


@click.command()
@click.argument("prompt", required=False)
@provider_options
@click.option("--model", "-m", metavar="NAME", help="The model to ask; for the provider local, a .gguf file too.")
@click.option("--system", "-s", metavar="TEXT", help="How the model shall behave.")
@click.option("--image", "-i", "images", multiple=True, metavar="FILE|URL", help="A picture to show; several times.")
@click.option("--save", metavar="FILE", type=Path, help="Keep the conversation in a file that is not there yet.")
@click.option("--continue", "continued", metavar="FILE", type=Path, help="Go on with the conversation in a file.")
@click.option("--no-stream", is_flag=True, help="Print nothing before the answer is whole.")
@click.option("--raw", is_flag=True, help="Print the text as it is on a terminal too, where Markdown is rendered.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with how the answer came about.")
def command(
    prompt: str | None,
    provider_options: ProviderOptions,
    model: str | None,
    system: str | None,
    images: tuple[str, ...],
    save: Path | None,
    continued: Path | None,
    no_stream: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Ask for an answer and print it as it comes.

    PROMPT is what you ask. What is on standard input is added to it, or is the prompt where there is
    no argument. Without both, on a terminal, a conversation begins. With --continue the file is kept
    up to date, or, where --save names another, left as it is.
    """
    talk = prompt is None and sys.stdin.isatty() and sys.stdout.isatty()
    if talk and as_json:
        raise click.UsageError("--json needs a prompt")
    if continued is not None and system is not None:
        raise click.UsageError("--system belongs to the beginning of a conversation, and --continue goes on with one")
    file = ConversationFile(continued, save)
    text = "" if talk else read_prompt(prompt)
    pictures = read_pictures(images)
    provider = provider_options.choose()
    limits: dict[str, Any] = {"timeout": provider_options.timeout}
    if provider_options.proxy is not None:
        limits["proxy"] = provider_options.proxy
    conversation = file.open(provider, system=system, model=model)
    if talk:
        from ..talk import Talk

        Talk(conversation, limits, pictures, whole=no_stream, raw=raw, file=file).run()
        return
    with checking_arguments():
        stream = conversation.stream(text, images=pictures, **limits)
    with stream:
        if as_json:
            answer = stream.text()
            file.keep(conversation)
            write_json(answer.to_dict())
        else:
            show(stream, whole=no_stream, raw=raw)
            file.keep(conversation)
            tell_of_better_models(provider)
