"""The check of a provider of one's own says what of a prompt is not sent, in whatever form it would be."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from requests import Request

from g4f_lite import OpenAICompatible, Prompt, Secret
from g4f_lite.http.exchange import Exchange
from g4f_lite.testing import check_provider

from .quill_provider import SAID, Plain


def check(kind: type[Plain], **more: Any) -> None:
    check_provider(kind, {"/say": SAID}, text="Good day", unmarked_end=True, **more)


def text_in(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


class Says(Plain):
    """Sends text, which ``text_of`` gives."""

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)

    def request(self, prompt: Prompt, token: str) -> Request:
        fields = {"say": self.text_of(prompt), **self.more(prompt)}
        return Request("POST", f"{self.base_url}/say", json=fields, headers=self.headers_with())

    def text_of(self, prompt: Prompt) -> str:
        return json.dumps([[message["role"], text_in(message["content"])] for message in prompt.messages])

    def more(self, prompt: Prompt) -> dict[str, Any]:
        return {}


class LastOnly(Says):
    def text_of(self, prompt: Prompt) -> str:
        return text_in(prompt.messages[-1]["content"])


class WithoutSystem(Says):
    def text_of(self, prompt: Prompt) -> str:
        return json.dumps([message for message in prompt.messages if message["role"] != "system"])


class WithoutAnswers(Says):
    def text_of(self, prompt: Prompt) -> str:
        return json.dumps([message for message in prompt.messages if message["role"] != "assistant"])


class SaysNothing(Says):
    def text_of(self, prompt: Prompt) -> str:
        return "Hello"


class KnowsItsUsers(Says):
    """Has no word for other roles."""

    def text_of(self, prompt: Prompt) -> str:
        return "\n".join({"user": "Human"}[message["role"]] + message["content"] for message in prompt.messages)


class OneModel(Says):
    models = ("swan", "heron")
    default_model = "swan"


class WithModel(OneModel):
    """Sends another name of the model, and never the same twice."""

    def more(self, prompt: Prompt) -> dict[str, Any]:
        return {"id": str(uuid4()), "kind": {"swan": 3, "heron": 4}[prompt.model or ""]}


class LosesItsTone(Says):
    known_options = frozenset({"tone"})

    def more(self, prompt: Prompt) -> dict[str, Any]:
        return {"id": str(uuid4())}


class WithTone(LosesItsTone):
    values: ClassVar[dict[str, int]] = {"wet": 1, "dry": 2}

    def more(self, prompt: Prompt) -> dict[str, Any]:
        return {"tone": self.values[prompt.options["tone"]]} if prompt.options else {}


class WithKnownTones(WithTone):
    """Leaves out what it does not know."""

    def more(self, prompt: Prompt) -> dict[str, Any]:
        return {"tone": self.values.get(str(prompt.options.get("tone")))}


class AllOfTheUser(Says):
    """Takes each message for one of the user, but for the system message."""

    def text_of(self, prompt: Prompt) -> str:
        system = [message for message in prompt.messages if message["role"] == "system"]
        return json.dumps([*system, *({**message, "role": "user"} for message in prompt.messages)])


class FirstTextOnly(Says):
    def text_of(self, prompt: Prompt) -> str:
        contents = [message["content"] for message in prompt.messages]
        texts = [content if isinstance(content, str) else content[0]["text"] for content in contents]
        return json.dumps([[message["role"], text] for message, text in zip(prompt.messages, texts, strict=True)])


class PartsAsTheyAre(Says):
    def text_of(self, prompt: Prompt) -> str:
        return json.dumps(prompt.messages)


class PartsInAForm(PartsAsTheyAre):
    def request(self, prompt: Prompt, token: str) -> Request:
        fields = {"say": self.text_of(prompt)}
        return Request("POST", f"{self.base_url}/say", data=fields, headers=self.headers_with())


class BlocksOfItsOwn(Says):
    """Sends each text in a block, which has a type, too."""

    def text_of(self, prompt: Prompt) -> str:
        texts = [[message["role"], text_in(message["content"])] for message in prompt.messages]
        return json.dumps([[role, {"type": "text", "text": text}] for role, text in texts])


class NoLists(Says):
    def text_of(self, prompt: Prompt) -> str:
        return "".join(message["role"] + message["content"] for message in prompt.messages)


class NoWebImages(Plain):
    """Sends the bytes of images alone."""

    def data_of(self, url: str) -> str:
        return url.partition(",")[2]

    def request(self, prompt: Prompt, token: str) -> Request:
        messages = json.loads(json.dumps(prompt.messages))
        for message in messages:
            for part in message["content"] if isinstance(message["content"], list) else ():
                if part["type"] == "image_url":
                    part["image_url"] = self.data_of(part["image_url"]["url"])
        return Request("POST", f"{self.base_url}/say", json=messages, headers=self.headers_with())


class UnpacksURLs(NoWebImages):
    def data_of(self, url: str) -> str:
        _, data = url.split(",")
        return data


class RefusesWebImages(NoWebImages):
    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        if '{"url": "http' in json.dumps(prompt.messages):
            raise ValueError("RefusesWebImages takes images only as bytes and files")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            AllOfTheUser,
            "^the role of a message is not sent: an earlier answer is sent as a message of the user would be",
        ),
        (FirstTextOnly, "^of a message with two texts only one is sent: .*; join the texts of these"),
        (PartsAsTheyAre, "^the content of a message is sent as a list of parts, and images are refused: .* join the"),
        (PartsInAForm, "^the content of a message is sent as a list of parts, and images are refused: .* join the"),
        (NoLists, r"^a message with two texts: NoLists\.request raised TypeError: .*; join the texts of these"),
        (NoWebImages, "^an image given by its URL is neither sent nor refused: the url of a part may be an http URL"),
        (UnpacksURLs, r"^an image given by its URL: UnpacksURLs\.request raised ValueError: .*; send it, or refuse it"),
        (LastOnly, "^the system message is not sent: send all of prompt.messages; if the service takes only the last"),
        (WithoutSystem, "^the system message is not sent: "),
        (WithoutAnswers, "^an earlier answer is not sent: "),
        (SaysNothing, "^the text of a prompt is not sent"),
        (KnowsItsUsers, "^a prompt with a system message and earlier turns: KnowsItsUsers.request raised KeyError"),
        (OneModel, "^the same is sent for the models 'swan' and 'heron': send prompt.model"),
        (
            LosesItsTone,
            r"^the same is sent with tone='heron' and without it: send prompt\.options\['tone'\]; pass options",
        ),
        (WithKnownTones, r"pass options=\{'tone': …\} if it needs another value, or None for one that is not sent"),
    ],
)
def test_what_is_not_sent_is_said(kind: type[Plain], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check(kind)


class InBase64(Says):
    def text_of(self, prompt: Prompt) -> str:
        return base64.b64encode(super().text_of(prompt).encode()).decode()


class Encrypted(OneModel):
    """Sends what is another each time."""

    def text_of(self, prompt: Prompt) -> str:
        return "".join(uuid4().hex for _ in super().text_of(prompt))


class RefusesSystem(LastOnly):
    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        if len(prompt.messages) > 1:
            raise ValueError("RefusesSystem has no conversations")


@pytest.mark.once
@pytest.mark.parametrize(
    "kind", [Says, BlocksOfItsOwn, InBase64, Encrypted, RefusesSystem, RefusesWebImages, WithModel, WithTone]
)
def test_a_service_may_want_it_in_any_form(kind: type[Plain]) -> None:
    check(kind)


@pytest.mark.once
def test_what_the_check_cannot_know_is_told() -> None:
    check(LastOnly, history=False)
    check(WithKnownTones, options={"tone": "dry"})
    check(LosesItsTone, options={"tone": None})
    with pytest.raises(ValueError, match=r"^options has 'tonne', which is not among the known_options of WithTone$"):
        check(WithTone, options={"tonne": "dry"})
    with pytest.raises(AssertionError, match=r"^the same is sent with tone='damp' and without it: "):
        check(WithKnownTones, options={"tone": "damp"})


class Compatible(OpenAICompatible):
    url = "http://compatible.example"


@pytest.mark.once
def test_all_options_of_an_openai_compatible_server_are_sent() -> None:
    events = [{"delta": {"content": "Good"}}, {"delta": {"content": " day"}}, {"delta": {}, "finish_reason": "stop"}]
    answer = "".join(f"data: {json.dumps({'choices': [each]})}\n\n" for each in events) + "data: [DONE]\n\n"
    replies = {"/models": '{"data": [{"id": "heron"}]}', "/chat/completions": answer}
    check_provider(partial(Compatible, model="heron"), replies, text="Good day")


class LogsIn(Says):
    """Has a token and a key, of which ``sent`` are sent."""

    account = Secret("QUILL_ACCOUNT")
    sent: ClassVar = {"token", "account"}

    def __init__(self, *, account: str | None = "heron-and-grebe", **settings: Any) -> None:
        super().__init__(**settings)
        self.account = account

    def bootstrap(self, exchange: Exchange) -> str:
        shown = {"account": self.account} if "account" in self.sent else {}
        self.check_response(exchange.send(Request("POST", f"{self.base_url}/login", json=shown), "bootstrap"))
        return "a-token"

    def request(self, prompt: Prompt, token: str) -> Request:
        request = super().request(prompt, token)
        request.headers |= {"Authorization": f"Bearer {token}"} if "token" in self.sent else {}
        return request


class KeepsItsToken(LogsIn):
    sent: ClassVar = {"account"}


class KeepsItsKey(LogsIn):
    sent: ClassVar = {"token"}


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (KeepsItsToken, r"^the token that bootstrap returns is not sent; request gets it as token"),
        (KeepsItsKey, r"^self\.account is not sent"),
    ],
)
def test_a_token_and_a_key_are_sent(kind: type[Plain], message: str) -> None:
    replies = {"/login": "{}", "/say": SAID}
    check_provider(LogsIn, replies, text="Good day", unmarked_end=True)
    with pytest.raises(AssertionError, match=message):
        check_provider(kind, replies, text="Good day", unmarked_end=True)
