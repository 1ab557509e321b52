"""``g4f-lite batch``: files in and out, and how one goes on."""

from __future__ import annotations

import csv
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.batch.results import BatchResults
from g4f_lite.cli import batch_report
from g4f_lite.emulator import Emulator

from .command import INTERRUPTED, SECONDS, assert_failed, assert_refused, call, start


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def prompts(emulator: Emulator) -> list[str]:
    return sorted(
        request.json()["messages"][-1]["content"] for request in emulator.requests if request.step == "prompt"
    )


def test_a_text_file_has_a_prompt_in_each_line(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo \N{SNOWMAN}\n\n\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), *here)
    told = f"2 answered, 0 failed; 3 tokens of prompts and 3 of answers; kept in {tmp_path / 'out.jsonl.store'}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
    out = lines(tmp_path / "out.jsonl")
    assert [(line["prompt"], line["answer"], line["error"]) for line in out] == [
        ("one", "one", None),
        ("two \N{SNOWMAN}", "two \N{SNOWMAN}", None),
    ]
    assert out[0]["provider"] == "OpenAICompatible"
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["in.txt", "out.jsonl", "out.jsonl.store"]


def test_columns_of_a_csv_file_make_the_prompt(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,text\n1,"a, b"\n2,"c\nd"\n', encoding="utf-8")
    template = "Summarise {{{text}}}: {id}"
    facts = {"finish_reason": "stop", "refusal": "", "prompt_tokens": "4", "completion_tokens": "4"}
    facts |= {"provider": "OpenAICompatible", "model": "echo", "served_model": "echo", "error_type": "", "status": ""}
    done = call("batch", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--prompt", template, *here)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [
            {"id": "1", "text": "a, b", "answer": "Summarise {a, b}: 1", "error": "", **facts},
            {"id": "2", "text": "c\nd", "answer": "Summarise {c\nd}: 2", "error": "", **facts},
        ]


def test_files_of_the_batch_api_go_in_and_out(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    def request(name: str, text: str) -> str:
        body = {"model": "gpt-4", "messages": [{"role": "user", "content": text}], "max_tokens": 9}
        return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})

    (tmp_path / "in.jsonl").write_text(f"{request('a', 'one')}\n{request('b', 'two')}\n", encoding="utf-8")
    emulator.fail("status", nth=2, status=400)
    out = tmp_path / "out.jsonl"
    done = call("batch", str(tmp_path / "in.jsonl"), "-o", str(out), "--workers", "1", *here)
    assert done.returncode == 1
    assert done.stdout.startswith("1 answered, 1 failed; ")
    good, bad = lines(out)
    assert (good["custom_id"], good["error"]) == ("a", None)
    assert good["response"]["status_code"] == 200
    assert good["response"]["body"]["choices"][0]["message"] == {"role": "assistant", "content": "one"}
    assert (bad["custom_id"], bad["response"]) == ("b", None)
    assert bad["error"]["code"] == "ResponseStatusError"


def test_half_of_a_character_in_a_column_is_written(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "Hello", "id": "\\ud800"}\n')
    for name in ("out.jsonl", "out.csv"):
        done = call("batch", str(source), "-o", str(tmp_path / name), *here)
        assert done.returncode == 0, done.stderr
        assert "?" in (tmp_path / name).read_text()


def test_rows_that_failed_can_be_asked_again(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a\n2,b\n3,c\n", encoding="utf-8")
    emulator.fail("status", nth=2, status=400)
    options = ["--prompt", "{text}", "--workers", "1", *here]
    failed, out = tmp_path / "failed.csv", tmp_path / "out.csv"
    done = call("batch", str(tmp_path / "in.csv"), "-o", str(out), "--failed", str(failed), *options)
    assert done.returncode == 1
    assert failed.read_text(encoding="utf-8").startswith("id,text,call_error\n2,b,")
    assert (tmp_path / "out.csv.store").exists()
    assert call("batch", str(failed), "-o", str(tmp_path / "more.csv"), *options).returncode == 0
    done = call("batch", str(tmp_path / "in.csv"), "-o", str(out), *options)
    assert done.returncode == 0
    assert done.stdout.startswith(f"3 answered (2 of them from {out}.store), 0 failed; ")
    assert prompts(emulator) == ["a", "b", "b", "b", "c"]


def test_an_estimate_and_the_first_few(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("".join(f"prompt {number}\n" for number in range(100)), encoding="utf-8")
    store = ["--store", str(tmp_path / "answers.db")]
    source = ["batch", str(tmp_path / "in.txt"), *here]
    assert call(*source, "--estimate", *store).stdout == (
        "100 prompts to send, 0 answers stored; about 300 tokens of prompts (the largest has 3); "
        "echo: no price known; give --price P,A\n"
    )
    assert not (tmp_path / "answers.db").exists()
    assert len(call(*source, "--head", "3", *store).stdout.splitlines()) == 3
    assert call(*source, "--estimate", "--max-tokens", "10").stdout == (
        "100 prompts to send, 0 answers stored; about 300 tokens of prompts (the largest has 3), "
        "at most 1,000 tokens of answers; echo: no price known; give --price P,A\n"
    )
    assert call(*source, "--estimate", *store).stdout.startswith("97 prompts to send, 3 answers stored")
    assert len(prompts(emulator)) == 3


@pytest.mark.once
def test_ctrl_c_leaves_a_store_from_which_the_same_command_goes_on(
    emulator: Emulator, here: list[str], tmp_path: Path, interruptible: None
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"prompt {number}\n" for number in range(12)), encoding="utf-8")
    emulator.fail("stall", nth=6, times=None)
    command = ["batch", str(tmp_path / "in.txt"), "--workers", "1", "--store", str(tmp_path / "answers.db"), *here]
    with start(*command) as child:
        assert child.stdout is not None
        for _ in range(5):
            child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == INTERRUPTED
    assert b"and the same command goes on" in said
    emulator.reset()
    assert len(call(*command).stdout.splitlines()) == 12
    assert prompts(emulator) == sorted(f"prompt {number}" for number in range(5, 12))


def test_a_wrong_key_ends_the_command_and_says_how_to_go_on(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    emulator.fail("status", nth=2, status=401, times=None)
    done = call("batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "--workers", "1", *here)
    partial = tmp_path / "out.jsonl.partial"
    assert_failed(
        done,
        "the batch stopped after 1 answer: ",
        "401",
        f"their rows in {partial}, and the same command goes on, with --any-key also by another key",
    )
    assert [line["answer"] for line in lines(partial)] == ["one"]
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        (
            "in.csv",
            "id;text\n1;x\n",
            [],
            "one column, 'id;text'; if ';' separates them, give the delimiter with --delimiter",
        ),
        ("in.csv", "text,text\nx,y\n", ["--prompt", "{text}"], "line 1: two columns are called 'text'; rename one"),
        ("in.csv", "text,answer\nx,y\n", ["--prompt", "{text}"], "a column is called 'answer'"),
        ("in.csv", "text,error\nx,y\n", ["--prompt", "{text}"], "a column is called 'error'"),
        (
            "in.csv",
            "text\nx\n",
            ["--price", "1"],
            "a price is two numbers, the dollars for a million tokens of prompts and of answers",
        ),
        ("in.csv", "text\nx\n", ["--delimiter", ";;"], "--delimiter must be one character"),
        (
            "in.csv",
            "id,text\n1,x\n2, \n",
            ["--prompt", "{id}: {text}"],
            "line 3: the column 'text' is empty; --empty skip leaves such rows out, keep writes them without an answer",
        ),
        ("in.csv", 'text\nx\n""\n', [], "line 3: the column 'text' is empty"),
        ("in.csv", "text\nx\n \n", ["--prompt", "{text}", "--empty", "send"], "line 3: the column 'text' is empty"),
        (
            "in.jsonl",
            '{"prompt": "a"}\n\n{"prompt": 12}',
            [],
            "line 3: the column 'prompt' must be a text or a list of messages, not 12",
        ),
        ("in.jsonl", '{"text": null}', [], "line 1: the column 'text' is empty"),
        ("in.jsonl", '{"prompt": "", "system": "x"}', ["--empty", "send"], "line 1: the prompt is empty"),
        (
            "in.csv",
            "id,text,stars\n1000,It leaks.,4\n",
            [],
            "line 2: there is no column 'prompt'; name the columns to use, as in --prompt '{text}'",
        ),
        (
            "in.csv",
            "a,b\n1,22\n",
            ["--prompt", "Classify {{a}}"],
            "names no column, so that all rows would ask the same; write {b} in it",
        ),
        (
            "in.csv",
            "a,Like {brand}?\n1,22\n",
            ["--prompt", "Classify it"],
            "would ask the same; rename 'Like {brand}?', which has braces, and name it",
        ),
        ("in.csv", "a,b\n1,2\n", ["--prompt", "{c}"], "line 2: there is no column 'c' for the prompt; there are a, b"),
        (
            "in.csv",
            "a\n1\n",
            ["--prompt", '{"b": 1}: {a}'],
            "there are a; write {{ and }} for braces that name no column",
        ),
        ("in.csv", "a,b\n1,2,3\n", ["--prompt", "{a}"], "line 2 has not as many columns as the first line"),
        *(
            ("in.csv", f"a,b\n1,2\n\n3,{rest}", ["--prompt", "{a}"], f"line 4: a quote is not closed, or one in {told}")
            for rest, told in (
                ('"4\n5,6\n7,8\n', "a quoted text is not doubled (unexpected end of data in line 6)"),
                ('"4\n5,"6"\n', "a quoted text is not doubled (',' expected after '\"' in line 5)"),
                ('"4" of 5\n', "a quoted text is not doubled (',' expected after '\"' in line 4)"),
            )
        ),
        ("in.csv", 'a\n1\n"2\n3"\n" \n "\n', [], "in.csv, line 5: the column 'a' is empty"),
        ("in.jsonl", '"one"\n{', [], "line 2 is not JSON"),
        (
            "in.jsonl",
            '{"custom_id": "1", "body": {"messages": "x", "proxy": "http://127.0.0.1:9"}}',
            [],
            "line 1: the body has 'proxy', which is not a field of OpenAI's API",
        ),
        *(
            (
                "in.jsonl",
                f'{{"custom_id": "1", "body": {{"messages": "x", "{name}": 1}}}}',
                [],
                f"line 1: the body has '{name}', which is not a field of OpenAI's API",
            )
            for name in ("timeout", "retry", "images", "fresh")
        ),
        ("in.jsonl", '{"a": 1, "b": 2}', [], "name the columns to use, as in --prompt '{a}'"),
        ("in.jsonl", "{}", [], "name the columns to use, as in --prompt '{text}'"),
        ("in.jsonl", "[1]", [], "line 1 must be an object or a string, not '[1]'"),
        ("in.jsonl", '"one"\n{"prompt": ""}', [], "line 2: the prompt is empty"),
        ("in.xlsx", "", [], "has the ending '.xlsx'; known are .jsonl, .ndjson, .csv, .tsv, .txt"),
        ("in.txt", "one", ["-o", "out.txt"], "out.txt must be a .jsonl, .csv or .tsv file"),
        ("in.txt", "one", ["-o", "out.xlsx"], "out.xlsx must be a .jsonl, .csv or .tsv file"),
        ("in.txt", "one", ["--store", "."], "it is a folder; name a file in it"),
    ],
)
def test_a_bad_file_is_an_error_of_one_line(
    here: list[str], tmp_path: Path, name: str, content: str, options: list[str], words: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    done = call("batch", str(tmp_path / name), *options, *here)
    assert_failed(done, words, code=1 if "--store" in options else 2)


def test_a_missing_file_and_one_that_is_not_text(here: list[str], tmp_path: Path) -> None:
    missing = call("batch", str(tmp_path / "none.txt"), "-o", str(tmp_path / "out.csv"), *here)
    assert missing.stderr == f"Error: cannot read {tmp_path / 'none.txt'}: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []
    latin = "\N{SNOWMAN} a prompt\n".encode() * 2000 + b"caf\xe9\n"  # more than a block of the decoder
    (tmp_path / "in.txt").write_bytes(latin)
    place = f"line 2,001, at byte {latin.index(0xE9):,}"
    words = f"is not UTF-8 text: invalid continuation byte in {place}; save it as UTF-8, which a spreadsheet calls 'CSV"
    assert_refused(call("batch", str(tmp_path / "in.txt"), *here), "in.txt " + words)
    assert_refused(call("batch", "-", *here, stdin=latin), "standard input " + words)


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ("one\ntwo\n", [], ["one", "two"]),
        ('\n"one"\n{"prompt": "two"}\n', [], ["one", "two"]),
        ("\ufeffid,text\r\n1,one\r\n2,two\r\n", ["--format", "csv", "--prompt", "{text}"], ["one", "two"]),
        ("text\tid\none\t1\n", ["--format", "tsv", "--prompt", "{text}"], ["one"]),
        ('"one"\n', ["--format", "text"], ['"one"']),
    ],
)
def test_prompts_on_standard_input(
    emulator: Emulator, here: list[str], given: str, options: list[str], expected: list[str]
) -> None:
    done = call("batch", "-", *options, *here, stdin=given)
    assert [json.loads(line)["answer"] for line in done.stdout.splitlines()] == expected, done.stderr


def test_a_format_holds_for_a_file_as_well(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "prompts.md").write_text("one\n")
    assert_refused(call("batch", str(tmp_path / "prompts.md"), *here), "'.md'", "--format")
    done = call("batch", str(tmp_path / "prompts.md"), "--format", "text", *here)
    assert json.loads(done.stdout)["answer"] == "one"


def test_options_of_a_call_and_a_schema(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "city.json").write_text('{"required": ["city"]}', encoding="utf-8")
    (tmp_path / "in.txt").write_text('{"city": 1}\n{}\n', encoding="utf-8")
    files = ["-o", str(tmp_path / "out.jsonl"), "--failed", str(tmp_path / "failed.jsonl")]
    options = ["--temperature", "0.5", "--option", "top_p=0.9", "--schema", str(tmp_path / "city.json")]
    done = call("batch", str(tmp_path / "in.txt"), *files, *options, *here)
    assert done.returncode == 1
    assert done.stdout.startswith("1 answered, 1 failed; ")
    assert (
        "1 of 2 prompts failed: OpenAICompatible, stream: the answer is not a valid value of the schema" in done.stderr
    )
    assert done.stderr.endswith("; the same command sends the failed rows again\n")
    body = emulator.requests[-1].json()
    assert (body["temperature"], body["top_p"], body["response_format"]["type"]) == (0.5, 0.9, "json_schema")
    assert [(line["answer"], line["output"]) for line in lines(tmp_path / "out.jsonl")] == [
        ('{"city": 1}', {"city": 1}),
        (
            "Your answer is not valid: 'city' is a required property - at `$`\nAnswer again, with valid JSON.",
            None,
        ),  # an answer that does not fit, and is paid for
    ]
    assert [line["prompt"] for line in lines(tmp_path / "failed.jsonl")] == ["{}"]


def test_fields_of_a_schema_are_columns(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    schema = {"properties": {"mood": {"type": "string"}, "tags": {"type": "array"}}, "required": ["mood"]}
    (tmp_path / "mood.json").write_text(json.dumps(schema), encoding="utf-8")
    rows = ['{"mood": "good", "tags": ["a", "\N{SNOWMAN}"]}', "no JSON", '{"mood": "bad"}']
    (tmp_path / "in.txt").write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path / "out.csv"
    done = call("batch", str(tmp_path / "in.txt"), "-o", str(out), "--schema", str(tmp_path / "mood.json"), *here)
    assert done.returncode == 1
    with out.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [(row["answer"], row["mood"], row["tags"], bool(row["error"])) for row in written] == [
        (rows[0], "good", '["a", "\N{SNOWMAN}"]', False),
        ("Your answer is not valid: expected JSON, got 'no JSON'\nAnswer again, with valid JSON.", "", "", True),
        (rows[2], "bad", "", False),
    ]
    (tmp_path / "in.csv").write_text("prompt,mood\nx,y\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.csv"), "-o", str(out), "--schema", str(tmp_path / "mood.json"), *here)
    assert_refused(done, "a column is called 'mood', as one of the answers would be; rename it")


def test_a_table_with_another_delimiter_and_empty_cells(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id;text\n1;one, two\n2;\n3;three\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.csv"), "--delimiter", ";", "--prompt", "{id} {text}", *here]
    skipped = call(*command, "-o", str(tmp_path / "skip.csv"), "--empty", "skip")
    assert skipped.returncode == 0, skipped.stderr
    assert [line.split(";")[:3] for line in (tmp_path / "skip.csv").read_text().splitlines()] == [
        ["id", "text", "answer"],
        ["1", "one, two", "1 one, two"],
        ["3", "three", "3 three"],
    ]
    assert call(*command, "-o", str(tmp_path / "send.csv"), "--empty", "send").returncode == 0
    (tmp_path / "one.csv").write_text("this; and that\nx\n", encoding="utf-8")
    assert call("batch", str(tmp_path / "one.csv"), "--delimiter", "\\t", *here).returncode == 0
    assert len((tmp_path / "send.csv").read_text().splitlines()) == 4


@pytest.mark.once
def test_the_progress_is_told_now_and_then_in_a_log(
    emulator: Emulator, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_report, "LOG_SECONDS", 0.001)
    monkeypatch.setattr(batch_report, "MOST_LOG_SECONDS", 0.001)
    emulator.fail("stall", nth=15, seconds=0.1)
    (tmp_path / "in.txt").write_text("".join(f"prompt {number}\n" for number in range(20)), encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), "--workers", "1", *here)
    assert re.search(
        r"^1?\d of 20 done, (1 in progress, )?0:00:\d\d so far, [\d,]+ a minute, \d+ s left$", done.stderr, re.MULTILINE
    ), done.stderr


def test_the_progress_tells_a_pause_of_the_service_instead_of_a_time_left(
    emulator: Emulator, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_report, "LOG_SECONDS", 0.001)
    monkeypatch.setattr(BatchResults, "paused", 58.3)
    (tmp_path / "in.txt").write_text("".join(f"prompt {number}\n" for number in range(20)), encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), "--workers", "1", *here)
    assert re.search(r"^1?\d of 20 done, paused by the service for 58 s$", done.stderr, re.MULTILINE), done.stderr
    assert "left" not in done.stderr
