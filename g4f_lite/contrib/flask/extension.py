"""The client of a Flask app, from the app's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Flask, current_app, has_app_context

from ...arguments import warn
from ...client.client import Client
from ...errors import G4FLiteError
from ...providers.base import BaseProvider
from ...providers.environment import (
    OF_FLASK,
    PREFIX,
    VARIABLES,
    no_setting,
    warn_of_key_without_server,
    warn_of_unknown_variables,
)
from ...providers.local.base import EngineProvider
from ...timeout import RETRY, RetryPolicy, Timeout
from .errors import SENTENCES_KEY, check_sentences
from .failed_calls import log_fallbacks
from .limits import STREAM_TIMEOUT_KEY, TIMEOUT_KEY, keep_limits, limits_of

EXTENSION = "g4f_lite"
RETRY_AFTER_SECONDS = 8.0  # the longest wait for a rate limit: a visitor is better told to come back than kept waiting

_SETTINGS = {
    "provider": "G4F_LITE_PROVIDER",
    "model": "G4F_LITE_MODEL",
    "models": "G4F_LITE_MODELS",
    "api_key": "G4F_LITE_API_KEY",
    "base_url": "G4F_LITE_BASE_URL",
    "proxy": "G4F_LITE_PROXY",
    "cache": "G4F_LITE_CACHE",
    "pace": "G4F_LITE_PACE",
}
_KEYS = (*_SETTINGS.values(), TIMEOUT_KEY, STREAM_TIMEOUT_KEY, "G4F_LITE_START", SENTENCES_KEY)
_SELECTS = ("G4F_LITE_PROVIDER", "G4F_LITE_BASE_URL")


class G4FLite:
    """The extension: gives each app a client, which its requests share::

        chat = G4FLite()

        def create_app():
            app = Flask(__name__)
            app.config["G4F_LITE_PROVIDER"] = "groq:llama-3.3-70b-versatile"
            chat.init_app(app)
            return app

    The client is ``chat.client``, or ``current_app.extensions["g4f_lite"]``.

    :param app: the app, if there is one already; see :meth:`init_app`
    :param client: the client to use; None makes one from the configuration of each app
    :raises TypeError: if an argument has the wrong type
    """

    def __init__(self, app: Flask | None = None, *, client: Client | None = None) -> None:
        if client is not None and not isinstance(client, Client):
            raise TypeError(f"client must be a g4f_lite.Client, not {type(client).__name__}")
        self._given = client
        self._clients: list[Client] = []
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give an app its client.

        What no key of the configuration names is chosen by the environment, as for every client.  A key that is not a
        setting, such as a misprint of one, is a warning.  A provider, or one of a list, that is not ready, for instance
        without its key or its weights, is one too, except in debug mode and in tests, and an error at the call.

        A chain of providers that has no ``on_fallback`` gets one that logs, with ``app.logger``, which members were
        asked and did not answer before the one that does.

        :param app: the app, configured
        :raises G4FLiteError: if the configuration names an unknown provider, or a model that cannot be started now
        :raises RuntimeError: if the app has a client already
        :raises TypeError: if a value of the configuration has the wrong type
        :raises ValueError: if a value of the configuration is invalid
        """
        if not isinstance(app, Flask):
            raise TypeError(f"app must be a flask.Flask, not {type(app).__name__}")
        if EXTENSION in app.extensions:
            raise RuntimeError("this app has a G4FLite already; for another provider, pass provider= to a call")
        check_sentences(app.config)
        _warn_of_useless_settings(app.config)
        warn_of_unknown_variables()  # of which a provider that is an object says nothing
        if self._given is None:
            _warn_of_useless_key(app.config)
            keep_limits(app)
        client = _client_of(app.config) if self._given is None else self._given
        if app.config.get("G4F_LITE_START"):
            _start(client.provider)
        elif not (app.debug or app.testing) and (problem := _problem(client, app.config)):
            warn(problem)
        log_fallbacks(app, _providers_of(client, app.config))
        app.extensions[EXTENSION] = client
        self._clients.append(client)

    @property
    def client(self) -> Client:
        """The client of the current app or, outside an app context, of the only app.

        :raises RuntimeError: if there is none, or more than one
        """
        if has_app_context():
            if EXTENSION in current_app.extensions:
                client: Client = current_app.extensions[EXTENSION]
                return client
            raise RuntimeError("the current app has no client; call init_app(app) when you create it")
        if len(self._clients) == 1:
            return self._clients[0]
        count = "several apps" if self._clients else "no app"
        raise RuntimeError(f"this G4FLite has {count}; outside a request, use it within app.app_context()")


def _client_of(config: Mapping[str, Any]) -> Client:
    settings = {name: config[key] for name, key in _SETTINGS.items() if config.get(key) is not None}
    whole, streamed = limits_of(config)
    own = getattr(settings.get("provider"), "timeout", None)
    client = Client(**settings, timeout=_within(own, streamed), ask_timeout=_within(own, whole))
    if _has_policy([settings.get("provider"), *(settings.get("models") or {}).values()]):
        return client
    return client.with_options(retry=RetryPolicy(max_retry_after=RETRY_AFTER_SECONDS))


def _providers_of(client: Client, config: Mapping[str, Any]) -> list[Any]:
    """Return the providers that calls of the app use, as far as there are any now."""
    found = list((config.get("G4F_LITE_MODELS") or {}).values())
    with suppress(G4FLiteError, ValueError):  # which the call raises
        found.append(client.provider)
    return found


def _has_policy(provider: Any) -> bool:
    """Return whether a provider object, or one of a list or a chain, was given a retry policy."""
    members = provider if isinstance(provider, (list, tuple)) else getattr(provider, "providers", None)
    if members is not None:
        return any(_has_policy(member) for member in members)
    return getattr(provider, "retry", RETRY) is not RETRY


def _within(own: Any, limit: Timeout | None) -> Timeout | None:
    """Return the shorter one of each limit: of the app, and of a timeout that a provider object was given."""
    is_given = isinstance(own, Timeout) and own != Timeout.of(None, Timeout.of_environment())
    return own.within(limit) if is_given and limit is not None else limit


def _warn_of_useless_settings(config: Mapping[str, Any]) -> None:
    """Warn of settings that have no effect where they are: in the configuration, or in the environment."""
    place = "the configuration of the app"
    for key in config:
        if not key.startswith(PREFIX) or key in _KEYS:
            continue
        if key not in VARIABLES:
            warn(no_setting(key, place, _KEYS))
        elif key not in os.environ:
            warn(f"{key} in {place} has no effect; set it in the environment")
    for key in OF_FLASK:
        if os.environ.get(key) and config.get(key) is None:
            warn(f"{key} in the environment has no effect; set it in {place}")


def _warn_of_useless_key(config: Mapping[str, Any]) -> None:
    """Warn of a key in the environment without its server, unless the app may have given it to a provider itself."""
    if config.get("G4F_LITE_API_KEY") is None and isinstance(config.get("G4F_LITE_PROVIDER") or "", str):
        warn_of_key_without_server()


def _start(provider: BaseProvider) -> None:
    """Start the engine of the embedded model, so that the processes that a server forks share it."""
    start = getattr(provider, "start", None)
    if start is None:
        raise ValueError(f"G4F_LITE_START is for the embedded model, Local; {provider.name} has nothing to start")
    start()


def _problem(client: Client, config: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the provider, as far as can be told before it is asked."""
    chosen = any(config.get(name) or os.environ.get(name) for name in _SELECTS)
    try:
        provider = client.provider
        if provider.name == "Local" and not chosen:
            problem = _problem_of(provider)
            outcome = (
                "so that the small embedded model answers" if problem is None else f"and calls will fail: {problem}"
            )
            return (
                f"no provider is configured, {outcome}; "
                "set G4F_LITE_PROVIDER in the configuration of the app or in the environment"
            )
    except (G4FLiteError, ValueError) as error:
        return f"the provider is not ready, and calls will fail: {error}"
    members = getattr(provider, "providers", [provider])
    problems = [problem for member in members if (problem := _problem_of(member)) is not None]
    if not problems:
        return None
    if len(problems) == len(members):
        return f"the provider is not ready, and calls will fail: {'; '.join(problems)}"
    return f"of the providers, one that is not ready is skipped: {'; '.join(problems)}"


def _problem_of(provider: BaseProvider) -> str | None:
    """Return what is wrong with one provider, as far as can be told before it is asked."""
    check_ready = getattr(provider, "check_ready", None)
    try:
        if check_ready is not None:
            check_ready()
        if isinstance(provider, EngineProvider):
            provider.runner.check_here(provider.get_model())
    except (G4FLiteError, ValueError) as error:
        return str(error)
    return None
