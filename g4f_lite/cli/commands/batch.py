"""``g4f-lite batch``: answer the prompts in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from ...batch.files import Writer, opened
from ...batch.hosted import HostedBatch
from ...batch.result import Result
from ...batch.results import BatchResults
from ...client.client import Client
from ...errors import BatchStoppedError, ResponseFormatError
from ..answer_format import format_check
from ..batch_files import check_outputs, format_of_output, is_standard, read_prompts
from ..call_options import call_options
from ..failure import Failure, Misuse, checking_arguments, message_of
from ..options import ProviderOptions, provider_options
from ..output import writing

# Options that a hosted batch does not have, and their values where they are not given.
_LIVE = {"workers": "auto", "store": None, "rpm": None, "tpm": None, "fresh": False}


def _number_or_auto(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    return value if value == "auto" else int(click.INT(value, parameter, context))


@click.command()
@click.argument("source", metavar="IN", type=Path)
@click.option("--output", "-o", "target", metavar="OUT", type=Path, help="The file for the answers: .jsonl or .csv.")
@click.option("--force", is_flag=True, help="Replace OUT, and the file of --failed, if they exist.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "tsv", "jsonl", "text"]),
    help="The format of IN, where its ending does not say it.",
)
@click.option("--prompt", "template", metavar="TEXT", help="The prompt, with columns in braces: 'Summarise: {text}'.")
@provider_options
@click.option("--model", "-m", metavar="NAME", help="The model.")
@click.option("--system", "-s", metavar="TEXT", help="A system message for all prompts.")
@call_options("--option")
@click.option("--workers", metavar="N|auto", callback=_number_or_auto, default="auto", help="How many calls at once.")
@click.option("--store", metavar="FILE", type=Path, help="Where answers are kept as they come, instead of OUT.store.")
@click.option("--rpm", metavar="N", type=float, help="Requests per minute.")
@click.option("--tpm", metavar="N", type=float, help="Tokens per minute.")
@click.option("--failed", metavar="FILE", type=Path, help="A file for the rows that failed, which can be IN later.")
@click.option("--head", metavar="N", type=click.IntRange(min=1), help="Answer the first N prompts only.")
@click.option("--estimate", is_flag=True, help="Send nothing, and print what would be sent.")
@click.option("--fresh", is_flag=True, help="Ask again for what is stored.")
@click.option("--hosted", metavar="FILE", type=Path, help="Use the service's Batch API; FILE keeps how far it is.")
@click.option("--poll", metavar="S", type=float, default=30.0, help="With --hosted: seconds between two looks at it.")
def command(
    source: Path,
    target: Path | None,
    force: bool,
    kind: str | None,
    template: str | None,
    provider_options: ProviderOptions,
    call_options: dict[str, Any],
    failed: Path | None,
    store: Path | None,
    head: int | None,
    estimate: bool,
    hosted: Path | None,
    poll: float,
    **options: Any,
) -> None:
    """Answer the prompts in the file IN, several at a time.

    IN is a text file with a prompt in each line, a .csv, .tsv or .jsonl file, also one for OpenAI's Batch API, or - for
    standard input: JSON lines or a prompt in each line, unless --format says otherwise.

    Answers are kept in a store as they come: after Ctrl-C, a crash or an error, the same command goes on. Without -o,
    the answers are printed as JSON lines.

    With --hosted the service answers in its own time, usually within hours, at half the price. The command waits; after
    Ctrl-C the service goes on, and the same command fetches the answers.
    """
    kinds = {path: format_of_output(path) for path in (target, failed) if path is not None}
    rows = read_prompts(source, kind, template)[:head]
    check = format_check(call_options)
    if hosted is not None:
        _refuse_live_options({"store": store, **options})
    options |= call_options
    is_ours = store is None and target is not None and not is_standard(target) and hosted is None
    kept = Path(f"{target}.store") if is_ours else store
    is_left = kept is not None and kept.exists()
    if not estimate:
        files = {"IN": source, "--output": target, "--failed": failed, "--store": kept, "--hosted": hosted}
        goes_on = is_left or (hosted is not None and hosted.exists())
        check_outputs(files, may_replace=force or goes_on)
    provider = provider_options.choose()
    if provider_options.timeout is not None:
        options["timeout"] = provider_options.timeout
    options["proxy"] = provider_options.proxy
    prompts = [row.prompt for row in rows]
    results: BatchResults[Any]
    with checking_arguments(), Client(provider) as client:
        if hosted is None:
            results = client.map(prompts, store=None if estimate and not is_left else kept, **options)
        else:
            named = {name: value for name, value in options.items() if name not in _LIVE}
            results = client.batch(prompts, path=hosted, poll=poll, **named)
    if estimate:
        calls, stored, tokens, longest, cost = results.estimate()
        most = "" if longest is None else f", at most {longest:,} tokens of answers"
        price = f"; about ${cost:,.2f}" if cost else ""
        click.echo(
            f"{calls:,} prompts to send, {stored:,} answers stored; about {tokens:,} tokens of prompts{most}{price}"
        )
        return
    with ExitStack() as stack:
        out = _open(stack, target)
        writer = Writer(out, "jsonl" if target is None else kinds[target])
        failures = None if failed is None else Writer(_open(stack, failed), kinds[failed])
        wrong: list[Exception] = []
        with _ending(results, len(rows), kept):
            if isinstance(results, HostedBatch) and not results.done:
                click.echo(f"{hosted}: {results.status}; waiting", err=True)
            for row, result in zip(rows, map(partial(_checked, check), results), strict=True):
                with writing():
                    writer.write(row, result)
                    out.flush()
                if result.error is not None:
                    wrong.append(result.error)
                    if failures is not None:
                        failures.write_failed(row, result)
    usage = results.usage
    if is_ours and kept is not None and not wrong:
        _remove(kept)
    if target is not None and not is_standard(target):
        known = f" ({usage.stored:,} of them from {kept})" if kept and usage.stored else ""
        cut = f", {usage.cut:,} cut" if usage.cut else ""
        click.echo(f"{usage.done - len(wrong):,} answered{known}, {len(wrong):,} failed{cut}")
    if wrong:
        raise Failure(f"{len(wrong):,} of {len(rows):,} prompts failed; the first: {message_of(wrong[0])}")


def _checked(check: Callable[[str], object] | None, result: Result[Any]) -> Result[Any]:
    """Return a result whose answer has the format of ``--schema``, or one with the error."""
    if check is not None and result.answer is not None:
        try:
            check(str(result.answer))
        except ResponseFormatError as error:
            return replace(result, answer=None, error=error)
    return result


def _refuse_live_options(options: dict[str, Any]) -> None:
    """Raise if an option is given that is for prompts that are sent one by one.

    :raises click.ClickException: if there is one
    """
    for name, usual in _LIVE.items():
        if options[name] != usual:
            raise Misuse(f"--{name} cannot be used with --hosted, where the service decides when it answers")


@contextmanager
def _ending(results: BatchResults[Any], total: int, store: Path | None) -> Iterator[None]:
    """Say at an early end how to go on, and close the store.

    :raises click.ClickException: if the batch stopped
    """
    if isinstance(results, HostedBatch):
        hint = "the service goes on, and the same command fetches the answers"
    elif store:
        hint = f"the answers so far are in {store}, and the same command goes on"
    else:
        hint = "use --store to go on later"
    try:
        yield
    except BatchStoppedError as error:
        raise Failure(f"{message_of(error)}; {hint}") from error
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted after {results.usage.done:,} of {total:,} prompts; {hint}", err=True)
        raise
    finally:
        results.close()


def _open(stack: ExitStack, path: Path | None) -> TextIO:
    if path is None or is_standard(path):
        return sys.stdout
    with checking_arguments():
        return stack.enter_context(opened(path, "w"))


def _remove(store: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{store}{suffix}").unlink(missing_ok=True)
