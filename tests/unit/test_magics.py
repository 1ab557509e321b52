"""``%%chat`` and ``%chat`` in IPython, without a kernel."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from g4f_lite import Answer, OutputError, RateLimitError
from g4f_lite.testing import Scripted

from .magic_cells import run, sent, shell_with_magics, start_shell  # noqa: F401  fixtures


def test_the_cell_is_the_prompt_and_its_value_the_answer(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    g4f_scripted.queue("It is blue.")
    answer = run(shell, "%%chat -o sky\nWhy is\nthe sky blue?\n")
    assert capsys.readouterr().out.count("It is blue.") == 1
    assert sent(g4f_scripted) == [["Why is\nthe sky blue?"]]
    assert type(answer) is Answer
    assert answer == "It is blue."
    assert shell.user_ns["sky"] is answer
    assert run(shell, "_") is answer


def test_a_string_that_looks_like_a_cell_stays_as_it_is(shell: InteractiveShell) -> None:
    text = "Example:\n%%chat\nWhy is the sky blue?\n%%chat -m groq\n%chat model?\n"
    assert run(shell, f'doc = """{text}"""\ndoc') == text


def test_the_conversation_lives_between_cells(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("A", "B", "C")
    run(shell, "%chat system Be brief.")
    run(shell, "%%chat\na")
    run(shell, "%%chat\nb")
    run(shell, "%chat system Be long.")
    run(shell, "%%chat\nc")
    assert sent(g4f_scripted) == [
        ["Be brief.", "a"],
        ["Be brief.", "a", "A", "b"],
        ["Be long.", "a", "A", "b", "B", "c"],
    ]
    history = run(shell, "%chat history")
    assert [message["content"] for message in history] == ["Be long.", "a", "A", "b", "B", "c", "C"]
    assert history._repr_markdown_().startswith("**system**\n\nBe long.\n\n**user**\n\na\n\n**assistant**\n\nA")
    run(shell, "%chat reset")
    assert run(shell, "%chat history") == [{"role": "system", "content": "Be long."}]
    assert run(shell, "%chat system") == "Be long."


def test_a_history_is_as_harmless_as_an_answer(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("<script>")
    run(shell, "%%chat\n![x](http://e.test/)")
    assert run(shell, "%chat history")._repr_markdown_() == (
        "**user**\n\n[x](http://e.test/)\n\n**assistant**\n\n&lt;script>"
    )
    run(shell, "%chat reset")
    assert run(shell, "%chat history")._repr_markdown_() == "*no messages yet*"


def test_a_failure_keeps_the_part_and_not_the_turn(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue(RateLimitError("slow down"), ["so ", "far", RateLimitError("slow down")])
    for _ in range(2):
        with pytest.raises(RateLimitError):
            run(shell, "%%chat -o part\na")
    assert shell.user_ns["part"] == "so far"


def test_an_interrupt_keeps_the_part(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    g4f_scripted.queue(["so ", "far", KeyboardInterrupt()], [KeyboardInterrupt()], "then")
    with pytest.raises(KeyboardInterrupt) as caught:
        run(shell, "%%chat -o part\na")
    assert shell.user_ns["part"] == caught.value.partial == "so far"
    assert capsys.readouterr().out.splitlines() == [
        "so farAnswerInterrupted: the answer was interrupted; what had arrived is in part"
    ]
    with pytest.raises(KeyboardInterrupt):
        run(shell, "%%chat -o nothing\nb")
    assert "nothing" not in shell.user_ns
    run(shell, "%%chat\ngo on")
    assert sent(g4f_scripted)[-1] == ["a", "so far", "go on"]


@pytest.mark.parametrize("as_written", ['"dict[str, int]"', "'dict[str, int]'", "dict[str, int]", "dict[str,int]"])
def test_a_type_gives_a_value(shell: InteractiveShell, g4f_scripted: Scripted, as_written: str) -> None:
    pytest.importorskip("msgspec", reason="msgspec is not installed")
    run(shell, "from dataclasses import dataclass\n@dataclass\nclass Person:\n    name: str\n    age: int")
    g4f_scripted.queue('{"name": "Ada", "age": 36}', '{"Ada": 36}', "36")
    ada = run(shell, "%%chat -s Person -o ada\nWho wrote the first program?")
    assert ada == shell.user_ns["Person"]("Ada", 36)
    assert shell.user_ns["ada"] is ada
    assert run(shell, f"%%chat -s {as_written} -o ages\nAnd as a dict?") == {"Ada": 36}
    with pytest.raises(OutputError):
        run(shell, "%%chat -s Person -o part\nAgain")
    assert shell.user_ns["part"] == "36"
    assert [message["role"] for message in run(shell, "%chat history")] == ["user", "assistant"] * 2


TURNS = "\u202e } \u2066if ok\u2069"  # shows what is behind the sign of a comment as code
ANSWER = "First\n\n```python\nprint(1)\n```\n\nthen\n\n```\nls\n```\n\n~~~PY\nprint(2)\n~~~"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ANSWER, "print(1)\n\nprint(2)"),
        ("```\nprint(3)\n```", "print(3)"),
        ("```sh\nls\n```", None),
        ("no code", None),
        ('```python\n"""\n    ```\n    f()\n    ```\n"""\nf()\n```', '"""\n    ```\n    f()\n    ```\n"""\nf()'),
        (f"```\nif a:\n\tb = 'c' #{TURNS} \x1b[2J\n```", "if a:\n\tb = 'c' #\ufffd } \ufffdif ok\ufffd \ufffd[2J"),
    ],
)
def test_code_goes_into_the_next_cell(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str], answer: str, code: str | None
) -> None:
    g4f_scripted.queue(answer)
    offered: list[str] = []
    shell.set_next_input = lambda text, replace=False: offered.append(text)
    assert run(shell, "%%chat -f code\nwrite") == answer
    assert offered == ([] if code is None else [code])
    assert ("The answer has no Python code." in capsys.readouterr().out) is (code is None)


def test_braces_and_dollars_are_the_prompts_own(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue(*"abc")
    shell.user_ns["name"] = "Ada {name}"
    prompt = '{"name": "$name {name}"}'
    run(shell, f"%%chat\n{prompt}")
    run(shell, "%%chat -i\nI am {name}, {len(name)}, {{name}}")
    assert [call.prompt for call in g4f_scripted.calls] == [prompt, "I am Ada {name}, 10, {name}"]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("How long is {x}?", "{x}"),
        ("How long are {x:.1f} miles, and {y}?", "{x:.1f}"),
        ("Sort {sorted(rows)[:3]!r}", "{sorted(rows)[:3]!r}"),
        ("{', '.join(word for word in rows)}", "{', '.join(word for word in rows)}"),
        ("'{x=}'", "{x=}"),
        ("{y} and {json} and {x + y}", None),  # not defined, a module, and not all of it defined
        ("{len} {id} {In} {1 + 1}", None),
        ('{"x": 1} and {"rows": [1, 2], "of": "x"}', None),
        ("{x: 1} and {x, rows} and {}", None),
        (r"\\frac{x}{x} + a^{x} + a_{x} and ${x} and {{x}} and {{ x }}", None),
        ("int f() {\n  return x;\n} g() { x = 1; } {return x}", None),
    ],
)
def test_braces_that_name_a_variable_are_told_where_interpolation_is_forgotten(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str], prompt: str, told: str | None
) -> None:
    g4f_scripted.queue("a", "b")
    run(shell, "x, rows = 7, ['Ada']\nimport json")
    run(shell, f"%%chat\n{prompt}")
    assert capsys.readouterr().err == ("" if told is None else f"{told} was sent as it is; -i replaces it\n")
    assert g4f_scripted.calls[0].prompt == prompt
    run(shell, "%%chat -i\n{x}")
    assert capsys.readouterr().err == ""


@dataclass
class Rows:
    """What has attributes, as a DataFrame."""

    stars: list[int]

    def mean(self) -> float:
        return sum(self.stars) / len(self.stars)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("{rows.mean():.2f} stars", "3.67 stars"),
        ("{count:,}", "1,234,567"),
        ("Hi {name:>5}|{name:<5}|", "Hi   Ada|Ada  |"),
        ("{name!r}", "'Ada'"),
        ("{name!r:<7}|", "'Ada'  |"),
        ("{count=}", "count=1234567"),
        ("Now{ count = }", "Now count = 1234567"),
        ("{count=:,}", "count=1,234,567"),
        ("{name=} {name=!s}", "name='Ada' name=Ada"),
        ("{name:{width}}|", "Ada   |"),
        ("{rows.stars[1:]}", "[4, 5]"),
        ("{rows.stars[1:][0]:02}", "04"),
        ("{{1: 2}}", "{1: 2}"),
        ("{ {1: 2}[1] }", "2"),
        ("{{{name}}}", "{Ada}"),
        ("{count == 1} {count != 1} {count <= 1}", "False True False"),
        ("{name if count != 1 else 2}", "Ada"),
        ("{max(rows.stars, key=lambda star: -star)}", "2"),
        ('{"\\n".join(map(str, rows.stars))}', "2\n4\n5"),
        ('{"}:!r=".join("ab")}', "a}:!r=b"),
        ("{(\n    name,\n)}", "('Ada',)"),
        ("{braces}", "{name}"),
        ("{day:%d.%m.%Y}", "01.02.2026"),
        ("no braces", "no braces"),
    ],
)
def test_expressions_are_those_of_an_f_string(
    shell: InteractiveShell, g4f_scripted: Scripted, written: str, sent: str
) -> None:
    rows, day = Rows([2, 4, 5]), datetime.date(2026, 2, 1)
    shell.user_ns.update(rows=rows, count=1234567, name="Ada", width=6, braces="{name}", day=day)
    run(shell, f"%%chat -i\n{written}")
    assert g4f_scripted.calls[0].prompt == sent


def test_a_table_that_pandas_shortens_is_told(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    pandas = pytest.importorskip("pandas")
    shell.user_ns.update(
        long=pandas.DataFrame({"n": range(70)}),
        wide=pandas.DataFrame({f"c{number}": [number] for number in range(30)}),
        texts=pandas.Series(["word " * 30]),
        short=pandas.DataFrame({"n": [1, 2], "text": ["...", ".."]}),
    )
    with pandas.option_context("display.max_columns", 20, "display.max_colwidth", 50, "display.max_rows", 60):
        run(shell, "%%chat -i\n{short} {long.to_csv()} {len(long)}")
        assert capsys.readouterr().err == ""
        run(shell, "%%chat -i\n{long} {wide!s} {texts} {long[long.n > 2]}")
    assert capsys.readouterr().err == (
        "{long} was shortened by pandas; {long.to_csv()} is the whole table\n"
        "{wide} was shortened by pandas; {wide.to_csv()} is the whole table\n"
        "{texts} was shortened by pandas; {texts.to_csv()} is the whole table\n"
        "{long[long.n > 2]} was shortened by pandas; {(long[long.n > 2]).to_csv()} is the whole table\n"
    )


TWICE = "; braces that are part of the prompt are written twice, {{ and }}"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{nothing}", f"-i {{nothing}}: NameError: name 'nothing' is not defined{TWICE}"),
        ("{\n  nothing:,}", f"-i {{ nothing:,}}: NameError: name 'nothing' is not defined{TWICE}"),
        ('{"median": number}', f'-i {{"median": number}}: this is not an expression{TWICE}'),
        ('{"count":10}', f'-i {{"count":10}}: this is not an expression{TWICE}'),
        ("{}", f"-i {{}}: this is not an expression{TWICE}"),
        ("a { b", f"-i {{ b: this is not an expression{TWICE}"),
        (
            "{1 +} of all of them, and much else, and more",
            f"-i {{1 +}} of all of them, and much else,…: this is not an expression{TWICE}",
        ),
        ("{name:>10", f"-i {{name:>10: this is not an expression{TWICE}"),
        ("a } b", f"-i: a closing brace has no opening one{TWICE}"),
        ("{1 / 0}", "-i {1 / 0}: ZeroDivisionError: division by zero"),
        ("{{}} {empty['a']}", "-i {empty['a']}: KeyError: 'a'"),
        ("{name:,}", "-i {name:,}: ValueError: Cannot specify ',' with 's'."),
    ],
)
def test_what_cannot_be_replaced_is_quoted(
    shell: InteractiveShell, g4f_scripted: Scripted, written: str, message: str
) -> None:
    shell.user_ns.update(name="Ada", empty={})
    with pytest.raises(UsageError) as caught:
        run(shell, f"%%chat -i\n{written}")
    assert str(caught.value) == message
    assert g4f_scripted.calls == []


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%chat What is the sky", "%%chat"),
        ("%chat What is the sky?", "%%chat"),
        ("%chat", "%%chat"),
        ("%chat reset now", "^%chat reset"),
        ("%chat sytem Be brief.", "^did you mean %chat system\\? %chat reset"),
        ("%%chat What is\nthe sky?", "unrecognized arguments: What is; the prompt goes below the line"),
        ("%%chat -p ollama\nWhat?", "unrecognized arguments: -p ollama; a provider is given as -m ollama"),
        ("%%chat --client c\nWhat?", "unrecognized arguments: --client c; a client is given as -m c"),
        ("%%chat --modle x\nWhat?", "unrecognized arguments: --modle x; did you mean --model\\?"),
        ("%%chat -x y\nWhat?", "-x y; the prompt goes below the line, and %%chat --help lists the options"),
        ("%%chat What is the sky?", "unrecognized arguments: What is the sky\\?; the prompt goes below the line"),
        # IPython splits a line as the system's shell does, and that of Windows closes the quotation.
        (
            "%%chat -s 'list[int\na",
            "No closing quotation; the prompt goes below|unterminated string|this is not a type",
        ),
        ("%%chat -f html\na", "invalid choice: 'html'"),
        ("%%chat -o 1st\na", "-o needs the name of a variable, not '1st'"),
        ("%%chat -o class\na", "-o needs the name of a variable, not 'class'"),
        ("%%chat -s Persn\na", "-s Persn: name 'Persn' is not defined; try Person$"),
        ("%%chat -s Literal[1, 2]\na", "name 'Literal' is not defined; try from typing import Literal$"),
        ("%%chat -s int What is\na", "-s int What is: this is not a type; the prompt goes below the line"),
        ("%%chat -s 3\na", "3"),
        ("%%chat -s int -f code\na", "-s gives a value and -f code a text; leave one of them out"),
        ("%%chat -i\n{''}", "prompt is blank"),
        ("%%chat\n \n", "the prompt is blank"),
        ("%%chat", "the prompt is blank; it goes below %%chat, which is the first line of its cell"),
        ("%%chat -m $nobody\na", "-m \\$nobody: nobody is not a variable with a provider, a Client or a Conversation"),
        ("%chat model {reset}", "reset is not a variable"),
    ],
)
def test_wrong_usage_sends_nothing(shell: InteractiveShell, g4f_scripted: Scripted, cell: str, message: str) -> None:
    shell.user_ns["Person"] = type("Person", (), {})
    with pytest.raises(UsageError, match=message):
        run(shell, cell)
    assert g4f_scripted.calls == []


def test_a_question_mark_ends_a_system_message_and_asks_for_help_elsewhere(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%chat system Do you answer in one word?")
    assert run(shell, "%chat system") == "Do you answer in one word?"
    run(shell, "%chat?")
    assert "run_line_magic" not in capsys.readouterr().out


def test_help(shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    for cell in ("%%chat --help", "%%chat -h\nHello"):
        run(shell, cell)
        assert capsys.readouterr().out.startswith("%%chat [-m MODEL]")
    run(shell, "%chat --help")
    assert capsys.readouterr().out.startswith("Change or show the conversation of %%chat:\n\n    %chat reset\n")
    assert g4f_scripted.calls == []


def test_ways_back(shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    g4f_scripted.queue("A", "B", "C")
    run(shell, "%chat model large")
    run(shell, "%chat system Be brief.")
    run(shell, "%%chat\na")
    run(shell, "%%chat\nb")
    run(shell, "%chat undo")
    run(shell, "%chat model default")
    assert run(shell, "%chat model") is None
    run(shell, "%%chat\nc")
    assert sent(g4f_scripted)[-1] == ["Be brief.", "a", "A", "c"]
    assert g4f_scripted.calls[-1].model is None
    run(shell, "%chat system none")
    assert run(shell, "%chat system") is None
    capsys.readouterr()
    for _ in range(2):
        run(shell, "%chat undo")
    assert capsys.readouterr().out == "Taken back, with its answer: c\nTaken back, with its answer: a\n"
    with pytest.raises(UsageError, match="there is no question to take back"):
        run(shell, "%chat undo")


def test_loading_again_starts_a_new_conversation(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    run(shell, "%%chat\nHello")
    run(shell, "%reload_ext g4f_lite")
    assert run(shell, "%chat history") == []
    assert run(shell, "%%chat\nHello") == "This is a scripted answer."


PNG = b"\x89PNG\r\n\x1a\n rest"


def test_images_are_sent_with_the_cell(shell: InteractiveShell, g4f_scripted: Scripted, tmp_path: Path) -> None:
    g4f_scripted.queue("A cat.", "Two.", "Text.")
    path = tmp_path / "the cat.png"
    path.write_bytes(PNG)
    shell.user_ns.update(cat=PNG, where=path)
    run(shell, "%%chat --image cat\nWhat is it?")
    run(shell, f'%%chat --image {{where}} --image "{path}"\nAnd these?')  # Windows groups by no other quotes
    kinds = [[part["type"] for part in call.messages[-1]["content"]] for call in g4f_scripted.calls]
    assert kinds == [["text", "image_url"], ["text", "image_url", "image_url"]]
    assert run(shell, "%chat history")._repr_markdown_() == (
        "**user**\n\nWhat is it?\n\n*(1 image)*\n\n**assistant**\n\nA cat.\n\n"
        "**user**\n\nAnd these?\n\n*(2 images)*\n\n**assistant**\n\nTwo."
    )
    with pytest.raises(UsageError, match=r"nosuch\.png"):
        run(shell, "%%chat --image nosuch.png\nWhat is it?")
    assert len(g4f_scripted.calls) == 2
