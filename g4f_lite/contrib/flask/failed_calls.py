"""What the log of an app, ``app.logger``, says of calls that failed, and of members of a chain that did not answer.

Python is silent about a logger without a handler, as this library's are; Flask gives the app's one.
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
    AllProvidersFailedError,
    AuthenticationError,
    G4FLiteError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderNotConfiguredError,
)
from ...http.retry import may_pass
from ...providers.fallback import Fallback


def log(app: Flask, error: BaseException, asked: str, *, begun: bool = False) -> None:
    """Log an error, whose text is for the people who run the app, where they read the app's own errors.

    :param asked: the method and path of the request
    :param begun: whether its visitor has the beginning of the answer
    """
    what = f"{'incomplete' if begun else 'no'} answer{asked and f' to {asked}'}"
    if may_pass(error):
        app.logger.warning("g4f_lite: %s: %s", what, _one_line(error))
    else:
        app.logger.error("g4f_lite: %s: %s", what, error, exc_info=error)


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

    :param name: the app's, which is that of its logger
    """
    if asked := [error for error in errors if _was_asked(error)]:
        logger = current_app.logger if has_app_context() else logging.getLogger(name)
        logger.warning("g4f_lite: %s answers, after no answer from %s", answering, "; ".join(map(_one_line, asked)))


def _was_asked(error: G4FLiteError) -> bool:
    """Return whether the member of an error was asked; one that cannot be is a warning when the app starts."""
    if isinstance(error, AllProvidersFailedError):
        return any(map(_was_asked, error.errors))
    if isinstance(error, (AuthenticationError, ModelNotSupportedError)):
        return error.status is not None  # else nothing was sent
    return not (error.skipped or isinstance(error, (MissingDependencyError, ProviderNotConfiguredError)))


def _one_line(error: BaseException) -> str:
    text = re.sub(r":\n\s*", ": ", str(error))  # a chain's has a line for each member
    return "; ".join(map(str.strip, text.splitlines()))
