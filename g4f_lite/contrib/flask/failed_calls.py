"""What the log of an app, ``app.logger``, says of calls that failed, and of members of a chain that did not answer.

Python is silent about a logger without a handler, as this library's are; Flask gives the app's one, whose lines name
this file: ``WARNING in failed_calls``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Flask, current_app, has_app_context, has_request_context, request

from ...errors import (
    PARTIAL_HINT,
    AllProvidersFailedError,
    AuthenticationError,
    ContextLengthExceededError,
    G4FLiteError,
    HookError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderNotConfiguredError,
    without_double_marks,
)
from ...http.retry import may_pass
from ...providers.fallback import Fallback
from .limits import setting_of


def log(app: Flask, error: BaseException, asked: str, *, begun: bool = False) -> None:
    """Log an error, whose text is for the people who run the app, where they read the app's own errors.

    It is one line; a mistake in the app's code, or in that of its provider, has its traceback.  It is an error if
    something has to be mended, also of one member of a chain that was asked.

    :param asked: the method and path of the request
    :param begun: whether its visitor has the beginning of the answer
    """
    what = f"{'incomplete' if begun else 'no'} answer{asked and f' to {asked}'}"
    errors = list(_all_of(error))
    mistake = next((each for each in errors if isinstance(each, HookError) or not isinstance(each, G4FLiteError)), None)
    sent_to: Iterable[G4FLiteError] = _asked(error) if isinstance(error, G4FLiteError) else ()
    passes = mistake is None and any(map(_passes, errors)) and all(map(_passes, sent_to))
    settings = dict.fromkeys(setting_of(each, app) for each in errors)
    told = _joined([_one_line(error), *filter(None, settings)])
    app.logger.log(logging.WARNING if passes else logging.ERROR, "g4f_lite: %s: %s", what, told, exc_info=mistake)


def _passes(error: BaseException) -> bool:
    """Return whether nobody has to mend anything: it may pass by itself, or was a question that was too long."""
    return may_pass(error) or isinstance(error, ContextLengthExceededError)


def log_of_on_done(app: Flask, asked: str) -> None:
    """Log the exception that is being handled, of the function that an app gave as ``on_done``."""
    app.logger.exception("g4f_lite: on_done failed, or the app's context, after the answer to %s", asked)


def _all_of(error: BaseException) -> Iterator[BaseException]:
    """Iterate an error and, of a chain's, those of its members."""
    yield error
    if isinstance(error, AllProvidersFailedError):
        for each in error.errors:
            yield from _all_of(each)


def asked_now() -> str:
    """Return the method and path of the present request; "" outside of one."""
    return f"{request.method} {quote(request.path)}" if has_request_context() else ""  # quoted, as it may hold newlines


def log_fallbacks(app: Flask, providers: Iterable[Any]) -> None:
    """Log a line for each call that another member of a chain answers, because one that was asked did not.

    A chain that has an ``on_fallback`` of its own keeps it.
    """
    for chain in _chains_in(providers):
        if chain.on_fallback is None:
            # By its name, because an app cannot be pickled, and a chain can.
            chain.on_fallback = partial(_log_fallback, app.name)


def _chains_in(providers: Iterable[Any]) -> Iterator[Fallback]:
    for provider in providers:
        if isinstance(provider, Fallback):
            yield provider
            yield from _chains_in(provider.providers)


def _log_fallback(name: str, errors: list[G4FLiteError], answering: str) -> None:
    """Log that a member answers; not of those that were skipped, which would be a line for each call meanwhile.

    It is an error if one of those that were asked will fail until somebody mends it.

    :param name: the app's, which is that of its logger
    """
    if asked := [error for error in errors if any(True for _ in _asked(error))]:
        logger = current_app.logger if has_app_context() else logging.getLogger(name)
        level = logging.WARNING if all(_passes(each) for error in asked for each in _asked(error)) else logging.ERROR
        logger.log(level, "g4f_lite: %s answers, after no answer from %s", answering, _joined(map(_one_line, asked)))


def _asked(error: G4FLiteError) -> Iterator[G4FLiteError]:
    """Iterate the errors of the members that were asked; one that cannot be is a warning when the app starts."""
    if isinstance(error, AllProvidersFailedError):
        for each in error.errors:
            yield from _asked(each)
    elif isinstance(error, (AuthenticationError, ModelNotSupportedError)):
        if error.status is not None:  # else nothing was sent
            yield error
    elif not (error.skipped or isinstance(error, (MissingDependencyError, ProviderNotConfiguredError))):
        yield error


def _one_line(error: BaseException) -> str:
    text = re.sub(r":\n\s*", ": ", str(error)).replace(PARTIAL_HINT, "")  # a chain's has a line for each member
    for each in _all_of(error):  # what this library calls the steps of an answer tells nothing here
        if isinstance(each, G4FLiteError) and each.step in ("prompt", "stream"):
            text = text.replace(f"{each.provider}, {each.step}: ", f"{each.provider}: ", 1)
    return _joined(map(str.strip, text.splitlines()))


def _joined(texts: Iterable[str]) -> str:
    return without_double_marks("; ".join(texts))
