"""How an answer, an image, an error and a download show themselves in a notebook."""

from __future__ import annotations

import base64
import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import (
    AnswerStream,
    Client,
    Finish,
    G4FLiteError,
    ImageResponse,
    RateLimitError,
    Reasoning,
    StreamInterruptedError,
)
from g4f_lite.answers.display import LiveOutput
from g4f_lite.answers.images import FetchLimit
from g4f_lite.answers.interruption import AnswerInterrupted
from g4f_lite.providers.local.progress import ProgressCell, noted, progress_shown
from g4f_lite.testing import Scripted

from .notebook_cell import Notebook, open_notebook  # noqa: F401  a fixture
from .services import PIXEL


def answer_of(*deltas: Any) -> AnswerStream:
    return Scripted(list(deltas)).create_generator(messages="Hello")


def test_an_output_is_drawn_when_it_changed_and_ten_times_a_second(notebook: Notebook) -> None:
    content = [""]
    with LiveOutput() as output:
        for _ in range(30):
            content.append("a")
            output.draw(lambda: "".join(content))
            notebook.advance(0.01)
        notebook.advance(5)
        output.draw(lambda: "".join(content))
        notebook.advance(5)
    lengths = [len(str(text)) for _, text in notebook.drawn]
    assert lengths == [1, 10, 20, 30]
    assert {number for number, _ in notebook.drawn} == {1}


def test_the_end_draws_what_came_last_and_nothing_twice(notebook: Notebook) -> None:
    with LiveOutput() as output:
        output.draw(lambda: "a")
        output.draw(lambda: "ab")
    assert notebook.drawn == [(1, "a"), (1, "ab")]
    assert notebook.timers == []
    with LiveOutput() as output:
        output.draw(lambda: "")
    assert len(notebook.drawn) == 2


def test_a_silence_does_not_hold_back_what_came_before_it(notebook: Notebook) -> None:
    output = LiveOutput()
    output.draw(lambda: "a")
    notebook.advance(0.05)
    output.draw(lambda: "ab")
    notebook.advance(0.05)
    assert notebook.drawn == [(1, "a"), (1, "ab")]


def test_show_is_one_output_that_grows(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer_of("a", "<b>").show() == "a<b>"
    assert notebook.drawn == [(1, "a"), (1, "a&lt;b>")]
    assert capsys.readouterr().out == ""


def test_a_program_that_renders_nothing_gets_the_text_itself(notebook: Notebook) -> None:
    answer_of("It costs $5", ", not $6, <b>!\x1b").show()
    dollar = "<span>&#36;</span>"
    assert notebook.drawn[-1] == (1, f"It costs {dollar}5, not {dollar}6, &lt;b>!\N{REPLACEMENT CHARACTER}")
    assert notebook.plain == "It costs $5, not $6, <b>!\N{REPLACEMENT CHARACTER}"


def test_show_plain_prints_what_no_notebook_obeys(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answer_of("a *b* <b>", "\x1b[31mred").show(plain=True)
    assert answer == "a *b* <b>\x1b[31mred"
    assert capsys.readouterr().out == "a *b* <b>\N{REPLACEMENT CHARACTER}[31mred\n"
    assert notebook.drawn == []
    assert answer._ipython_display_() is None


def test_reasoning_is_folded_away_in_an_output_of_its_own(notebook: Notebook) -> None:
    answer = answer_of(Reasoning("Is <b>it</b>\n\n$"), Reasoning("blue?"), "It ", "is.").show()
    folded = "<details><summary>Thoughts</summary>Is &#60;b&#62;it&#60;&#47;b&#62;<br><br>&#36;blue&#63;</details>"
    assert [text for number, text in notebook.drawn if number == 1] == [
        "<details><summary>Thinking …</summary></details>",
        folded,
    ]
    assert [text for number, text in notebook.drawn if number == 2] == ["It ", "It is."]
    assert answer._repr_markdown_() == f"{folded}\n\nIt is."


def test_an_answer_that_was_cut_stays_with_its_reasoning(notebook: Notebook) -> None:
    with pytest.raises(StreamInterruptedError):
        answer_of("a", Reasoning("b"), StreamInterruptedError("cut")).show()
    assert notebook.drawn[-1] == (2, "<details><summary>Thoughts</summary>b</details>")


def test_an_image_is_shown_by_its_bytes_and_no_browser_fetches_it(notebook: Notebook) -> None:
    far = ImageResponse("https://pictures.test/a.png", alt="a cat", data=PIXEL)
    gone = ImageResponse("https://pictures.test/b.png", alt="a dog")
    near = ImageResponse(f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}", alt="a bird")
    answer_of("See: ", far, gone, near).show()
    links = "See: [a cat](https://pictures.test/a.png)[a dog](https://pictures.test/b.png)"
    assert notebook.drawn[-2:] == [(1, f"{links}{near}"), (2, far)]
    answer = answer_of(near).show()
    assert notebook.drawn[-1] == (3, answer._repr_markdown_()) == (3, str(near))


def test_images_without_an_end_are_not_all_shown(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.answers.display.FetchLimit", lambda: FetchLimit(size=2 * len(PIXEL)))
    images = [ImageResponse(f"https://pictures.test/{number}.png", data=PIXEL) for number in range(5)]
    answer_of(*images).show()
    assert [shown for _, shown in notebook.drawn if isinstance(shown, ImageResponse)] == images[:2]


def test_an_image_that_cannot_be_fetched_is_a_link() -> None:
    shown = ImageResponse("https://pictures.test/b.png", alt="a dog")._repr_mimebundle_()
    assert shown["text/markdown"] == "[a dog](https://pictures.test/b.png)"
    assert shown["text/plain"] == "ImageResponse(['https://pictures.test/b.png'], alt='a dog')"


@pytest.mark.parametrize("kernel", [object(), None])
def test_an_answer_that_was_shown_is_not_shown_again_as_the_cells_result(
    notebook: Notebook, kernel: object | None
) -> None:
    notebook.kernel = kernel
    shown = answer_of("a").show()
    in_a_file = answer_of("a").show(io.StringIO())
    whole = answer_of("a").text()
    assert shown._ipython_display_() is None
    for answer in (in_a_file, whole):
        with pytest.raises(NotImplementedError):  # IPython goes on to its other ways
            answer._ipython_display_()
    notebook.execution_count = 2
    with pytest.raises(NotImplementedError):
        shown._ipython_display_()
    assert shown._repr_markdown_() == "a"


def test_an_error_shows_the_callers_own_lines() -> None:
    def summary() -> None:
        answer_of(RateLimitError("slow down")).text()

    with pytest.raises(G4FLiteError) as caught:
        summary()
    *frames, message = caught.value._render_traceback_()
    assert message == "RateLimitError: Scripted, stream: slow down"
    assert ["test_display.py" in frame for frame in frames] == [True, True]
    assert "answer_of(RateLimitError" in frames[-1]


def test_an_error_shows_few_lines_of_a_deep_stack() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        answer_of(RateLimitError("slow down")).text()

    with pytest.raises(G4FLiteError) as caught:
        deep(30)
    assert "".join(caught.value._render_traceback_()).count("\n") < 20


def test_a_download_is_shown_in_the_cell(notebook: Notebook) -> None:
    progress = progress_shown()
    assert isinstance(progress, ProgressCell)
    for here in (0, 50_000_000, 60_000_000, 100_000_000):
        progress(here, 100_000_000)
        notebook.advance(0.04)
    progress.end()
    texts = [str(text).partition(",")[0] for _, text in notebook.drawn]
    assert texts == [f"Downloading the model: {here} of 100 MB" for here in (0, 60, 100)]


def test_a_download_by_another_program_is_shown_in_the_cell(notebook: Notebook) -> None:
    with noted(98_000_000):
        assert notebook.drawn == [(1, "Downloading the model: 0 of 98 MB")]
        notebook.advance(1)
    assert str(notebook.drawn[-1][1]).startswith("Downloading the model: 98 of 98 MB")
    notebook.kernel = None
    drawn = len(notebook.drawn)
    with noted(98_000_000):
        pass
    assert len(notebook.drawn) == drawn


def test_an_interrupted_download_is_one_line(notebook: Notebook) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, noted(98_000_000):
        raise KeyboardInterrupt
    line = "Interrupted: the download of the model was interrupted; run the cell again"
    assert caught.value._render_traceback_() == [line]  # type: ignore[attr-defined]
    assert notebook.drawn[-1] == (1, "Downloading the model: interrupted")
    notebook.kernel = None
    with pytest.raises(KeyboardInterrupt) as caught, noted(98_000_000):
        raise KeyboardInterrupt
    assert type(caught.value) is KeyboardInterrupt


@pytest.mark.parametrize("kernel", [object(), None])
def test_an_answer_that_was_read_is_shown_again(
    notebook: Notebook, kernel: object | None, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.kernel = kernel
    stream = answer_of("It ", "is.", Finish("stop"))
    assert stream.text() == "It is."
    for _ in range(2):
        assert stream.show() == "It is."
    printed = capsys.readouterr().out
    shown = printed.splitlines() if kernel is None else [text for _, text in notebook.drawn]
    assert shown == ["It is.", "It is."]


@pytest.mark.parametrize("read", [AnswerStream.text, AnswerStream.show, AnswerStream.start, list])
def test_an_interrupt_in_a_notebook_is_one_line_with_the_part(
    notebook: Notebook, read: Callable[[AnswerStream], object]
) -> None:
    pieces = [] if read is AnswerStream.start else ["It ", "is"]
    with pytest.raises(AnswerInterrupted) as caught:
        read(answer_of(*pieces, KeyboardInterrupt()))
    assert caught.value.partial == "".join(pieces)
    where = "; what had arrived is in _interrupted" if pieces else ""
    assert caught.value._render_traceback_() == [f"AnswerInterrupted: the answer was interrupted{where}"]


def test_an_interrupt_while_the_answer_is_drawn_has_the_part(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["IPython.display"], "display", interrupted)
    with pytest.raises(AnswerInterrupted) as caught:
        answer_of("It ", "is").show()
    assert caught.value.partial == "It "


def test_an_interrupt_elsewhere_stays_as_it_is() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        answer_of("It ", KeyboardInterrupt()).show()
    assert type(caught.value) is KeyboardInterrupt


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.ask(""),
        lambda client: client.ask(42),
        lambda client: client.stream("Hello", timeout="soon"),
        lambda client: client.map(["one", None]),
        lambda client: client.conversation().ask(42),
        lambda client: client.conversation().stream(""),
    ],
)
def test_a_wrong_argument_shows_the_callers_own_lines(notebook: Notebook, call: Callable[[Client], object]) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        call(Client(Scripted()))
    lines = caught.value._render_traceback_()  # type: ignore[union-attr]
    assert lines[-1] == f"{type(caught.value).__name__}: {caught.value}"
    assert {line.split(",")[0] for line in lines[:-1]} == {f'  File "{__file__}"'}
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_wrong_argument_is_a_plain_error_elsewhere() -> None:
    with pytest.raises(TypeError) as caught:
        Client(Scripted()).ask(42)  # type: ignore[call-overload]
    assert not hasattr(caught.value, "_render_traceback_")
