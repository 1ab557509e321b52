"""The page in a real browser, headless Chromium; `tox -e browser` brings what it takes.

Answers are the echo of the prompt, so that a test says what the model writes.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .conftest import Served, served

webdriver = pytest.importorskip("selenium.webdriver")
By = pytest.importorskip("selenium.webdriver.common.by").By
wait = pytest.importorskip("selenium.webdriver.support.wait")

pytestmark = pytest.mark.long

SECONDS = 30.0
HOSTILE = """# Title

<script>window.ran = 1</script> <img src=x onerror="window.ran = 2"> <b>not bold</b>

[bad](javascript:window.ran=3) [good](https://example.org) ![pixel](https://evil.example/pixel.png)

```html
<script>window.ran = 4</script>
```

- [x] done
"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


class Page:
    """The page in a browser, by what a user sees and does."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.url: str = driver.current_url

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.innerText)"
        found: list[str] = self.driver.execute_script(script, selector)
        return found

    def until(self, condition: Callable[[], Any]) -> Any:
        return wait.WebDriverWait(self.driver, SECONDS, 0.05).until(lambda _: condition())

    def send(self, text: str) -> None:
        self.write(text)
        self.find("#send").click()

    def write(self, text: str) -> None:
        self.driver.execute_script("document.querySelector('#prompt').value = arguments[0]", text)

    def is_busy(self) -> bool:
        return "busy" in self.find("#send").get_attribute("class")

    def ask(self, text: str) -> str:
        """Send a prompt, and give the text of the answer."""
        self.send(text)
        self.until(lambda: not self.is_busy() and self.all(".assistant .actions"))
        answer: str = self.texts(".assistant .body")[-1]
        return answer

    def press(self, label: str) -> None:
        """Press the last button with these words; the page may draw others anew meanwhile."""
        script = """return [...document.querySelectorAll("button")].findLast(
            (button) => button.innerText.trim() === arguments[0] && button.checkVisibility())"""
        self.driver.execute_script(script, label).click()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def server(upstream: Emulator) -> Iterator[Served]:
    with served(G4F_LITE_BASE_URL=f"{upstream.url}/v1") as running:
        yield running


def browser(width: int, height: int, language: str = "en") -> Any:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}"]
    for argument in [*arguments, f"--lang={language}", f"--accept-lang={language}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser(1200, 800) as running:
        yield running


@pytest.fixture
def page(driver: Any, server: Served, upstream: Emulator) -> Page:
    """Open the page as somebody who never was there."""
    upstream.reset()
    driver.get(server.url)
    driver.execute_async_script(
        "localStorage.clear(); const done = arguments[0], gone = indexedDB.deleteDatabase('g4f_lite');"
        "gone.onsuccess = gone.onerror = gone.onblocked = () => done();"
    )
    driver.get_log("performance")
    driver.get(server.url)
    return Page(driver)


def requests_of(page: Page) -> list[str]:
    """List the addresses that the page has asked for."""
    entries = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    sent = [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith("data:")]


@pytest.mark.parametrize("begins", ["> ", "*_"])
def test_an_answer_nested_without_end_leaves_the_page_alive(page: Page, begins: str) -> None:
    assert "the end" in page.ask(f"{begins * 10_000} the end")
    assert "Hello" in page.ask("Hello")


def test_answers_are_text_that_does_nothing(page: Page, server: Served) -> None:
    page.ask(HOSTILE)
    assert page.driver.execute_script("return window.ran ?? null") is None
    assert page.texts(".assistant .body h3") == ["Title"]
    assert "<script>window.ran = 1</script>" in page.find(".assistant .body").text
    assert page.texts(".assistant pre") == ["<script>window.ran = 4</script>"]
    assert not page.all(".assistant b, .assistant img")
    links = {link.text: link.get_attribute("href") for link in page.all(".assistant .body a")}
    assert links == {"bad": None, "good": "https://example.org/", "pixel": "https://evil.example/pixel.png"}
    assert {url.rpartition("/")[0].partition(server.url)[0] for url in requests_of(page)} == {""}


def test_an_answer_comes_piece_by_piece_and_can_be_stopped(page: Page, upstream: Emulator) -> None:
    upstream.configure(pace=0.1)
    upstream.answer(" ".join(map(str, range(200))))
    page.send("Count")
    page.until(lambda: page.all(".assistant .body") and "3" in page.find(".assistant .body").text)
    assert page.is_busy()
    page.find("#send").click()
    page.until(lambda: not page.is_busy())
    kept = page.find(".assistant .body").text
    assert kept.startswith("0 1 2 3")
    assert "199" not in kept
    assert page.texts(".assistant .note") == ["Stopped."]
    page.until(lambda: upstream.requests[-1].ended is not None)


def test_edit_and_answer_again(page: Page, upstream: Emulator) -> None:
    assert page.ask("first") == "first"
    assert page.ask("second") == "second"
    sent = upstream.requests[-1].json()["messages"]
    assert [message["content"] for message in sent] == ["first", "first", "second"]
    upstream.answer("something else")
    page.press("Answer again")
    page.until(lambda: page.texts(".assistant .body") == ["first", "something else"])
    page.all(".user .actions button")[1].click()  # edit the first message
    assert page.find("#prompt").get_attribute("value") == "first"
    assert page.ask("third") == "third"
    assert page.texts(".user .body") == ["third"]


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


def delete_the_chat(page: Page) -> None:
    page.find("#talks .talk + button").click()


def delete_all(page: Page) -> None:
    page.find("#open-settings").click()
    page.find("#forget").click()
    page.driver.switch_to.alert.accept()


def delete_in_another_tab(page: Page) -> None:
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.driver.get(page.url)
    page.until(lambda: page.all("#talks .talk"))
    delete_the_chat(page)
    page.until(lambda: page.texts("#talks .note") == ["No chats"])
    page.driver.close()
    page.driver.switch_to.window(first)
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
    assert page.texts(".user .body") == ["a long question"]
    [kept] = page.texts(".assistant .body")
    assert kept.startswith("0 1 2 3")
    assert page.texts(".assistant .note") == ["Stopped."]
    upstream.configure(pace=0)
    upstream.answer("the end")
    page.press("Answer again")
    page.until(lambda: page.texts(".assistant .body") == ["the end"] and not page.is_busy())
    assert page.texts(".assistant .note") == []


def test_an_answer_stopped_before_it_began_is_not_sent(page: Page, upstream: Emulator) -> None:
    upstream.fail("stall")
    page.send("first")
    page.until(lambda: upstream.requests)
    page.find("#send").click()
    page.until(lambda: not page.is_busy())
    page.ask("second")
    sent = upstream.requests[-1].json()["messages"]
    assert [(message["role"], message["content"]) for message in sent] == [("user", "first"), ("user", "second")]


def test_an_image_is_sent_and_one_is_made(page: Page, upstream: Emulator, tmp_path: Path) -> None:
    (tmp_path / "pixel.png").write_bytes(base64.b64decode(PIXEL))
    page.find("#file").send_keys(str(tmp_path / "pixel.png"))
    page.until(lambda: page.all("#images img"))
    page.ask("What is it?")
    _, image = upstream.requests[-1].json()["messages"][0]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    page.find("#paint").click()
    page.send("A lighthouse")
    page.until(lambda: page.all(".assistant .body img"))
    drawn = page.all(".assistant .body img")[-1]
    page.until(lambda: int(drawn.get_property("naturalWidth")) > 0)


def test_a_large_image_in_an_answer_is_shown_soon(page: Page, upstream: Emulator) -> None:
    upstream.answer([f"![a cat](data:image/png;base64,{PIXEL}{'A' * 1_400_000})"])
    page.ask("Draw a cat")
    drawn = page.find(".assistant .body img")
    page.until(lambda: drawn.get_property("naturalWidth") == 1)
    assert drawn.get_attribute("alt") == "a cat"


def test_an_error_is_shown_and_is_not_an_answer(page: Page, upstream: Emulator) -> None:
    upstream.fail("quota")
    page.send("Hello")
    page.until(lambda: page.all(".assistant .failed"))
    assert page.texts(".assistant .body") == [""]
    assert page.ask("Hello again") == "Hello again"
    assert [message["role"] for message in upstream.requests[-1].json()["messages"]] == ["user", "user"]


def test_thinking_is_folded_up(page: Page, upstream: Emulator) -> None:
    upstream.answer([{"reasoning_content": "Let me see."}, "Yes."])
    assert page.ask("Is it?") == "Yes."
    assert page.find(".assistant details").get_attribute("open") is None
    assert page.texts(".assistant summary") == ["Thinking"]


def test_the_keyboard_is_enough(page: Page) -> None:
    active = page.driver.switch_to.active_element
    assert active.get_attribute("id") == "prompt"
    active.send_keys("Hello\n")
    page.until(lambda: page.texts(".assistant .body") == ["Hello"])


def test_a_key_is_asked_for(upstream: Emulator, driver: Any) -> None:
    settings = {"G4F_LITE_BASE_URL": f"{upstream.url}/v1", "G4F_LITE_SERVER_KEY": "right-key"}
    with served(**settings) as keyed:
        driver.get(keyed.url)
        page = Page(driver)
        page.until(lambda: page.find("#settings").get_attribute("open") is not None)
        page.find("#key").send_keys("right-key\n")
        page.until(lambda: len(page.all("#model option")) == 3)
        assert page.ask("Hello") == "Hello"


@pytest.mark.parametrize("size", [(1200, 800), (500, 844)], ids=["desktop", "phone"])
def test_nothing_that_axe_finds(server: Served, size: tuple[int, int], tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("npm, which brings axe-core, is not on this machine")
    subprocess.run(["npm", "install", "--silent", "axe-core"], cwd=tmp_path, check=True, timeout=120)
    axe = (tmp_path / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    with browser(*size) as driver:
        driver.get(server.url)
        page = Page(driver)
        page.ask(HOSTILE)
        driver.execute_script(axe)
        for open_first in ("", "document.querySelector('#open-settings').click();"):
            found = driver.execute_async_script(f"{open_first} axe.run().then(arguments[0])")
            assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []


def test_another_language(server: Served) -> None:
    with browser(1200, 800, "de") as driver:
        driver.get(server.url)
        page = Page(driver)
        assert page.find("#prompt").get_attribute("placeholder") == "Etwas fragen"
        assert page.find("html").get_attribute("lang") == "de"


def test_the_page_is_small() -> None:
    import g4f_lite.contrib.server as server

    folder = Path(server.__file__).parent / "page"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000
