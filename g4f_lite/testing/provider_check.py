"""A check of a provider of one's own, against a server on loopback that plays the part of its service."""

from __future__ import annotations

import os
import pickle
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import wraps
from typing import Any
from unittest import mock
from urllib.parse import unquote_to_bytes, urlsplit

from ..answers.deltas import Delta, Finish, is_content
from ..answers.short_traceback import with_short_errors
from ..answers.stream import AnswerStream
from ..errors import (
    DeadlineExceededError,
    G4FLiteError,
    HookError,
    StreamInterruptedError,
)
from ..http.body import Body
from ..http.retry import may_pass
from ..http.spellings import SHORTEST_SECRET
from ..prompt import Prompt
from ..providers import sending
from ..providers.base import Provider
from ..providers.hooks import models_of
from ..providers.identity import identity_of
from .class_check import check_class
from .guards import no_other_sessions, nothing_printed, nothing_sent_elsewhere, short_causes
from .played_service import (
    CALLERS_HEADER,
    REFUSAL,
    PlayedService,
    Refusals,
    Replies,
    ReplyLike,
    refusals_of,
    replies_of,
)
from .refusal_check import check_refusals
from .sent_check import CALL_SECONDS, Asked, check_sent

__tracebackhide__ = True  # so that pytest shows the line of the test, and the message, without these functions

LAST_BYTES = 8  # before each of which it ends as well, within the mark of its end
EARLY_ENDS = 64  # places, evenly apart, at which an answer is ended too early

_IMAGE = b64decode(  # a PNG of one pixel, whose first bytes have the same base64 in a form
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@with_short_errors
def check_provider(
    make: Callable[..., Provider],
    replies: Replies,
    *,
    text: str,
    prompt: Asked = "Hello",
    refusal: ReplyLike | Refusals = REFUSAL,
    unmarked_end: bool = False,
    models: Sequence[str] | None = None,
    history: bool = True,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Check what callers rely on: a provider reads its answers in any pieces, and misses and shows nothing.

    A server on loopback gives the replies, and nothing can be sent elsewhere.  The answer has to be the same whole, as
    a stream, and byte by byte; where it is cut or ends too early, there has to be an error; a refusal of the prompt, or
    of any other request, has to be an AuthenticationError; a refused token has to be fetched again once; an
    image has to be sent or refused; each message with its role and texts, the model where there are several, and each
    option have to change what is sent; no call may change the provider, which may be shared between threads; one made
    in the same way has to find its answers in a store; and no pickle and no ``repr`` may hold a key::

        check_provider(partial(Parley, api_key="a-key"), {"/chat": ANSWER}, text="Good day")

    What is sent is compared with what is sent for another prompt.  Not checked are the names and the meaning of its
    fields, what the provider refuses, and a body that is wholly another each time; test these on the body that is sent.

    :param make: the class of the provider, or a function that makes one; gets ``base_url=`` and ``retry=``
    :param replies: the body of a successful response for each path, or a Reply, that of the prompt last, and those to
        the requests of ``get_models`` before it; a list gives one after another, such as the states of a job until it
        is done
    :param text: the text of the answer; an image is its Markdown, with only the path if it is one of the service
    :param prompt: what to send; a list of messages where the service is to get images
    :param refusal: the response to a prompt whose token, key or login is refused, or a dict of those for several paths;
        that of any other path has status 401; a pair of a response and the class of its error, such as
        ``QuotaExceededError``, is another failure
    :param unmarked_end: whether the end of the body is the only end of an answer, so that an early one looks the same
    :param models: what ``get_models`` returns; None for any names
    :param history: False if the service takes only the last message, and neither a system message nor earlier ones
    :param options: values of options, where it depends on the value whether it is sent; None for one that is not sent
    :raises AssertionError: if something does not hold
    :raises TypeError: if ``make`` cannot be called, or something is not a reply
    :raises ValueError: if a path is not one of the service, an option is unknown, or there are no replies
    """
    if not callable(make):
        raise TypeError(f"make must be the class, or a function that makes a provider, not {type(make).__name__}")
    made = replies_of(replies)
    refusals = refusals_of(refusal, list(made))
    service = PlayedService(made, {path: reply for path, (reply, _) in refusals.items()})
    offline = mock.patch.dict(os.environ, G4F_LITE_OFFLINE="1")
    at_once = mock.patch.object(sending, "pause")
    with service, offline, at_once, short_causes(), nothing_printed(), nothing_sent_elsewhere(service):
        provider = _made(make, service.url)
        check_class(provider)
        assert identity_of(provider, None) == identity_of(_made(make, service.url), None), (
            "one made in the same way differs by its identity(), so a store would find no answer again; define it"
        )
        with no_other_sessions(provider):
            _check_requests(provider, service, prompt)
        of_prompts = set(service.asked)
        _check_deltas(provider, prompt)
        for way in ("whole", "in single bytes"):
            service.way = way
            for answer in (str(provider.ask(prompt)), _joined(provider.stream(prompt))):
                found = service.without_url(answer)
                assert found == text, f"the answer, sent {way}, is read as {found!r}"
        assert not service.missing, (
            f"the prompt came without the cookie {service.missing[0]}, which the service had set"
        )
        assert not service.lacks_headers, (
            "the prompt came without the headers= of the caller; write headers=self.headers_with(…)"
        )
        _check_tag(provider, service, prompt, text)
        _check_state(provider, prompt)
        listed = _check_models(provider, service, models)
        _check_cuts(provider, service, prompt, None if unmarked_end else text)
        kinds = {path: kind for path, (_, kind) in refusals.items()}
        check_refusals(provider, service, prompt, kinds, of_prompts)
        provider.close()
        assert service.without_url(provider.ask(prompt)) == text, "no answer after close()"
        if "image_url" not in str(prompt):
            _check_images(provider, service)
        check_sent(provider, service, options or {}, models=provider.models or listed, history=history)
        for form, shown in (("its repr", repr(provider).encode()), ("a pickle of it", _pickled(provider))):
            for secret in provider.secrets():
                if len(secret) < SHORTEST_SECRET:
                    continue
                assert secret.encode() not in shown, f"{form} shows one of its secrets"
        provider.close()


def _made(make: Callable[..., Provider], url: str) -> Provider:
    """Create the provider.

    :raises TypeError: if that is not possible with the arguments of all providers
    :raises AssertionError: if they have no effect
    """
    try:
        provider: object = make(base_url=url, retry=None)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        advice = "make gets base_url= and retry=; give it the rest, as in partial(Parley, user='ann')"
        raise TypeError(f"{error}; {advice}") from error
    if not isinstance(provider, Provider):
        raise TypeError(f"make must return a provider of a service over HTTP, not {type(provider).__name__}")
    if not provider.base_url.startswith(url):
        raise AssertionError(f"{type(provider).__name__}.__init__ does not pass base_url= on to super().__init__")
    provider.headers = {**provider.headers, CALLERS_HEADER: "yes"}
    return provider


def _pickled(provider: Provider) -> bytes:
    kind = type(provider)
    if "<locals>" in kind.__qualname__:
        raise AssertionError(f"{kind.__name__} cannot be pickled; define the class at the top of a module")
    return pickle.dumps(provider)


def _check_requests(provider: Provider, service: PlayedService, prompt: Asked) -> None:
    """Check that what a provider sends for a prompt comes to the service, to paths that have replies."""
    read, deltas = list[str](), provider.deltas

    @wraps(deltas)
    def note(body: Body, prompt: Prompt) -> Iterator[Delta]:
        read.append(urlsplit(body.response.url).path)
        return deltas(body, prompt)

    try:
        with mock.patch.object(provider, "deltas", note):
            provider.ask(prompt)
    except G4FLiteError as error:
        if service.unknown:
            raise AssertionError(f"there is no reply for {service.unknown[0]}, to which a request came") from error
        if may_pass(error) and not isinstance(error, StreamInterruptedError):
            advice = "the check sends nothing again, so test a failure that passes with responses"
            raise AssertionError(f"{error}; {advice}") from error
        raise
    assert service.asked, "a prompt sends no request; implement request(prompt, token), and do not override ask()"
    path, last = [*service.asked, *read][-1], service.prompt_path
    assert path == last, f"deltas reads the response to {path}: put that reply last, after {last}"


def _joined(stream: AnswerStream) -> str:
    """Return the pieces of an answer as one text; of nothing but images, the text that ``ask`` gives."""
    pieces = list(stream)
    return "".join(map(str, pieces)) if any(isinstance(piece, str) for piece in pieces) else str(stream.text())


def _check_deltas(provider: Provider, prompt: Asked) -> None:
    """Check that no part of an answer comes after its end."""
    has_ended = False
    for delta in provider.stream(prompt).deltas():
        assert not (has_ended and is_content(delta)), f"deltas yields {delta!r:.80} after Finish; yield Finish last"
        has_ended = has_ended or isinstance(delta, Finish)


def _check_tag(provider: Provider, service: PlayedService, prompt: Asked, text: str) -> None:
    """Check that an answer in plain text may begin with a tag, but for one in HTML, which is taken for a web page."""
    types = [value for name, value in service.answer.headers.items() if name.lower() == "content-type"]
    if service.answer.content != text.encode() or "html" in str(types).lower():
        return
    path = service.prompt_path
    tagged = [*service.replies[path][:-1], replace(service.answer, body=f"<b>{text}")]
    try:
        with mock.patch.dict(service.replies, {path: tagged}):
            provider.ask(prompt)
    except G4FLiteError as error:
        advice = "" if types else "; give the reply its type, as in Reply(…, headers={'Content-Type': 'text/plain'})"
        raise AssertionError(f"an answer that begins with '<b>' is lost: {error.message}{advice}") from error


def _check_state(provider: Provider, prompt: Asked) -> None:
    """Check that a call, from its first request on, leaves the provider as an earlier one has left it."""
    kind, changed = type(provider), list[str]()
    set_attribute = kind.__setattr__

    def note(owner: Any, name: str, value: Any) -> None:
        changed.append(name)
        set_attribute(owner, name, value)

    collections = {name: copy(value) for name, value in vars(provider).items() if isinstance(value, (list, dict, set))}
    provider.close()  # so that a token is fetched again
    with mock.patch.object(kind, "__setattr__", note):
        provider.ask(prompt)
    changed += [name for name, value in collections.items() if vars(provider)[name] != value]
    assert not changed, (
        f"a call changes self.{changed[0]}, as a call in another thread would at the same time; use a local variable, "
        "or the token that bootstrap returns"
    )


def _check_models(provider: Provider, service: PlayedService, models: Sequence[str] | None) -> list[str]:
    """Check what ``get_models`` returns, and return it."""
    service.unknown.clear()
    try:
        found = models_of(provider)
    except G4FLiteError as error:
        if not service.unknown:
            raise AssertionError(f"get_models: {error}") from error
        path = service.unknown[0]
        raise AssertionError(f"there is no reply for {path}, to which get_models sent a request") from error
    assert models is None or found == list(models), f"get_models returns {found!r:.200}, and not {models!r:.200}"
    return found


def _check_images(provider: Provider, service: PlayedService) -> None:
    """Check that an image is refused, or sent in some way."""
    advice = "override check(prompt), and call super().check(prompt) and prompt.check_text_only(self.name)"
    service.begin_again()
    try:
        provider.ask("Hello", images=[_IMAGE], timeout=CALL_SECONDS)
    except HookError as error:
        raise AssertionError(f"a prompt with an image: {error}; if the service takes only text, {advice}") from error
    except (G4FLiteError, TypeError, ValueError):  # its refusal, or that of an upload, to which there is no reply
        return
    forms = _IMAGE[:33], b64encode(_IMAGE[:33])
    assert any(form in request for form in forms for request in service.sent), (
        f"an image is neither sent nor refused: {advice}"
    )
    assert not any(
        b"'type': 'image_url'" in unquote_to_bytes(request.replace(b"+", b" ")) for request in service.sent
    ), (
        "the content of a message with an image is sent as Python writes a list: send it as JSON, or read its parts; "
        f"if the service takes only text, {advice}"
    )


def _check_cuts(provider: Provider, service: PlayedService, prompt: Asked, text: str | None) -> None:
    """Check what a provider makes of an answer that is cut, or ends too early.

    :param text: the text of the answer; None if an early end cannot be told from another
    """
    stream = provider.stream(prompt)
    pieces = sum(1 for delta in stream.deltas() if is_content(delta))
    reason = stream.text().finish_reason
    service.way = "cut"
    found, _ = _found(provider, service, prompt)
    assert found is None, f"a cut answer is read as {found!r}, without an error"
    service.way = "ended early"
    size = 0 if text is None else len(service.answer.content)
    for length in sorted({*range(1, size, max(1, size // EARLY_ENDS)), *range(max(1, size - LAST_BYTES), size)}):
        service.length = length
        found, why = _found(provider, service, prompt)
        advice = "if body.ends_in_line is true, the last line is cut: raise StreamInterruptedError"
        assert why in (None, reason), f"an answer that is cut in its end has finish_reason {why!r}; {advice}"
        assert found in (None, text), (
            f"an answer that ends too early is read as {found!r}, without an error; yield Finish where the service "
            "says that the answer ends, and not at the end of the body; if it never says so, pass unmarked_end=True"
        )
        assert found is None or pieces > 1 or not service.answer.content[length:].strip(), (
            f"an answer that ends before {service.answer.content[length:]!r:.80} is taken for complete; if that is "
            "right, give a reply whose text comes in two pieces, so that an end between them can be tried"
        )
    service.way = "whole"


def _found(provider: Provider, service: PlayedService, prompt: Asked) -> tuple[str | None, str | None]:
    """Return what a provider makes of a damaged answer, with the finish reason; None for an error."""
    try:
        answer = provider.ask(prompt, timeout=CALL_SECONDS)
        return service.without_url(answer), answer.finish_reason
    except DeadlineExceededError as error:
        raise AssertionError(f"a cut answer is no error in {CALL_SECONDS} s; let errors of a request end it") from error
    except HookError as error:
        raise AssertionError(f"a cut answer: {error}") from error
    except G4FLiteError:
        return None, None
