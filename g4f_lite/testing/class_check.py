"""A check of what the class of a provider of one's own sets, and would otherwise be noticed by nobody."""

from __future__ import annotations

import inspect
from difflib import get_close_matches

from ..prompt import Prompt
from ..providers.base import Provider
from ..providers.secret import Secret, secrets_of

__tracebackhide__ = True  # from pytest


def check_class(provider: Provider) -> None:
    """Check what is set in the class of a provider.

    :raises AssertionError: if it has no effect, or lacks its counterpart
    """
    kind = type(provider)
    own = kind.__mro__[: kind.__mro__.index(Provider)]
    if not kind.has_bootstrap and any(vars(base).get("token_sources") for base in own):
        raise AssertionError(f"{kind.__name__} has token_sources, and no bootstrap() that fetches a token")
    if hasattr(provider, "list_models") and kind.get_models is Provider.get_models:
        text = "has a list_models(), and no get_models() that calls it: return self.run(self.list_models) there"
        raise AssertionError(f"{kind.__name__} {text}")
    if provider.models and provider.default_model not in provider.models:
        raise AssertionError(f"default_model is {provider.default_model!r}, which is not among models")
    for alias, model in provider.model_aliases.items() if provider.models else ():
        assert model in provider.models, f"model_aliases has {alias!r} for {model!r}, which is not among models"
    asked = Prompt.of(messages="Hello", an_option_that_no_service_has=1)
    assert provider.refusal(asked), f"{kind.__name__}.check accepts any option; call super().check(prompt) in it"
    known = [name for name in dir(Provider) if not name.startswith("_")]
    used = {*known, *secrets_of(kind), *inspect.signature(kind).parameters}
    for name, value in (item for base in own for item in vars(base).items()):
        assert value is not Secret, (
            f"{kind.__name__}.{name} is the class Secret; write Secret(…) with the name of a variable"
        )
        if name not in used and name[0] != "_" and (near := get_close_matches(name, known, 1, 0.85)):
            raise AssertionError(f"{kind.__name__}.{name} has no effect; did you mean {near[0]}?")
