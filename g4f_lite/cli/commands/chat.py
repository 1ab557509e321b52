"""``g4f-lite chat``: send a prompt and print the answer."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ...answers.price import PriceLike
from ...client.routing import RoutedProvider, Router
from ...errors import G4FLiteError, MissingDependencyError, OutputError
from ...providers.base import BaseProvider, Provider
from ...providers.fallback import Fallback
from ..answer_format import format_check, with_output
from ..call_options import call_options
from ..completion import FILE, complete_file, complete_model
from ..conversation_file import ConversationFile
from ..failure import checking_arguments, fields_of
from ..images import read_images
from ..json_answer import ask_for_json
from ..keyboard import silent_keyboard
from ..notes import note, quiet_option
from ..options import EngineOptions, ProviderOptions, engine_options, note_fallback, note_waits, provider_options
from ..output import errors_in_json, require_output, write, write_json
from ..prompt import check_dashes, no_stdin_option, prompt_argument, read_prompt
from ..show import note_what_is_missing, show
from ..spending import cost_of, price_option, set_price, told_usage
from ..text_files import read_text_files
from .local import note_download, suggest_better_models


@click.command(epilog="`g4f-lite --help` lists the environment variables and the exit codes.")
@prompt_argument
@provider_options
@engine_options
@click.option(
    "--model",
    "-m",
    metavar="NAME",
    shell_complete=complete_model,
    help="The model; with the provider local, the path of a .gguf file works as well.",
)
@click.option("--system", "-s", metavar="TEXT", help="The system message, which tells the model how to behave.")
@click.option(
    "--file",
    "-f",
    "files",
    multiple=True,
    metavar="FILE",
    type=FILE,
    help="Add a text file to the prompt, with its name; can be repeated.",
)
@click.option(
    "--image",
    "-i",
    "images",
    multiple=True,
    metavar="FILE|URL|-",
    shell_complete=complete_file,
    help="Send an image with the prompt; can be repeated.",
)
@call_options("--option", "-o")
@click.option("--save", metavar="FILE", type=FILE, help="Save the conversation to a new file.")
@click.option("--continue", "continued", metavar="FILE", type=FILE, help="Continue the conversation in a file.")
@click.option(
    "--max-characters",
    metavar="N",
    type=click.IntRange(min=1),
    help="Send no more of the conversation than this, without its oldest turns; the file keeps them.",
)
@click.option("--no-stream", is_flag=True, help="Print the answer only when it is complete.")
@click.option("--raw", is_flag=True, help="Do not render Markdown, even on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the answer and its metadata.")
@price_option
@no_stdin_option
@quiet_option
def command(
    prompt: tuple[str, ...],
    provider_options: ProviderOptions,
    engine: EngineOptions,
    call_options: dict[str, Any],
    model: str | None,
    system: str | None,
    files: tuple[Path, ...],
    images: tuple[str, ...],
    save: Path | None,
    continued: Path | None,
    max_characters: int | None,
    no_stream: bool,
    raw: bool,
    as_json: bool,
    price: PriceLike | None,
    no_stdin: bool,
) -> None:
    """Send a prompt and print the answer as it arrives.

    The prompt is PROMPT, standard input, or both; with - as well as PROMPT, standard input must not be empty. With
    neither, on a terminal, an interactive chat starts.

    --no-stdin leaves standard input alone, where it is not for the prompt: in a job, over ssh, or in a shell's loop
    over lines from a pipe, whose first call would read all of them:

    \b
      while read -r line; do g4f-lite chat --no-stdin -- "$line"; done

    --continue adds the turn to the file of the conversation, unless --save names a new file for it. If both name the
    same file, it may be a new one.
    """
    require_output()
    check_dashes((*prompt, *images), no_stdin=no_stdin)
    interactive = not (prompt or no_stdin) and sys.stdin.isatty() and sys.stdout.isatty()
    if interactive and as_json:
        raise click.UsageError("--json needs a prompt")
    file = ConversationFile(continued, save)
    if not interactive:
        with suppress(MissingDependencyError):
            call_options = with_output(call_options)
    is_json = "output" in call_options
    check = None if is_json else format_check(call_options)
    attached = read_images(images)  # before the prompt: one may be on standard input
    texts = read_text_files(files)
    text = "" if interactive else read_prompt(prompt, texts, images, no_stdin=no_stdin)
    raw = raw or "response_format" in call_options
    options = {**call_options, "timeout": provider_options.timeout}
    if provider_options.proxy is not None:
        options["proxy"] = provider_options.proxy
    failed: list[G4FLiteError] = []  # of the members of a chain, before the one that answers
    with silent_keyboard(), errors_in_json(as_json):
        provider = _made(provider_options, engine, price)
        if as_json and isinstance(provider, Fallback):
            provider.on_fallback = partial(note_fallback, kept=failed)
        router = Router(provider)
        conversation = file.open(RoutedProvider(router), system=system, model=model)
        conversation.max_characters = max_characters
        with checking_arguments():
            note_download(provider, conversation.model)
            if interactive:
                _check_ready(provider)
    if interactive:

        def choose(name: str) -> tuple[BaseProvider, BaseProvider]:
            is_local = name.partition(":")[0].strip().lower() == "local"
            options = replace(provider_options, names=(name,), base_url=None, key_file=None)
            of_models = price if isinstance(price, dict) else None  # another is that of the first provider
            other = _made(options, engine if is_local else {}, of_models)
            note_download(other, None)
            _check_ready(other)
            return other, RoutedProvider(Router(other))

        from ..interactive import InteractiveChat

        how: Any = {"texts": texts, "whole": no_stream, "raw": raw, "file": file, "check": check}
        how |= {"provider": provider, "choose": choose}
        InteractiveChat(conversation, options, attached, **how).run()
        return
    wrong: OutputError | None = None  # with the answer
    with errors_in_json(as_json):
        if is_json:
            answer, wrong = ask_for_json(conversation, text, attached, options)
        else:
            with checking_arguments():
                stream = conversation.stream(text, images=attached, **options)
            with stream:
                answer = stream.text() if as_json else show(stream, whole=no_stream or check is not None, raw=raw)
    if as_json:
        write_json({**answer.to_dict(), "cost": cost_of(router.usage), "errors": [fields_of(each) for each in failed]})
    elif is_json:
        write(f"{answer}\n")
    if (as_json or is_json) and wrong is None:
        note_what_is_missing(answer)
    if price is not None and not as_json:
        note(told_usage(router.usage))
    if wrong is not None:
        raise wrong
    if check is not None:
        check(answer)
    file.save(conversation)
    if not as_json:
        suggest_better_models(provider)


def _made(options: ProviderOptions, engine: EngineOptions, price: PriceLike | None) -> BaseProvider:
    """Return the provider that the options choose; what a chain of several skips, and what they wait for, is told.

    :param price: what its tokens cost; None for what is known
    """
    provider = options.choose(engine)
    set_price(provider, price)
    note_waits(provider)
    if isinstance(provider, Fallback):
        provider.on_fallback = note_fallback
    return provider


def _check_ready(provider: BaseProvider) -> None:
    """Raise if no message of an interactive chat can be answered, for instance without a key."""
    if isinstance(provider, Provider):
        provider.check_ready()
