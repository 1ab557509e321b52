"""The effective settings and their sources; secrets are masked."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

import certifi

from ..errors import ModelNotSupportedError
from ..http.redact import HIDDEN, password_in, redact
from ..http.route import CA_BUNDLES
from ..providers.local.memory import free_memory
from ..providers.local.runner import CONTEXT
from ..providers.local.vision import FOR_ITS_MODEL, PROJECTOR_FROM, VARIABLE, checked_file
from ..providers.openai.keys import clean
from ..providers.openai.presets import PRESETS
from ..providers.registry import name_and_model
from ..providers.selection import names_any_server
from .embedded_model import EmbeddedModel, embedded_model
from .unread import unread_in_file

DEFAULT = "default"
# In the order in which requests looks at them.
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")

_HOSTS = tuple(preset.host_variable for preset in PRESETS.values() if preset.host_variable)


@dataclass(frozen=True)
class Setting:
    """A setting, its value without secrets, and the source of the value."""

    name: str
    value: str
    source: str


def key_variables() -> list[str]:
    """List the variables that may contain a key."""
    return ["G4F_LITE_API_KEY", *(preset.key_variable for preset in PRESETS.values() if preset.key_variable)]


def known_secrets() -> list[str]:
    """List the secrets in the environment, which the output must not show."""
    keys = [os.environ.get(name, "") for name in key_variables()]
    urls = [
        os.environ.get(name)
        for name in ("G4F_LITE_PROXY", "G4F_LITE_BASE_URL", "OPENAI_BASE_URL", *_HOSTS, *_PROXIES[:-2])
    ]
    return [*keys, *(key.strip() for key in keys), *(word for url in urls for word in password_in(url))]


def effective_settings(given: Mapping[str, str | None]) -> list[Setting]:
    """List the settings.

    :param given: the settings from the command line, by name
    """
    secrets = [*known_secrets(), *(word for value in given.values() for word in password_in(value))]
    address = os.environ.get("G4F_LITE_BASE_URL")
    embedded, unread = embedded_model(given, DEFAULT), unread_in_file()
    found = [
        _first("provider", given, ["G4F_LITE_PROVIDER"], "OpenAICompatible" if address else "Local"),
        _base_url(given),
        _model(given),
        _context(_first("context", given, ["G4F_LITE_CONTEXT"], f"{CONTEXT} tokens, of the embedded model"), embedded),
        _first("threads", given, ["G4F_LITE_THREADS"], "the free cores, of the embedded model"),
        _first("timeout", given, ["G4F_LITE_TIMEOUT"], "10 s to connect, 300 s until it begins, 600 s in total"),
        _first("proxy", given, ["G4F_LITE_PROXY"], "none"),
        *(Setting(name, os.environ[name], "environment") for name in _PROXIES if os.environ.get(name)),
        _first("ca_bundle", given, list(CA_BUNDLES), certifi.where()),
        _first("offline", given, ["G4F_LITE_OFFLINE"], "0"),
        _first("log", given, ["G4F_LITE_LOG"], "warnings"),
        _openais(given),
        *(Setting(name, os.environ[name], "environment") for name in _HOSTS if os.environ.get(name)),
        *([Setting("not set", ", ".join(unread), ".env, which is not read")] if unread else []),
        *(_key(name) for name in dict.fromkeys(key_variables()) if os.environ.get(name)),
        Setting("embedded model", embedded.file, embedded.source),
        *_memory(embedded),
        *_projector(given.get("mmproj"), embedded),
        *(Setting(name, version(name), "installed") for name in ("g4f-lite", "requests", "urllib3")),
        Setting("python", f"{platform.python_version()} on {platform.platform(terse=True)}", "installed"),
    ]
    return [Setting(row.name, redact(row.value, secrets), row.source) for row in found]


def _first(name: str, given: Mapping[str, str | None], variables: list[str], default: str) -> Setting:
    """Return a setting from the command line, the first variable that is set, or the default."""
    if (value := given.get(name)) is not None:
        return Setting(name, value, "command line")
    for variable in variables:
        if value := os.environ.get(variable):
            return Setting(name, value, variable)
    return Setting(name, default, DEFAULT)


def _base_url(given: Mapping[str, str | None]) -> Setting:
    """Return the URL; that of the environment is for the class for any server, which is the default then."""
    row = _first("base_url", given, ["G4F_LITE_BASE_URL"], "the provider's own")
    provider = _first("provider", given, ["G4F_LITE_PROVIDER"], "")
    if row.source == "G4F_LITE_BASE_URL" and provider.value and not names_any_server(provider.value):
        first = "the named provider" if provider.source == "command line" else provider.source
        return replace(row, value=f"{row.value} (not used: {first} goes first)")
    return row


def _openais(given: Mapping[str, str | None]) -> Setting:
    """Return the variable of OpenAI's own client, which says here only where OpenAI's key may go."""
    row = _first("OPENAI_BASE_URL", given, ["OPENAI_BASE_URL"], "not set")
    chosen = given.get("provider") or os.environ.get("G4F_LITE_PROVIDER") or os.environ.get("G4F_LITE_BASE_URL")
    if row.source == DEFAULT or chosen:
        return row
    return replace(row, value=f"{row.value} (chooses no server; set G4F_LITE_BASE_URL)")


def _model(given: Mapping[str, str | None]) -> Setting:
    """Return the model: that of the call, those in the names of the providers, or that of the environment."""
    provider = _first("provider", given, ["G4F_LITE_PROVIDER"], "")
    named = [model for part in provider.value.split(",") if (model := name_and_model(part)[1])]
    if named and not given.get("model"):
        return Setting("model", ", ".join(named), provider.source)
    return _first("model", given, [] if given.get("provider") else ["G4F_LITE_MODEL"], "the provider's own")


def _key(variable: str) -> Setting:
    """Return a masked key; its length shows whether it was pasted completely."""
    key = os.environ[variable]
    try:
        clean(key, variable)
        note = f"{len(key.strip())} characters"
    except ValueError as error:
        note = str(error)
    if variable == "G4F_LITE_API_KEY" and not os.environ.get("G4F_LITE_BASE_URL"):
        note += "; not used, because G4F_LITE_BASE_URL is not set"
    return Setting(variable, f"{HIDDEN} ({note})", "environment")


def _context(row: Setting, embedded: EmbeddedModel) -> Setting:
    """Return the setting as the model can have it."""
    if embedded.capped:
        return Setting(row.name, f"{embedded.context} (the model's most)", row.source)
    if embedded.most is None:
        return row
    return Setting(row.name, f"{embedded.context} of at most {embedded.most} tokens, of the embedded model", row.source)


def _projector(given: str | None, embedded: EmbeddedModel) -> list[Setting]:
    """Return the projector, and for that of the environment what is wrong with it or why it is not used."""
    if given is not None:
        return [Setting("mmproj", given, "command line")]
    if not (file := os.environ.get(VARIABLE)):
        return []
    note = "" if embedded.source == "G4F_LITE_MODEL" else f" (not used: it is {FOR_ITS_MODEL})"
    try:
        checked_file(file, VARIABLE)
    except ModelNotSupportedError as error:
        note = f" ({error.message.partition('; give')[0].removesuffix(f' ({PROJECTOR_FROM} {VARIABLE})')})"
    return [Setting("mmproj", f"{file}{note}", VARIABLE)]


def _memory(embedded: EmbeddedModel) -> list[Setting]:
    if embedded.memory is None:
        return []
    free = free_memory()
    only = "only " if free is not None and free < embedded.memory else ""
    there = "" if free is None else f"; {only}{free / 1e9:.1f} GB are free"
    return [Setting("its memory", f"about {embedded.memory / 1e9:.1f} GB, with this context{there}", "computed")]
