"""The chats that the page keeps in the browser.  Answers are the echo of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from g4f_lite.emulator import Emulator

from .page_fixtures import Page, open_page, run_browser, run_server, run_upstream  # noqa: F401  fixtures

pytestmark = pytest.mark.long

NOT_KEPT = "This browser keeps nothing of the page: its storage is full, or closed to it."


def test_chats_are_kept_and_found(page: Page) -> None:
    page.ask("about apples")
    page.press("New chat")
    page.ask("about pears")
    page.driver.refresh()
    page.until(lambda: page.texts("#talks .talk") == ["about pears", "about apples"])
    page.find("#search").send_keys("apples")
    page.until(lambda: page.texts("#talks .talk") == ["about apples"])
    page.find("#talks .talk").click()
    page.until(lambda: page.texts(".user .body") == ["about apples"])


def test_a_list_of_chats_and_a_search_read_no_images(page: Page) -> None:
    """Some hundreds of photos would be gigabytes, at each key and every two seconds of an answer."""
    page.ask("about apples")
    page.press("New chat")
    page.ask("about pears")
    page.driver.execute_script("""
        const all = IDBObjectStore.prototype.getAll;
        window.read = new Set();
        IDBObjectStore.prototype.getAll = function () {
            const request = all.call(this);
            request.addEventListener("success", () => {
                for (const entry of request.result) read.add(Object.keys(entry).sort().join());
            });
            return request;
        };
    """)
    page.find("#search").send_keys("apples ABOUT")
    page.until(lambda: page.texts("#talks .talk") == ["about apples"])
    assert page.driver.execute_script("return [...read]") == ["changed,id,title,words"]
    page.find("#talks .talk").click()
    page.until(lambda: page.texts(".user .body") == ["about apples"])
    page.find("#search").clear()


def delete_the_chat(page: Page) -> None:
    page.find("#talks .talk + button").click()


def delete_all(page: Page) -> None:
    page.find("#open-settings").click()
    page.find("#forget").click()
    page.driver.switch_to.alert.accept()


@contextmanager
def another_tab(page: Page) -> Iterator[None]:
    """Open the page in another tab, which is closed at the end."""
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.driver.get(page.url)
    page.until(lambda: page.all("#talks .talk"))
    yield
    page.driver.close()
    page.driver.switch_to.window(first)


def delete_in_another_tab(page: Page) -> None:
    with another_tab(page):
        delete_the_chat(page)
        page.until(lambda: page.texts("#talks .note") == ["No chats"])
    page.find("#send").click()


@pytest.mark.parametrize("delete", [delete_the_chat, delete_all, delete_in_another_tab])
def test_a_chat_deleted_while_its_answer_comes_is_gone(
    page: Page, upstream: Emulator, delete: Callable[[Page], None]
) -> None:
    page.ask("private")
    upstream.configure(pace=0.1)
    upstream.answer(" ".join(map(str, range(600))))
    page.send("private too")
    page.until(lambda: "3" in page.texts(".assistant .body")[-1])
    delete(page)
    page.until(lambda: not page.is_busy())
    page.driver.refresh()
    page.until(lambda: page.texts("#talks li"))
    assert page.texts("#talks li") == ["No chats"]


def test_a_tab_that_is_closed_before_the_end_keeps_the_question_and_what_came(page: Page, upstream: Emulator) -> None:
    upstream.configure(pace=0.1)
    upstream.answer(" ".join(map(str, range(600))))
    page.send("a long question")
    page.until(lambda: page.texts("#talks .talk") == ["a long question"])
    page.find("#talks .talk").click()  # which is open, and goes on
    page.until(lambda: "30" in page.texts(".assistant .body")[-1])
    page.driver.refresh()
    page.until(lambda: page.all("#talks .talk"))
    page.find("#talks .talk").click()
    page.until(lambda: page.texts(".user .body") == ["a long question"])
    [kept] = page.texts(".assistant .body")
    assert kept.startswith("0 1 2 3")
    assert page.texts(".assistant .note") == ["Stopped."]
    upstream.configure(pace=0)
    upstream.answer("the end")
    page.press("Answer again")
    page.until(lambda: page.texts(".assistant .body") == ["the end"] and not page.is_busy())
    assert page.texts(".assistant .note") == []


def test_a_chat_in_two_tabs_loses_nothing(page: Page, upstream: Emulator) -> None:
    page.ask("first")
    upstream.configure(pace=0.1)
    upstream.answer(" ".join(map(str, range(600))))
    page.send("asked in this tab")
    page.until(lambda: "3" in page.texts(".assistant .body")[-1])
    with another_tab(page):
        page.find("#talks .talk").click()
        page.until(lambda: page.texts(".user .body") == ["first", "asked in this tab"])
        page.ask("asked in the other tab")
    page.find("#send").click()
    page.until(lambda: page.texts("#talks .talk") == ["first", "first"])
    assert page.texts(".user .body") == ["first", "asked in this tab"]
    page.driver.refresh()
    page.until(lambda: len(page.texts("#talks .talk")) == 2)
    last = []
    for number in range(2):  # the list is drawn anew at each click
        page.all("#talks .talk")[number].click()
        page.until(lambda: page.all(".user .body"))
        last.append(page.texts(".user .body")[-1])
    assert sorted(last) == ["asked in the other tab", "asked in this tab"]


def test_a_tab_that_is_looked_at_again_shows_what_another_one_asked(page: Page) -> None:
    page.ask("first")
    with another_tab(page):
        page.find("#talks .talk").click()
        page.until(lambda: page.all(".user .body"))
        page.ask("second")
    page.driver.execute_script("dispatchEvent(new Event('focus'))")  # which a browser without a screen may leave out
    page.until(lambda: page.texts(".user .body") == ["first", "second"])
    assert page.ask("third") == "third"
    page.until(lambda: page.texts("#talks .talk") == ["first"])


def test_a_browser_without_room_is_told(page: Page) -> None:
    page.ask("kept")
    page.driver.execute_script("""
        window.put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (value) {
            const request = put.call(this, value);
            this.transaction.abort();  // as the browser does where its storage is full
            return request;
        };
    """)
    assert page.ask("not kept") == "not kept"
    page.until(lambda: page.texts("#status") == [NOT_KEPT])
    page.driver.execute_script("IDBObjectStore.prototype.put = put")
    assert page.ask("there is room again") == "there is room again"
    page.until(lambda: page.texts("#status") == ["The answer is complete."])
    page.driver.refresh()
    page.until(lambda: page.texts("#talks .talk") == ["kept"])
    page.find("#talks .talk").click()
    page.until(lambda: page.texts(".user .body") == ["kept", "not kept", "there is room again"])


def test_a_browser_that_keeps_nothing_answers_and_is_told(page: Page) -> None:
    closed = (
        "for (const name of ['localStorage', 'indexedDB']) Object.defineProperty(window, name, {get() { throw 1 }})"
    )
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": closed})
    try:
        page.driver.refresh()
        assert page.ask("Hello") == "Hello"
        page.until(lambda: page.texts("#status") == [NOT_KEPT])
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
