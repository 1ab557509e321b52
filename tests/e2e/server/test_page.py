"""The page in a browser.  Answers are the echo of the prompt, so that a test says what the model writes."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .conftest import Served, served
from .page_fixtures import ELSEWHERE, Page, browser, open_page, run_browser, run_server, run_upstream  # noqa: F401  fixtures

Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

pytestmark = pytest.mark.long

HOSTILE = """# Title

<script>window.ran = 1</script> <img src=x onerror="window.ran = 2"> <b>not bold</b>

[bad](javascript:window.ran=3) [good](https://example.org) ![pixel](https://evil.example/pixel.png)

```html
<script>window.ran = 4</script>
```

- [x] done
"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


def requests_of(page: Page) -> list[str]:
    """List the addresses that the page has asked for."""
    entries = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    sent = [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith("data:")]


@pytest.mark.parametrize("begins", ["> ", "*_"])
def test_an_answer_nested_without_end_leaves_the_page_alive(page: Page, begins: str) -> None:
    assert "the end" in page.ask(f"{begins * 10_000} the end")
    assert "Hello" in page.ask("Hello")


def test_an_answer_of_very_many_elements_is_text_from_some_on(page: Page) -> None:
    page.ask("*a* [b](javascript:c) " * 12_000 + "the end")
    (shown,) = page.texts(".assistant .body")
    assert (shown.count("a [b](javascript:c)"), shown.count("a b (javascript:c)")) == (4_999, 7_001)
    assert shown.endswith("the end")
    assert page.driver.execute_script("return document.querySelectorAll('.assistant .body *').length") < 10_100


def test_a_row_of_thousands_of_cells_leaves_the_page_alive(page: Page) -> None:
    page.ask("| a " * 10_000 + "| the end |\n" + "|-" * 10_001 + "|\n| b |")
    assert page.driver.execute_script("return document.querySelectorAll('.assistant .body th').length") in (0, 100)
    assert "the end" in page.texts(".assistant .body")[-1]
    assert "Hello" in page.ask("Hello")


def test_two_tabs_keep_the_settings_of_each_other(page: Page) -> None:
    script = "const kept = JSON.parse(localStorage.g4f_lite ?? '{}'); return [kept.key, kept.system, kept.model]"
    page.driver.execute_script("localStorage.g4f_lite = JSON.stringify({key: 'k', system: 's', model: ''})")
    model = page.until(
        lambda: page.driver.execute_script("return [...document.querySelectorAll('#model option')].at(-1)?.value")
    )
    page.driver.execute_script(
        "const field = document.querySelector('#model'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change'))",
        model,
    )
    assert page.driver.execute_script(script) == ["k", "s", model]
    page.driver.execute_script("localStorage.clear()")


def test_answers_are_text_that_does_nothing(page: Page, server: Served) -> None:
    page.ask(HOSTILE)
    assert page.driver.execute_script("return window.ran ?? null") is None
    assert page.texts(".assistant .body h3") == ["Title"]
    assert "<script>window.ran = 1</script>" in page.find(".assistant .body").text
    assert page.texts(".assistant pre") == ["<script>window.ran = 4</script>"]
    assert not page.all(".assistant b, .assistant img")
    links = {link.text: link.get_attribute("href") for link in page.all(".assistant .body a")}
    assert links == {
        "[bad](javascript:window.ran=3)": None,
        "good": "https://example.org/",
        "pixel": "https://evil.example/pixel.png",
    }
    assert {url.rpartition("/")[0].partition(server.url)[0] for url in requests_of(page)} == {""}


@pytest.mark.parametrize(
    "text",
    [
        "handlers[name](*args, **kwargs) and ![mark](a.png)",
        "Set max_tokens, f(x)[0] = y[1], Optional[int], (0, 1] and ^[^a-z]+$ with *args.",
    ],
)
def test_signs_that_mean_nothing_are_shown_as_they_are(page: Page, text: str) -> None:
    page.ask(text)
    assert page.texts(".assistant .body") == [text]


@pytest.mark.parametrize(
    ("answer", "noted"),
    [
        (["half", {"finish_reason": "length"}], "The answer reached its limit of tokens."),
        (["half", {"finish_reason": "content_filter"}], "The service's filter held the rest of the answer back."),
        ([{"reasoning_content": "hm"}, {"finish_reason": "stop"}], "The answer has no text."),
    ],
)
def test_what_an_answer_lacks_is_noted(page: Page, upstream: Emulator, answer: list[Any], noted: str) -> None:
    upstream.answer(answer)
    page.ask("Hello")
    assert page.texts(".assistant .note") == [noted]


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


def test_an_answer_without_an_end_is_stopped(page: Page, upstream: Emulator) -> None:
    upstream.answer(["word " * 2_000] * 300)
    page.send("Go on")
    page.until(lambda: not page.is_busy() and page.all(".assistant .note"))
    assert page.texts(".assistant .note") == ["Stopped: the answer is too long for this page."]
    assert 2_000_000 < len(page.texts(".assistant .body")[0]) < 2_100_000
    assert page.ask("Hello") == "Hello"


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


def test_an_answer_stopped_before_it_began_is_not_sent(page: Page, upstream: Emulator) -> None:
    upstream.fail("stall")
    page.send("first")
    page.until(lambda: any(request.step == "prompt" for request in upstream.requests))
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


def test_from_another_machine(upstream: Emulator, driver: Any) -> None:
    """Without TLS a browser gives the page neither its clipboard nor crypto.randomUUID."""
    settings = {"G4F_LITE_BASE_URL": f"{upstream.url}/v1", "G4F_LITE_SERVER_KEY": "right-key"}
    with served("--host", "0.0.0.0", **settings) as keyed:
        driver.get(keyed.url.replace("127.0.0.1", ELSEWHERE))
        assert not driver.execute_script("return isSecureContext")
        page = Page(driver)
        page.until(lambda: page.find("#settings").get_attribute("open") is not None)
        page.find("#key").send_keys("right-key\n")
        assert page.ask("Hello") == "Hello"
        page.press("Copy")
        page.until(lambda: "Copied" in page.texts(".assistant .actions button"))
        page.find("#prompt").send_keys(Keys.CONTROL, "v")
        assert page.find("#prompt").get_attribute("value") == "Hello"


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
