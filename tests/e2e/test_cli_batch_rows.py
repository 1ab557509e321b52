"""``g4f-lite batch``: the values that rows have or lack, and the rows behind the first few."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .command import assert_refused, call

ROWS = '{"id": 1, "user": {"name": "Ada"}}\n{"id": 2}\n{"id": 3, "user": {"name": null}}\n'


@pytest.fixture
def command(here: list[str], tmp_path: Path) -> list[str]:
    (tmp_path / "in.jsonl").write_text(ROWS, encoding="utf-8")
    return ["batch", str(tmp_path / "in.jsonl"), "--workers", "1", *here]


def asked(emulator: Emulator) -> list[str]:
    """Give the prompts since this was called last, as they were sent."""
    found = [each.json()["messages"][-1]["content"] for each in emulator.requests if each.step == "prompt"]
    emulator.reset()
    return found


@pytest.mark.parametrize(
    ("empty", "prompts", "answers"),
    [
        ("skip", ["Ada 1"], ["Ada 1"]),
        ("keep", ["Ada 1"], ["Ada 1", None, None]),
        ("send", ["Ada 1", " 2", " 3"], ["Ada 1", " 2", " 3"]),
    ],
)
def test_what_a_line_lacks_is_an_empty_cell(
    emulator: Emulator, command: list[str], empty: str, prompts: list[str], answers: list[str | None]
) -> None:
    done = call(*command, "--prompt", "{user.name} {id}", "--empty", empty)
    assert asked(emulator) == prompts
    assert [json.loads(line)["answer"] for line in done.stdout.splitlines()] == answers
    assert done.stderr == ("" if empty == "send" else "Note: 2 empty rows not sent\n")


def test_what_a_line_lacks_is_an_error_that_names_the_option(emulator: Emulator, command: list[str]) -> None:
    words = "line 2: the column 'user.name' is missing; --empty skip leaves such rows out, keep writes them"
    assert_refused(call(*command, "--prompt", "{user.name} {id}"), words)
    assert asked(emulator) == []


@pytest.mark.parametrize(
    "options", [[], ["--empty", "skip"], ["--empty", "keep"], ["--empty", "send"], ["--head", "1"]]
)
def test_a_name_that_no_line_has_is_a_mistake(emulator: Emulator, command: list[str], options: list[str]) -> None:
    for name, there in (("user.nme", "user.name, id"), ("nme", "id, user")):
        words = f"in.jsonl, no line has a column {name!r} for the prompt; there are {there}\n"
        assert_refused(call(*command, "--prompt", f"{{id}} {{{name}}}", *options), words)
    assert asked(emulator) == []


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("in.csv", "text\none\ntwo\n \nthree\n", []),
        ("in.csv", "text\none\ntwo\nthree,3\n", []),
        ("in.csv", 'text\n""\none\ntwo\n \nthree\n', ["--empty", "skip"]),
        ("in.txt", "one\ntwo\n\nthree\n", []),
        ("in.jsonl", '{"text": "one"}\n{"text": "two"}\n{"id": 3}\n', []),
        ("in.jsonl", '{"text": "one"}\n{"text": "two"}\nthree\n', []),
        ("in.jsonl", '{"text": "one"}\n{"text": "two"}\n{"text": "", "answer": "x"}\n', []),
    ],
)
def test_only_the_first_few_have_to_be_right(
    emulator: Emulator, here: list[str], tmp_path: Path, name: str, content: str, options: list[str]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    column = "prompt" if name == "in.txt" else "text"
    command = ["batch", str(tmp_path / name), "-o", str(tmp_path / "out.csv"), "--workers", "1", *here]
    command += ["--prompt", f"{{{column}}}", *options]
    for number, prompts in ((1, ["one"]), (2, ["two"])):
        done = call(*command, "--head", str(number))
        assert (done.returncode, done.stderr) == (0, "")  # also where answers are stored
        assert ("1 empty row not sent" in done.stdout) is bool(options)
        assert asked(emulator) == prompts
    if not options:
        assert_refused(call(*command), f"{name}, line ")


def test_answers_to_rows_behind_one_that_is_wrong_are_none_to_other_questions(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    command = ["batch", str(source), "--prompt", "{text}", "--store", str(tmp_path / "answers.db"), *here]
    source.write_text("text\ntwo\nthree\n", encoding="utf-8")
    assert call(*command).returncode == 0
    source.write_text("text\none\n \ntwo\nthree\n", encoding="utf-8")
    assert call(*command, "--head", "1").stderr == ""
    source.write_text("text\nnew\n \ntwo\n", encoding="utf-8")
    assert "answers.db has 2 answers to other questions than these: " in call(*command, "--head", "1").stderr


def test_few_answers_to_other_questions_are_told_of_only_as_long_as_none_more_are_used(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    command = ["batch", str(source), "--prompt", "{text}", "--store", str(tmp_path / "answers.db"), *here]
    told = []
    for rows in ("first try", "one\ntwo", "one\ntwo\nthree"):  # as it goes on after an interrupt
        source.write_text(f"text\n{rows}\n", encoding="utf-8")
        told.append("to other questions" in call(*command).stderr)
    assert told == [False, True, False]


def test_a_table_has_what_only_later_lines_have(here: list[str], tmp_path: Path, command: list[str]) -> None:
    out, failed = tmp_path / "out.csv", tmp_path / "failed.csv"
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n{"id": 2, "text": "two"}\n', encoding="utf-8")
    command += ["-o", str(out), "--failed", str(failed), "--prompt", "{text}", "--empty", "keep"]
    assert call(*command).returncode == 0
    with out.open(newline="", encoding="utf-8") as file:
        assert [(row["id"], row["text"], row["answer"]) for row in csv.DictReader(file)] == [
            ("1", "", ""),
            ("2", "two", "two"),
        ]
    assert failed.read_text(encoding="utf-8").split() == ["id,text,call_error"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"id": 1, "prompt": "One?"}', '{"id": 2}'], "line 2: the column 'prompt' is missing; --empty skip"),
        (['{"text": "One?"}', '{"id": 2}'], "line 2: the column 'text' is missing; --empty skip"),
        (['{"id": 1}', '{"prompt": "Two?"}'], "line 2: there is a prompt, and the lines before have only 'id'; name"),
    ],
)
def test_all_lines_have_their_prompt_in_the_same_column(
    emulator: Emulator, here: list[str], tmp_path: Path, lines: list[str], words: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    assert_refused(call("batch", str(source), *here), words)
    assert asked(emulator) == []


def test_a_line_without_its_prompt_can_be_left_out(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1, "prompt": "One?"}\n{"id": 2}\n', encoding="utf-8")
    assert call("batch", str(source), *here, "--empty", "skip").returncode == 0
    assert asked(emulator) == ["One?"]
