"""The run of ``g4f-lite batch``: rows are sent, and written as their answers come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import click

from ..batch.files import Row
from ..batch.hosted import HostedBatch
from ..batch.result import Result
from ..batch.results import BatchResults
from ..batch.summary import counted
from ..client.client import Client
from ..errors import BatchStoppedError, MissingDependencyError, ResponseFormatError
from .batch_files import BatchFiles
from .batch_report import Price, Progress, told_after, told_of_cost
from .failure import Failure, message_of


def run(
    client: Client,
    results: BatchResults[Any],
    rows: Sequence[Row],
    files: BatchFiles,
    check: Callable[[str], object] | None,
    price: Price | None,
) -> None:
    """Send the rows, write the answers, and say what came of it.

    :param client: the client of the results
    :param check: raises for an answer that does not have the requested format; None if any will do
    :param price: what tokens cost; None for what the extra ``prices`` knows
    :raises click.ClickException: if the batch stops, a prompt fails, or a file cannot be written
    """

    def cost() -> float | None:
        return _cost(client, results, price)

    output, failures = files.output, files.failures
    wrong: list[Exception] = []
    with ExitStack() as stack:
        stack.enter_context(output)
        writer = files.writer()
        if failures is not None:
            stack.enter_context(failures)
            failed_writer = files.writer_of_failures()
        stack.enter_context(_ending(results, len(rows), files, cost))
        is_hosted = isinstance(results, HostedBatch)
        if isinstance(results, HostedBatch) and not results.done:
            click.echo(f"{files.hosted}: {results.status}; waiting", err=True)
        is_on_screen = output.path is None and sys.stdout.isatty() and sys.stderr.isatty()
        with Progress(lambda: results.usage, len(rows), is_shown=not is_hosted and not is_on_screen):
            for row, given in zip(rows, results, strict=True):
                result = _checked(given, check)
                with output.writing():
                    writer.write(row, result)
                if result.error is not None:
                    wrong.append(result.error)
                    if failures is not None:
                        with failures.writing():
                            failed_writer.write_failed(row, result)
        is_kept_back = len(rows) - len(wrong) < files.earlier
        if not is_kept_back:
            for file in (output, failures):
                if file is not None:
                    file.publish()
    if output.path is not None:
        click.echo(told_after(results.usage, len(wrong), files.store, cost()))
    if wrong:
        text = f"{len(wrong):,} of {counted(len(rows), 'prompt')} failed; the first: {message_of(wrong[0])}"
        if is_kept_back:
            kept = f"{output.path} had {counted(files.earlier, 'answer')} and was left as it is"
            text += f"; {kept}, and these rows are in {output.partial}"
        raise Failure(text)


def _checked(result: Result[Any], check: Callable[[str], object] | None) -> Result[Any]:
    """Return a result, with an error if its answer does not have the requested format."""
    if check is not None and result.answer is not None:
        try:
            check(str(result.answer))
        except ResponseFormatError as error:
            return replace(result, error=error)
    return result


@contextmanager
def _ending(
    results: BatchResults[Any], total: int, files: BatchFiles, cost: Callable[[], float | None]
) -> Iterator[None]:
    """Say at an early end how to go on, and close the store.

    :raises click.ClickException: if the batch stopped, or a file cannot be written
    """

    def hint() -> str:
        if isinstance(results, HostedBatch):
            return "the service goes on, and the same command fetches the answers"
        spent = told_of_cost(results.usage, cost())
        if files.store is None:
            return f"use --store to go on later{spent}"
        earlier = f"; {files.output.path} is as it was" if files.earlier else ""
        if results.usage.done == results.usage.failures:
            return f"the same command tries again{earlier}"
        rows = f", their rows in {files.output.partial}" if files.output.partial else ""
        return f"the answers so far are in {files.store}{rows}, and the same command goes on{spent}{earlier}"

    try:
        yield
    except BatchStoppedError as error:
        raise Failure(f"{message_of(error)}; {hint()}") from error
    except Failure as error:
        raise Failure(f"{error.message}; {hint()}") from error
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted after {results.usage.done:,} of {counted(total, 'prompt')}; {hint()}", err=True)
        raise
    finally:
        results.close()


def _cost(client: Client, results: BatchResults[Any], price: Price | None) -> float | None:
    """Return what the calls cost in US dollars; None if that is not known, as that of a hosted batch is not."""
    if price is not None:
        return price.cost(results.usage.prompt_tokens, results.usage.completion_tokens)
    if isinstance(results, HostedBatch):
        return None
    with suppress(MissingDependencyError):
        if not client.usage.unpriced:
            return client.usage.cost
    return None
