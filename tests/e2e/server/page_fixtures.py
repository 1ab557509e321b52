"""Fixtures: the page in a real browser, headless Chromium; `tox -e browser` brings what it takes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .conftest import Served, served

webdriver = pytest.importorskip("selenium.webdriver")
By = pytest.importorskip("selenium.webdriver.common.by").By
wait = pytest.importorskip("selenium.webdriver.support.wait")

SECONDS = 30.0
ELSEWHERE = "another-machine"  # a name for this one, which the browser does not know to be this one


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


@pytest.fixture(scope="module", name="upstream")
def run_upstream() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module", name="server")
def run_server(upstream: Emulator) -> Iterator[Served]:
    with served(G4F_LITE_BASE_URL=f"{upstream.url}/v1") as running:
        yield running


def browser(width: int, height: int, language: str = "en") -> Any:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}"]
    arguments.append(f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1")
    for argument in [*arguments, f"--lang={language}", f"--accept-lang={language}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


@pytest.fixture(scope="module", name="driver")
def run_browser() -> Iterator[Any]:
    with browser(1200, 800) as running:
        yield running


@pytest.fixture(name="page")
def open_page(driver: Any, server: Served, upstream: Emulator) -> Page:
    """Open the page as somebody who never was there."""
    upstream.reset()
    driver.get(server.url)
    driver.execute_async_script(
        "localStorage.clear(); const done = arguments[0], gone = indexedDB.deleteDatabase('g4f_lite.chats');"
        "gone.onsuccess = gone.onerror = gone.onblocked = () => done();"
    )
    driver.get_log("performance")
    driver.get(server.url)
    return Page(driver)
