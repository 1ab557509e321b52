"""The check of a provider of one's own names what is lost of a call, and what is set in a class in vain."""

from __future__ import annotations

import json
import traceback
from typing import Any, ClassVar

import pytest
import requests

from g4f_lite import Answer, G4FLiteError, HookError, Prompt, Secret
from g4f_lite.http import Exchange
from g4f_lite.testing import Reply, check_provider

from .quill_provider import SAID, Plain


def check(kind: type[Plain]) -> None:
    check_provider(kind, {"/say": SAID}, text="Good day", unmarked_end=True, history=kind is not AcceptsText)


class Misspelt(Plain):
    def service_eror(self, status: int, parsed: Any, text: str) -> None:
        """Never called."""


class NoBootstrap(Plain):
    token_sources = 1


class MisspeltSetting(Plain):
    token_source = 1


class OtherDefault(Plain):
    models = ("a", "b")
    default_model = "c"


class OtherAlias(Plain):
    models = ("a", "b")
    default_model = "a"
    model_aliases: ClassVar[dict[str, str]] = {"big": "c"}


class OtherMethod(Misspelt):
    """Inherits what has no effect."""


class Unlisted(Plain):
    def list_models(self, exchange: Exchange) -> list[str]:
        return ["a"]


class AcceptsAnything(Plain):
    def check(self, prompt: Prompt) -> None:
        """Accept whatever is asked."""


class Undeclared(Plain):
    api_key = Secret


class LikeNames(Plain):
    """Has a secret and an argument whose names are like those of a provider's own attributes."""

    secret = Secret("QUILL_SECRET", required=False)
    models_ = "small"

    def __init__(self, *, secret: str | None = None, models_: str = "small", **settings: Any) -> None:
        super().__init__(**settings)
        self.secret = secret
        self.models_ = models_


class Private(Plain):
    _served_model = "small"


@pytest.mark.parametrize("kind", [LikeNames, Private])
def test_a_name_of_the_class_itself_is_not_a_misspelt_one(kind: type[Plain]) -> None:
    check(kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (NoBootstrap, r"has token_sources, and no bootstrap\(\)"),
        (OtherDefault, "default_model is 'c', which is not among models"),
        (OtherAlias, "model_aliases has 'big' for 'c', which is not among models"),
        (AcceptsAnything, r"AcceptsAnything\.check accepts any option; call super\(\)\.check\(prompt\) in it"),
        (Undeclared, r"Undeclared\.api_key is the class Secret; write Secret\(…\) with the name of a variable"),
        (Misspelt, r"Misspelt.service_eror has no effect; did you mean service_error\?"),
        (OtherMethod, r"OtherMethod.service_eror has no effect; did you mean service_error\?"),
        (
            Unlisted,
            r"Unlisted has a list_models\(\), and no get_models\(\) that calls it: return self\.run\(self\.list_m",
        ),
        (MisspeltSetting, r"MisspeltSetting.token_source has no effect; did you mean token_sources\?"),
    ],
)
def test_what_nobody_would_notice_of_a_class_is_said(kind: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check(kind)


class WithoutTheCallers(Plain):
    """Has headers of its own in the place of the caller's."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        headers = {"X-Heron-Ticket": "t-1"}
        return requests.Request("POST", f"{self.base_url}/say", json=prompt.messages, headers=headers)


class DropsImages(Plain):
    """Sends the text alone."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        text = prompt.messages[-1]["content"]
        if not isinstance(text, str):
            text = text[0]["text"]
        return requests.Request("POST", f"{self.base_url}/say", data={"say": text}, headers=self.headers_with())


class NeedsText(DropsImages):
    """Takes each message for text."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        text = prompt.messages[-1]["content"].strip()
        return requests.Request("POST", f"{self.base_url}/say", data={"say": text}, headers=self.headers_with())


class WritesAList(DropsImages):
    """Takes each message for text, and has Python make it one."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        text = str(prompt.messages[-1]["content"])
        return requests.Request("POST", f"{self.base_url}/say", data={"say": text}, headers=self.headers_with())


class AnswersItself(Plain):
    def ask(self, *_: Any, **options: Any) -> Answer:
        return Answer("Good day")


class HoldsAConnection(Plain):
    def __init__(self, *, line: Any = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.line = line or requests.Session()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            HoldsAConnection,
            r"one made in the same way differs by its identity\(\), so a store would find no answer again",
        ),
        (WithoutTheCallers, r"came without the headers= of the caller; write headers=self\.headers_with\(…\)"),
        (DropsImages, r"an image is neither sent nor refused: override check\(prompt\), and call .*check_text_only"),
        (NeedsText, r"a prompt with an image: NeedsText\.request raised AttributeError: .*check_text_only"),
        (
            WritesAList,
            r"a message with an image is sent as Python writes a list: send it as JSON, or .*check_text_only",
        ),
        (AnswersItself, r"a prompt sends no request; implement request\(prompt, token\), and do not override ask\(\)"),
    ],
)
def test_what_is_lost_of_a_call_is_said(kind: type[Plain], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check(kind)


class AcceptsText(Plain):
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        content = prompt.messages[-1]["content"]
        text = content if isinstance(content, str) else "".join(part["text"] for part in content)
        return requests.Request("POST", f"{self.base_url}/say", data={"say": text}, headers=self.headers_with())

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)


class SendsForms(Plain):
    """Sends the messages as a field of a form."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        fields = {"turns": json.dumps(prompt.messages)}
        return requests.Request("POST", f"{self.base_url}/say", data=fields, headers=self.headers_with())


@pytest.mark.parametrize("kind", [AcceptsText, SendsForms])
def test_an_image_may_be_refused_or_sent_in_any_form(kind: type[Plain]) -> None:
    check(kind)


@pytest.mark.parametrize("status", [429, 503])
def test_the_check_sends_nothing_again(status: int) -> None:
    replies = {"/say": [Reply("slow down", status=status), "Good day"]}
    with pytest.raises(AssertionError, match=rf"status {status}.*; the check sends nothing again, so test .*responses"):
        check_provider(Plain, replies, text="Good day", unmarked_end=True)


class LogsInElsewhere(Plain):
    def bootstrap(self, exchange: Exchange) -> str:
        return str(exchange.send(requests.Request("GET", "http://127.0.0.1:9/login"), "bootstrap").json())


def test_a_bootstrap_elsewhere_is_named_before_it_is_sent() -> None:
    message = r"^LogsInElsewhere\.bootstrap raised AssertionError: a request goes to http://127\.0\.0\.1:9, and not to "
    with pytest.raises(G4FLiteError, match=message):
        check(LogsInElsewhere)


class WithoutId(Plain):
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/{prompt.options['id']}", headers=self.headers_with())


@pytest.mark.parametrize(
    ("kind", "error"), [(WithoutId, HookError), (WithoutTheCallers, AssertionError), (NeedsText, AssertionError)]
)
def test_pytest_shows_a_failure_without_the_lines_of_the_library(kind: type[Plain], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        check(kind)
    steps = [step.name for step in caught.traceback.filter(caught)]
    assert steps == ["test_pytest_shows_a_failure_without_the_lines_of_the_library", "check"]
    cause = caught.value.__cause__
    if isinstance(cause, HookError):
        assert cause.__traceback__ is None
        cause = cause.__cause__
    assert [step.name for step in traceback.extract_tb(cause and cause.__traceback__)] in ([], ["request"])
