"""The conversations of the pages about Flask: kept, shown again, deleted and backed up."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from flask_pages import BLOCKS, FILES, PAGES, Load, events

from g4f_lite import Conversations, ServiceError, TransportError
from g4f_lite.emulator import Emulator
from g4f_lite.messages import Messages
from g4f_lite.testing import Scripted


def test_a_conversation_survives_a_reload(load: Load, g4f_scripted: Scripted) -> None:
    """One that was deleted is begun again, and what is shown is text, not HTML."""
    g4f_scripted.queue("It is <blue>.", "Yes.", "Hello again.")
    ada = load("pages").app.test_client()
    assert "<p>" not in ada.get("/").get_data(as_text=True)
    for text in ("Which colour?", " ", "Sure?"):
        assert ada.post("/", data={"text": text}).headers["Location"] in ("/", "http://localhost/")
    for _ in range(2):
        assert re.findall("<b>(.*)</b> (.*)</p>", ada.get("/").get_data(as_text=True).replace("<p>", "\n")) == [
            ("user", "Which colour?"),
            ("assistant", "It is &lt;blue&gt;."),
            ("user", "Sure?"),
            ("assistant", "Yes."),
        ]
    stored = Conversations("conversations.sqlite")
    (info,) = stored.list()
    stored.delete(info.id)
    assert ada.post("/", data={"text": "Hello."}).status_code == 302
    assert "Hello again." in ada.get("/").get_data(as_text=True)
    assert [len(call.messages) for call in g4f_scripted.calls] == [2, 4, 2]


def test_a_turn_that_its_visitor_left_is_kept_where_that_is_wanted_and_one_that_was_cut_is_not(
    load: Load, monkeypatch: pytest.MonkeyPatch, g4f_emulator: Emulator
) -> None:
    (setting,) = re.findall(r"With `(.*)`, beside `on_turn=`, a turn\s+whose visitor left is kept", PAGES[0])
    monkeypatch.setitem(FILES, "app", FILES["app"].replace("on_turn=", f"{setting}, on_turn="))
    ada = load("app").app.test_client()
    ada.get("/")
    for fault, text in (("cut", "Will this be cut?"), ("stall", "Why is the sky blue?")):
        g4f_emulator.fail(fault, after=3)
        response = ada.post("/answer", data={"text": text}, buffered=False)
        if fault == "cut":
            assert events(response.data)[-1][0] == "failed"
        else:
            assert any(b'"text"' in chunk for chunk in response.response)
        response.close()
    stored = Conversations("conversations.sqlite")
    _, question, answer = stored.load(stored.list()[0].id)
    assert question["content"] == "Why is the sky blue?"
    assert answer["content"]
    assert question["content"].startswith(answer["content"])  # the emulator repeats the question


def test_what_has_come_of_an_answer_may_be_kept(load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue(["It ", ServiceError("down")], TransportError("down"), "It is.")
    kept = load("kept")
    id = kept.conversations.create()
    browser = kept.app.test_client()
    with browser.session_transaction() as session:
        session["chat"] = id
    assert events(browser.post("/answer", data={"text": "1?"}).data)[-1][0] == "failed"
    assert browser.post("/answer", data={"text": "2?"}).status_code == 503
    assert browser.post("/answer", data={"text": " "}).status_code == 400
    assert events(browser.post("/answer", data={"text": "3?"}).data)[-1][0] == "done"
    assert [message["content"] for message in kept.conversations.load(id)] == ["1?", "It  […]", "3?", "It is."]


def test_a_chat_that_is_deleted_while_it_is_answered_is_no_error_of_the_log(
    load: Load, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Be the answer whole or cut: where it is whole, its visitor is told."""
    g4f_scripted.queue(["It ", "is."], ["It ", TransportError("down")])
    kept = load("kept")
    load_it = kept.conversations.load

    def load_and_delete(id: str) -> Messages:
        messages = load_it(id)
        kept.conversations.delete(id)
        return messages

    monkeypatch.setattr(kept.conversations, "load", load_and_delete)
    browser = kept.app.test_client()
    for status in (404, 502):
        with browser.session_transaction() as session:
            session["chat"] = kept.conversations.create()
        assert events(browser.post("/answer", data={"text": "Why?"}).data)[-1][1]["status"] == status
    assert caplog.messages == ["g4f_lite: incomplete answer to POST /answer: Scripted: down"]


def test_two_questions_at_once_are_two_whole_turns(load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("One.", "Two.")
    app = load("app").app
    ada = app.test_client()
    ada.get("/")
    answers = [ada.post("/answer", data={"text": text}, buffered=False) for text in ("1?", "2?")]
    assert [events(b"".join(answer.response))[-1][0] for answer in answers] == ["done", "done"]
    stored = Conversations("conversations.sqlite")
    said = [message["content"] for message in stored.load(stored.list()[0].id)]
    assert said in (
        ["Answer briefly.", "1?", "One.", "2?", "Two."],
        ["Answer briefly.", "2?", "Two.", "1?", "One."],
    )


def test_a_stored_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (script,) = [block for block in BLOCKS if not block.startswith("# ")]
    exec(script, {})
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "system Answer briefly.",
        "user Why is the sky blue?",
        "assistant Light is scattered.",
    ]


def test_a_backup_while_a_worker_writes(load: Load) -> None:
    """Of what is committed, though a reader keeps it out of the file."""
    with Conversations("conversations.sqlite") as worker, closing(sqlite3.connect(worker.path)) as reader:
        first = worker.create("Why is the sky blue?")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        second = worker.create("Is it lost?")
        old = os.umask(0)
        try:
            load("backup")
        finally:
            os.umask(old)
    assert stat.S_IMODE(os.stat("copy.sqlite").st_mode) == 0o600
    with Conversations("copy.sqlite") as copy:
        assert {info.id for info in copy.list()} == {first, second}
