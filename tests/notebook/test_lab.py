"""Cells with ``%%chat`` in JupyterLab, as a browser shows them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from g4f_lite.emulator import Emulator

from . import hostile
from .conftest import environment_of
from .lab import CHROMIUM, DRIVER, OUTPUT, SHOWN, Lab, pictures_of, started, until

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="Chromium or its driver is not installed")


@pytest.fixture(scope="module")
def lab(server: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with started(folder, environment_of(server), pictures_of(folder)) as lab:
        yield lab


def test_an_answer_is_rendered_and_its_reasoning_folded_away(lab: Lab, emulator: Emulator) -> None:
    emulator.configure(pace=0.02)
    emulator.answer(
        [
            {"reasoning_content": "The user asks <b>about</b> the sky.\n\n```\n"},
            {"reasoning_content": "It is </details> blue."},
            "The sky is **blue**",
            " because of $\\lambda^{-4}$.\n\n| colour | seen |\n|---|---|\n| blue | most |\n\n",
            "```python\nprint('blue')\n```",
        ]
    )
    lab.run("answer", "%load_ext g4f_lite", "%%chat -o sky\nWhy is the sky blue?", "sky", "%chat history")
    until(lambda: len(lab.find("mjx-container")) >= 3)
    thoughts, answer, again, _ = lab.find(OUTPUT)
    assert [details.get_attribute("open") for details in lab.find("details")] == [None] * 2
    assert again.text.startswith("Thoughts\n")
    assert again.text.endswith(answer.text)
    assert [element.text for element in answer.find_elements("css selector", "strong, td")] == ["blue", "blue", "most"]
    assert answer.find_element("css selector", "pre").text == "print('blue')"
    thoughts.find_element("css selector", "summary").click()
    assert thoughts.text.splitlines()[1:] == [
        "The user asks <b>about</b> the sky.",
        "",
        "```",
        "It is </details> blue.",
    ]
    lab.picture("answer")


def test_a_hostile_answer_fetches_nothing_and_runs_nothing(lab: Lab, emulator: Emulator) -> None:
    with hostile.listening() as (host, paths):
        text = hostile.answer(host)
        emulator.answer([{"reasoning_content": text}, text])
        lab.run("hostile", "%load_ext g4f_lite", "%%chat\nHello", "_", "%chat history")
        until(lambda: len(lab.find("mjx-container")) >= 8)
        lab.picture("hostile")
        for summary in lab.find("summary"):
            summary.click()
        links = [link.get_dom_attribute("href") for link in lab.find(f"{OUTPUT} [href]")]
        for link in lab.find("mjx-container"):
            lab.browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", link)
        assert paths == []
        assert not lab.has_run()
        assert f"{host}/image?q=said" in links
        assert [link for link in links if not link.startswith((host, "#"))] == []


def test_the_same_answer_as_html_does_both(lab: Lab) -> None:
    """This test's own test: the notebook runs what a cell displays as HTML."""
    with hostile.listening() as (host, paths):
        html = f'<img src="{host}/tag"><script>{hostile.RUN}</script>'
        lab.run("html", f"from IPython.display import HTML\nHTML({html!r})")
        until(lambda: lab.has_run() and "/tag" in paths)


def test_the_stop_button_keeps_the_part(lab: Lab, emulator: Emulator) -> None:
    emulator.configure(pace=0.05)
    emulator.answer("word " * 1000)
    lab.run("interrupted", "%load_ext g4f_lite", "%%chat -o story\nTell me a story", wait=False)
    until(lambda: "word word word" in "".join(lab.outputs()))
    lab.command("notebook:interrupt-kernel")
    began = time.monotonic()
    until(lambda: len(lab.outputs()) == 2)
    assert time.monotonic() - began < 2  # the browser's own time is part of it
    part, error = lab.outputs()
    assert part.startswith("word word word")
    assert error == "AnswerInterrupted: the answer was interrupted; what had arrived is in story"
    lab.picture("interrupted")


def test_code_text_errors_and_wrong_usage(lab: Lab, emulator: Emulator) -> None:
    emulator.answer("Use this:\n\n```python\nfor n in range(3):\n    print(n)\n```")
    emulator.answer("As *it* is \x1b[31m<b>")
    lab.run(
        "forms",
        "%load_ext g4f_lite",
        "%%chat -f code\nCount to three",
        "%%chat -f text\nSay something",
        "%chat What is the time?",
    )
    code, text, error = lab.outputs()
    assert code.splitlines()[0] == "Use this:"
    assert text == "As *it* is \N{REPLACEMENT CHARACTER}[31m<b>"
    assert error.startswith("UsageError: ")
    assert "%%chat" in error
    sources = [cell.text for cell in lab.find(".jp-CodeCell .cm-content")]
    assert sources[2] == "for n in range(3):\n    print(n)"
    emulator.fail("status", status=503, times=None)
    lab.run("failed", "import g4f_lite\ndef summary():\n    return g4f_lite.ask('Hello', retry=None)\n\nsummary()")
    (failure,) = lab.outputs()
    assert len(failure.splitlines()) < 10
    assert "return g4f_lite.ask" in failure
    lab.picture("failed")


def test_a_typed_value_takes_the_place_of_its_json(lab: Lab, emulator: Emulator) -> None:
    emulator.configure(pace=0.1)
    emulator.answer(['{"name": ', '"Ada",', ' "age"', ": 3", "6", "}"])
    person = "from dataclasses import dataclass\n\n@dataclass\nclass Person:\n    name: str\n    age: int"
    lab.run("typed", "%load_ext g4f_lite", person, "%%chat -s Person -o ada\nWho wrote it?", "ada.name", wait=False)
    until(lambda: lab.outputs()[:1] == ['{\n  "name": "Ada"\n}'])
    lab.picture("typing")
    until(lambda: lab.outputs() == ["Person(name='Ada', age=36)", "'Ada'"])
    lab.picture("typed")


def test_redraws_do_not_flicker(lab: Lab, emulator: Emulator) -> None:
    """One output is updated in its place, and the cell is never empty or lower than it was."""
    emulator.configure(pace=0.01)
    emulator.answer("".join(f"Line {number}.\n\n" for number in range(60)))
    lab.run("redraws", "%load_ext g4f_lite", "%%chat\nWrite lines", wait=False)
    heights = []
    while not lab.browser.execute_script("return !!window.allHaveRun"):
        heights.append(
            lab.browser.execute_script(
                "return [...document.querySelectorAll(arguments[0])].map(output => output.scrollHeight)",
                f"{SHOWN} {OUTPUT}",
            )
        )
    seen = [height for height in heights if height]
    assert {len(height) for height in seen} == {1}
    assert seen == sorted(seen)
    assert len({height[0] for height in seen}) > 2
