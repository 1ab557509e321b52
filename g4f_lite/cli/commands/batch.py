"""``g4f-lite batch``: answer the prompts in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click

from ...answers.price import PriceLike
from ...batch.causes import MOST_FAILURES
from ...batch.cost_limit import told_limit
from ...batch.files import FORMATS
from ...batch.results import BatchResults
from ...batch.summary import Estimate, counted
from ...batch.workers import LONGEST_OUTAGE, LONGEST_PAUSE
from ...client.client import Client
from ...errors import AuthenticationError, G4FLiteError
from ...providers.base import BaseProvider
from ...providers.local.references import is_path
from ...providers.registry import is_provider_name, is_url
from ..answer_format import with_output
from ..batch_fallbacks import rejecting
from ..batch_files import BatchFiles
from ..batch_report import told_of_unused
from ..batch_run import BatchRun
from ..call_options import call_options
from ..completion import FILE, complete_model
from ..failure import Misuse, checking_arguments
from ..files import is_there
from ..notes import note, quiet_option
from ..options import EngineOptions, ProviderOptions, Seconds, engine_options, provider_options
from ..output import require_output
from ..spending import Unpriced, price_option, set_price
from ..unread import uses_of_keys
from ..wording import in_options

# Options that a hosted batch does not have, and their values where they are not given.
_LIVE = {
    **dict.fromkeys(("store", "rpm", "tpm", "max_time", "max_cost")),
    "workers": "auto",
    "max_pause": LONGEST_PAUSE,
    "max_outage": LONGEST_OUTAGE,
    "max_failures_in_a_row": MOST_FAILURES,
    "fresh": False,
    "any_key": False,
    "reject_provider": (),
    "longer": None,
}


_LIMITS = ("max_tokens", "max_completion_tokens")  # options that limit an answer


def _number_or_auto(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    return value if value == "auto" else int(click.INT(value, parameter, context))


@click.command()
@click.argument("source", metavar="IN", type=FILE)
@click.option(
    "--output", "-o", "target", metavar="OUT", type=FILE, help="The file for the answers: .jsonl, .csv or .tsv."
)
@click.option(
    "--prompt", "template", metavar="TEXT", help="The prompt for each row, with columns in braces: 'Summarise: {text}'."
)
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), help="The format of IN, if it does not follow from the name."
)
@click.option("--delimiter", metavar="CHAR", help="The delimiter between columns, such as ';'.")
@click.option("--encoding", metavar="NAME", help="The encoding of IN, such as cp1252 or utf-16, if it is not UTF-8.")
@click.option(
    "--empty",
    type=click.Choice(("error", "skip", "keep", "send")),
    default="error",
    show_default=True,
    help="What to do with a row that has nothing in a column of the prompt.",
)
@click.option(
    "--prefix",
    metavar="TEXT",
    default="",
    help="Begin the names of the columns for the answers with TEXT, as where IN has those of an earlier batch.",
)
@provider_options
@engine_options
@click.option("--model", "-m", metavar="NAME", shell_complete=complete_model, help="The model.")
@click.option("--system", "-s", metavar="TEXT", help="A system message for all prompts.")
@call_options("--option")
@click.option(
    "--workers", metavar="N|auto", callback=_number_or_auto, default="auto", help="How many prompts to send at once."
)
@click.option(
    "--store", metavar="FILE", type=FILE, help="Keep answers in this file as they arrive, instead of OUT.store."
)
@click.option("--rpm", metavar="N", type=float, help="The maximum number of requests per minute.")
@click.option("--tpm", metavar="N", type=float, help="The maximum number of tokens per minute.")
@click.option(
    "--max-pause",
    metavar="S",
    type=Seconds(),
    default=LONGEST_PAUSE,
    help="Stop if the service asks for a wait of more than S seconds; a day by default.",
)
@click.option(
    "--max-outage",
    metavar="S",
    type=Seconds(),
    default=LONGEST_OUTAGE,
    help="Stop if the service, having answered before, is out of reach for more than S seconds; 600 by default.",
)
@click.option(
    "--max-failures",
    "max_failures_in_a_row",
    metavar="N",
    type=click.IntRange(min=1),
    default=MOST_FAILURES,
    help=f"Stop after N failures of the service in a row; {MOST_FAILURES} by default.",
)
@click.option(
    "--max-time",
    metavar="S",
    type=Seconds(),
    help="Send nothing more after S seconds; the calls in progress are finished.",
)
@click.option(
    "--max-cost",
    metavar="DOLLARS",
    type=float,
    help="Send nothing more once this run has cost so much; the calls in progress are finished, and cost more.",
)
@click.option(
    "--failed",
    metavar="FILE",
    type=FILE,
    help="Write the rows that failed to this file, which can be IN of a later batch with another OUT.",
)
@click.option("--head", metavar="N", type=click.IntRange(min=1), help="Answer only the first N prompts.")
@click.option("--estimate", is_flag=True, help="Print what would be sent, and send nothing.")
@price_option
@click.option("--fresh", is_flag=True, help="Ask again even where an answer is stored.")
@click.option(
    "--any-key",
    is_flag=True,
    help="Use stored answers that were asked with another API key, as after yours was replaced.",
)
@click.option(
    "--reject-provider",
    metavar="NAME",
    multiple=True,
    help="Ask again where the stored answer is from this provider, as the column provider names it.",
)
@click.option(
    "--longer",
    metavar="N",
    type=click.IntRange(min=1),
    help="Ask for what has no answer yet, or one that --max-tokens cut, with up to N tokens.",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="With --hosted: ask again for what failed, one by one at the full price.",
)
@click.option("--hosted", metavar="FILE", type=FILE, help="Use the service's Batch API, and keep track of it in FILE.")
@click.option(
    "--poll", metavar="S", type=Seconds(), default=30.0, help="With --hosted: how many seconds to wait between checks."
)
@quiet_option
def command(
    source: Path,
    target: Path | None,
    template: str | None,
    kind: str | None,
    delimiter: str | None,
    encoding: str | None,
    empty: str,
    prefix: str,
    provider_options: ProviderOptions,
    engine: EngineOptions,
    call_options: dict[str, Any],
    store: Path | None,
    failed: Path | None,
    head: int | None,
    estimate: bool,
    price: PriceLike | None,
    reject_provider: tuple[str, ...],
    longer: int | None,
    retry_failed: bool,
    hosted: Path | None,
    poll: float,
    **options: Any,
) -> None:
    """Answer the prompts in the file IN, several at a time.

    IN is a text file with one prompt per line, a .csv, .tsv or .jsonl file (also one for OpenAI's Batch API), or - for
    standard input, which has JSON lines or one prompt per line, unless --format says otherwise. Without -o, the answers
    are printed as JSON lines, at an early end all that have come, and kept only if --store names a file.

    Answers are kept in OUT.store as they arrive, and stay there: after Ctrl-C, a crash or an error, the same command
    goes on, and sends again only what had no answer yet, such as the calls that were in progress. OUT is written when
    the batch is complete; until then its rows are in OUT.partial.

    With --hosted the service answers in its own time, usually within hours, at half the price. The command waits; after
    Ctrl-C the service goes on, and the same command fetches the answers.
    """
    schema = call_options.get("response_format")
    files = BatchFiles(source, target, failed, store, hosted, kind, delimiter, schema, prefix, encoding)
    if files.output.path is None:
        require_output()
    if hosted is not None:
        _refuse_live_options({"store": store, "reject_provider": reject_provider, "longer": longer, **options})
    elif retry_failed:
        raise Misuse("--retry-failed is for --hosted; without it, the same command sends what failed again")
    _check_names(provider_options, engine)
    rows = files.read(template, empty=empty, head=head)
    prompts = [row.prompt for row in rows if row.prompt is not None]
    if not prompts:  # as of a nightly job on a day without new ones
        skipped = f", {counted(files.skipped, 'empty row')} not sent" if files.skipped else ""
        note(f"{files.name} has no prompts{skipped}; nothing is sent, and no file is written")
        return
    if not estimate:
        files.check_earlier(len(prompts), fresh=options["fresh"])
    if provider_options.timeout is not None:
        options["timeout"] = provider_options.timeout
    options.update(with_output(call_options), proxy=provider_options.proxy)
    is_new = files.store is None or not is_there(files.store)

    def begun(**settings: Any) -> tuple[Client, BatchResults[Any]]:
        provider = provider_options.choose(engine, **settings)
        _refuse_files(provider, prompts)
        set_price(provider, price)
        client = Client(provider)
        with checking_arguments():
            if hosted is None:
                kept = None if estimate and is_new else files.store
                return client, client.map(prompts, store=kept, progress=False, **options)
            given = {name: value for name, value in options.items() if name not in _LIVE}
            return client, client.batch(prompts, path=hosted, poll=poll, **given)

    key: dict[str, Any] = {}
    try:
        client, results = begun()
    except AuthenticationError:
        if not estimate or len(provider_options.names) > 1:
            raise
        key = {"api_key": "none"}  # which a hosted batch lacks, and an estimate does not need
        client, results = begun(**key)
    if longer is not None:
        limit = next(filter(call_options.__contains__, _LIMITS), _LIMITS[0])
        with client, closing(results):
            prompts[:] = _with_limit(prompts, results, limit, longer)
        client, results = begun(**key)
    if retry_failed:
        results.reject(lambda result: result.error is not None)
    rejects = not options["fresh"] and _reject(results, reject_provider)

    def unused() -> int:
        """Count the answers in the store to other questions than those of the file."""
        if behind := files.rows_behind():
            with suppress(TypeError, ValueError, G4FLiteError):  # of a row that is not sent
                every = [row.prompt for row in (*rows, *behind) if row.prompt is not None]
                return client.map(every, store=files.store, progress=False, **options).estimate().unused
        return results.estimate().unused

    with client:
        if told := files.told_of_options(rows):
            note(told)
        if estimate:
            is_free = client.provider.priced_at == ""  # whatever --price says, as the embedded model is
            behind = 0 if is_new or hosted else unused()
            _tell_estimate(results, files, behind, rejects, None if is_free else price, options["max_cost"])
            return
        results.check()
        if provider_options.is_default and client.provider.name == "Local" and not uses_of_keys():
            note("no provider is named, and the embedded model answers; -p names another")
        stored = 0
        if not (is_new or hosted or options["fresh"]):
            estimate_of_rest = results.estimate()._replace(unused=0 if longer else unused())
            stored = estimate_of_rest.stored
            _tell_unused(estimate_of_rest, files, rejects)
        BatchRun(client, results, rows, files, price, options["fresh"], bool(options["rpm"]), stored).run()


def _check_names(options: ProviderOptions, engine: EngineOptions) -> None:
    """Raise for an unknown provider before the columns are looked for, because ``-p`` looks like ``--prompt``.

    :raises click.ClickException: if it may be a prompt
    :raises ProviderNotFoundError: if it is another name
    """
    for name in ",".join(options.names).split(","):
        if name and not is_url(name) and not is_provider_name(name.partition(":")[0]):
            if re.search(r"\s|\{", name.strip()):
                raise Misuse(f"-p is --provider, and there is no provider {name.strip()!r}; did you mean --prompt?")
            options.choose(engine)


def _refuse_files(provider: BaseProvider, prompts: Sequence[Any]) -> None:
    """Raise if a row names a file as the embedded model: the table may be a stranger's, and code in C reads the file.

    :raises click.ClickException: if it is another one than the command names
    """
    embedded = [member for member in getattr(provider, "providers", [provider]) if member.name == "Local"]
    own = {getattr(member, "model", None) for member in embedded}
    for number, prompt in enumerate(prompts if embedded else (), start=1):
        model = prompt.get("model") if isinstance(prompt, dict) else None
        if isinstance(model, str) and model not in own and (is_path(model) or os.path.isfile(model)):
            raise Misuse(
                f"prompt {number}: the model {model!r} is a file, which only -m can name for the embedded model"
            )


def _with_limit(prompts: Sequence[Any], results: BatchResults[Any], limit: str, tokens: int) -> list[Any]:
    """Return prompts, of which those without a whole answer in the store may have so many tokens."""
    whole = {result.index for result in results.so_far if result.finish_reason != "length"}
    return [
        prompt if index in whole else {**(prompt if isinstance(prompt, dict) else {"prompt": prompt}), limit: tokens}
        for index, prompt in enumerate(prompts)
    ]


def _reject(results: BatchResults[Any], names: Sequence[str]) -> bool:
    """Ask again for the stored answers of some providers, and note the names that no such answer has.

    :returns: whether there are such answers
    """
    if not names:
        return False
    stored = sorted({result.provider or "" for result in results.so_far})
    unwanted = {name.casefold() for name in names}
    for name in names:
        if name.casefold() not in map(str.casefold, stored):
            known = f"; these answers are from {' and '.join(stored)}" if stored else ""
            note(f"no stored answer is from {name}{known}")
    results.reject(lambda result: (result.provider or "").casefold() in unwanted)
    return not unwanted.isdisjoint(map(str.casefold, stored))


def _tell_estimate(
    results: BatchResults[Any],
    files: BatchFiles,
    unused: int,
    rejects: bool,
    price: PriceLike | None,
    max_cost: float | None,
) -> None:
    """Print what would be sent.

    :param unused: how many answers in the store are to other questions than those of the file
    :param rejects: whether answers of a provider are asked again
    :param price: what ``--price`` says; None where it does not count
    :param max_cost: what ``--max-cost`` says
    """
    estimate = results.estimate()._replace(unused=unused)
    _tell_unused(estimate, files, rejects)
    failed = len(results) - estimate.calls - estimate.stored  # which a service that was given them has not answered
    told = estimate.in_words(failed, files.skipped)
    if isinstance(price, dict) and estimate.calls and estimate.cost is None and not estimate.models:
        model = next(iter(price))
        named = f"-p PROVIDER:{model}" if estimate.first else f"-m {model}"  # of a chain, -m is for all members
        told += f", or name the model, as in {named}: otherwise the server chooses, and no --price MODEL=P,A counts yet"
    if max_cost is not None and (estimate.cost or 0.0) > max_cost:
        told += f"; more than the max_cost of {told_limit(max_cost)}, at which the batch stops"
    unpriced = Unpriced(price)
    for model in estimate.models if not estimate.first else ():  # of a chain, the others' are not known
        unpriced.add(model)
    if told_of_price := unpriced.told("model that is asked"):
        note(told_of_price)
    if others := estimate.by_others:
        told += f"; with {' '.join(map(rejecting, others))}, what {' and '.join(others)} gave is asked again"
    click.echo(in_options(told))


def _tell_unused(estimate: Estimate, files: BatchFiles, rejects: bool) -> None:
    """Say if the store has answers that are not used, which may be paid for once more."""
    if files.store is None:
        return
    has_failed = files.failed is not None and files.failed != files.source and is_there(files.failed)
    failed = files.failed if has_failed else None
    if unused := told_of_unused(estimate, files.store, failed, files.output.path, rejects):
        note(unused)


def _refuse_live_options(options: dict[str, Any]) -> None:
    """Raise if an option is given that is for prompts that are sent one by one.

    :raises click.ClickException: if there is one
    """
    for name, usual in _LIVE.items():
        if options[name] != usual:
            option = name.removesuffix("_in_a_row").replace("_", "-")
            raise Misuse(f"--{option} cannot be used with --hosted, where the service decides when it answers")
