"""The variables of the environment that are settings, and a warning of others that look like them."""

from __future__ import annotations

import os

from ..arguments import warn

_PREFIX = "G4F_LITE_"
#: As docs/settings.md explains them; the last ones belong to the configuration of a Flask app.
VARIABLES = (
    "G4F_LITE_PROVIDER",
    "G4F_LITE_BASE_URL",
    "G4F_LITE_API_KEY",
    "G4F_LITE_MODEL",
    "G4F_LITE_CONTEXT",
    "G4F_LITE_THREADS",
    "G4F_LITE_PROXY",
    "G4F_LITE_TIMEOUT",
    "G4F_LITE_CA_BUNDLE",
    "G4F_LITE_LOG",
    "G4F_LITE_OFFLINE",
    "G4F_LITE_SERVER_KEY",
    "G4F_LITE_PYTHON",
    "G4F_LITE_MODELS",
    "G4F_LITE_CACHE",
    "G4F_LITE_PACE",
    "G4F_LITE_STREAM_TIMEOUT",
    "G4F_LITE_START",
)
_warned: set[str] = set()


def warn_of_unknown_variables() -> None:
    """Warn, once of each, of variables that are no setting, such as a misprint of one, which would have no effect."""
    for name in os.environ:
        if not name.startswith(_PREFIX) or name in VARIABLES or name in _warned:
            continue
        import difflib  # which few programs need

        _warned.add(name)
        known = [variable.removeprefix(_PREFIX) for variable in VARIABLES]
        near = difflib.get_close_matches(name.removeprefix(_PREFIX), known, n=1)
        hint = f"; is {_PREFIX}{near[0]} meant?" if near else ""
        warn(f"{name} in the environment is not a setting of g4f_lite, and has no effect{hint}")
