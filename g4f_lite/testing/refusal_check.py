"""A check of a provider of one's own: what it makes of refused requests, and of errors that it does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..errors import AuthenticationError, G4FLiteError, HookError, RateLimitError
from ..providers.base import Provider
from ..providers.hooks import models_of, read_error
from ..providers.sending import TOO_MANY
from .played_service import PlayedService
from .sent_check import CALL_SECONDS, Asked

__tracebackhide__ = True  # from pytest

REFUSED = 401
MOST_REFUSALS = 5  # of the requests to one path, after which a provider that still sends them is wrong

# What services answer besides their own errors: nothing, a page, and JSON of any kind.
_ODD_ERRORS: tuple[tuple[Any, str], ...] = (
    (None, ""),
    (None, "<html>"),
    ({}, "{}"),
    ([], "[]"),
    ("no", '"no"'),
    (3, "3"),
    ({"error": None}, '{"error": null}'),
    ({"error": "no"}, '{"error": "no"}'),
    ({"error": {"message": "no"}}, '{"error": {"message": "no"}}'),
)


def check_refusals(
    provider: Provider,
    service: PlayedService,
    prompt: Asked,
    kinds: Mapping[str, type[G4FLiteError]],
    of_prompts: set[str],
) -> None:
    """Check what a provider makes of requests that are refused, once or for good, and of unknown errors.

    :param kinds: the class of the error of each path
    :param of_prompts: the paths that are asked for a prompt; the others are asked for models
    """
    ask = partial(provider.ask, prompt, timeout=CALL_SECONDS)
    if provider.has_bootstrap and provider.token_sources and kinds[service.prompt_path] is AuthenticationError:
        service.refused = 1
        before = service.prompts
        _do_refused(ask, "the prompt", AuthenticationError)
        answers = len(service.replies[service.prompt_path])
        assert service.prompts == before + 1 + answers, "a refused token is not fetched again"
    for path, kind in kinds.items():
        provider.close()  # so that the requests before the prompt are sent again
        service.refused_path, service.refused = path, MOST_REFUSALS
        name = "the prompt" if path == service.prompt_path else f"the request to {path}"
        try:
            _do_refused(ask if path in of_prompts else partial(models_of, provider), name, kind)
        except kind:
            pass
        else:
            assert service.refused, (
                f"{name} was refused {MOST_REFUSALS} times, and the provider asked again each time; raise the second "
                f"{kind.__name__}"
            )
            assert service.refused == MOST_REFUSALS, (
                f"a refusal of {name} is not {_a(kind)}; give no reply to a request whose refusal does not matter"
            )
        service.refused = 0
    is_refused = service.refusals[service.prompt_path].status == REFUSED
    for parsed, body in _ODD_ERRORS:
        read_error(provider, 500, parsed, body)
        refusal = read_error(provider, REFUSED, parsed, body)
        assert refusal is None or isinstance(refusal, AuthenticationError) or not is_refused, (
            f"service_error makes a {type(refusal).__name__} of status 401 and the body {body!r}, so a token that was "
            "refused is not fetched again; return AuthenticationError(…), or None"
        )
        limit = read_error(provider, TOO_MANY, parsed, body)
        assert limit is None or isinstance(limit, RateLimitError), (
            f"service_error makes a {type(limit).__name__} of status 429 and the body {body!r}, which no caller takes "
            "for a rate limit; return RateLimitError(…), or None"
        )


def _do_refused(action: Callable[[], object], name: str, wanted: type[G4FLiteError]) -> None:
    """Call what sends a request that is refused, and has to raise an error of a class."""
    try:
        action()
    except wanted:
        raise
    except HookError as error:
        raise AssertionError(f"a refusal of {name}: {error}") from error
    except G4FLiteError as error:
        kind = _a(type(error))
        hint = "; call self.check_response(body) before the body is read" if error.step == "bootstrap" else ""
        raise AssertionError(f"a refusal of {name} is {kind} ({error.message}), and not {_a(wanted)}{hint}") from error


def _a(kind: type[G4FLiteError]) -> str:
    name = kind.__name__
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
