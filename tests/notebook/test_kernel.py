"""Cells with ``%%chat`` in real kernels."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .conftest import environment_of
from .kernels import Kernel, nbformat

SOON = 3.0  # in seconds; half of one, where nothing else runs


def shown(cell: object) -> list[str]:
    """Give what the cell's outputs are, one after the other, as Markdown where it is."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append("\n".join(output.traceback))
        else:
            texts.append(output.data.get("text/markdown", output.data["text/plain"]))
    return texts


@contextmanager
def interrupted(kernel: Kernel, emulator: Emulator, requests: int = 1, seconds: float = 0.0) -> Iterator[list[float]]:
    """Interrupt what a ``with`` block runs, and give a list that gets the time of it.

    :param requests: so many have to come first
    :param seconds: how long after them
    """
    began: list[float] = []

    def interrupt() -> None:
        while len(emulator.requests) < requests:
            time.sleep(0.01)
        time.sleep(seconds)
        began.append(kernel.interrupt())

    thread = threading.Thread(target=interrupt)
    thread.start()
    yield began
    thread.join()


def test_the_answer_is_shown_once_and_is_the_value_of_the_cell(kernel: Kernel, emulator: Emulator) -> None:
    emulator.answer("It is *blue* & <b>high</b>.")
    cell = kernel.run("%%chat -o sky\nWhy is the sky blue?")
    assert shown(cell) == ["It is *blue* & &lt;b>high&lt;/b>."]
    assert shown(kernel.run("print(_ is sky, type(sky).__name__, sky)")) == [
        "True Answer It is *blue* & <b>high</b>.\n"
    ]


def test_the_conversation_goes_on_from_cell_to_cell(kernel: Kernel, emulator: Emulator) -> None:
    kernel.run("%chat system Be short.")
    for text in ("one", "two"):
        kernel.run(f"%%chat\n{text}")
    sent = [[message["content"] for message in request.json()["messages"]] for request in emulator.requests]
    assert sent == [["Be short.", "one"], ["Be short.", "one", "one", "two"]]


def test_an_interrupt_stops_soon_and_keeps_the_part(kernel: Kernel, emulator: Emulator) -> None:
    emulator.configure(pace=0.05)
    emulator.answer("word " * 200)
    with interrupted(kernel, emulator, seconds=1) as began:
        cell = kernel.run("%%chat -o story\nTell me a story")
        ended = time.monotonic()
    assert ended - began[0] < SOON
    texts = shown(cell)
    assert texts[-1] == "AnswerInterrupted: the answer was interrupted; what had arrived is in story"
    assert sum(text.count("\n") + 1 for text in texts) <= 20
    assert texts[0].startswith("word word")
    (kept,) = shown(kernel.run("import sys; print(story == sys.last_value.partial, len(story.split()) > 3)"))
    assert kept == "True True\n"
    deadline = time.monotonic() + 5
    while emulator.open_connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert emulator.open_connections == 0
    emulator.configure(pace=0)
    kernel.run("%%chat\nGo on")
    assert [message["role"] for message in emulator.requests[-1].json()["messages"]] == ["user", "assistant", "user"]


def test_an_interrupt_of_a_silent_service(kernel: Kernel, emulator: Emulator) -> None:
    emulator.configure(first_delay=20)
    with interrupted(kernel, emulator, seconds=0.2) as began:
        texts = shown(kernel.run("%%chat\nThink"))
    assert time.monotonic() - began[0] < SOON
    assert texts == ["AnswerInterrupted: the answer was interrupted"]


def test_of_a_value_that_does_not_come_no_ellipsis_is_left(kernel: Kernel, emulator: Emulator) -> None:
    emulator.configure(first_delay=20)
    with interrupted(kernel, emulator):
        texts = shown(kernel.run("%%chat -s int\nThink"))
    assert texts == ["AnswerInterrupted: the answer was interrupted"]
    emulator.configure(first_delay=0)
    emulator.answer('{"value": 42}')
    assert shown(kernel.run("%%chat -s int\nThink")) == ["42"]
    emulator.answer('{"value": null}')
    assert shown(kernel.run('%%chat -s "int | None"\nThink')) == []


@pytest.mark.parametrize(
    ("answer", "left"), [("I *cannot*", "I *cannot*"), ('{"value": "no"}', '\n```json\n"no"\n```\n\n')]
)
def test_what_is_not_a_value_stays_to_be_seen(kernel: Kernel, emulator: Emulator, answer: str, left: str) -> None:
    emulator.answer(answer)
    text, error = shown(kernel.run("%%chat -s int\nThink"))
    assert text == left
    assert "OutputError" in error


@pytest.mark.parametrize(
    "call",
    [
        "g4f_lite.ask('SLOW')",
        "a = g4f_lite.stream('SLOW').show()",
        "g4f_lite.Client().conversation().stream('SLOW').show(plain=True)",
        "for piece in g4f_lite.stream('SLOW'): pass",
        "await asyncio.sleep(0)\ng4f_lite.ask('SLOW')",
        "await asyncio.sleep(0)\nfor piece in g4f_lite.stream('SLOW'): print(piece)",
        "await asyncio.sleep(0)\nfor chunk in create('SLOW', stream=True): pass",
        "await asyncio.sleep(0)\ng4f_lite.stream('SLOW').show()",
    ],
)
def test_an_interrupt_of_a_call_is_one_line(kernel: Kernel, emulator: Emulator, call: str) -> None:
    emulator.answer("word " * 200)
    emulator.fail("stall", after=4)  # not between two pieces, where the cell's own code may be interrupted
    kernel.run("import asyncio, g4f_lite, sys; create = g4f_lite.Client().chat.completions.create")
    with interrupted(kernel, emulator, seconds=0.8) as began:
        cell = kernel.run(call)
        ended = time.monotonic()
    assert ended - began[0] < SOON
    assert cell.outputs[-1].ename == "AnswerInterrupted"
    assert shown(cell)[-1] == ("AnswerInterrupted: the answer was interrupted; what had arrived is in _interrupted")
    kernel.run("no_name")  # an error, after which sys.last_value is another
    assert shown(kernel.run("print(_interrupted.startswith('word word'))")) == ["True\n"]


def test_an_interrupt_between_two_pieces_in_a_cell_that_awaits(kernel: Kernel, emulator: Emulator) -> None:
    kernel.run("import asyncio, g4f_lite, signal")
    cell = kernel.run(
        "await asyncio.sleep(0)\n"
        "for count, piece in enumerate(g4f_lite.stream('one two three')):\n"
        "    signal.raise_signal(signal.SIGINT)"
    )
    assert cell.outputs[-1].ename == "KeyboardInterrupt"
    assert shown(kernel.run("print(count)")) == ["0\n"]


def test_an_interrupt_of_other_tasks_does_not_end_the_kernel(kernel: Kernel, emulator: Emulator) -> None:
    emulator.configure(first_delay=0.5)
    kernel.run("import asyncio, g4f_lite\nasync def ask():\n    return g4f_lite.ask('one')")
    with interrupted(kernel, emulator):
        cell = kernel.run("await asyncio.gather(ask(), ask())")
    assert cell.outputs[-1].ename == "CancelledError"
    assert shown(kernel.run("print(await ask())")) == ["one\n"]


def test_an_interrupt_of_a_batch_keeps_its_results(kernel: Kernel, emulator: Emulator) -> None:
    emulator.answer("one")
    emulator.configure(first_delay=0.05)
    kernel.run("import g4f_lite, sys")
    with interrupted(kernel, emulator, requests=5):
        cell = kernel.run("g4f_lite.Client().map(['x'] * 500, workers=2).texts()")
    assert shown(cell)[-1].startswith("BatchInterrupted: the batch was interrupted after ")
    assert shown(kernel.run("print(0 < _interrupted.usage.done < 500)")) == ["True\n"]
    sent = len(emulator.requests)
    cell = kernel.run("results = _interrupted\nprint(len(results.so_far.to_frame()) - results.usage.done)")
    assert shown(cell) == ["0\n"]
    assert len(emulator.requests) == sent


def test_an_interrupt_of_a_batch_in_a_cell_that_awaits(kernel: Kernel, emulator: Emulator) -> None:
    """ipykernel tells such a cell of an interrupt when it awaits again, which may be when all is sent."""
    emulator.answer("one")
    emulator.configure(first_delay=0.5)
    kernel.run("import asyncio, g4f_lite, signal, sys")
    with interrupted(kernel, emulator, requests=2):
        cell = kernel.run("await asyncio.sleep(0)\ng4f_lite.Client().map(['x'] * 40, workers=1).texts()")
    assert shown(cell)[-1].startswith("BatchInterrupted: the batch was interrupted after ")
    assert len(emulator.requests) < 40
    kernel.run("await asyncio.sleep(0)\n_interrupted.head(len(_interrupted.so_far) + 1)")
    handler = kernel.run("await asyncio.sleep(0)\nprint(signal.getsignal(signal.SIGINT).__module__)")
    assert shown(handler) == ["ipykernel.ipkernel\n"]  # until a call of the same cell


def test_the_progress_of_a_batch_is_one_output_of_the_cell(kernel: Kernel, emulator: Emulator) -> None:
    cell = kernel.run("import g4f_lite\ntable = g4f_lite.Client().map(['x'] * 50).to_frame()")
    (bar,) = shown(cell)
    assert bar.startswith(f"`{'█' * 20}` 50 of 50 prompts")
    assert cell.outputs[0].output_type == "display_data"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("client.images.generate('a cat', model='m')", "Interrupted: the call was interrupted"),
        ("client.batch(['x'], path=path).texts()", "BatchInterrupted: the batch was interrupted after 0 of 1 result"),
    ],
)
def test_an_interrupt_of_what_is_no_stream_is_one_line(
    kernel: Kernel, emulator: Emulator, tmp_path: Path, call: str, told: str
) -> None:
    emulator.configure(batch_polls=1000)
    if "images" in call:
        emulator.fail("stall", times=None)
    kernel.run(f"import g4f_lite; client, path = g4f_lite.Client(), {str(tmp_path / 'run.json')!r}")
    with interrupted(kernel, emulator, requests=1 if "images" in call else 3, seconds=0.3):
        (text,) = shown(kernel.run(call))
    assert text.startswith(told)
    assert len(text.splitlines()) == 1


PLAIN = "  *First* <b>line</b> $x$\n\n\n```\n\tcode \\\\ %\n```\n" + "word " * 50 + "漢字 🙂\nend"


def test_plain_text_is_exported_as_it_is(kernel: Kernel, emulator: Emulator) -> None:
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    emulator.answer(PLAIN)
    emulator.answer(PLAIN)
    cells = [kernel.run("%%chat -f text\nHi"), kernel.run("import g4f_lite\ng4f_lite.stream('Hi').show(plain=True)")]
    assert [shown(cell) for cell in cells] == [[f"{PLAIN}\n"]] * 2
    notebook = nbformat.v4.new_notebook(cells=cells)
    markdown, _ = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    assert markdown.count("".join(f"    {line}\n" for line in PLAIN.split("\n"))) == 2
    html, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert html.count(f"<pre>{escape(PLAIN, quote=False)}\n</pre>") == 2


def test_plain_text_can_be_captured(kernel: Kernel, emulator: Emulator) -> None:
    emulator.answer(PLAIN)
    kernel.run("%%capture captured\nimport g4f_lite\ng4f_lite.stream('Hi').show(plain=True)")
    assert shown(kernel.run("print(captured.stdout, end='')")) == [f"{PLAIN}\n"]


@pytest.mark.parametrize("call", ["g4f_lite.ask('')", "g4f_lite.ask(42)", "g4f_lite.ask('a', temprature=1)"])
def test_a_wrong_argument_shows_the_own_lines_only(kernel: Kernel, call: str) -> None:
    kernel.run("import g4f_lite")
    (text,) = shown(kernel.run(call))
    assert text.count("\n") < 8
    assert "g4f_lite/" not in text


def test_top_level_await_beside_it(kernel: Kernel, emulator: Emulator) -> None:
    """The event loop of the kernel runs before, after and beside the cell, and nothing is patched."""
    kernel.run("import asyncio\nticks = []\nbefore = asyncio.run, asyncio.get_running_loop().run_until_complete")
    kernel.run(
        "async def tick():\n    while True:\n        ticks.append(1)\n        await asyncio.sleep(0.01)\n"
        "task = asyncio.create_task(tick())\nawait asyncio.sleep(0.05)"
    )
    assert shown(kernel.run("%%chat\nHello")) == ["Hello"]
    kernel.run("n = len(ticks)\nawait asyncio.sleep(0.1)")
    cell = kernel.run("print(len(ticks) > n, before == (asyncio.run, asyncio.get_running_loop().run_until_complete))")
    assert shown(cell) == ["True True\n"]
    cell = kernel.run("import g4f_lite\nawait asyncio.sleep(0)\nprint(g4f_lite.ask('Hi'))\ntask.cancel()")
    assert shown(cell)[0] == "Hi\n"


def test_two_kernels_at_once(emulator: Emulator) -> None:
    emulator.configure(pace=0.02)

    async def talk(number: int) -> list[str]:
        kernel = Kernel()
        async with kernel.client.async_setup_kernel(env=environment_of(emulator)):
            await kernel.client.async_execute_cell(*kernel.add("%load_ext g4f_lite"))
            prompts = [f"%%chat\n{'word ' * 20}{number} {turn}" for turn in range(3)]
            return [shown(await kernel.client.async_execute_cell(*kernel.add(prompt)))[0] for prompt in prompts]

    async def both() -> list[list[str]]:
        return await asyncio.gather(talk(0), talk(1))

    assert asyncio.run(both()) == [[f"{'word ' * 20}{number} {turn}" for turn in range(3)] for number in (0, 1)]


def test_redraws_are_at_most_ten_a_second(kernel: Kernel, emulator: Emulator) -> None:
    """The display of each cell is updated when something changed, and not for each of its 100 pieces."""
    emulator.configure(pace=0.01)
    kernel.run(
        "import time\nfrom IPython.display import DisplayHandle\ndrawn = []\nplain = DisplayHandle.update\n"
        "def update(self, *args, **named):\n    drawn.append((time.monotonic(), args[0]['text/markdown']))\n"
        "    plain(self, *args, **named)\nDisplayHandle.update = update"
    )
    kernel.run(f"%%chat\n{'word ' * 100}")
    cell = kernel.run(
        "times = [t for t, _ in drawn]\nprint(len(drawn), len(drawn) == len({text for _, text in drawn}),"
        " min(b - a for a, b in zip(times[:-2], times[1:])))"
    )
    kernel.run("DisplayHandle.update = plain")
    (text,) = shown(cell)
    count, all_differ, shortest = text.split()
    assert 5 <= int(count) <= 30
    assert all_differ == "True"
    assert float(shortest) > 0.09


def test_code_goes_into_the_next_cell(kernel: Kernel, emulator: Emulator) -> None:
    emulator.answer("Use this:\n\n```python\nprint(1)\n```\n\nor\n\n```sh\nls\n```")
    payloads = []
    kernel.client.on_cell_executed = lambda cell, cell_index, execute_reply: payloads.append(execute_reply)
    cell = kernel.run("%%chat -f code\nPrint one")
    (payload,) = payloads[0]["content"]["payload"]
    assert payload == {"source": "set_next_input", "text": "print(1)", "replace": False}
    assert shown(cell) == ["Use this:\n\n\n```python\nprint(1)\n```\n\n\nor\n\n\n```sh\nls\n```\n\n"]


def test_an_error_shows_the_own_lines_only(kernel: Kernel, emulator: Emulator) -> None:
    emulator.fail("status", status=500)
    kernel.run("def summary():\n    import g4f_lite\n    return g4f_lite.ask('x', retry=None)")
    (text,) = shown(kernel.run("summary()"))
    assert text.count("\n") < 8
    assert "site-packages" not in text
    assert "g4f_lite/" not in text


def test_an_error_of_a_cell_does_not_repeat_its_prompt(kernel: Kernel, emulator: Emulator) -> None:
    emulator.fail("status", status=401)
    (text,) = shown(kernel.run("%%chat\n" + "a long prompt " * 100))
    assert text.startswith("AuthenticationError: ")
    assert "a long prompt" not in text


def test_a_model_that_cannot_be_chosen_is_one_line(kernel: Kernel) -> None:
    kernel.run("%chat model gpt-4")
    (text,) = shown(kernel.run("number = 1\n%chat model local:toy-9"))
    assert text.startswith("ModelNotSupportedError: Local: it has no model 'toy-9'")
    assert text.endswith(" (the model stays gpt-4)")


def test_prompts_hold_braces_and_dollars(kernel: Kernel, emulator: Emulator) -> None:
    kernel.run("name = 'Ada'")
    told = shown(kernel.run('%%chat\n{"a": "$name {name}"}'))
    assert told == ["{name} was sent as it is; -i replaces it\n", '&#123;"a": "$name &#123;name}"}']  # as it is drawn
    assert shown(kernel.run("%%chat -i\n{name} {{name}} {name[:2]} {name:>5}")) == ["Ada &#123;name} Ad   Ada"]
