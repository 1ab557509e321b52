"""What one call asks: checked once, where the caller's arguments enter, and handed on from there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .arguments import DEFAULTS, asks_for_nothing, check_model_name, check_proxy, unknown_name
from .messages import Image, Message, Messages, to_messages
from .timeout import Timeout, TimeoutLike


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
    :param stream: whether the service is to send the answer as it comes, and not as a whole
    :param share: seconds until the first delta in all, for a member of a chain; None without such a limit
    :param without: fields that the service has refused, which are left out of what is sent
    """

    messages: Messages
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    timeout: Timeout | tuple[float | None, float | None] | None = None
    proxy: str | None = field(default=None, repr=False)  # it may hold a password
    stream: bool = True
    share: float | None = None
    without: frozenset[str] = frozenset()

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
        stream: bool | None = None,
        **options: Any,
    ) -> Prompt:
        """Check the arguments of a call and copy them, so that a later change of the caller's cannot alter it.

        :param model: a model's name; None or "" for the default
        :param messages: one string, or a list of ``{"role": …, "content": …}``
        :param proxy: the URL of a proxy for every request of the call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param system: a system text to put before the messages
        :param images: images to show with the last user message: bytes, paths or URLs
        :param stream: False has the service send the answer as a whole, where it can
        :param options: what else the provider is told; None counts as not given
        :raises TypeError: an argument has the wrong type, or messages are missing
        :raises ValueError: an argument makes no sense
        """
        if messages is None:
            taken = f"; {model!r} was taken as the model: write messages={model!r}" if model else ""
            raise TypeError(f"messages is missing{taken}")
        if model is not None:
            check_model_name(model)
        if stream is not None and not isinstance(stream, bool):
            raise TypeError(f"stream must be True or False, not {type(stream).__name__}")
        return cls(
            to_messages(messages, system=system, images=images),
            model,
            {name: _checked(name, value) for name, value in options.items() if _says_something(name, value)},
            _checked_timeout(timeout),
            None if proxy is None else check_proxy(proxy),
            stream is not False,
        )

    def secrets(self) -> list[str]:
        """List what this call alone sends beside the prompt, which no message may show."""
        extras = [self.options.get(name) or {} for name in ("extra_headers", "extra_query")]
        return [str(value) for values in extras if isinstance(values, dict) for value in values.values()]

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


def _says_something(name: str, value: Any) -> bool:
    """Tell whether an option was given; None leaves out ``stream_options``, which is sent by default."""
    return not asks_for_nothing(name, value) or name == "stream_options"


def _checked(name: str, value: Any) -> Any:
    """Check that an option can be sent, and copy it.

    :raises TypeError: it has the wrong type, or cannot be sent as JSON
    """
    if name == "n":
        raise TypeError(f"n={value!r}: this gives one answer; client.chat.completions.create(n=…) gives several")
    if name in ("response_format", "extra_body") and value is not None and not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
    if value is None or isinstance(value, (str, bool, int)):  # as nearly all are
        return value
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the option {name} cannot be sent as JSON: {error}") from error
    for inner in DEFAULTS.keys() & value.keys() if name == "extra_body" else ():
        if not asks_for_nothing(inner, value[inner]):
            raise TypeError(unknown_name("option", inner, (), "extra_body"))
    return copy.deepcopy(value)
