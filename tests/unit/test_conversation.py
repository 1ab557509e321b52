"""What a conversation remembers, sends and forgets."""

from __future__ import annotations

import time
import weakref
from pathlib import Path

import pytest

from g4f_lite import (
    Client,
    Conversation,
    Fallback,
    StreamInterruptedError,
    ToolCallDelta,
    TransportError,
)
from g4f_lite.answers.buffer import MAX_BYTES
from g4f_lite.conversation.turns import trim
from g4f_lite.testing import Echo, Scripted


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in conversation.messages]


def test_each_turn_is_sent_with_those_before() -> None:
    provider = Scripted("Hello, Ada.", "Ada.")
    conversation = Conversation(provider, system="Be brief.")
    assert conversation.ask("My name is Ada.") == "Hello, Ada."
    assert conversation.ask("What is my name?") == "Ada."
    assert [message["content"] for message in provider.calls[1].messages] == [
        "Be brief.",
        "My name is Ada.",
        "Hello, Ada.",
        "What is my name?",
    ]


def test_a_turn_may_have_a_model_of_its_own() -> None:
    provider = Scripted("one", "two", "three")
    conversation = Conversation(provider, model="usual")
    conversation.ask("first", model="good")
    conversation.stream("second", model="better").text()
    conversation.ask("third")
    assert [call.model for call in provider.calls] == ["good", "better", "usual"]
    assert conversation.model == "usual"
    with Client(Scripted("four"), models={"mine": Scripted("from mine")}) as client:
        assert client.conversation().ask("fourth", model="mine") == "from mine"


def test_a_turn_is_remembered_at_its_end() -> None:
    conversation = Conversation(Scripted(["one ", "two"]))
    stream = conversation.stream("Count.")
    assert next(stream) == "one "
    assert said(conversation) == []
    assert next(stream) == "two"
    assert list(stream) == []
    assert said(conversation) == [("user", "Count."), ("assistant", "one two")]


def test_a_failed_turn_leaves_the_history_as_it_was() -> None:
    conversation = Conversation(Scripted("Hi.", TransportError("down"), ["part", StreamInterruptedError("cut")]))
    conversation.ask("Hello")
    before = said(conversation)
    for _ in range(2):
        with pytest.raises((TransportError, StreamInterruptedError)):
            conversation.ask("More")
    assert said(conversation) == before


def test_an_interrupted_turn_is_kept_where_that_is_wanted() -> None:
    answers = ["part", StreamInterruptedError("cut")], ["one", "two"], ["as far", KeyboardInterrupt()]
    conversation = Conversation(Scripted(*answers), keep_interrupted=True)
    with pytest.raises(StreamInterruptedError):  # a failure, not an interrupt
        conversation.ask("Hello")
    stream = conversation.stream("Count.")
    next(stream)
    stream.close()
    with pytest.raises(KeyboardInterrupt):
        conversation.ask("Go on.")
    assert said(conversation) == [
        ("user", "Count."),
        ("assistant", "one"),
        ("user", "Go on."),
        ("assistant", "as far"),
    ]


def test_of_an_interrupted_turn_that_is_too_long_the_beginning_is_kept() -> None:
    conversation = Conversation(Scripted(["z" * (MAX_BYTES // 4)] * 6), keep_interrupted=True)
    stream = conversation.stream("Write a novel.")
    for _ in range(6):
        next(stream)
    stream.close()
    prompt, answer = said(conversation)
    assert prompt == ("user", "Write a novel.")
    assert MAX_BYTES // 2 < len(answer[1]) <= MAX_BYTES


def test_half_a_tool_call_is_not_kept() -> None:
    answer = ["I add.", ToolCallDelta(0, "c1", "add", '{"a":'), KeyboardInterrupt()]
    conversation = Conversation(Scripted(answer), keep_interrupted=True)
    with pytest.raises(KeyboardInterrupt):
        conversation.ask("Add.")
    assert conversation.messages[-1] == {"role": "assistant", "content": "I add."}


def test_the_member_of_a_chain_that_answers_is_named_from_its_first_piece_on() -> None:
    conversation = Conversation(Fallback([Scripted(["one", "two"], model="small")]))
    stream = conversation.stream("Hello")
    assert stream.provider == "Fallback"
    next(stream)
    assert (stream.provider, stream.model) == ("Scripted", "small")


def test_a_closed_turn_is_dropped_otherwise() -> None:
    conversation = Conversation(Scripted(["one", "two"]))
    stream = conversation.stream("Count.")
    next(stream)
    stream.close()
    assert said(conversation) == []


def test_a_branch_goes_its_own_way() -> None:
    conversation = Conversation(Scripted("a", "b", "c"))
    conversation.ask("1")
    branch = conversation.copy()
    branch.ask("2")
    conversation.messages[0]["content"] = "changed"
    assert said(branch) == [("user", "1"), ("assistant", "a"), ("user", "2"), ("assistant", "b")]
    assert len(conversation.messages) == 2


def test_tool_calls_are_remembered_in_the_form_that_servers_take() -> None:
    conversation = Conversation(Scripted([ToolCallDelta(0, "c1", "add", '{"a":'), ToolCallDelta(0, arguments="1}")]))
    conversation.ask("Add.")
    assert conversation.messages[-1]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    ]


def test_a_system_text_alone_is_a_beginning(tmp_path: Path) -> None:
    conversation = Conversation(Scripted("Aye."), system="You are a pirate.")
    file = conversation.save(tmp_path / "talk.json")
    assert Conversation.load(file, Scripted("Aye.")).ask("Hello") == "Aye."


def test_old_turns_are_left_out_of_what_is_sent() -> None:
    provider = Scripted("1111", "2222", "3333")
    conversation = Conversation(provider, system="sys", max_characters=20)
    for prompt in ("aaaa", "bbbb", "cccc"):
        conversation.ask(prompt)
    assert [message["content"] for message in provider.calls[2].messages] == ["sys", "bbbb", "2222", "cccc"]
    assert len(conversation.messages) == 7


def test_trimming_keeps_the_system_text_and_the_last_message_whatever_they_cost() -> None:
    messages = [
        {"role": "system", "content": "s" * 50},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "q" * 50},
    ]
    assert trim(messages, 10) == [messages[0], messages[3]]
    assert trim(messages, None) == messages
    assert trim(messages, 1000) == messages


class Site(Scripted):
    """A provider that can be told which conversation a prompt belongs to."""

    known_options = frozenset({"chat_id"})


def test_a_service_that_tells_conversations_apart_is_told_which_one() -> None:
    site = Site("one", "two", "three", "four")
    conversation = Conversation(site)
    conversation.ask("first")
    conversation.ask("second")
    conversation.copy().ask("third")
    conversation.ask("fourth", chat_id="mine")
    first, second, third, fourth = (call.options["chat_id"] for call in site.calls)
    assert first == second != third
    assert fourth == "mine"


def test_other_services_are_told_nothing_of_it() -> None:
    provider = Scripted("one")
    Conversation(provider).ask("first")
    assert provider.calls[0].options == {}


def test_a_client_and_a_chain_pass_the_chat_on() -> None:
    site = Site(*["said"] * 4)
    for conversation in (
        Client(site).conversation(),
        Client(Scripted("never"), models={"site": site}).conversation(model="site"),
        Conversation(Fallback([site, Site()])),
    ):
        conversation.ask("first")
    assert all(len(call.options["chat_id"]) == 11 for call in site.calls)
    assert len({call.options["chat_id"] for call in site.calls}) == 3
    plain = Scripted("said", "said")
    Client(plain, models={"site": site}).conversation().ask("first")
    Conversation(Fallback([plain])).ask("first")
    assert [call.options for call in plain.calls] == [{}, {}]


@pytest.mark.parametrize(
    "provider",
    ["echo", Echo, Echo(), ["echo"], ["echo", Scripted()]],
    ids=["a name", "a class", "a provider", "a list", "a list of both"],
)
def test_who_answers_is_named_as_to_a_client(provider: object, tmp_path: Path) -> None:
    conversation = Conversation(provider)  # type: ignore[arg-type]
    assert conversation.ask("said") == "said"
    again = Conversation.load(conversation.save(tmp_path / "talk.json"), provider)  # type: ignore[arg-type]
    assert again.ask("again") == "again"


def test_options_go_to_the_provider_and_none_is_not_sent() -> None:
    provider = Scripted("one", "two")
    conversation = Conversation(provider)
    conversation.ask("x", temperature=0, max_tokens=5, top_k=1)
    conversation.stream("y", stop="z").text()
    assert [call.options for call in provider.calls] == [{"temperature": 0, "max_tokens": 5, "top_k": 1}, {"stop": "z"}]


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        ("Here. ![a cat](data:image/png;base64,AAAA)", "Here. [image: a cat]"),
        ("![](data:image/png;base64,AA==)\n![](data:image/png;base64,AA==)", "[image]\n[image]"),
        ("![a](https://e.test/a.png) (data:image/png)", "![a](https://e.test/a.png) (data:image/png)"),
        ("[a](data:text/plain,b)", "[a](data:text/plain,b)"),
    ],
)
def test_what_a_model_drew_is_kept_and_not_sent_back_as_text(answer: str, sent: str) -> None:
    provider = Scripted(answer, "A dog.")
    conversation = Conversation(provider, max_characters=200)
    conversation.ask("Draw a cat.")
    conversation.ask(answer)
    assert [message["content"] for message in provider.calls[1].messages] == ["Draw a cat.", sent, answer]
    assert conversation.messages[1]["content"] == answer


def test_many_beginnings_of_drawings_take_no_time() -> None:
    began = time.thread_time()
    Conversation(Scripted("yes"), messages=[{"role": "assistant", "content": "![a](data:image/" * 100_000}]).ask(
        "Hello"
    )
    assert time.thread_time() - began < 1.0  # a tenth of a second


def test_a_stream_that_was_read_is_freed_at_once() -> None:
    """It holds up to 4 MiB of an answer, which is not to wait for a garbage collection."""
    stream = Conversation(Scripted("Hello, Ada.")).stream("My name is Ada.")
    freed = weakref.ref(stream)
    assert stream.text() == "Hello, Ada."
    del stream
    assert freed() is None
