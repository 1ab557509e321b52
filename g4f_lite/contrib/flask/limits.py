"""The time limits of an app's calls, and the setting that a limit comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask

from ...arguments import hide_keys
from ...errors import DeadlineExceededError
from ...timeout import Timeout

TIMEOUT_KEY = "G4F_LITE_TIMEOUT"
STREAM_TIMEOUT_KEY = "G4F_LITE_STREAM_TIMEOUT"
ASK_SECONDS = 25.0  # for an answer that is returned whole: gunicorn's sync worker is killed after 30
STREAM_SECONDS = 120.0  # for an answer that is streamed
_LIMITS = "g4f_lite.limits"  # of an app, among its extensions


def limits_of(config: Mapping[str, Any]) -> tuple[Timeout | None, Timeout | None]:
    """Return the limits of a configuration: of an answer that is returned whole, and of one that is streamed.

    None is that of the environment, which bounds every call that has no other timeout.

    :raises TypeError: if a value of the configuration has the wrong type
    :raises ValueError: if a value of the configuration is not a positive number
    """
    usual = not os.environ.get(TIMEOUT_KEY)
    streamed = os.environ.get(STREAM_TIMEOUT_KEY) or (STREAM_SECONDS if usual else None)
    return _limit(config, TIMEOUT_KEY, ASK_SECONDS if usual else None), _limit(config, STREAM_TIMEOUT_KEY, streamed)


def keep_limits(app: Flask) -> None:
    """Keep the limits that an app's configuration sets, for :func:`setting_of`."""
    whole, streamed = limits_of(app.config)
    app.extensions[_LIMITS] = {TIMEOUT_KEY: whole or Timeout.of_environment(), STREAM_TIMEOUT_KEY: streamed}


def setting_of(error: BaseException, app: Flask) -> str:
    """Say which setting has the limit that a call exceeded; "" where none has it."""
    if not isinstance(error, DeadlineExceededError) or error.seconds is None or error.limit == "connect":
        return ""
    limits: dict[str, Timeout | None] = app.extensions.get(_LIMITS, {})
    keys = [key for key, limit in limits.items() if limit and getattr(limit, error.limit) == error.seconds]
    return f"{' and '.join(keys)} set{'s' if len(keys) == 1 else ''} {error.seconds:g} s" if keys else ""


def _limit(config: Mapping[str, Any], key: str, usual: float | str | None) -> Timeout | None:
    """Return a timeout of the configuration; a string is one that comes from the environment.

    :param usual: what holds if the configuration does not have it
    """
    value = config.get(key, usual)
    try:
        return None if value is None else Timeout.of(float(value) if isinstance(value, str) else value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{key} must be seconds, such as 30, not {hide_keys(repr(value)):.80}") from error
