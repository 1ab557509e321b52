"""The options for the provider, which several commands share."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from ..arguments import safe_url
from ..errors import AuthenticationError, G4FLiteError, ModelNotSupportedError, RateLimitError
from ..http.redact import redact
from ..http.retry import TOLD_SECONDS, reason_to_wait
from ..providers.base import BaseProvider, Provider
from ..providers.fallback import Fallback
from ..providers.local.catalogue import DEFAULT
from ..providers.local.references import is_reference
from ..providers.openai.keys import clean
from ..providers.openai.listing import ListingProvider
from ..providers.selection import choose_provider
from ..providers.turns import members_of
from .completion import FILE, complete_provider
from .failure import Misuse, advice_on_model, checking_arguments, one_line
from .notes import note
from .unread import note_unread_model, note_unread_settings

EngineOptions = Mapping[str, Any]
_NUMBER = r"(\d+(?:\.\d+)?)"
# At least one number with its letter.
_TIME = re.compile(rf"(?=.)(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?")
#: The end of the message about a missing key.
OR_KEY = ", or give api_key="


class Seconds(click.types.FloatParamType):
    """A number of seconds, or hours, minutes and seconds with their letters."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        with suppress(ValueError):
            return float(value)
        if not (found := _TIME.fullmatch(value)):
            self.fail(f"{value!r} is not a time, such as 90, 90s, 1m30s or 2h", parameter, context)
        hours, minutes, seconds = (float(number or 0) for number in found.groups())
        return 3600 * hours + 60 * minutes + seconds


@dataclass(frozen=True)
class ProviderOptions:
    """The options for the provider; None and () leave the choice to the environment."""

    names: tuple[str, ...]
    base_url: str | None
    timeout: float | None
    proxy: str | None
    key_file: Path | None

    @property
    def is_default(self) -> bool:
        """Whether neither the options nor the environment name a provider."""
        named = (self.names, self.base_url, os.environ.get("G4F_LITE_PROVIDER"), os.environ.get("G4F_LITE_BASE_URL"))
        return not any(named)

    def choose(self, engine: EngineOptions | None = None, **settings: Any) -> BaseProvider:
        """Create the provider.

        :param engine: the options for the embedded model
        :param settings: further arguments of its class
        :raises click.ClickException: if the options are invalid
        """
        if self.key_file is not None:
            settings["api_key"] = read_key(self.key_file)
        name = ",".join(self.names) if self.names else None  # -p "$UNSET" is a mistake
        if name is None and self.base_url is None:
            note_unread_settings()
        with checking_arguments():
            local = {"download": DEFAULT, **(engine or {})}
            provider = choose_provider(name, base_url=self.base_url, local=local, **settings)
            members = provider.providers if isinstance(provider, Fallback) else [provider]
            check_environment(members)
        check_engine_options(engine or {}, [one.name for one in members])
        for one in members:
            if is_gone(one):
                note(f"{one.name} did not work when it was last tested; `g4f-lite doctor {one.name}` tests it")
        if isinstance(provider, Fallback):
            note_skipped(provider)
        if self.names or self.base_url:
            note_unused_model(provider)
        if self.names:
            note_unread_model(self.names)
        note_file_of_this_machine(provider)
        return provider


def provider_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to a command, as one argument ``provider_options``."""
    key = click.option("--api-key-file", "key_file", metavar="FILE", type=FILE, help="Read the API key from this file.")
    return key(keyless_options(command))


def keyless_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add them except ``--api-key-file``, which is the key of its own server to ``g4f-lite serve``."""

    @click.option(
        "--provider",
        "-p",
        "names",
        multiple=True,
        metavar="NAME",
        shell_complete=complete_provider,
        help="The provider, such as ollama or groq:llama-3.3-70b, or a server's URL; repeat it to name fallbacks.",
    )
    @click.option(
        "--base-url",
        metavar="URL",
        multiple=True,
        callback=_one_url,
        help="The URL of the server, such as http://127.0.0.1:8080/v1.",
    )
    @click.option("--proxy", metavar="URL", help="Send all requests through this proxy.")
    @click.option(
        "--timeout",
        metavar="SECONDS",
        type=Seconds(),
        help="Give up if the answer is not complete after this time; 90 is 1m30s.",
    )
    @wraps(command)
    def with_options(
        *arguments: Any,
        names: tuple[str, ...],
        base_url: str | None,
        timeout: float | None,
        proxy: str | None,
        key_file: Path | None = None,
        **options: Any,
    ) -> None:
        provider_options = ProviderOptions(names, base_url, timeout, proxy, key_file)
        command(*arguments, provider_options=provider_options, **options)

    return with_options


def _one_url(context: click.Context, parameter: click.Parameter, urls: tuple[str, ...]) -> str | None:
    """Return the URL that is given, or None.

    :raises click.ClickException: if there are several, of which only the last would count
    """
    if len(urls) > 1:
        servers = " ".join(f"-p {safe_url(url)}" for url in urls)
        raise Misuse(f"--base-url is given twice; several servers are named by {servers}")
    return urls[0] if urls else None


def is_gone(provider: BaseProvider) -> bool:
    """Return whether a provider is of a site that did not work when it was last tested, and is not sent elsewhere."""
    return not provider.working and getattr(provider, "base_url", None) == getattr(type(provider), "url", "")


def check_environment(members: Sequence[BaseProvider]) -> None:
    """Raise for a proxy, or for the only provider a file of certificates, that the environment names wrongly.

    :param members: the providers that may be asked
    :raises ValueError: if so
    """
    for one in members:
        if isinstance(one, Provider):
            with suppress(G4FLiteError):  # which the call tells
                one.route()
                if len(members) == 1:
                    one.check_ready()


def note_skipped(chain: Fallback) -> None:
    """Note the members of a chain that are skipped, because they have no valid key."""
    for one in chain.providers:
        try:
            if isinstance(one, Provider):
                one.check_ready()
        except AuthenticationError as error:
            note(f"{one.name} is skipped: {error.message.removesuffix(OR_KEY)}")  # which is for a single provider
        except (G4FLiteError, ValueError):  # which the call tells
            continue


def note_fallback(errors: list[G4FLiteError], answering: str, kept: list[G4FLiteError] | None = None) -> None:
    """Note the members of a chain that failed before another one answers.

    :param answering: the name of that one
    :param kept: takes their errors
    """
    if kept is not None:
        kept.extend(errors)
    for told in told_of_members(errors, with_waits=True).values():
        note(f"{told}; {answering} answers")


def told_of_members(errors: Sequence[G4FLiteError], *, with_waits: bool = False) -> dict[str | None, str]:
    """Say for each member of a chain that failed, why it did not answer.

    :param with_waits: whether to say of one that is skipped for a rate limit for how long that goes on, as now
    """
    told = {}
    for error, reason in _untold(errors):
        what = f"is {reason}" if error.skipped else f"did not answer ({reason})"
        if with_waits and error.skipped and isinstance(error, RateLimitError) and error.retry_after:
            what += f"; it will be tried again in {max(1.0, error.retry_after):.0f} s"
        told[error.provider] = f"{error.provider} {what}"
    return told


def note_waits(provider: BaseProvider) -> None:
    """Have a provider, or the members of a chain, note the waits that their services ask for, or have asked for."""
    for name, one in named_members(provider):
        if isinstance(one, Provider):
            one.on_retry = partial(_note_wait, name)
            one.cool_downs.on_wait = partial(_note_cool_down, name)


def named_members(provider: BaseProvider) -> list[tuple[str, BaseProvider]]:
    """Return the members of a chain, or the only provider, with names that tell those at several URLs apart."""
    members = getattr(provider, "providers", [provider])
    return [(member.name, member.provider) for member in members_of(list(members), time.monotonic)]


def _note_wait(name: str, error: G4FLiteError, attempt: int, wait: float) -> None:
    if reason := reason_to_wait(name, error, wait):
        note(f"{reason}; waiting (Ctrl-C ends it)")


def _note_cool_down(name: str, wait: float) -> None:
    if wait >= TOLD_SECONDS:
        note(f"{name} asked to wait, and {wait:.0f} s are left; waiting (Ctrl-C ends it)")


def note_unlisted(errors: list[G4FLiteError]) -> None:
    """Note the members of a chain that did not list their models."""
    for error, reason in _untold(errors):
        note(f"{error.provider} did not list its models ({reason})")


def _untold(errors: Sequence[G4FLiteError]) -> Iterator[tuple[G4FLiteError, str]]:
    """Iterate the errors, except those that `note_skipped` has told, and what each says, with its advice."""
    for error in errors:
        if not (isinstance(error, AuthenticationError) and error.status is None):
            is_model = isinstance(error, ModelNotSupportedError) and error.provider != "Local"
            advice = advice_on_model(error.message) if is_model else ""
            yield error, one_line(f"{error.message}{advice}").rstrip(".。")


def note_unused_model(provider: BaseProvider) -> None:
    """Note that a provider which an option names asks its own model, although the environment names another one."""
    context = click.get_current_context(silent=True)
    named = context is not None and (context.params.get("model") or context.params.get("continued"))
    default = any(one.name == "Local" and one.model is None for one in getattr(provider, "providers", [provider]))
    model = os.environ.get("G4F_LITE_MODEL", "")
    variable = "G4F_LITE_MODEL is for commands that name no provider"
    if default and not named and (is_reference(model) or model.endswith(".gguf")):
        note(f"Local uses {DEFAULT}: {variable}; leave out --provider, or write --provider local:{model}")
    is_server = isinstance(provider, ListingProvider) and not (is_reference(model) or model.endswith(".gguf"))
    if model and not named and is_server and getattr(provider, "model", None) is None and _is_named(context):
        note(f"{provider.name} uses its own model: {variable}; write --model {model} for that one")


def _is_named(context: click.Context | None) -> bool:
    return context is not None and bool(context.params.get("names") or context.params.get("base_url"))


def note_file_of_this_machine(provider: BaseProvider) -> None:
    """Note that ``--model`` names a file on this machine, although a server is asked."""
    context = click.get_current_context(silent=True)
    model = (context.params.get("model") if context is not None else None) or ""
    local = any(one.name == "Local" for one in getattr(provider, "providers", [provider]))
    if not local and model.endswith(".gguf") and os.path.isfile(os.path.expanduser(model)):
        note(f"{model} is a file on this machine, which {provider.name} cannot read; write -p local:{model}")


def engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for the embedded model to a command, as one argument ``engine``: arguments of ``Local``."""

    @click.option(
        "--context", metavar="N", type=int, help="The embedded model's context: the tokens of a prompt and its answer."
    )
    @click.option("--threads", metavar="N", type=int, help="The embedded model's number of threads.")
    @click.option(
        "--mmproj", metavar="FILE", type=click.Path(), help="The embedded model's projector, with which it sees images."
    )
    @wraps(command)
    def with_options(
        *arguments: Any, context: int | None, threads: int | None, mmproj: str | None, **options: Any
    ) -> None:
        given = {"context": context, "threads": threads, "mmproj": mmproj}
        command(*arguments, engine={name: value for name, value in given.items() if value is not None}, **options)

    return with_options


def check_engine_options(engine: EngineOptions, names: Sequence[str]) -> None:
    """Raise if there are options for the embedded model, and none of the providers is it.

    :param names: the names of the providers
    :raises click.ClickException: if so
    """
    if engine and "local" not in [name.partition(":")[0].strip().lower() for name in names]:
        option = f"--{next(iter(engine))}"
        raise Misuse(f"{option} is for the embedded model, which is not used here; a server has its own setting")


def read_key(path: Path) -> str:
    """Return the key in a file; errors do not show it.

    :raises click.ClickException: if the file cannot be read, or does not contain a key
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        shown = redact(str(path))
        told = "" if shown == str(path) else "; --api-key-file takes the path of a file that has the key in it"
        raise Misuse(f"cannot read the key file {shown}: {error.strerror}{told}") from error
    except UnicodeDecodeError:
        raise Misuse(f"the key file {path} is not a text file") from None  # the cause would show the bytes of the file
    with checking_arguments():
        return clean(text, f"the key file {path}")
