"""Explaining errors: what is wrong with a provider, and what to do about it."""

from __future__ import annotations

import os
import re

from .. import errors
from ..http.failures import WRITE_HTTP
from ..http.retry import is_loading
from ..http.urls import is_loopback, parse_origin
from ..providers.base import BaseProvider, Provider
from ..providers.local.gguf import NO_FILE, NOT_GGUF
from ..providers.local.load_failure import CUT, LOAD, NO_MEMORY, PROJECTOR, TOO_LARGE, UNKNOWN_KIND
from ..providers.openai.address import USUAL_END
from ..providers.openai.keys import OPENAI_ORIGIN
from ..providers.openai.presets import NO_MODEL, PRESETS
from ..providers.openai.provider import OpenAICompatible
from ..providers.registry import key_argument
from ..providers.secret import Secret
from .failure import one_line
from .options import is_gone

NOT_RUNNING = "it is not running"
NO_SUCH_MODEL = "it has no such model"
OR_FILE = ", or give another one by --api-key-file"
CHECK_URL = "check the URL"

# The first match counts, so a subclass precedes its base.
_REMEDIES: tuple[tuple[type[BaseException], str, str], ...] = (
    (
        errors.DeadlineExceededError,
        "it is too slow",
        "pass a longer --timeout; a server that loads a large model is faster the second time",
    ),
    (errors.QuotaExceededError, "its quota is used up", "check your account at the service, or use another provider"),
    (errors.RateLimitError, "it limits the rate of requests", "wait, and try again later"),
    (errors.AuthenticationError, "it rejects the key or token", "check that the key is complete and still valid"),
    (
        errors.ChallengeError,
        "it answers with a bot challenge",
        "it does not accept programs at present; use another provider: `g4f-lite providers` lists them",
    ),
    (errors.ModelNotSupportedError, NO_SUCH_MODEL, "list its models with `g4f-lite models --provider …`"),
    (
        errors.StreamInterruptedError,
        "its answer was cut",
        "try again; if it happens every time, a proxy or server on the way ends long answers",
    ),
    (errors.EmptyResponseError, "its answer is empty", "try another model"),
    (
        errors.EngineError,
        "the process that runs the model crashed",
        "try again; if it happens every time, run `g4f-lite local rm NAME`, then `g4f-lite local pull NAME`",
    ),
    (
        errors.ResponseFormatError,
        "its answer does not follow the protocol",
        CHECK_URL,
    ),
    (errors.ResponseStatusError, "it refuses the request", CHECK_URL),
    (errors.HookError, "its code has a mistake", "report the message above to the author of this provider"),
    (
        errors.ContextLengthExceededError,
        "the prompt is too long for it",
        "give its server a larger context, or use another model",
    ),
    (errors.ServiceError, "it reports an error", "see the message above; try again later, or try another model"),
    (errors.MissingDependencyError, "a package is missing", "install the package that the message above names"),
    (errors.ProviderNotFoundError, "there is no such provider", "list the names with `g4f-lite providers`"),
)

# Of the embedded model's, by a phrase of the message.
_OF_FILES = (
    (
        NO_MEMORY,
        "there is too little memory",
        "set a smaller context with --context or G4F_LITE_CONTEXT, or use a smaller model",
    ),
    (TOO_LARGE, "there is too little memory", "use a smaller model"),
    (UNKNOWN_KIND, "llama.cpp does not know this kind of model", "upgrade xllamacpp, or use another model"),
    (PROJECTOR, "its projector cannot be used", "give the projector that is published with the model"),
    (LOAD, "llama.cpp cannot load its file", "download the file again, or upgrade xllamacpp"),
    (CUT, "its file is cut or damaged", "download the file again"),
    (NOT_GGUF, "its file is of another kind", "give the path of a .gguf file"),
    (NO_FILE, "its file is not there", "give the path of a .gguf file"),
    ("it has no model", NO_SUCH_MODEL, "choose one of `g4f-lite local list`, or the path of a .gguf file"),
)

_TRANSPORT = {
    "dns": (
        "its host name is unknown",
        "check the URL for typing errors, and whether this machine has a network connection and DNS",
    ),
    "tls": (
        "there is no secure connection",
        "check the clock of this machine; for a private certificate authority set G4F_LITE_CA_BUNDLE",
    ),
    "proxy": ("the proxy does not work", "check G4F_LITE_PROXY, HTTPS_PROXY and NO_PROXY in the settings above"),
    "connection": (
        "it cannot be reached",
        "check its host and port, and whether a firewall blocks the connection",
    ),
}

# What a site that is gone ends in: its name, its server, or what has taken its place.
_OF_SITES = (errors.TransportError, errors.ProviderError, errors.DeadlineExceededError)


def diagnose(error: Exception, provider: BaseProvider | None) -> tuple[str, str]:
    """Return what is wrong, and what to do.

    :param error: the error
    :param provider: the provider that failed, if it was created
    """
    verdict, remedy = _diagnosis(error, provider)
    is_of_machine = isinstance(error, errors.TransportError) and error.cause == "proxy"
    if provider is not None and is_gone(provider) and isinstance(error, _OF_SITES) and not is_of_machine:
        remedy = "it did not work when it was last tested; use another provider: `g4f-lite providers` lists them"
    return verdict, remedy


def _diagnosis(error: Exception, provider: BaseProvider | None) -> tuple[str, str]:
    key = provider.key if isinstance(provider, OpenAICompatible) else None
    if isinstance(error, errors.AuthenticationError):
        try:
            if key is not None and not key.value():
                return "its key is missing", one_line(key.way())
            if provider is not None and (missing := _missing_secrets(provider)):
                or_file = ", or give --api-key-file" if missing[0].name == key_argument(type(provider)) else ""
                return "its key is missing", f"set {missing[0].variable} in the environment{or_file}"
        except errors.AuthenticationError:
            return "its key is invalid", f"correct the variable that the message above names{OR_FILE}"
        if key is not None:
            return "it rejects the key", f"check that the key is complete and still valid{OR_FILE}"
    if isinstance(error, errors.TransportError):
        if error.cause == "connection" and isinstance(provider, Provider) and is_loopback(provider.base_url):
            return NOT_RUNNING, f"start the server, or correct its URL, {provider.base_url}"
        if WRITE_HTTP in error.message:
            return "it does not use TLS", "write http:// instead of https:// in its URL"
        if _is_openai(provider) and os.environ.get("OPENAI_BASE_URL"):
            return _TRANSPORT[error.cause][0], "OPENAI_BASE_URL does not change its URL; pass that as --base-url"
        return _TRANSPORT[error.cause]
    if isinstance(error, errors.ProviderNotConfiguredError):
        if NO_MODEL in error.message:
            return "it has no model", error.message.partition(NO_MODEL)[2]
        pull = re.search("`g4f-lite local pull.*?`", error.message)
        return "it is not configured", f"run {pull[0]}" if pull else "do what the message above says"
    if USUAL_END in str(error):
        return "its URL may be incomplete", "write the URL that the message above names"
    if isinstance(error, errors.ModelNotSupportedError) and isinstance(provider, OpenAICompatible):
        preset = next((name for name, one in PRESETS.items() if one.base_url == provider.base_url), None)
        named = f"-p {preset}" if preset else f"--base-url {provider.base_url}"
        named += " --api-key-file FILE" if provider.key.given is not None else ""
        return NO_SUCH_MODEL, f"name another model; `g4f-lite models {named}` lists them"
    if isinstance(error, errors.G4FLiteError) and error.provider == "Local":
        for phrase, verdict, remedy in _OF_FILES:
            if phrase in error.message:
                return verdict, remedy
        if isinstance(error, errors.DeadlineExceededError):
            return "it is too slow", "pass a longer --timeout, or use a smaller model"
        if isinstance(error, errors.ModelNotSupportedError):
            return "it cannot use this model", "do what the message above says"
    if is_loading(error):
        return "it is loading its model", "wait until it has loaded it"
    if isinstance(error, errors.ResponseStatusError) and (error.status or 0) >= 500:
        return "its server fails", "the server is starting or overloaded: wait, or look into its log"
    if isinstance(error, errors.ResponseStatusError) and 300 <= (error.status or 0) < 400:
        return "it redirects the request", "see the message above"
    for kind, verdict, remedy in _REMEDIES:
        if isinstance(error, kind):
            is_of_server = remedy is CHECK_URL and isinstance(provider, OpenAICompatible)
            return verdict, f"{remedy}; {USUAL_END}" if is_of_server else remedy
    if not isinstance(error, (TypeError, ValueError)):
        return "its code has a mistake", "report the message above to the author of this provider"
    return "its settings are invalid", "correct the setting that the message above names"


def _is_openai(provider: BaseProvider | None) -> bool:
    return isinstance(provider, OpenAICompatible) and parse_origin(provider.base_url) == OPENAI_ORIGIN


def _missing_secrets(provider: BaseProvider) -> list[Secret]:
    """List the keys that a provider declares, and that are missing."""
    return [secret for secret in provider.declared_secrets.values() if secret.is_missing(provider)]
