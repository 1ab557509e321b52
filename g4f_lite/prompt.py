"""The prompt of one call, checked once, where the caller passes the arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .arguments import called_otherwise, check_name, check_proxy
from .messages import Image, Message, Messages, json_copy, to_messages
from .timeout import ALONE, Allowance, CallRetry, Timeout, TimeoutLike, check_retry

# Options of OpenAI's API that ask for what everybody does without them.
_DEFAULTS = {"n": 1, "logprobs": False, "top_logprobs": 0}
# Arguments of a client's ask and stream that make values of the text, or call functions.
_OF_CLIENT = ("output", "repairs", "approve", "on_tool", "max_turns")
_MAY_BE_SECRET = ("extra_headers", "extra_query", "extra_body")
_NUMBERS = {"temperature", "top_p", "presence_penalty", "frequency_penalty"}
_WHOLE_NUMBERS = {"max_tokens", "max_completion_tokens", "seed"}
_WITHOUT_IMAGE = "begin a conversation without it"
_SEVERAL = "this gives one answer; client.chat.completions.create(n=…) gives several"
_OTHER_PROVIDER = (
    "provider= of another provider is not an option here: ask that provider itself, or g4f_lite.Client().ask(…, "
    "provider=…); a conversation goes on with another as Conversation(provider, messages=conversation.messages)"
)


def without_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options to be shown, in which those that may hold a key are hidden."""
    return {name: "***" if name in _MAY_BE_SECRET else value for name, value in options.items()}


@dataclass(frozen=True)
class Prompt:
    """Everything that one call sends to a provider.

    Create it with :meth:`of`, which checks every argument, so that nothing has to be checked again.
    Change it with :func:`dataclasses.replace`.  Its repr hides what may be secret: the proxy, and the values of
    ``extra_headers``, ``extra_query`` and ``extra_body``.  A pickle holds them, as it is for sending the prompt.

    :param messages: the conversation so far, as ``{"role": …, "content": …}``
    :param model: the name of the model; None for the provider's default
    :param options: further options, such as ``temperature``
    :param timeout: the timeout of this call; None for the provider's own
    :param proxy: the URL of the proxy for this call; None for the provider's own
    :param stream: whether the service is to send the answer as it comes, and not as a whole
    :param retry: the retry policy of this call; None for one attempt, ``"own"`` for the provider's own
    :param allowance: what the call may take besides its timeout, in a chain or in a batch
    :param fresh: whether an answer that is cached does not count
    :param without: fields that the service has refused, which are left out of what is sent
    :param optional: the names of options that are dropped for a member of a chain that does not support them
    :param may_name_file: whether the model may be a file, here or to download, and not only one with a known name
    """

    messages: Messages
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    timeout: Timeout | tuple[float | None, float | None] | None = None
    proxy: str | None = field(default=None, repr=False)  # it may contain a password
    stream: bool = True
    retry: CallRetry = "own"
    allowance: Allowance = ALONE
    fresh: bool = False
    without: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    may_name_file: bool = field(default=True, repr=False)

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
        retry: CallRetry = "own",
        fresh: bool | None = None,
        **options: Any,
    ) -> Prompt:
        """Check the arguments of a call, and copy them so that the caller may change them later.

        :param model: the name of a model; None or "" for the default
        :param messages: a string, or a list of ``{"role": …, "content": …}``
        :param proxy: the URL of a proxy for every request of the call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param system: a system message to put first
        :param images: images to add to the last user message: bytes, paths or URLs
        :param retry: the retry policy of this call; None for one attempt, ``"own"`` for the provider's own
        :param stream: False makes the service send the answer as a whole, if it can
        :param fresh: whether to ask even if the answer is cached; see ``Client(cache=…)``
        :param options: further options; None means not given
        :raises TypeError: if an argument has the wrong type or cannot be sent as JSON, or messages are missing
        :raises ValueError: if an argument has an invalid value or contains itself
        """
        if messages is None:
            hint = f"; {model!r} was passed as the model: write messages={model!r}" if model else ""
            raise TypeError(f"messages is missing{hint}")
        if model is not None:
            check_name(model)
        if stream is not None and not isinstance(stream, bool):
            raise TypeError(f"stream must be True or False, not {type(stream).__name__}")
        if fresh is not None and not isinstance(fresh, bool):
            raise TypeError(f"fresh must be True or False, not {type(fresh).__name__}")
        return cls(
            model=model,
            options={name: _checked(name, value) for name, value in options.items() if _is_given(name, value)},
            timeout=_checked_timeout(timeout),
            proxy=None if proxy is None else check_proxy(proxy),
            stream=stream is not False,
            retry="own" if retry == "own" else check_retry(retry),
            messages=to_messages(messages, system=system, images=images),
            fresh=fresh is True,
        )

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self) if each.repr}
        shown["options"] = without_secrets(self.options)
        return f"Prompt({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def after_call(self) -> Prompt:
        """Return the prompt without a ``tool_choice`` that requires a call, because one has been made."""
        if self.options.get("tool_choice") in (None, "auto", "none"):
            return self
        return replace(self, options={name: self.options[name] for name in self.options if name != "tool_choice"})

    def secrets(self) -> list[str]:
        """List what this call alone sends beside the prompt, which no message may show."""
        extras = [self.options.get(name) or {} for name in ("extra_headers", "extra_query")]
        values = [value for extra in extras if isinstance(extra, dict) for value in extra.values()]
        return [str(item) for value in values for item in (value if isinstance(value, list) else [value])]

    def check_text_only(self, owner: str, remedy: Callable[[], str] | None = None) -> None:
        """Raise if a message contains an image or anything else that is not text.

        :param owner: the name of the provider, for the error
        :param remedy: says what to do, for the error; None: to leave the images out
        :raises ValueError: if one does
        """
        for message in self.messages:
            content = message.get("content")
            for part in content if isinstance(content, list) else ():
                if (kind := part.get("type", "text")) != "text":
                    what = "an image" if kind == "image_url" else repr(kind)
                    do = "leave out images=" if remedy is None else remedy()
                    which = "a message"
                    if message is not self.messages[-1]:
                        which, do = "an earlier message", do.replace("leave out images=", _WITHOUT_IMAGE)
                    raise ValueError(f"{owner} accepts only text, and {which} contains {what}; {do}")

    @property
    def has_images(self) -> bool:
        """Whether a message contains an image."""
        contents = (message.get("content") for message in self.messages)
        parts = (part for content in contents if isinstance(content, list) for part in content)
        return any(part.get("type") == "image_url" for part in parts)


def _checked_timeout(timeout: TimeoutLike) -> Timeout | tuple[float | None, float | None] | None:
    """Check a timeout; a pair is kept as it is, because its total limit is the provider's."""
    if timeout is None:
        return None
    checked = Timeout.of(timeout)
    return timeout if isinstance(timeout, tuple) else checked


def _is_given(name: str, value: Any) -> bool:
    """Return whether an option was given; None counts for ``stream_options``, which is sent by default."""
    if value is None:
        return name == "stream_options"
    return name not in _DEFAULTS or value != _DEFAULTS[name]


def _checked(name: str, value: Any) -> Any:
    """Check that an option can be sent, and copy it.

    :raises TypeError: if it has the wrong type, or cannot be sent as JSON
    :raises ValueError: if it is nested too deeply, or contains itself
    """
    if name in _OF_CLIENT:
        raise TypeError(f"{name}= needs a client, and this gives text: write g4f_lite.Client(…).ask(…, {name}=…)")
    if name == "n":
        raise TypeError(f"n={value!r}: {_SEVERAL}")
    if name == "response_format" and isinstance(value, type):
        kind = value.__name__
        raise TypeError(f"response_format must be a dict; for an answer of a type write client.ask(…, output={kind})")
    if name in ("response_format", "extra_body") and value is not None and not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
    if name == "provider" and not isinstance(value, Mapping):  # of OpenRouter, which takes a dict
        raise TypeError(_OTHER_PROVIDER)
    if name == "tools":
        _check_tools(value)
    try:
        copied = json_copy(value, f"the option {name}", number_names=True)  # of tokens in logit_bias
    except TypeError as error:
        raise TypeError(str(error) if "write " in str(error) else f"{error}{called_otherwise(name)}") from None
    kinds = int if name in _WHOLE_NUMBERS else (int, float)
    if name in _WHOLE_NUMBERS | _NUMBERS and (not isinstance(copied, kinds) or isinstance(copied, bool)):
        raise TypeError(f"{name} must be a {'whole ' if kinds is int else ''}number, not {value!r:.80}")
    if name == "extra_body" and _is_given("n", copied.get("n")):
        raise TypeError(f"extra_body has n={copied['n']!r}: {_SEVERAL}")
    return copied


def _check_tools(tools: Any) -> None:
    """Raise if tools are not a list, or one of them is not written as JSON.

    :raises TypeError: if they are not, or one is a function
    """
    is_list = isinstance(tools, (list, tuple))
    for tool in tools if is_list else (tools,):
        if callable(tool) or hasattr(tool, "function"):
            raise TypeError(
                f"tools= contains {tool!r:.80}, and only a client calls functions: "
                "write g4f_lite.Client(…).ask(…, tools=[…])"
            )
    if not is_list:
        raise TypeError(f"tools must be a list of dicts, not {tools!r:.80}; write tools=[…]")
