"""``g4f-lite doctor``: test providers, and show what to do if one does not work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from ...arguments import safe_url
from ...errors import ProviderNotFoundError
from ...http.urls import is_loopback
from ...providers.base import BaseProvider, Provider
from ...providers.environment import warn_of_unknown_variables
from ...providers.openai.presets import PRESETS
from ...providers.registry import find_class, make_provider, name_and_model
from ...providers.selection import make_member, settings_of_each
from ...timeout import Timeout
from ..completion import FILE, complete_model, complete_provider
from ..diagnosis import NO_SUCH_MODEL, NOT_RUNNING
from ..effective_settings import Setting, effective_settings, known_secrets
from ..examination import Examination, Examiner
from ..failure import checking_arguments
from ..options import EngineOptions, Seconds, check_engine_options, engine_options, note_unused_model, read_key
from ..output import write, write_json
from ..waiting import line_if_late

SECONDS = 30.0  # for each step, by default
#: What to do about the model of all members of a chain.
OF_ITS_OWN = "or let this one use its own, and write the model with the provider that has it, as in -p ollama:llama3.2"


@dataclass(frozen=True)
class Target:
    """A provider to test.

    :ivar source: where the provider was named
    :ivar counts: whether the command fails if the provider does; False for servers that need not run
    :ivar model: the model of the prompt
    :ivar own_model: the model of the environment
    :ivar spare: the same, if the environment chooses several
    """

    name: str
    source: str
    counts: bool = True
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    own_model: str | None = None
    spare: str | None = None


@click.command()
@click.argument("providers", nargs=-1, metavar="[PROVIDER]…", shell_complete=complete_provider)
@click.option(
    "--provider",
    "-p",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_provider,
    help="The same as PROVIDER.",
)
@click.option("--base-url", metavar="URL", help="The URL of the server, such as http://127.0.0.1:8080/v1.")
@click.option("--model", "-m", metavar="NAME", shell_complete=complete_model, help="The model.")
@click.option("--api-key-file", "key_file", metavar="FILE", type=FILE, help="A file with only the API key in it.")
@click.option("--proxy", metavar="URL", help="A proxy for all requests.")
@engine_options
@click.option("--timeout", metavar="SECONDS", type=Seconds(), help="The time limit for each step; 90 is 1m30s.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    providers: tuple[str, ...],
    names: tuple[str, ...],
    base_url: str | None,
    model: str | None,
    key_file: Path | None,
    proxy: str | None,
    engine: EngineOptions,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Test providers, and say what to do if one fails.

    The effective settings are shown first. Without PROVIDER, the providers that the environment chooses are tested, and
    servers on this machine. Each is sent a short prompt. No key is shown.

    The exit code is 0 if all providers that were named or chosen work, and 1 otherwise.
    """
    all_named = [name.strip() for named in (*providers, *names) for name in named.split(",")]
    providers = tuple(name for name in all_named if name or name in providers)  # "$UNSET" is a mistake
    if key_file is not None and not providers and base_url is None:
        raise click.UsageError("--api-key-file needs a single provider; name it, or pass --base-url")
    seconds = SECONDS if timeout is None else timeout
    with checking_arguments():
        Timeout.of(seconds)
    settings: dict[str, Any] = {"retry": None, "timeout": seconds, "proxy": proxy}
    key = None if key_file is None else read_key(key_file)
    secrets = [*known_secrets(), *([key] if key else [])]
    named = ",".join(providers) or ("OpenAICompatible" if base_url else None)
    with checking_arguments():
        tested = list(targets(providers, base_url, model, key))
    check_engine_options(engine, [target.name for target in tested])
    given = {"provider": named, "base_url": base_url, "model": model, "proxy": proxy}
    given |= {name: str(value) for name, value in engine.items()}
    warn_of_unknown_variables()
    rows = effective_settings({**given, "timeout": None if timeout is None else f"{timeout:g} s for each step"})
    if not as_json:
        write_settings(rows)
    found = []
    for target in tested:
        make = partial(make_target, target, settings, engine)
        limits: Any = {"counts": target.counts, "seconds": seconds, "secrets": secrets}
        examiner = Examiner(make, target.name, target.source, model=target.model, **limits)
        with line_if_late(f"testing {safe_url(target.name):.40}, at most {seconds:g} s for each step …"):
            found.append(examiner.examine())
        if model and len(tested) > 1 and found[-1].verdict == NO_SUCH_MODEL and target.counts:
            found[-1].remedy = f"{found[-1].remedy}; {OF_ITS_OWN}"
        if found[-1].works and tested[0].source == "the default" and not target.counts:
            found[-1].verdict += f"; G4F_LITE_PROVIDER={target.name} makes it the default"
        if not as_json:
            write_examination(found[-1])
    all_work = all(one.works for one in found if one.counts)
    left_out = [] if providers or base_url else not_tested({one.provider for one in found})
    if as_json:
        examined = [asdict(one) for one in found]
        write_json(
            {"ok": all_work, "settings": [asdict(row) for row in rows], "providers": examined, "not_asked": left_out}
        )
    elif left_out:
        write(f"\nNot tested, although there is a key: {', '.join(left_out)}. Name them to test them.\n")
    context.exit(0 if all_work else 1)


def targets(
    names: tuple[str, ...], base_url: str | None, model: str | None, key: str | None = None
) -> Iterator[Target]:
    """List the providers to test: the named ones, or those that the environment chooses and those on this machine.

    :raises TypeError: if there is a URL or a key, and it is not clear which of several it belongs to
    """
    if names or base_url:
        names = names or ("OpenAICompatible",)
        given = {name: value for name, value in (("base_url", base_url), ("api_key", key)) if value is not None}
        for name, settings in zip(names, settings_of_each(names, given), strict=True):
            yield Target(name, "named", model=model, **settings)
        return
    own = os.environ.get("G4F_LITE_MODEL") or None
    chosen = [part.strip() for part in os.environ.get("G4F_LITE_PROVIDER", "").split(",") if part.strip()]
    address = os.environ.get("G4F_LITE_BASE_URL")
    if chosen:
        for name in chosen:
            spare = own if len(chosen) > 1 else None
            yield Target(name, "G4F_LITE_PROVIDER", model=model, own_model=own, spare=spare)
    elif address:
        yield Target("OpenAICompatible", "G4F_LITE_BASE_URL", base_url=address, model=model, own_model=own)
    else:
        yield Target("Local", "the default", model=model, own_model=own)
    for name, preset in PRESETS.items():
        if is_loopback(preset.base_url) and name not in [one.partition(":")[0] for one in chosen]:
            variable = preset.host_variable if os.environ.get(preset.host_variable) else ""
            yield Target(name, f"{variable or 'on this machine'}, if running", counts=False)


def not_tested(tested: set[str]) -> list[str]:
    """List the services that have a key and were not tested, because a key alone does not choose a service."""
    keyed = [(name, preset) for name, preset in PRESETS.items() if os.environ.get(preset.key_variable or "")]
    return [name for name, preset in keyed if preset.title not in tested]


def make_target(target: Target, settings: dict[str, Any], engine: EngineOptions) -> BaseProvider:
    """Create the provider; nothing is downloaded for it."""
    name, _ = name_and_model(target.name)
    with suppress(ProviderNotFoundError):  # it is a preset, or does not exist
        if not issubclass(find_class(name), Provider):
            return make_provider(target.name)
    wanted = {**settings, "base_url": target.base_url, "api_key": target.api_key, "model": target.own_model}
    wanted = {key: value for key, value in wanted.items() if value is not None or key == "retry"}
    provider = make_member(target.name, wanted, {"download": False, **engine}, target.spare)
    if target.source == "named":
        note_unused_model(provider)
    return provider


def write_settings(rows: list[Setting]) -> None:
    """Print the settings as a table."""
    width = max(len(row.name) for row in rows)
    write("Settings\n")
    for row in rows:
        write(f"  {row.name.ljust(width)}  {row.value}  ({row.source})\n")


def write_examination(found: Examination) -> None:
    """Print the results for a provider; only one line for a server that need not run and does not."""
    address = f" at {found.address}" if found.address else ""
    write(f"\n{found.provider}{address} ({found.source}): {found.verdict}\n")
    if found.verdict == NOT_RUNNING and not found.counts:
        return
    for step in found.steps:
        took = "" if step.seconds is None else f"{step.seconds:.3f} s"
        write(f"  {step.name:<11}  {step.status:<11}  {took:>8}  {step.detail}".rstrip() + "\n")
    if found.remedy:
        write(f"  To do: {found.remedy}.\n")
