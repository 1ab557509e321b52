"""A real browser: its EventSource, which connects again whenever a connection ends, and the page of the chat app.

``tox -e flask3`` runs these tests.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from . import pages
from .browser import within
from .servers import PATIENCE, running

webdriver = pytest.importorskip("selenium.webdriver", reason="`tox -e flask3` brings selenium")

pytestmark = pytest.mark.long

OPEN = """
window.told = [];
window.source = new EventSource("/stream?first=0.2&prompt=" + arguments[0]);
for (const name of ["open", "message", "done", "failed", "error"])
    source.addEventListener(name, event => told.push([name, event.data ? JSON.parse(event.data) : null]));
// A browser keeps a page that was left for its Back button, and the connection of an EventSource with it.
addEventListener("pagehide", () => source.close());
"""
CLOSED = "return source.readyState === EventSource.CLOSED"


class Cutter:
    """Passes bytes between a browser and a server, until it cuts all connections."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target = port
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        while self._ends:
            end = self._ends.pop()
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [browser, server]
                for source, target in ((browser, server), (server, browser)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if not found or not driver:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def cutter(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cutter]:
    notes = tmp_path_factory.mktemp("notes") / "notes"
    with running("gunicorn gthread", G4F_LITE_BASE_URL=f"{emulator.url}/v1", NOTES=str(notes)) as port:
        cutter = Cutter(port)
        yield cutter
        cutter.close()


@pytest.fixture
def page(browser: Any, cutter: Cutter, emulator: Emulator) -> Any:
    """Give the browser, at a page of the app."""
    emulator.reset()
    browser.get(f"http://127.0.0.1:{cutter.port}/")
    return browser


def told(browser: Any, *names: str) -> list[Any]:
    return [data for name, data in browser.execute_script("return told") if name in names]


def prompts(emulator: Emulator) -> list[Any]:
    return [request for request in emulator.requests if request.step == "prompt"]


def test_it_reads_an_answer_and_does_not_ask_again(page: Any, emulator: Emulator) -> None:
    emulator.answer(["Light\n\n", "is ", "scattered. 🙂"])
    page.execute_script(OPEN, "Why")
    assert within(PATIENCE, lambda: page.execute_script(CLOSED)), "it connected again, and got 204"
    assert told(page, "message") == [{"text": "Light\n\n"}, {"text": "is "}, {"text": "scattered. 🙂"}]
    assert told(page, "done") == [{"text": "Light\n\nis scattered. 🙂", "finish_reason": "stop"}]
    assert told(page, "failed") == []
    assert len(prompts(emulator)) == 1


@pytest.mark.parametrize("pieces", [0, 2])
def test_a_lost_connection_is_not_paid_twice(pieces: int, page: Any, cutter: Cutter, emulator: Emulator) -> None:
    """Also one that is lost while the model thinks, before the first event."""
    emulator.fail("stall", after=pieces)
    page.execute_script(OPEN, "a+b+c")
    assert within(PATIENCE, lambda: len(told(page, "open", "message")) > pieces)
    cutter.cut()
    left = time.monotonic()
    assert within(PATIENCE, lambda: page.execute_script(CLOSED))
    (prompt,) = prompts(emulator)
    assert prompt.ended - left < 1.0
    assert len(told(page, "message")) == pieces


def test_a_failure_is_told_and_not_tried_again(page: Any, emulator: Emulator) -> None:
    emulator.fail("reset", after=1)
    page.execute_script(OPEN, "a+b+c")
    assert within(PATIENCE, lambda: page.execute_script(CLOSED))
    assert told(page, "failed") == [{"status": 502, "error": CUT}]
    assert len(prompts(emulator)) == 1


def test_a_failure_before_the_first_piece_ends_it(page: Any, emulator: Emulator) -> None:
    emulator.fail("rate_limit", retry_after=3600)
    page.execute_script(OPEN, "Why")
    assert within(PATIENCE, lambda: page.execute_script(CLOSED))
    assert len(prompts(emulator)) == 1


def _close(browser: Any) -> None:
    browser.execute_script("source.close()")


def _go_elsewhere(browser: Any) -> None:
    browser.get("about:blank")


def _close_the_tab(browser: Any) -> None:
    browser.close()
    browser.switch_to.window(browser.window_handles[0])


@pytest.mark.parametrize("leave", [_close, _go_elsewhere, _close_the_tab])
def test_a_page_that_is_left_closes_the_upstream(
    leave: Callable[[Any], None], page: Any, cutter: Cutter, emulator: Emulator
) -> None:
    page.switch_to.new_window("tab")
    page.get(f"http://127.0.0.1:{cutter.port}/")
    emulator.fail("stall", after=1)
    page.execute_script(OPEN, "a+b+c")
    assert within(PATIENCE, lambda: told(page, "message"))
    leave(page)
    left = time.monotonic()
    (prompt,) = prompts(emulator)
    assert within(PATIENCE, lambda: prompt.ended)
    assert prompt.ended - left < 1.0


@pytest.fixture(scope="module")
def chat_app(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cutter]:
    """Run the app of the page, behind something that can cut its connections."""
    folder = tmp_path_factory.mktemp("chat")
    pages.write("app", folder)
    with running("gunicorn gthread", app="app:app", cwd=folder, G4F_LITE_BASE_URL=f"{emulator.url}/v1") as port:
        cutter = Cutter(port)
        yield cutter
        cutter.close()


@pytest.fixture
def chat(browser: Any, chat_app: Cutter, emulator: Emulator) -> Iterator[Any]:
    """Give the browser, at the page of a new chat."""
    emulator.reset()
    browser.get(f"http://127.0.0.1:{chat_app.port}/")
    yield browser
    browser.get("about:blank")


def write(browser: Any, text: str) -> None:
    field = browser.find_element("name", "text")
    field.clear()  # of a question that was given back
    field.send_keys(text, "\n")


def said(browser: Any) -> list[str]:
    texts = browser.execute_script("return [...document.querySelectorAll('p')].map(part => part.textContent)")
    return [text for text in texts if text.strip()]


def says(browser: Any, *texts: str) -> bool:
    """Tell whether the page says this within some time, and lets its visitor write again."""
    return bool(
        within(PATIENCE, lambda: said(browser) == [*texts] and browser.find_element("tag name", "button").is_enabled())
    )


BUSY = "The service is not available at the moment. Please try again later."
CUT = "The answer was cut off. Please try again."


def test_the_chat_app_as_it_is_printed(chat: Any, emulator: Emulator) -> None:
    emulator.answer(["Light\n\nis ", "<b>scattered</b>\u2028: data: 🙂."])
    emulator.answer("It is dark.")
    write(chat, "Why is the sky blue?")
    first = ["Why is the sky blue?", "Light\n\nis <b>scattered</b>\u2028: data: 🙂."]
    assert says(chat, *first), said(chat)
    write(chat, "And at night?")
    assert says(chat, *first, "And at night?", "It is dark."), said(chat)
    assert [len(prompt.json()["messages"]) for prompt in prompts(emulator)] == [2, 4]


def test_the_chat_app_says_why_there_is_no_answer(chat: Any, emulator: Emulator) -> None:
    """And it goes on afterwards, without the questions that failed."""
    for name, settings, told in (
        ("rate_limit", {"retry_after": 3600}, [BUSY]),
        ("error", {"after": 2}, ["a b", CUT]),
    ):
        before = said(chat)
        emulator.fail(name, **settings)
        write(chat, "a b c")
        assert says(chat, *before, "a b c", *told), said(chat)
        assert chat.find_element("name", "text").get_attribute("value") == "a b c"
    before = said(chat)
    write(chat, " ")
    assert says(chat, *before, "Please write something."), said(chat)
    write(chat, "d")
    assert says(chat, *before, "Please write something.", "d", "d"), said(chat)
    assert [len(prompt.json()["messages"]) for prompt in prompts(emulator)] == [2, 2, 2]


def test_the_chat_app_asks_one_question_at_a_time(chat: Any, chat_app: Cutter, emulator: Emulator) -> None:
    emulator.fail("stall", after=1)
    write(chat, "a b c")
    assert within(PATIENCE, lambda: said(chat) == ["a b c", "a"])
    write(chat, "Are you there?")
    assert said(chat) == ["a b c", "a"]
    chat_app.cut()
    assert says(chat, "a b c", "a", "The connection was lost."), said(chat)
    assert len(prompts(emulator)) == 1


def test_a_visitor_who_leaves_the_chat_app(chat: Any, emulator: Emulator) -> None:
    emulator.fail("stall", after=1)
    write(chat, "a b c")
    assert within(PATIENCE, lambda: said(chat) == ["a b c", "a"])
    chat.get("about:blank")
    left = time.monotonic()
    (prompt,) = prompts(emulator)
    assert within(PATIENCE, lambda: prompt.ended)
    assert prompt.ended - left < 1.0
