"""The files of answers: what a row tells, and how many answers there are."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Answer, RefusalError, ServiceError, Usage
from g4f_lite.batch.answer_files import Writer, answers_in, check_names
from g4f_lite.batch.files import Row
from g4f_lite.batch.result import Result

ROW = Row({"id": "1"}, "one")
MET = {"provider": "Groq", "model": "big", "served_model": "big-2", "finish_reason": "length"}
CUT: Result[Any] = Result(0, "one", Answer("on", usage=Usage(3, 1, 4), **MET))
FAILED: Result[Any] = Result(1, "two", error=ServiceError("it failed", provider="Groq", status=503))


EMPTY: Result[Any] = Result(-1, None)  # of an empty row that is kept


def written(kind: str, rows: Sequence[Result[Any]] = (CUT, FAILED), **options: Any) -> str:
    file = io.StringIO()
    writer = Writer(file, kind, **options)
    for result in rows:
        writer.write(ROW, result)
    return file.getvalue()


def test_a_table_says_that_an_answer_was_cut_and_what_it_took() -> None:
    answer = "answer,error,finish_reason,refusal,prompt_tokens,completion_tokens"
    assert written("csv").splitlines() == [
        f"id,{answer},provider,model,served_model,error_type,status",
        "1,on,,length,,3,1,Groq,big,big-2,,",
        "1,,Groq: it failed,,,,,Groq,,,ServiceError,503",
    ]
    head = written("csv", delimiter=";", fields=["mood", "status"]).splitlines()[0]
    assert head.endswith(";completion_tokens;mood;status;provider;model;served_model;error_type")


def test_what_lines_of_json_nest_is_json_in_a_table_too() -> None:
    file = io.StringIO()
    Writer(file, "csv").write(Row({"meta": {"a": [1, "é"]}, "flag": True, "none": None, "half": 0.5}, "one"), CUT)
    assert file.getvalue().splitlines()[1].startswith('"{""a"": [1, ""é""]}",true,,0.5,on,,length,')


def test_a_line_says_who_answered_and_of_which_kind_an_error_is() -> None:
    cut, failed = map(json.loads, written("jsonl").splitlines())
    names = ("provider", "model", "served_model", "error_type", "status")
    assert [cut[name] for name in names] == ["Groq", "big", "big-2", None, None]
    assert [failed[name] for name in names] == ["Groq", None, None, "ServiceError", 503]


def test_each_line_has_the_same_keys_also_without_an_answer() -> None:
    refused: Result[Any] = Result(2, "three", error=RefusalError("no", partial="I cannot."), asked_model="big")
    assert refused.error is not None
    refused.error.usage = Usage(3, 2)  # type: ignore[attr-defined]
    lines = [json.loads(line) for line in written("jsonl", (CUT, FAILED, refused, EMPTY), is_json=True).splitlines()]
    assert len({tuple(line) for line in lines}) == 1
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert [lines[2][name] for name in ("refusal", "usage", "model")] == ["I cannot.", counts, "big"]
    assert {lines[3][name] for name in lines[3] if name != "id"} == {None}


def test_a_line_of_the_batch_api_has_the_model_that_answered() -> None:
    file = io.StringIO()
    Writer(file, "jsonl").write(Row({"custom_id": "a", "body": {}}, "one"), CUT)
    assert json.loads(file.getvalue())["response"]["body"]["model"] == "big-2"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_column_of_the_input_that_is_called_like_such_a_fact_stays(kind: str) -> None:
    file = io.StringIO()
    Writer(file, kind).write(Row({"model": "a car", "status": "sold"}, "one"), FAILED)
    row = next(csv.DictReader(io.StringIO(file.getvalue()))) if kind == "csv" else json.loads(file.getvalue())
    assert (row["model"], row["status"], row["error_type"]) == ("a car", "sold", "ServiceError")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("is_json", [False, True])
def test_a_column_that_an_answer_would_replace_is_refused(kind: str, is_json: bool) -> None:
    """What the answers write is what is refused; facts that give way to a column are not."""
    options: dict[str, Any] = {"fields": ["mood"] if is_json else [], "is_json": is_json}
    names = [*written("csv").splitlines()[0].split(","), *json.loads(written("jsonl").splitlines()[0])]
    for name in {*names, "mood", "output", "text"}:
        file = io.StringIO()
        Writer(file, kind, **options).write(Row({name: "mine"}, "one"), CUT)
        row = next(csv.DictReader(io.StringIO(file.getvalue()))) if kind == "csv" else json.loads(file.getvalue())
        if row[name] == "mine":
            check_names([Row({name: "mine"}, "one")], kind, **options)
        else:
            with pytest.raises(ValueError, match=f"^a column is called {name!r}, as one of the answers would be"):
                check_names([Row({name: "mine"}, "one")], kind, **options)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_all_that_is_said_about_an_answer_can_have_a_prefix(kind: str) -> None:
    """The output of one batch is the input of the next, and stays as it is there."""
    options: dict[str, Any] = {"fields": ["mood"], "is_json": True}

    def rows(file: str) -> list[dict[str, Any]]:
        lines = file.splitlines()
        return list(csv.DictReader(lines)) if kind == "csv" else [json.loads(line) for line in lines]

    earlier = rows(written(kind, **options))
    file = io.StringIO()
    check_names([Row(values, "again") for values in earlier], kind, **options, prefix="b_")
    writer = Writer(file, kind, **options, prefix="b_")
    for values, result in zip(earlier, (CUT, FAILED), strict=True):
        writer.write(Row(values, "again"), result)
    for before, after in zip(earlier, rows(file.getvalue()), strict=True):
        assert after == before | {f"b_{name}": value for name, value in before.items() if name != "id"}
    again = [Row(values, "again") for values in rows(file.getvalue())]
    with pytest.raises(ValueError, match=r"^columns are called 'b_answer', .* or pass another prefix=, so"):
        check_names(again, kind, **options, prefix="b_")


def test_lines_of_the_batch_api_have_no_prefix() -> None:
    rows = [ROW, Row({"custom_id": "a", "body": {}}, "one")]
    with pytest.raises(
        ValueError, match=r"Batch API have a form of their own, without a prefix; leave out prefix=, or"
    ):
        check_names(rows, "jsonl", [], prefix="b_")
    check_names(rows, "jsonl", [])
    check_names(rows, "csv", [], prefix="b_")


def test_a_table_has_the_columns_of_all_rows() -> None:
    file = io.StringIO()
    writer = Writer(file, "csv", columns=["id", "status"])
    for values in ({"id": "1"}, {"id": "2", "status": "sold"}):
        writer.write(Row(values, "one"), FAILED)
    found = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["id"], row["status"], row["error"]) for row in found] == [
        ("1", "", "Groq: it failed"),
        ("2", "sold", "Groq: it failed"),
    ]


def test_all_such_columns_are_named_at_once() -> None:
    row = Row({"answer": "a", "id": "1", "refusal": ""}, "one")
    with pytest.raises(ValueError, match=r"^columns are called 'answer', 'refusal', as those .* or pass prefix=, so"):
        check_names([row, row], "csv", [])


def test_a_table_has_no_column_of_a_schema_twice() -> None:
    with pytest.raises(ValueError, match="the schema has 'refusal', as a column beside the answers is called"):
        check_names([ROW], "csv", ["refusal"], is_json=True)
    check_names([ROW], "jsonl", ["refusal"], is_json=True)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_the_answers_in_a_file_are_counted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    assert answers_in(path, kind) == 0
    path.touch()
    assert answers_in(path, kind) == 0
    path.write_text(written(kind, rows=(CUT, FAILED, EMPTY)), encoding="utf-8", newline="")
    assert answers_in(path, kind) == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_answers_of_an_earlier_batch_are_not_counted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    file = io.StringIO()
    writer = Writer(file, kind, prefix="b_")
    for result in (CUT, FAILED, EMPTY):
        writer.write(Row({"answer": "mine", "error": None, "response": "theirs"}, "one"), result)
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    assert answers_in(path, kind, prefix="b_") == 1
    with pytest.raises(ValueError, match="has something else than the answers of a batch"):
        answers_in(path, kind, prefix="c_")


def test_what_json_has_no_word_for_is_null() -> None:
    answer = Answer('{"x": 1e999}', usage=Usage(1, 2, 3, extra={"queue": math.inf}))
    (line,) = written("jsonl", [Result(0, "one", answer, answer)], is_json=True).splitlines()
    told = json.loads(line, parse_constant=pytest.fail)
    assert (told["output"], told["usage"]["extra"], told["answer"]) == ({"x": None}, {"queue": None}, answer)


def test_a_long_answer_is_counted(tmp_path: Path) -> None:
    csv.field_size_limit(128 * 1024)
    path = tmp_path / "out"
    path.write_text(f"id,answer,error\n1,{'x' * 200_000},\n", encoding="utf-8")
    assert answers_in(path, "csv") == 1


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "id,answer\n1,mine\n"),
        ("csv", '"'),
        ("jsonl", '{"answer": "mine"}'),
        ("jsonl", "text"),
        ("jsonl", json.dumps(["answer", "error"])),
    ],
)
def test_a_file_of_something_else_is_told(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / "out"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="has something else than the answers of a batch"):
        answers_in(path, kind)
