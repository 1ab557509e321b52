"""What one call asks: checked once, where the caller's arguments enter, and handed on from there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .arguments import check_model_name, check_proxy, unknown_name
from .messages import Image, Message, Messages, to_messages
from .timeout import Timeout, TimeoutLike

# Options of OpenAI's API that ask for what everybody does without them.
_DEFAULTS = {"n": 1, "logprobs": False, "top_logprobs": 0}


@dataclass(frozen=True)
class Prompt:
    """What one call asks of a provider.

    Make one with :meth:`of`, which checks every argument; who gets a Prompt checks nothing again.
    To change one, use :func:`dataclasses.replace`.

    :param messages: the conversation so far, as ``{"role": …, "content": …}``
    :param model: the model's name; None for the provider's default
    :param options: what else the provider is told, such as ``temperature``
    :param timeout: the time limits of this call; None for the provider's own
    :param proxy: the URL of the proxy for this call; None for the provider's own
    """

    messages: Messages
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    timeout: Timeout | tuple[float | None, float | None] | None = None
    proxy: str | None = field(default=None, repr=False)  # it may hold a password

    @classmethod
    def of(
        cls,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> Prompt:
        """Check the arguments of a call and copy them, so that a later change of the caller's cannot alter it.

        :param model: a model's name; None or "" for the default
        :param messages: one string, or a list of ``{"role": …, "content": …}``
        :param proxy: the URL of a proxy for every request of the call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param system: a system text to put before the messages
        :param images: images to show with the last user message: bytes, paths or URLs
        :param options: what else the provider is told; None counts as not given
        :raises TypeError: an argument has the wrong type, or messages are missing
        :raises ValueError: an argument makes no sense
        """
        if messages is None:
            taken = f"; {model!r} was taken as the model: write messages={model!r}" if model else ""
            raise TypeError(f"messages is missing{taken}")
        if model is not None:
            check_model_name(model)
        return cls(
            to_messages(messages, system=system, images=images),
            model,
            {name: _checked(name, value) for name, value in options.items() if _is_given(name, value)},
            _checked_timeout(timeout),
            None if proxy is None else check_proxy(proxy),
        )

    def check_text_only(self, owner: str) -> None:
        """Raise where a message holds an image or anything else that is not text.

        :param owner: the provider that takes only text, for the error
        :raises ValueError: one does
        """
        for message in self.messages:
            content = message.get("content")
            for part in content if isinstance(content, list) else ():
                if (kind := part.get("type", "text")) != "text":
                    raise ValueError(f"{owner} takes only text, and a message holds {kind!r}; leave out images=")


def _checked_timeout(timeout: TimeoutLike) -> Timeout | tuple[float | None, float | None] | None:
    """Check a timeout; a pair stays one, as its total limit is the provider's."""
    if timeout is None:
        return None
    checked = Timeout.of(timeout)
    return timeout if isinstance(timeout, tuple) else checked


def _is_given(name: str, value: Any) -> bool:
    """Tell whether an option asks for anything; None leaves out ``stream_options``, which is sent by default."""
    if value is None:
        return name == "stream_options"
    return name not in _DEFAULTS or value != _DEFAULTS[name]


def _checked(name: str, value: Any) -> Any:
    """Check that an option can be sent, and copy it.

    :raises TypeError: it has the wrong type, or cannot be sent as JSON
    """
    if name in ("response_format", "extra_body") and value is not None and not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
    if value is None or isinstance(value, (str, bool, int)):  # as nearly all are
        return value
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the option {name} cannot be sent as JSON: {error}") from error
    for inner in _DEFAULTS.keys() & value.keys() if name == "extra_body" else ():
        if _is_given(inner, value[inner]):
            raise TypeError(unknown_name("option", inner, (), "extra_body"))
    return copy.deepcopy(value)
