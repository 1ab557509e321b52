"""A conversation by a client of one's own: begun, or continued from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4f_lite import Client, Conversation, OpenAICompatible, Timeout
from g4f_lite.testing import Scripted


def test_a_saved_conversation_goes_on_with_a_client_of_ones_own(tmp_path: Path) -> None:
    path = Conversation(Scripted("One"), system="Be brief.").save(tmp_path / "talk.json")
    scripted, other = Scripted("Two"), Scripted("Three")
    client = Client(scripted, models={"other": other}, drop_unsupported=True)
    talk = Conversation.load(path, client)
    assert talk.ask("Hello") == "Two"
    assert [message["role"] for message in scripted.calls[0].messages] == ["system", "user"]
    assert client.usage.calls == 1
    assert Conversation.load(path, client, model="other").ask("Hello") == "Three"  # mapped by the client
    assert other.calls[0].model is None


def test_a_conversation_by_a_client_is_that_of_the_client() -> None:
    scripted = Scripted("One", "Two")
    client = Client(scripted, model="m", timeout=7, ask_timeout=5)
    for talk in (client.conversation(system="Be brief."), Conversation(client, system="Be brief.")):
        talk.ask("Hello")
        assert (talk.provider.timeout, talk.ask_timeout) == (Timeout.of(7), Timeout.of(5))  # type: ignore[attr-defined]
    assert [call.messages for call in scripted.calls] == [scripted.calls[0].messages] * 2
    assert [call.model for call in scripted.calls] == ["m", "m"]
    assert Conversation(client, ask_timeout=3).ask_timeout == 3


def test_what_is_neither_provider_nor_client_is_refused() -> None:
    with pytest.raises(TypeError, match="provider must be a provider, its class, its name"):
        Conversation(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["local", Scripted("Hi"), Scripted])
def test_another_provider_for_one_turn_is_refused_and_nothing_is_sent(other: object) -> None:
    box = OpenAICompatible("http://127.0.0.1:9/v1", model="m")
    client = Client(box, models={"good": box})
    for talk in (box, Conversation(box), client.conversation(model="good")):
        for ask in (talk.ask, talk.stream):  # type: ignore[attr-defined]
            with pytest.raises(TypeError, match=r"^provider= of another provider .*: ask that provider itself, or g4f"):
                ask("Hello", provider=other)


def test_the_option_provider_of_openrouter_is_sent_as_a_dict() -> None:
    scripted = Scripted("Hi")
    Conversation(scripted).ask("Hello", provider={"order": ["groq"]})
    assert scripted.calls[0].options == {"provider": {"order": ["groq"]}}
