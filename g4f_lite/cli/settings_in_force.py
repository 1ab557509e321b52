"""Every setting in force, and where it comes from; secrets are masked."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import certifi

from ..http.redact import HIDDEN, password_in, redact
from ..providers.local import weights
from ..providers.openai.keys import clean
from ..providers.openai.presets import PRESETS

DEFAULT = "default"
# In the order in which requests looks at them.
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
_BUNDLES = ("G4F_LITE_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Setting:
    """A setting, its value as it may be shown, and where that comes from."""

    name: str
    value: str
    source: str


def key_variables() -> list[str]:
    """List the variables that may hold a key."""
    return ["G4F_LITE_API_KEY", *(preset.key_variable for preset in PRESETS.values() if preset.key_variable)]


def secrets_in_force() -> list[str]:
    """List what no line may show."""
    keys = [os.environ.get(name, "") for name in key_variables()]
    proxies = [os.environ.get(name) for name in ("G4F_LITE_PROXY", *_PROXIES[:-2])]
    return [*keys, *(key.strip() for key in keys), *(word for url in proxies for word in _password_in(url))]


def settings_in_force(given: Mapping[str, str | None]) -> list[Setting]:
    """List the settings.

    :param given: what the command line says of them, by their names here
    """
    secrets = secrets_in_force()
    address = os.environ.get("G4F_LITE_BASE_URL")
    found = [
        _first("provider", given, ["G4F_LITE_PROVIDER"], "OpenAICompatible" if address else "Local"),
        _first("base_url", given, ["G4F_LITE_BASE_URL"], "the provider's own"),
        _first("model", given, ["G4F_LITE_MODEL"], "the provider's own"),
        _first("timeout", given, ["G4F_LITE_TIMEOUT"], "10 s to connect, 300 s until it begins, 600 s in all"),
        _first("proxy", given, ["G4F_LITE_PROXY"], "none"),
        *(Setting(name, os.environ[name], "environment") for name in _PROXIES if os.environ.get(name)),
        _first("ca_bundle", given, list(_BUNDLES), certifi.where()),
        _first("offline", given, ["G4F_LITE_OFFLINE"], "0"),
        _first("log", given, ["G4F_LITE_LOG"], "warnings"),
        _first("OPENAI_BASE_URL", given, ["OPENAI_BASE_URL"], "not set"),
        *(_key(name) for name in dict.fromkeys(key_variables()) if os.environ.get(name)),
        _embedded_model(),
        *(Setting(name, version(name), "installed") for name in ("g4f-lite", "requests", "urllib3")),
        Setting("python", f"{platform.python_version()} on {platform.platform(terse=True)}", "installed"),
    ]
    return [Setting(row.name, redact(row.value, secrets), row.source) for row in found]


def _first(name: str, given: Mapping[str, str | None], variables: list[str], default: str) -> Setting:
    """Find where a setting comes from: the command line, one of the variables, or nowhere."""
    if (value := given.get(name)) is not None:
        return Setting(name, value, "command line")
    for variable in variables:
        if value := os.environ.get(variable):
            return Setting(name, value, variable)
    return Setting(name, default, DEFAULT)


def _key(variable: str) -> Setting:
    """Mask a key; its length tells one that was cut when it was pasted."""
    key = os.environ[variable]
    try:
        clean(key, variable)
        said = f"{len(key.strip())} characters"
    except ValueError as error:
        said = str(error)
    if variable == "G4F_LITE_API_KEY" and not os.environ.get("G4F_LITE_BASE_URL"):
        said += "; it goes nowhere, because G4F_LITE_BASE_URL is not set"
    return Setting(variable, f"{HIDDEN} ({said})", "environment")


def _embedded_model() -> Setting:
    path = weights.find()
    return Setting("embedded model", str(path or "not fetched: g4f-lite local pull"), "found" if path else DEFAULT)


def _password_in(url: str | None) -> list[str]:
    try:
        return password_in(url)
    except ValueError:  # an environment variable may hold anything
        return [url or ""]
