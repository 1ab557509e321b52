"""Logging to standard error, for ``G4F_LITE_LOG=info|debug``."""

from __future__ import annotations

import logging
import warnings

from ..arguments import hide_keys

_FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"


def log_to_stderr(level: str) -> None:
    """Send this library's log to standard error.

    :param level: ``"info"`` for retries and refreshed tokens, ``"debug"`` for each request; another word is a
        warning, because an import should not fail for the sake of a log
    """
    number = {"info": logging.INFO, "debug": logging.DEBUG}.get(level.strip().lower())
    if number is None:
        warnings.warn(f"G4F_LITE_LOG must be info or debug, not {hide_keys(level)!r}", stacklevel=2)
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger("g4f_lite")
    logger.addHandler(handler)
    logger.setLevel(number)
