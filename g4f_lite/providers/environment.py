"""The variables of the environment that are settings, and a warning of others that look like them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from ..arguments import warn

PREFIX = "G4F_LITE_"
#: Those that have an effect only in the configuration of a Flask app.
OF_FLASK = ("G4F_LITE_MODELS", "G4F_LITE_CACHE", "G4F_LITE_PACE", "G4F_LITE_START", "G4F_LITE_SENTENCES")
_OF_ENVIRONMENT = (
    "G4F_LITE_PROVIDER",
    "G4F_LITE_BASE_URL",
    "G4F_LITE_API_KEY",
    "G4F_LITE_MODEL",
    "G4F_LITE_MMPROJ",
    "G4F_LITE_CONTEXT",
    "G4F_LITE_THREADS",
    "G4F_LITE_PROXY",
    "G4F_LITE_TIMEOUT",
    "G4F_LITE_CA_BUNDLE",
    "G4F_LITE_LOG",
    "G4F_LITE_OFFLINE",
    "G4F_LITE_SERVER_KEY",
    "G4F_LITE_PYTHON",
    "G4F_LITE_STREAM_TIMEOUT",
)
#: As docs/settings.md explains them.
VARIABLES = (*_OF_ENVIRONMENT, *OF_FLASK)
_FLASK = "g4f_lite.contrib.flask"  # the module
_warned: set[str] = set()


def warn_of_unknown_variables() -> None:
    """Warn, once of each, of variables that have no effect, such as a misprint of one.

    Of those that are for its configuration, the Flask extension warns by itself.
    """
    for name in os.environ:
        if not name.startswith(PREFIX) or name in _OF_ENVIRONMENT or name in _warned:
            continue
        if name not in OF_FLASK:
            warning = no_setting(name, "the environment", _OF_ENVIRONMENT)
        elif _FLASK not in sys.modules:
            warning = f"{name} in the environment has no effect; it is for the configuration of a Flask app"
        else:
            continue
        _warned.add(name)
        warn(warning)


def warn_of_key_without_server() -> None:
    """Warn, once, if there is a key for a server, and no variable that names the server."""
    name = "G4F_LITE_API_KEY"
    if os.environ.get(name) and not os.environ.get("G4F_LITE_BASE_URL") and name not in _warned:
        _warned.add(name)
        warn(f"{name} in the environment has no effect; it is for the server of G4F_LITE_BASE_URL there")


def told_source(message: str, model: str, *, local: bool) -> str:
    """Return an error message about a model, with the variable that names the model if one does.

    :param model: the provider's model
    :param local: whether the provider runs models on this machine, so that it may be a file
    """
    named = os.environ.get("G4F_LITE_MODEL", "")
    if model not in (named, os.path.realpath(os.path.expanduser(named))):
        return message
    if model not in message or "G4F_LITE_MODEL" in message:
        return message
    file = "; a file is for G4F_LITE_PROVIDER=local" if model.endswith(".gguf") and not local else ""
    return f"{message} (the model is from G4F_LITE_MODEL{file})"


def no_setting(name: str, place: str, known: Iterable[str]) -> str:
    """Return the warning of a name that is no setting, with the one that may be meant.

    :param place: where the name was found
    :param known: the names of the settings there
    """
    import difflib  # which few programs need

    near = difflib.get_close_matches(
        name.removeprefix(PREFIX), [setting.removeprefix(PREFIX) for setting in known], n=1, cutoff=0.65
    )
    hint = f"; is {PREFIX}{near[0]} meant?" if near else ""
    return f"{name} in {place} is not a setting of g4f_lite, and has no effect{hint}"
