"""A check of a provider of one's own: what a caller asks for has an effect on what is sent.

How a service wants it written is not known here.  So each prompt is sent twice, which shows what is another each time,
such as a time; and the rest of what is sent has to be another where one thing is asked otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import G4FLiteError, HookError
from ..http.exchange import Exchange
from ..messages import Message, Messages
from ..prompt import Prompt
from ..providers.base import Provider
from .played_service import PlayedService

__tracebackhide__ = True  # from pytest

Asked = str | Sequence[Message]

CALL_SECONDS = 20  # after which a call is taken to have no end

_IMAGE = b"\x89PNG\r\n\x1a\n"
_REFUSED = (G4FLiteError, TypeError, ValueError)
_GUESSES = ("heron", 7, 0.5, True, ["heron"], {"type": "json_object"})  # for options whose values are not known


class _Turn(NamedTuple):
    """A message of which another has to be told; its text is a word that is nowhere else."""

    role: str
    text: str
    what: str


_TALK = [
    _Turn("system", "Avocet", "the system message"),
    _Turn("user", "Bittern", "an earlier message of the user"),
    _Turn("assistant", "Curlew", "an earlier answer"),
    _Turn("user", "Dunlin", "the text of a prompt"),
]


def check_sent(
    provider: Provider, service: PlayedService, options: Mapping[str, Any], *, models: Sequence[str], history: bool
) -> None:
    """Check that each message, its role and its parts, the model and each option have an effect on what is sent.

    What the provider refuses is not checked; nor is anything if the text of a prompt cannot be told from what is
    another each time, as in an encrypted body.

    :param options: values of options; None for one that is not sent
    :param models: the names of its models
    :param history: whether the service takes more than the last message
    :raises AssertionError: if one has no effect
    :raises ValueError: if there is a value for an unknown option
    """
    for name in options.keys() - provider.known_options:
        raise ValueError(f"options has {name!r}, which is not among the known_options of {provider.name}")
    sent = _Sent(provider, service)
    last = _TALK[-1:]
    try:
        words, others = sent.words(last), sent.words(_changed(last, 0))
    except _REFUSED:
        return
    if words == others:
        assert sent.varies, f"{last[0].what} is not sent"
        return
    if not sent.varies:  # as a signature with a time in it is another each time
        _check_credentials(sent, provider)
    if history:
        _check_history(sent)
    _check_parts(sent)
    _check_image_url(sent, service.url)
    _check_model(sent, models)
    for name in sorted(provider.known_options - {"n"}):  # of which a prompt has none but 1, which is not sent
        if name not in options:
            _check_option(sent, words, name, _GUESSES)
        elif options[name] is not None:
            sent.words(last, **{name: options[name]})  # which raises what refuses the value
            _check_option(sent, words, name, (options[name],))


class _Sent:
    """What a provider sends for a prompt.

    :ivar varies: whether something in it is another each time
    :ivar anew: whether each prompt has a session of its own, so that ``bootstrap`` is called for it
    """

    def __init__(self, provider: Provider, service: PlayedService) -> None:
        self.varies = self.anew = False
        self._provider = provider
        self._service = service

    def words(self, talk: list[_Turn], **asked: Any) -> Counter[bytes]:
        """Return the words that are sent each time, in whatever encoding, and how often each."""
        return self.words_of([{"role": turn.role, "content": turn.text} for turn in talk], **asked)

    def words_of(self, messages: Messages, **asked: Any) -> Counter[bytes]:
        first, again = (self._words(messages, asked) for _ in range(2))
        self.varies = self.varies or first != again
        return first & again

    def accepts_only_text(self) -> bool:
        """Return whether the provider refuses an image before it sends anything."""
        return self._provider.refusal(Prompt.of(messages="Dunlin", images=[_IMAGE])) is not None

    def _words(self, messages: Messages, asked: dict[str, Any]) -> Counter[bytes]:
        self._service.begin_again()
        if self.anew:
            self._provider.close()
        self._provider.ask(messages, timeout=CALL_SECONDS, **asked)
        return Counter(word for request in self._service.sent for word in re.findall(rb"\w+", request))


def _changed(talk: list[_Turn], place: int) -> list[_Turn]:
    """Return messages of which one has another text, of the same length."""
    return [turn._replace(text=turn.text[::-1]) if at == place else turn for at, turn in enumerate(talk)]


def _check_credentials(sent: _Sent, provider: Provider) -> None:
    """Check that the token of ``bootstrap``, and each declared key, have an effect on what is sent."""
    attributes, plain_bootstrap, tokens = vars(provider), provider.bootstrap, []

    def bootstrap(exchange: Exchange) -> str:
        tokens.append(plain_bootstrap(exchange))
        return f"{tokens[-1]}Fulmar" if tokens[-1] else ""

    sent.anew = True
    try:
        words = sent.words(_TALK[-1:])
        attributes["bootstrap"] = bootstrap
        others = sent.words(_TALK[-1:])
        is_sent = words != others or not any(tokens)
        assert is_sent, "the token that bootstrap returns is not sent; request gets it as token"
        del attributes["bootstrap"]
        for name in provider.declared_secrets:
            given, key = attributes.get(name), getattr(provider, name)
            attributes[name] = f"{key}Fulmar"
            others = sent.words(_TALK[-1:])
            attributes[name] = given
            is_sent = words != others or not key
            assert is_sent, f"self.{name} is not sent"
    except _REFUSED:
        pass
    finally:
        attributes.pop("bootstrap", None)
        sent.anew = False
        provider.close()


def _check_history(sent: _Sent) -> None:
    advice = (
        "send all of prompt.messages; if the service takes only the last one, pass history=False, or refuse the others "
        "in check(prompt)"
    )
    try:
        words = sent.words(_TALK)
    except HookError as error:
        raise AssertionError(f"a prompt with a system message and earlier turns: {error}; {advice}") from error
    except _REFUSED:
        return
    for place, turn in enumerate(_TALK[:-1]):
        has_effect = sent.words(_changed(_TALK, place)) != words
        assert has_effect, f"{turn.what} is not sent: {advice}"

    try:
        of_user = sent.words([turn._replace(role="user") if turn.role == "assistant" else turn for turn in _TALK])
    except _REFUSED:
        return
    has_effect = of_user != words
    assert has_effect, "the role of a message is not sent: an earlier answer is sent as a message of the user would be"


def _check_parts(sent: _Sent) -> None:
    """Check that all texts of a message are sent whose content is a list of parts."""
    advice = "the content of a message may be a list of parts; join the texts of these"
    try:
        words, *others = (
            sent.words_of([{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}])
            for texts in (("Dunlin", "Egret"), ("nilnuD", "Egret"), ("Dunlin", "tergE"))
        )
    except HookError as error:
        raise AssertionError(f"a message with two texts: {error}; {advice}") from error
    except _REFUSED:
        return
    has_effect = words not in others
    assert has_effect, f"of a message with two texts only one is sent: {advice}"
    if sent.accepts_only_text():  # and so a service that knows no parts, which have types
        part = {"type": "text", "text": "Dunlin"}
        as_list, as_text = (sent.words_of([{"role": "user", "content": content}]) for content in ([part], "Dunlin"))
        is_list = _types(as_list) > _types(as_text)
        assert not is_list, f"the content of a message is sent as a list of parts, and images are refused: {advice}"


def _types(words: Counter[bytes]) -> int:
    """Return how often a word is the name of a type, which ``%22`` may precede in a form."""
    return sum(count for word, count in words.items() if word.endswith(b"type"))


def _check_image_url(sent: _Sent, home: str) -> None:
    """Check that an image that a caller gives by its URL is refused, or sent in some way."""
    advice = "the url of a part may be an http URL, and not a data: URL; send it, or refuse it in check(prompt)"
    text = {"type": "text", "text": "Dunlin"}
    try:
        words, other = (
            sent.words_of([{"role": "user", "content": [text, {"type": "image_url", "image_url": {"url": url}}]}])
            for url in (f"{home}/fulmar.png", f"{home}/gannet.png")
        )
    except HookError as error:
        raise AssertionError(f"an image given by its URL: {error}; {advice}") from error
    except _REFUSED:  # also where the provider fetches it, as the service has none
        return
    has_effect = words != other
    assert has_effect, f"an image given by its URL is neither sent nor refused: {advice}"


def _check_model(sent: _Sent, models: Sequence[str]) -> None:
    if len(models) < 2:
        return
    one, other = models[0], models[-1]
    try:
        has_effect = sent.words(_TALK[-1:], model=one) != sent.words(_TALK[-1:], model=other)
    except _REFUSED:
        return
    assert has_effect, f"the same is sent for the models {one!r} and {other!r}: send prompt.model"


def _check_option(sent: _Sent, without: Counter[bytes], name: str, values: Sequence[Any]) -> None:
    """Check that one of the values of an option changes what is sent; those that are refused do not count.

    :param without: the words that are sent without the option
    """
    accepted = []
    for value in values:
        try:
            if sent.words(_TALK[-1:], **{name: value}) != without:
                return
        except _REFUSED:
            continue
        accepted.append(value)
    assert not accepted, (
        f"the same is sent with {name}={accepted[0]!r} and without it: send prompt.options[{name!r}]; pass "
        f"options={{{name!r}: …}} if it needs another value, or None for one that is not sent"
    )
