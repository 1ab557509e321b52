"""Errors → what is the matter, and what to do about it, in plain words."""

from __future__ import annotations

from .. import errors
from ..http.failures import NO_TLS
from ..http.urls import is_loopback
from ..providers.base import BaseProvider, Provider

NOT_RUNNING = "it is not running"

# The first that fits; a subclass stands before its base.
_REMEDIES: tuple[tuple[type[BaseException], str, str], ...] = (
    (
        errors.DeadlineExceededError,
        "it is too slow",
        "give it longer with --timeout; a server that loads a large model is quicker the second time",
    ),
    (errors.QuotaExceededError, "a limit is used up", "see your account at the service, or name another provider"),
    (errors.RateLimitError, "it wants fewer requests", "wait, and ask again later"),
    (errors.AuthenticationError, "it refuses the key or token", "see whether the key is whole and still valid there"),
    (
        errors.ChallengeError,
        "it asks for a human being",
        "it does not let programs in at present; name another provider: `g4f-lite providers` lists them",
    ),
    (errors.ModelNotSupportedError, "it has no such model", "see its models: `g4f-lite models --provider …`"),
    (
        errors.StreamInterruptedError,
        "its answer was cut",
        "try again; if it happens every time, something between here and there ends long answers",
    ),
    (errors.EmptyResponseError, "its answer is empty", "try another model"),
    (
        errors.EngineError,
        "the process that runs the model crashed",
        "try again; if it happens every time, fetch the model again: `g4f-lite local rm NAME`, then `pull`",
    ),
    (
        errors.ResponseFormatError,
        "what it sends is not this protocol",
        "see whether the address is right: for an OpenAI-compatible server it ends in /v1 as a rule",
    ),
    (
        errors.ResponseStatusError,
        "it refuses the request",
        "see whether the address is right: for an OpenAI-compatible server it ends in /v1 as a rule",
    ),
    (errors.ServiceError, "it reports an error of its own", "its words are above; try again later, or another model"),
    (errors.MissingDependencyError, "a package is missing", "install what the line above names"),
    (errors.ProviderNotFoundError, "there is no such provider", "`g4f-lite providers` lists the names"),
)

_TRANSPORT = {
    "dns": (
        "its name is not known",
        "look for typing errors in the address, and see whether this machine has a network and DNS",
    ),
    "tls": (
        "there is no secure connection",
        "see whether this machine's clock is right; a private certificate authority goes in G4F_LITE_CA_BUNDLE",
    ),
    "proxy": ("the proxy lets nothing through", "see G4F_LITE_PROXY, HTTPS_PROXY and NO_PROXY under the settings"),
    "connection": (
        "it cannot be reached",
        "see whether its address and port are right, and whether a firewall is between here and there",
    ),
}


def diagnose(error: Exception, provider: BaseProvider | None) -> tuple[str, str]:
    """Say what is the matter, and what to do.

    :param provider: who failed, if there is one
    """
    if isinstance(error, errors.AuthenticationError) and (variable := _missing_key(provider)):
        return "its key is missing", f"set {variable} in the environment, or give --api-key-file"
    if isinstance(error, errors.TransportError):
        if error.cause == "connection" and isinstance(provider, Provider) and is_loopback(provider.base_url):
            return NOT_RUNNING, f"start the server, or correct its address, which is {provider.base_url}"
        if NO_TLS in error.message:
            return "it does not speak TLS", "write http:// in place of https:// in its address"
        return _TRANSPORT[error.cause]
    if isinstance(error, errors.ProviderNotConfiguredError):
        local = provider is not None and provider.name == "Local"
        return "it lacks something", "run `g4f-lite local pull`" if local else "the line above says what to do"
    for kind, verdict, remedy in _REMEDIES:
        if isinstance(error, kind):
            return verdict, remedy
    return "its settings are wrong", "correct what the line above says"


def _missing_key(provider: BaseProvider | None) -> str | None:
    """Give the variable of a key that is needed and nowhere."""
    key = getattr(provider, "_key", None)
    return key.variable if key is not None and key.missing() else None
