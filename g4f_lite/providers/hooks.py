"""Calls the hooks of a provider: what is wrong with its code is an error that names the hook."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import requests

from ..answers.deltas import Delta, Finish, no_content, shown
from ..errors import (
    EmptyResponseError,
    G4FLiteError,
    HookError,
    ModelNotSupportedError,
    ProviderError,
    ResponseFormatError,
    StreamInterruptedError,
)
from ..http.body import Body
from ..http.checks import shorten
from ..http.exchange import Exchange
from ..http.parsing import is_cut_json
from ..http.redact import names_secret
from ..http.signals import pass_on_signal
from ..prompt import Prompt
from ..timeout import CallRetry, Timeout

QUOTED_CHARACTERS = 200  # of a response that cannot be read

Requests = Generator[requests.Request | float, Body, None]  # each is sent, and each number waited for


class Hooks(Protocol):
    """What a subclass of Provider implements."""

    @property
    def name(self) -> str: ...

    def bootstrap(self, exchange: Exchange) -> str: ...
    def request(self, prompt: Prompt, token: str) -> requests.Request | Requests: ...
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]: ...
    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None: ...


def raise_unread(error: Exception, provider: Hooks, body: Body, *, begun: bool) -> None:
    """Raise what an error of ``deltas`` stands for; return where it stays what it is.

    JSON that ends with the body in the middle of a line was cut, which a body without a length does not tell.

    :param begun: whether there was a delta before
    :raises HookError: if its code has a mistake
    :raises StreamInterruptedError: if the body was cut; an EmptyResponseError if no delta was before
    """
    raise_mistake(error, provider, "deltas", quoted="" if begun else _start_of(body))
    cause = error.__cause__
    if not (body.ends_in_line and isinstance(error, ResponseFormatError) and isinstance(cause, json.JSONDecodeError)):
        return
    if is_cut_json(cause.doc):
        line = shorten(cause.doc)
        kind = StreamInterruptedError if begun else EmptyResponseError
        raise kind(f"the answer was cut: it ends in the middle of the line {line!r}") from error


def first_of(deltas: Iterator[Delta], provider: Hooks, body: Body) -> Delta:
    """Return the first delta of a response; the error for none quotes the response, as that may be a refusal.

    :raises EmptyResponseError: if there is none, or only the end
    """
    first = next(deltas, None)
    if first is not None and not isinstance(first, Finish):
        return first
    error, sent = no_content(first), body.response.request
    if not _is_ours(provider.deltas) and sent is not None:
        quoted = shorten(_start_of(body))
        begins = f"which begins with {quoted!r}" if quoted else "which is empty"
        place = f"{sent.method} {urlsplit(sent.url or '').path}"
        error.message += f": deltas yielded nothing from the response to {place}, {begins}"
        error.args = (error.message,)
    raise error


def quote(error: BaseException, body: Body) -> None:
    """Put the beginning of a response into an error that was raised when it was read, if it has no ``body`` yet."""
    if isinstance(error, (ProviderError, ModelNotSupportedError)):
        error.body = error.body or _start_of(body)


def quotable(body: Body) -> str:
    """Return the beginning of a response that ``request`` was given; "" if it may hold a token, as that to a login."""
    start = _start_of(body)
    fields = re.findall(r"([\w-]+)['\"]?\s*[:=]", start)
    return "" if body.new_token or any(map(names_secret, fields)) else start


def _start_of(body: Body) -> str:
    return body.start.decode("utf-8", "replace")[:QUOTED_CHARACTERS]


def read_error(provider: Hooks, status: int, parsed: Any, text: str) -> G4FLiteError | None:
    """Call ``service_error``, and return the error, or None.

    :raises HookError: if its code has a mistake
    """
    with naming(provider, "service_error"):
        error: object = provider.service_error(status, parsed, text)
    if error is not None and not isinstance(error, G4FLiteError):
        raise wrong(provider, "service_error", error, "an error such as ServiceError(…), or None")
    _check_wait(error, provider, "service_error")
    return error


def _check_wait(error: G4FLiteError | None, provider: Hooks, hook: str) -> None:
    """Check the wait in an error that a hook made, which may be a header as it came.

    :raises HookError: if it is not a number of seconds
    """
    wait: Any = getattr(error, "retry_after", None)
    if wait is None or (type(wait) in (int, float) and wait >= 0):
        return
    given, wanted = f"{type(error).__name__} with retry_after={wait!r:.80}", "seconds, such as float(…)"
    assert isinstance(error, ProviderError)
    error.retry_after = None
    raise mistake(provider, hook, f"made a {given}; make it {wanted}") from error


class CallSettings(NamedTuple):
    """What a client sets for its calls; None and ``"own"`` leave a choice to the provider."""

    proxy: str | None = None
    timeout: Timeout | None = None
    retry: CallRetry = "own"


# Those of the client that lists models, whose hook takes no arguments.
listing: ContextVar[CallSettings] = ContextVar("listing", default=CallSettings())  # noqa: B039  it cannot be changed


def models_of(provider: Any, settings: CallSettings | None = None) -> list[str]:
    """Call ``get_models``, and return the names of the models.

    :param settings: those of the client, for the requests of ``provider.run``
    :raises HookError: if its code has a mistake
    """
    before = listing.set(settings or CallSettings())
    try:
        with naming(provider, "get_models"):
            names: object = provider.get_models()
    finally:
        listing.reset(before)
    if isinstance(names, Iterable) and not isinstance(names, (str, Mapping)):
        listed = list(names)
        if all(isinstance(name, str) for name in listed):
            return listed
    raise wrong(provider, "get_models", names, "a list of names")


def owners_of(
    provider: Any, settings: CallSettings | None = None, errors: list[G4FLiteError] | None = None
) -> dict[str, str]:
    """Return the names of the models, each with the name of the provider that has it; of a chain, of its members.

    :param errors: takes the errors of members of a chain that do not return their models
    """
    if not hasattr(provider, "_owners_of_models"):
        return dict.fromkeys(models_of(provider, settings), provider.name)
    before = listing.set(settings or CallSettings())
    try:
        return {name: " or ".join(dict.fromkeys(names)) for name, names in provider._owners_of_models(errors).items()}
    finally:
        listing.reset(before)


@contextmanager
def naming(provider: Any, name: str, method: Any = None, body: Body | None = None) -> Iterator[None]:
    """Do what :func:`raise_mistake` does for whatever a ``with`` block raises."""
    try:
        yield
    except Exception as error:
        raise_mistake(error, provider, name, method, "" if body is None else quotable(body))
        raise


def raise_mistake(error: Exception, provider: Any, name: str, method: Any = None, quoted: str = "") -> None:
    """Raise a HookError for what a hook raised; return where the error stays what it is.

    So does a G4FLiteError, and what the hooks of this package raise: a caller's function for a key may be behind it.

    :param provider: the provider
    :param name: the name of the hook
    :param method: the hook, if it is not a method of this name
    :param quoted: the beginning of the response that the hook was reading, which may say what is wrong
    """
    if isinstance(error, G4FLiteError):
        _check_wait(error, provider, name)
        return
    pass_on_signal(error)
    hook = method or getattr(provider, name)
    if _is_ours(hook):
        return
    module, own = hook.__module__, error.__traceback__
    while own is not None and own.tb_frame.f_globals.get("__name__") != module:
        own = own.tb_next  # past the frames that called the hook
    place = _place(own) if own else ""
    text = f"raised {type(error).__name__}: {error}{place}"
    if quoted:
        text += f"; the response begins with {shorten(quoted)!r}"
    raise mistake(provider, name, text, body=quoted) from error.with_traceback(own)


def _is_ours(hook: Any) -> bool:
    """Return whether a hook is this package's own."""
    return str(getattr(hook, "__module__", __name__)).partition(".")[0] == __name__.partition(".")[0]


def _place(frames: TracebackType) -> str:
    """Name the deepest line in the file of a hook, such as that of a function that it calls."""
    file, deepest = frames.tb_frame.f_code.co_filename, frames
    inner: TracebackType | None = frames
    while inner is not None:
        if inner.tb_frame.f_code.co_filename == file:
            deepest = inner
        inner = inner.tb_next
    name = file.replace("\\", "/").rpartition("/")[2]
    return f" ({name}, line {deepest.tb_lineno})"


def wrong(provider: Hooks, hook: str, value: object, wanted: str) -> HookError:
    return mistake(provider, hook, f"returned {shown(value)}; return {wanted}")


def mistake(provider: Hooks, hook: str, text: str, *, body: str = "") -> HookError:
    return HookError(text, step=hook, provider=provider.name, body=body)
