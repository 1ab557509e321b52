"""Which provider answers, and the two functions that need no more than a prompt."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from .answer import Answer, AnswerStream
from .http.deadline import TimeoutLike
from .messages import Image, Message
from .providers.base import BaseProvider
from .providers.registry import make_provider

_SETTINGS = ("G4F_LITE_PROVIDER", "G4F_LITE_BASE_URL", "G4F_LITE_API_KEY", "G4F_LITE_MODEL", "G4F_LITE_TIMEOUT")
_instead: BaseProvider | None = None  # answers in place of any that the environment chooses
_made: dict[tuple[str | None, ...], BaseProvider] = {}
_lock = threading.Lock()


def choose_provider(name: str | None = None, *, base_url: str | None = None, **settings: Any) -> BaseProvider:
    """Make the provider that answers where no object is given.

    In this order: ``name``, ``base_url``, the environment's ``G4F_LITE_PROVIDER``, its
    ``G4F_LITE_BASE_URL`` with ``G4F_LITE_API_KEY``, and the embedded model.  A key alone chooses nothing.

    :param name: a provider's name, or ``name:model``
    :param base_url: the address of the named provider, or of an OpenAI-compatible server
    :raises ProviderNotFoundError: no such name
    """
    if name is None and base_url is None and _instead is not None:
        return _instead
    if name is None and base_url is None:
        name = os.environ.get("G4F_LITE_PROVIDER") or None
    if name is None and base_url is None:
        base_url = os.environ.get("G4F_LITE_BASE_URL") or None
    model = os.environ.get("G4F_LITE_MODEL")
    if model and not (name and ":" in name):
        settings.setdefault("model", model)
    if base_url is not None:
        settings["base_url"] = base_url
        name = name or "OpenAICompatible"
    return make_provider(name or "Local", **settings)


def ask(
    prompt: str | Sequence[Message],
    *,
    model: str | None = None,
    system: str | None = None,
    images: Image | Iterable[Image] | None = None,
    timeout: TimeoutLike = None,
    **options: Any,
) -> Answer:
    """Ask, and give the whole answer.

    :param prompt: one string, or a list of ``{"role": …, "content": …}``
    :param model: a model's name;  :param system: a system text
    :param images: pictures to show: bytes, paths or URLs
    :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
    :param options: what else the provider can be told, such as ``temperature``
    :raises G4FLiteError: there is no whole answer
    """
    return stream(prompt, model=model, system=system, images=images, timeout=timeout, **options).text()


def stream(
    prompt: str | Sequence[Message],
    *,
    model: str | None = None,
    system: str | None = None,
    images: Image | Iterable[Image] | None = None,
    timeout: TimeoutLike = None,
    **options: Any,
) -> AnswerStream:
    """Ask, and give the answer piece by piece; the arguments are those of :func:`ask`.

    ``stream("…").show()`` prints it as it comes.
    """
    return _default_provider().create_generator(model, prompt, timeout=timeout, system=system, images=images, **options)


def _default_provider() -> BaseProvider:
    """Give the provider that the environment chooses; the same object as long as it chooses the same."""
    if _instead is not None:
        return _instead
    key = tuple(os.environ.get(name) for name in _SETTINGS)
    with _lock:
        if key not in _made:
            _made[key] = choose_provider()
        return _made[key]
