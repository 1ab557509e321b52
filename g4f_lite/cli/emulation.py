"""The options and the backend of the commands that start the emulator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, get_type_hints

import click

from ..answers.stream import AnswerStream
from ..emulator import FAULTS, Emulator
from ..errors import G4FLiteError, sanitize
from ..providers.base import BaseProvider
from ..providers.registry import make_provider
from .assignments import read_assignment
from .completion import complete_provider
from .failure import Misuse, checking_arguments

backend_option = click.option(
    "--backend",
    default="local",
    show_default=True,
    metavar="NAME",
    shell_complete=complete_provider,
    help="The provider that answers: local (the embedded model), echo, or another one such as ollama:llama3.2.",
)
fail_option = click.option(
    "--fail",
    "faults",
    multiple=True,
    metavar="FAULT[:SETTING=VALUE,…]",
    help="Make the next prompt fail, for instance reset or rate_limit:retry_after=1,times=2; can be repeated.",
)


_NOT_SETTINGS = ("fault", "strike", "headers", "settings", "return")


class Backend:
    """Streams a provider's answers to the emulator.

    :param provider: the provider that answers
    :param report: called with one line about each answer that failed
    """

    def __init__(self, provider: BaseProvider, report: Callable[[str], None] = lambda line: None) -> None:
        self._provider = provider
        self._report = report
        self._lock = threading.Lock()
        self._streams: list[AnswerStream] = []

    def __call__(self, messages: list[dict[str, Any]]) -> Iterator[str]:
        try:
            with self._provider.create_generator(messages=messages) as stream, self._in_progress(stream):
                yield from map(str, stream)
        except (G4FLiteError, ValueError, TypeError) as error:
            self._report(" ".join(sanitize(f"no answer: {error}").split()))
            raise

    @contextmanager
    def _in_progress(self, stream: AnswerStream) -> Iterator[None]:
        with self._lock:
            self._streams.append(stream)
        try:
            yield
        finally:
            with self._lock:
                self._streams.remove(stream)

    def __enter__(self) -> Backend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the answers in progress, so that closing does not wait for a slow model."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.close()
        self._provider.close()


def make_backend(name: str) -> BaseProvider:
    """Create the provider that answers; the embedded model is downloaded and loaded at once.

    :raises click.ClickException: if there is no such provider, or its name is not enough to create it
    :raises G4FLiteError: if the embedded model cannot be loaded
    """
    is_local = name.partition(":")[0].strip().lower() == "local"
    settings: dict[str, Any] = {"download": True} if is_local else {}
    try:
        with checking_arguments():
            provider = make_provider(name, **settings)
    except Misuse as error:
        if "base_url" in str(error):  # these commands have no option for it
            raise Misuse(f"{name} cannot be the backend, because it needs a base URL as well") from error
        raise
    if is_local:
        with provider.create_generator(messages="Hello", max_tokens=1) as stream:
            stream.start()
    return provider


def add_faults(emulator: Emulator, faults: tuple[str, ...]) -> None:
    """Add faults to the emulator, each written as ``NAME[:SETTING=VALUE,…]``.

    :raises click.ClickException: if there is no such fault, or it has no such setting
    """
    for text in faults:
        name, _, rest = text.partition(":")
        with checking_arguments():
            settings = dict(read_assignment(part, _fault_settings(name)) for part in rest.split(",") if part)
            emulator.fail(name, **settings)


def _fault_settings(name: str) -> dict[str, Any]:
    """Return the types of a fault's settings by name: when it applies, and its own."""
    hints: dict[str, Any] = {}
    for function in (Emulator.fail, FAULTS[name]) if name in FAULTS else ():
        hints |= get_type_hints(function)
    return {name: hint for name, hint in hints.items() if name not in _NOT_SETTINGS}
