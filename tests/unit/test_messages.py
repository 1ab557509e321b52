"""What may be said to a model, and the one prompt that is made of it."""

from __future__ import annotations

import base64
import io
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite.answers.images import ImageResponse
from g4f_lite.client.results import CompletionMessage, Function, MessageToolCall
from g4f_lite.messages import (
    format_prompt,
    get_random_string,
    image_part,
    image_type,
    json_copy,
    last_user_message,
    text_of,
    to_data_uri,
    to_messages,
    valid_text,
)

PNG = b"\x89PNG\r\n\x1a\n rest"
PNG_URI = "data:image/png;base64,iVBORw0KGgogcmVzdA=="


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_a_string_is_a_users_message() -> None:
    assert to_messages("Hello") == [user("Hello")]


def test_what_comes_out_is_the_callees_own() -> None:
    given = [user("Hello")]
    made = to_messages(given, system="Be brief.", images=PNG)
    assert given == [user("Hello")]
    assert made is not given
    assert made == [{"role": "system", "content": "Be brief."}, user([text("Hello"), image(PNG_URI)])]


def holds_itself() -> Any:
    knot = user("x")
    knot["self"] = knot
    return knot


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "message", [holds_itself(), user([{**text("x"), "in": holds_itself()}]), {**user("x"), "at": nested(5000)}]
)
def test_a_message_that_never_ends(message: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^messages\[1\]\S+ is nested deeper than 100 levels, or contains itself$"
    ) as caught:
        to_messages([user("x"), message])
    assert len(str(caught.value)) < 250


def test_a_copy_is_deep_and_of_any_json() -> None:
    inner = {"a": [1, 2.5, True, None, ("x",)]}
    copied = json_copy(inner, "it")
    inner["a"].append("later")
    assert copied == {"a": [1, 2.5, True, None, ["x"]]}
    assert json_copy(nested(100), "it") == nested(100)
    assert json_copy({50256: -100}, "it", number_names=True) == {"50256": -100}
    with pytest.raises(TypeError, match="it has the name True"):
        json_copy({True: 1}, "it", number_names=True)


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        ("plain", "plain"),
        ("Grüße 🙂", "Grüße 🙂"),
        ("a \ud83d\ude42 b", "a 🙂 b"),
        ("a \ud83d b", "a \ufffd b"),
        ("\ude42\ud83d", "\ufffd\ufffd"),
    ],
)
def test_halves_of_a_character(given: str, valid: str) -> None:
    assert valid_text(given) == valid
    assert to_messages([user([text(given)])], system=given or None) == [
        {"role": "system", "content": valid},
        user([text(valid)]),
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": "x"},
        {"role": "tool", "content": "x", "tool_call_id": "1"},
        {"role": "function", "content": "x", "name": "f"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "user", "content": [{"text": "a part without a type is text"}]},
        {"role": "user", "content": [image("http://x/y.png")], "name": "Ann"},
    ],
)
def test_all_that_the_protocol_has_passes_as_it_is(message: dict[str, Any]) -> None:
    assert to_messages((message, user("Hello"))) == [message, user("Hello")]
    assert to_messages([message]) == [message], "alone, it says something too"


def test_an_old_function_call_needs_no_content() -> None:
    messages = [user("Hello"), {"role": "assistant", "content": None, "function_call": {"name": "f"}}]
    assert to_messages(messages) == messages


@pytest.mark.parametrize(
    ("messages", "error", "said"),
    [
        (b"Hello", TypeError, "bytes"),
        (user("Hello"), TypeError, "dict"),
        (5, TypeError, "int"),
        (iter([user("Hello")]), TypeError, "messages must be"),
        (["Hello"], TypeError, r"messages\[0\] .* not str; many prompts are answered by Client\(\)\.map\(…\)$"),
        (SimpleNamespace(to_list=list), TypeError, r"; many prompts are answered by Client\(\)\.map\(…\)$"),
        ([user("x"), user(5)], TypeError, r"messages\[1\].* int"),
        ([user(None)], ValueError, "no content"),
        ([{"role": "user"}], ValueError, "no content"),
        ([{"role": "assistant", "content": None}], ValueError, "no content"),
        ([{**user(None), "tool_calls": [{"id": "1"}]}], ValueError, "no content"),
        ([{"role": "robot", "content": "x"}], ValueError, "robot"),
        ([{"role": ["user"], "content": "x"}], ValueError, "role"),
        ([{"content": "x"}], ValueError, "role None"),
        ([user(["x"])], TypeError, "content part"),
        ([user([{"type": 5}])], TypeError, "content part"),
        ([user([{"type": "text"}])], TypeError, "without text"),
        ([user([{"type": "image_url", "image_url": b"x"}])], TypeError, "JSON"),
        ([{**user("x"), "at": float("nan")}], TypeError, "JSON"),
        ([{**user("x"), "at": {1: 2}}], TypeError, r"messages\[0\]\.at has the name 1, .* JSON"),
        (
            [user("x"), {**user("x"), "at": [0, {"by": b"x"}]}],
            TypeError,
            r"messages\[1\]\.at\[1\]\.by is of type bytes",
        ),
        ([], ValueError, "empty"),
        ("", ValueError, "the prompt is blank"),
        ([user(" \n")], ValueError, "empty"),
        ([user([])], ValueError, "empty"),
    ],
)
def test_bad_messages(messages: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        to_messages(messages)


def test_a_system_text_must_be_one() -> None:
    with pytest.raises(TypeError, match="system must be a string"):
        to_messages("Hello", system=["x"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images", [PNG, [PNG], (PNG,), iter([PNG]), bytearray(PNG), ImageResponse("http://x", data=PNG)]
)
def test_images_go_behind_the_text_of_the_last_user_message(images: Any) -> None:
    messages = [user("one"), user([text("two")]), {"role": "assistant", "content": "three"}]
    assert to_messages(messages, images=images)[:2] == [user("one"), user([text("two"), image(PNG_URI)])]


def test_an_open_file_is_an_image(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    wanted = [user([text("Hello"), image(PNG_URI)])]
    with path.open("rb") as file:
        assert to_messages("Hello", images=file) == wanted
    with path.open("rb") as file:
        assert to_messages("Hello", images=[file]) == wanted
    with path.open("r", encoding="latin-1") as file, pytest.raises(TypeError, match="binary mode"):
        to_messages("Hello", images=file)


def test_a_file_that_is_at_its_end_is_read_from_its_beginning() -> None:
    file = io.BytesIO()
    file.write(PNG)
    for _ in range(2):  # two prompts of a batch
        assert image_part(file) == image(PNG_URI)
    file.seek(3)
    with pytest.raises(ValueError, match="the bytes are not a PNG"):
        image_part(file)


def test_a_file_that_cannot_be_read_again_is_empty_at_its_end() -> None:
    read, written = os.pipe()
    os.close(written)
    with open(read, "rb") as file, pytest.raises(ValueError, match="the bytes are not a PNG"):
        image_part(file)


@pytest.mark.parametrize("images", [[[PNG, "a.png"], (PNG, "b.png")], [[PNG, None], PNG]])
def test_the_names_of_g4fs_pairs_are_left_out(images: Any) -> None:
    assert to_messages("Hello", images=images) == [user([text("Hello"), image(PNG_URI), image(PNG_URI)])]


def test_an_image_of_pillows() -> None:
    pillow = pytest.importorskip("PIL.Image")
    for made in (pillow.new("RGB", (2, 1), "red"), pillow.new("CMYK", (2, 1)), pillow.new("P", (2, 1))):
        for images in (made, [made], [[made, "red.png"]]):
            content = to_messages("Hello", images=images)[0]["content"]
            again = pillow.open(io.BytesIO(base64.b64decode(content[1]["image_url"]["url"].partition(",")[2])))
            assert (again.format, again.size) == ("PNG", (2, 1))
    file = io.BytesIO()
    pillow.new("RGB", (2, 1), "red").save(file, "JPEG")
    assert image_part(pillow.open(file))["image_url"]["url"].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("images", [[], ()])
def test_no_images_change_nothing(images: Any) -> None:
    assert to_messages("Hello", images=images) == [user("Hello")]


def test_images_need_a_user() -> None:
    with pytest.raises(ValueError, match="needs a user message"):
        to_messages([{"role": "assistant", "content": "x"}], images=PNG)


@pytest.mark.parametrize("url", ["http://x/y.png", "https://x/y.png", "HTTPS://X/y.png", PNG_URI])
def test_a_url_is_sent_as_it_is(url: str) -> None:
    assert image_part(url) == image(url)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read(kind: type, tmp_path: Path) -> None:
    (tmp_path / "cat").write_bytes(PNG)
    assert image_part(kind(tmp_path / "cat")) == image(PNG_URI)


@pytest.mark.parametrize(
    ("wrong", "error"), [(b"<svg/>", ValueError), (b"", ValueError), (5, TypeError), ("no such file.png", OSError)]
)
def test_what_is_not_an_image(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        image_part(wrong)


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"RIFX\0\0\0\0WEBPVP8 ", None),
        (b"BM", "image/bmp"),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_the_type_is_told_by_the_bytes(data: bytes, mime: str | None) -> None:
    assert image_type(data) == mime
    if mime:
        assert to_data_uri(data).startswith(f"data:{mime};base64,")


TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "In verse."},
    user([text("Hel"), image("http://x"), text("lo")]),
    {"role": "assistant", "content": " \n"},
    {"role": "assistant", "content": None, "tool_calls": [{}]},
    user("Again\nplease"),
]


@pytest.mark.parametrize(
    ("options", "prompt"),
    [
        ({}, "System: Be brief.\nDeveloper: In verse.\nUser: Hello\nUser: Again\nplease\nAssistant:"),
        ({"do_continue": True}, "System: Be brief.\nDeveloper: In verse.\nUser: Hello\nUser: Again\nplease"),
        ({"include_system": False}, "User: Hello\nUser: Again\nplease\nAssistant:"),
    ],
)
def test_a_conversation_as_one_prompt(options: dict[str, bool], prompt: str) -> None:
    assert format_prompt(TALK, **options) == prompt


@pytest.mark.parametrize(
    ("options", "prompt"),
    [
        ({}, " Hello\n"),
        ({"do_continue": True}, " Hello\n"),
        ({"add_special_tokens": True}, "User:  Hello\n\nAssistant:"),
        ({"add_special_tokens": True, "do_continue": True}, "User:  Hello\n"),
    ],
)
def test_one_message_alone_is_verbatim(options: dict[str, bool], prompt: str) -> None:
    assert format_prompt([user(" Hello\n")], **options) == prompt
    assert format_prompt([user([text(" Hello\n")])], **options) == prompt


def test_no_message_is_no_prompt() -> None:
    with pytest.raises(ValueError, match="messages is empty"):
        format_prompt([])


def test_the_last_user_message_with_a_text() -> None:
    messages = [user("one"), user([text("two")]), user(" "), {"role": "assistant", "content": "three"}]
    assert last_user_message(messages) == "two"
    with pytest.raises(ValueError, match="no user message"):
        last_user_message([{"role": "system", "content": "x"}, user("")])


@pytest.mark.parametrize(
    ("content", "said"), [("x", "x"), (None, ""), ([], ""), ([text("a"), image("b"), {"text": "c"}], "ac")]
)
def test_the_text_of_a_content(content: Any, said: str) -> None:
    assert text_of(content) == said


def test_random_strings() -> None:
    drawn = {get_random_string() for _ in range(50)}
    assert len(drawn) == 50
    assert all(re.fullmatch("[a-z0-9]{10}", each) for each in drawn)
    assert len(get_random_string(32)) == 32


def test_a_completions_message_is_said_as_it_was() -> None:
    call = MessageToolCall("c1", Function("add", "{}"))
    said = CompletionMessage(content=None, reasoning="Hm.", tool_calls=[call])
    result = to_messages([{"role": "user", "content": "Add."}, said])  # type: ignore[list-item]
    assert result[1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
    }


@pytest.mark.once
def test_a_long_name_is_not_copied_for_each_item_below_it() -> None:
    began = time.process_time()
    json_copy({"n" * 1_000_000: [0] * 300_000}, "messages")
    assert time.process_time() - began < 5  # a tenth of a second, and not a quarter of a minute
    with pytest.raises(TypeError, match=r"^messages\.n{51}…\[1\] is of type object, which cannot be sent as JSON$"):
        json_copy({"n" * 1_000_000: [0, object()]}, "messages")
