"""The pages about Flask do as they are printed: a chat app, a legacy app, jobs, and gunicorn with one engine."""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace
from typing import Any

import pytest
from flask import render_template_string, request
from flask_pages import BLOCKS, FILES, PAGES, Load, events

from g4f_lite import (
    ContextLengthExceededError,
    ConversationNotFoundError,
    Conversations,
    OpenAICompatible,
    RateLimitError,
    RetryPolicy,
    ServiceError,
    TransportError,
)
from g4f_lite.contrib.flask import stream_answer
from g4f_lite.contrib.flask.errors import CUT, SENTENCES
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN
from g4f_lite.testing import Scripted

WORKER_SECONDS = 30  # of gunicorn, after which it kills a sync worker


def test_the_pages_have_these_files() -> None:
    first = ["legacy", "app", "chain", "whole", "error_page", "german", "pages", "kept"]
    assert list(FILES)[:-1] == [*first, "preloaded", "story", "limited", "leased", "backup", "jobs"]
    assert len(BLOCKS) == len(FILES)


def test_what_is_installed_needs_no_release() -> None:
    assert [command for page in PAGES for command in re.findall("^pip install .*", page, re.M)] == [
        'pip install ".[flask,local]"'
    ]


def test_the_chat_app_is_short() -> None:
    assert len([line for line in FILES["app"].splitlines() if line]) <= 66


def test_the_chat_app(load: Load, g4f_scripted: Scripted) -> None:
    """A question that failed is not kept, and one without text is not asked."""
    g4f_scripted.queue("Light is\n\nscattered.", TransportError("down"), ["It ", RateLimitError("cut")], "It is dark.")
    app = load("app").app
    app.config["TESTING"] = True
    ada, bob = app.test_client(), app.test_client()
    for browser in (ada, bob):
        assert b'fetch("answer"' in browser.get("/").data
    found = events(ada.post("/answer", data={"text": "Why is the sky blue?"}).data)
    assert found[-1] == ("done", {"text": "Light is\n\nscattered.", "finish_reason": "stop"})
    assert bob.post("/answer", data={"text": "Hello."}).status_code == 503
    assert events(ada.post("/answer", data={"text": "Is it lost?"}).data)[-1][0] == "failed"
    for blank in ("", " ", "\n\t"):
        response = ada.post("/answer", data={"text": blank})
        assert (response.status_code, response.get_json()) == (400, {"error": "Please write something."})
    assert events(ada.post("/answer", data={"text": " And at night? "}).data)[-1][0] == "done"
    assert len(g4f_scripted.calls) == 4
    assert [message["content"] for message in g4f_scripted.calls[3].messages] == [
        "Answer briefly.",
        "Why is the sky blue?",
        "Light is\n\nscattered.",
        "And at night?",
    ]
    stored = Conversations("conversations.sqlite")
    assert sorted((info.title, info.messages) for info in stored.list()) == [("", 1), ("Why is the sky blue?", 5)]
    stored.delete(next(info.id for info in stored.list() if not info.title))
    nobody = app.test_client()  # without the cookie of the page
    for browser in (bob, nobody):
        assert browser.post("/answer", data={"text": "Hello."}).status_code == 404


def test_a_visitor_whose_login_has_ended_is_told_so(load: Load, g4f_scripted: Scripted) -> None:
    (returned,) = re.findall(r"Where `login_required` guards `/answer`, let it return `(.*?)` instead", PAGES[0])
    app = load("app").app
    app.before_request(lambda: ast.literal_eval(returned) if request.method == "POST" else None)
    ada = app.test_client()
    assert "...await response.json()" in ada.get("/").get_data(as_text=True)
    response = ada.post("/answer", data={"text": "Hello."})
    assert (response.status_code, response.get_json()) == (401, {"error": "Please log in again."})
    assert g4f_scripted.calls == []


def test_a_chain_goes_on_after_ten_seconds_of_silence(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GROQ_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.setenv(name, "sk-test")
    chain = load("chain").chat.client.provider
    members = [(member.name, member.retry) for member in chain.providers]
    assert (members, chain.each) == ([("Groq", None), ("Mistral", RetryPolicy(max_retry_after=8))], 10)


def test_an_answer_of_a_chain_that_was_cut_is_asked_for_again(
    load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the last member; what nobody has begun is an error, and a member that keeps cutting is skipped.

    What the last one cuts is paid, and is not asked for again.
    """

    class Last(Scripted):
        name = "Last"

    first = Scripted(*[["Half ", TransportError("reset")]] * FAILURES_TO_OPEN, "One.")
    cut = ["Half ", TransportError("reset")]
    last = Last(*["Whole."] * FAILURES_TO_OPEN, "Two.", cut, TransportError("down"))
    members = {"groq": first, "mistral": last}
    monkeypatch.setattr(OpenAICompatible, "preset", lambda name, **settings: members[name])
    browser = load("whole").app.test_client()

    def post() -> Any:
        return browser.post("/summary", data={"text": "A long text."})

    found = [post().get_json() for _ in range(FAILURES_TO_OPEN + 1)]
    assert found == [{"summary": "Whole."}] * FAILURES_TO_OPEN + [{"summary": "Two."}]
    assert (len(first.calls), len(last.calls)) == (FAILURES_TO_OPEN, FAILURES_TO_OPEN + 1)
    assert caplog.messages[0].startswith("asking again, because an answer was cut: Scripted, stream: reset")
    assert [post().status_code, len(last.calls)] == [503, FAILURES_TO_OPEN + 2]
    assert post().status_code == 503


def test_two_calls_in_one_view_end_before_a_sync_worker_is_killed() -> None:
    (seconds,) = re.findall(r"two calls in\s+one view need `timeout=(\d+)` each", PAGES[0])
    for each in [seconds, *re.findall(r"timeout=(\d+)", FILES["whole"])]:
        assert 2 * int(each) < WORKER_SECONDS


def test_the_limit_of_a_stream_in_a_sync_worker_is_in_the_last_list_too() -> None:
    before_deploying = PAGES[1].partition("## A list before you deploy\n")[2]
    found = [re.findall(r"G4F_LITE_STREAM_TIMEOUT=(\d+)", text) for text in (*PAGES, before_deploying)]
    assert all(found)
    assert all(int(seconds) < WORKER_SECONDS for limits in found for seconds in limits)


def test_a_legacy_app(load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("A short summary.")
    response = load("legacy").app.test_client().post("/summary", data={"text": "A long text."})
    assert response.get_json() == {"summary": "A short summary."}


@pytest.mark.parametrize("name", ["readme", "legacy"])
def test_a_view_without_an_answer_is_a_status_and_a_sentence(name: str, load: Load, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue(TransportError("down"))
    response = load(name).app.test_client().post("/summary", data={"text": "A long text."})
    assert (response.status_code, response.get_json()) == (503, {"error": SENTENCES[503]})


@pytest.mark.parametrize(
    ("name", "path"), [("readme", "/summary"), ("legacy", "/summary"), ("limited", "/answer"), ("leased", "/answer")]
)
def test_a_blank_form_is_a_bad_request(name: str, path: str, load: Load, g4f_scripted: Scripted) -> None:
    browser = load(name).app.test_client()
    for blank in ("", " ", "\n\t"):
        response = browser.post(path, data={"text": blank})
        assert (response.status_code, response.get_json()) == (400, {"error": "Please write something."})
    g4f_scripted.queue("An answer.")
    assert b"An answer." in browser.post(path, data={"text": "Hello."}).data


@pytest.mark.usefixtures("g4f_scripted")
def test_a_blank_form_is_no_job(load: Load) -> None:
    pytest.importorskip("huey")
    assert load("jobs").app.test_client().post("/summaries", data={"text": " "}).status_code == 400


def test_an_error_before_the_first_piece_and_after_it(
    load: Load, g4f_scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    g4f_scripted.queue("Once upon a time.", RateLimitError("slow down"), ["Once ", ServiceError("overloaded")])
    browser = load("story").app.test_client()
    assert browser.get("/story").data == b"Once upon a time."
    assert browser.get("/story").status_code == 503
    assert browser.get("/story").data == b"Once  (the rest was lost)"
    assert "the story was cut: Scripted, stream: overloaded" in caplog.text


def test_an_error_may_be_a_page(load: Load, g4f_scripted: Scripted) -> None:
    module = load("error_page")
    module.app.add_url_rule("/", view_func=lambda: str(module.chat.client.ask("Hello")))
    g4f_scripted.queue(RateLimitError("slow down", retry_after=7))
    response = module.app.test_client().get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (response.status_code, response.headers["Retry-After"], response.mimetype) == (503, "7", "text/html")
    assert response.get_data(as_text=True).endswith(
        "<p>The service is not available at the moment. Please try again later.</p>"
    )
    g4f_scripted.queue(RateLimitError("slow down"))
    assert "not available" in module.app.test_client().get("/", headers={"Accept": "*/*"}).get_json()["error"]


def test_visitors_read_their_own_language(load: Load, g4f_scripted: Scripted) -> None:
    german = load("german")
    german.app.add_url_rule("/", view_func=lambda: stream_answer(german.chat.client.stream("Hallo")))
    g4f_scripted.queue(RateLimitError("slow down"), ["Hal", ServiceError("down")], ConversationNotFoundError("gone"))
    browser = german.app.test_client()
    assert "nicht erreichbar" in browser.get("/").get_json()["error"]
    assert "unterbrochen" in events(browser.get("/").data)[-1][1]["error"]
    assert "gibt es nicht mehr" in browser.get("/").get_json()["error"]


@pytest.mark.usefixtures("g4f_scripted")
def test_the_page_of_the_chat_app_may_be_a_template_with_a_hidden_field(load: Load) -> None:
    (field,) = re.findall(r"With the `CSRFProtect` of Flask-WTF, put `(.*?)` into the\s+form", PAGES[0])
    app = load("app")
    with app.app.app_context():
        page = render_template_string(app.PAGE.replace("<form>", f"<form>{field}"), csrf_token=lambda: "a-token")
    token = '<input type="hidden" name="csrf_token" value="a-token">'
    assert page == app.PAGE.replace("<form>", f"<form>{token}")


@pytest.mark.usefixtures("g4f_scripted")
def test_the_table_of_statuses_has_the_sentences_that_visitors_read(load: Load) -> None:
    rows = re.findall(r"^\| (\d{3})\b.* \| (.*) \|$", PAGES[0], re.MULTILINE)
    english = {status: text for status, text in SENTENCES.items() if status != CUT}
    assert {int(status): text for status, text in rows} == english
    assert f'"{SENTENCES[CUT]}"' in PAGES[0]
    assert load("german").app.config["G4F_LITE_SENTENCES"].keys() == SENTENCES.keys()


def test_a_form_that_is_too_long_has_the_status_of_a_prompt_that_is(load: Load, g4f_scripted: Scripted) -> None:
    (returned,) = re.findall(r"`@app.errorhandler\(413\)` above a function that returns `(.*?)`", PAGES[1])
    app = load("app").app
    app.config["MAX_CONTENT_LENGTH"] = 100
    app.errorhandler(413)(lambda error: ast.literal_eval(returned))
    g4f_scripted.queue(ContextLengthExceededError("more than 8192 tokens"))
    ada = app.test_client()
    ada.get("/")
    found = [ada.post("/answer", data={"text": text}) for text in ("Why?", "Why? " * 100)]
    assert [each.status_code for each in found] == [413, 413]
    sentences = [SENTENCES[413], "The question is too long. Please shorten it."]
    assert [each.get_json() for each in found] == [{"error": sentence} for sentence in sentences]
    assert len(g4f_scripted.calls) == 1


def test_at_most_so_many_answers_at_once(load: Load, g4f_scripted: Scripted) -> None:
    """A slot is given back after an answer, a failure, a HEAD request and a visitor who left."""
    limited = load("limited")
    limited.app.add_url_rule("/again", view_func=limited.answer, methods=["GET", "POST"])
    g4f_scripted.queue("Hello.", RateLimitError("slow down"), ["Hel", ServiceError("down")], ["Hel", "lo."], "Hello.")
    browser, form = limited.app.test_client(), {"data": {"text": "Hello."}}
    assert events(browser.post("/answer", **form).data)[-1][0] == "done"
    assert browser.post("/answer", **form).status_code == 503
    assert events(browser.post("/answer", **form).data)[-1][0] == "failed"
    assert browser.open("/again", method="HEAD", **form).status_code == 204
    assert browser.post("/answer", headers={"Last-Event-ID": "3"}, **form).status_code == 204
    browser.post("/answer", buffered=False, **form).close()
    for others, status in [({"127.0.0.1"}, 429), (set(range(20)), 503)]:
        limited.waiting.update(others)
        response = browser.post("/answer", **form)
        assert (response.status_code, list(response.get_json())) == (status, ["error"])
        limited.waiting.clear()
    assert events(browser.post("/answer", **form).data)[-1][0] == "done"
    assert len(g4f_scripted.calls) == 5


def test_one_answer_at_once_for_each_user_of_all_workers(
    load: Load, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot is given back at the end of an answer; one that is not is free after its time."""
    g4f_scripted.queue("Hello.", ["Hel", ServiceError("down")], ["Hel", "lo."], "Hello.")
    clock = SimpleNamespace(time=lambda: 1000.0)
    workers = load("leased"), load("leased")
    for worker in workers:
        monkeypatch.setattr(worker, "time", clock)
    one, two = (worker.app.test_client() for worker in workers)
    ada, bob = ({"data": {"text": "Hello."}, "environ_base": {"REMOTE_ADDR": name}} for name in ("ada", "bob"))
    assert events(one.post("/answer", **ada).data)[-1][0] == "done"
    assert events(two.post("/answer", **ada).data)[-1][0] == "failed"
    workers[0].changed(workers[0].TAKE, user="ada", now=1000.0)  # by a worker that is killed then
    for browser in (one, two):
        assert browser.post("/answer", **ada).status_code == 429
    assert events(two.post("/answer", **bob).data)[-1][0] == "done"
    clock.time = lambda: 1151.0
    assert events(two.post("/answer", **ada).data)[-1][0] == "done"
    assert len(g4f_scripted.calls) == 4
