"""Scripted and Echo: answers that a test tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import g4f_lite
from g4f_lite import (
    BaseProvider,
    EmptyResponseError,
    Fallback,
    ImageResponse,
    RateLimitError,
    Reasoning,
    StreamInterruptedError,
    Usage,
)
from g4f_lite.providers.registry import make_provider
from g4f_lite.testing import Echo, Scripted, ScriptedCall


def test_answers_come_in_order_and_stream() -> None:
    scripted = Scripted("first answer", ["pieces", " of ", "one"])
    assert isinstance(scripted, BaseProvider)
    assert list(scripted.create_generator(messages="a")) == ["first", " answer"]
    assert list(scripted.create_generator(messages="b")) == ["pieces", " of ", "one"]


@pytest.mark.parametrize("text", ["one", " one\n two  ", "a\n\n", "ends with blanks  "])
def test_a_text_stays_whole(text: str) -> None:
    assert Scripted(text).create(messages="a") == text


def test_an_answer_knows_who_gave_it() -> None:
    answer = Scripted("yes", model="small").create(messages="a")
    assert (answer.provider, answer.model, answer.finish_reason) == ("Scripted", "small", "stop")


def test_an_exception_fails_the_call_at_once() -> None:
    error = RateLimitError("slow down")
    scripted = Scripted(error, "better")
    with pytest.raises(RateLimitError) as caught:
        scripted.create_generator(messages="a").start()
    assert caught.value is error
    assert scripted.create(messages="a") == "better"


def test_an_exception_among_pieces_fails_the_answer_in_its_middle() -> None:
    stream = Scripted(["The sky", StreamInterruptedError("cut"), " is blue"]).create_generator(messages="a")
    assert next(stream) == "The sky"
    with pytest.raises(StreamInterruptedError) as caught:
        next(stream)
    assert caught.value.partial == "The sky"


def test_other_deltas_go_along() -> None:
    image = ImageResponse("data:image/png;base64,AA==", "a")
    answer = Scripted([Reasoning("hm"), "yes", Usage(1, 2, 3)], image)
    first = answer.create(messages="a")
    assert (first, first.reasoning, first.usage) == ("yes", "hm", Usage(1, 2, 3))
    assert answer.create(messages="a").images == [image]


def test_nothing_is_no_answer() -> None:
    with pytest.raises(EmptyResponseError):
        Scripted("").create(messages="a")


def test_a_call_too_many_says_what_it_asked() -> None:
    scripted = Scripted("only one")
    scripted.create(messages="first")
    with pytest.raises(AssertionError, match=r"no scripted answer is left for call 2.*second"):
        scripted.create(messages="second")
    scripted.queue("another")
    assert scripted.create(messages="third") == "another"


def test_without_answers_there_is_always_one() -> None:
    scripted = Scripted()
    assert {str(scripted.create(messages=text)) for text in "abc"} == {"This is a scripted answer."}
    scripted.queue("mine")
    assert scripted.create(messages="d") == "mine"
    with pytest.raises(AssertionError):
        scripted.create(messages="e")


def test_calls_are_remembered() -> None:
    scripted = Scripted(model="small")
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    scripted.create("large", [*history, {"role": "user", "content": "And?"}], system="Be brief.", temperature=0)
    scripted.create(messages="Hi")
    first, second = scripted.calls
    assert first.model == "large"
    assert first.messages[0] == {"role": "system", "content": "Be brief."}
    assert first.messages[1:3] == history
    assert (first.prompt, first.options) == ("And?", {"temperature": 0})
    assert second == ScriptedCall("small", [{"role": "user", "content": "Hi"}], {})


def test_nothing_is_asked_before_the_first_piece() -> None:
    scripted = Scripted("yes")
    stream = scripted.create_generator(messages="a")
    assert scripted.calls == []
    assert next(stream) == "yes"
    assert len(scripted.calls) == 1


def test_bad_arguments_raise_at_the_call() -> None:
    with pytest.raises(TypeError, match="messages"):
        Scripted("yes").create_generator("hello")
    with pytest.raises(ValueError, match="timeout"):
        Scripted("yes").create_generator(messages="a", timeout=-1)


def test_each_thread_gets_an_answer_of_its_own() -> None:
    scripted = Scripted(*map(str, range(1, 65)))
    given: list[str] = []
    threads = [threading.Thread(target=lambda: given.append(str(scripted.create(messages="a")))) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, given)) == list(range(1, 65))
    assert len(scripted.calls) == 64


def test_the_next_in_a_chain_answers_where_one_fails() -> None:
    chain = Fallback([Scripted(RateLimitError("slow down")), Scripted("from the second")])
    assert chain.create(messages="a") == "from the second"


def test_echo() -> None:
    echo = Echo()
    assert echo.create(messages="say this", system="Be brief.") == "say this"
    assert list(echo.create_generator(messages="one two")) == ["one", " two"]
    assert [call.prompt for call in echo.calls] == ["say this", "one two"]


@pytest.mark.parametrize(("name", "kind"), [("scripted", Scripted), ("echo", Echo), ("Echo:any-model", Echo)])
def test_names(name: str, kind: type) -> None:
    assert type(make_provider(name)) is kind


def test_a_setting_alone_switches_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "echo")
    assert g4f_lite.ask("say this") == "say this"
    monkeypatch.setenv("G4F_LITE_PROVIDER", "scripted")
    assert g4f_lite.ask("say this") == "This is a scripted answer."


def test_closing_from_another_thread_ends_the_reader() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def pieces() -> Iterator[str]:
        yield "one"
        reading.set()
        go_on.wait(10)
        yield "two"

    stream = Scripted(pieces()).create_generator(messages="Hello")
    errors: list[BaseException] = []

    def read() -> None:
        try:
            stream.text()
        except StreamInterruptedError as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(10)
    stream.close()
    go_on.set()
    reader.join(10)
    assert [getattr(error, "partial", None) for error in errors] == ["one"]


def test_what_a_call_shows_of_itself_has_no_secrets() -> None:
    provider = Scripted()
    provider.ask("Hello", extra_headers={"X-Key": "s3cret"}, temperature=0.5)
    shown = repr(provider.calls)
    assert ("s3cret" in shown, "'extra_headers': '***'" in shown, "'temperature': 0.5" in shown) == (False, True, True)
    assert provider.calls[0].options["extra_headers"] == {"X-Key": "s3cret"}
