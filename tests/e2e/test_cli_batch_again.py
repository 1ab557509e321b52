"""``g4f-lite batch``: what is left out, what is the same, and what is asked again."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.cli.batch_report import Progress
from g4f_lite.emulator import Emulator
from g4f_lite.providers import selection
from g4f_lite.testing import Scripted

from .command import assert_failed, assert_refused, call

EMPTY = 'text\none\n""\ntwo\n" "\nthree\n""\n'


@pytest.fixture
def table(tmp_path: Path) -> list[str]:
    (tmp_path / "in.csv").write_text(EMPTY, encoding="utf-8")
    return ["batch", str(tmp_path / "in.csv"), "--empty", "skip"]


@pytest.fixture
def with_schema(emulator: Emulator, here: list[str], tmp_path: Path) -> list[str]:
    """Give a batch of two rows, of which the second gets an answer that does not fit the schema."""
    (tmp_path / "city.json").write_text('{"required": ["city"]}', encoding="utf-8")
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    emulator.answer('{"city": 1}')
    emulator.answer("{}")
    emulator.answer("no city")
    return ["batch", str(tmp_path / "in.txt"), "--schema", str(tmp_path / "city.json"), "--workers", "1", *here]


def answers(path: Path) -> list[Any]:
    return [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()]


def asked(emulator: Emulator) -> list[str]:
    return [request.json()["messages"][-1]["content"] for request in emulator.requests if request.step == "prompt"]


def test_the_end_and_the_estimate_tell_how_many_empty_rows_were_skipped(
    here: list[str], tmp_path: Path, table: list[str]
) -> None:
    done = call(*table, "--estimate", *here)
    assert done.stdout.startswith("3 prompts to send, 0 answers stored, 3 empty rows not sent; "), done.stderr
    done = call(*table, "-o", str(tmp_path / "out.csv"), *here)
    assert done.stdout.startswith("3 answered, 0 failed, 3 empty rows not sent; "), done.stderr
    done = call(*table, "-o", str(tmp_path / "out.csv"), *here)
    assert done.stdout.startswith("3 answered (3 of them from "), done.stderr
    assert ", 3 empty rows not sent\n" in done.stdout


def test_the_progress_begins_with_the_answers_in_the_store(
    here: list[str], tmp_path: Path, table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    class Seen(Progress):
        def __enter__(self) -> Progress:
            lines.append(self.line())
            return super().__enter__()

    monkeypatch.setattr("g4f_lite.cli.batch_run.Progress", Seen)
    command = [*table, "-o", str(tmp_path / "out.csv"), *here]
    for more in (["--head", "2"], [], ["--fresh"]):
        assert call(*command, *more).returncode == 0
    assert [line.partition(" done")[0] for line in lines] == ["0 of 2", "2 of 3", "0 of 3"]


def test_a_chain_that_ends_in_the_embedded_model_finds_its_answers_again(
    emulator: Emulator, here: list[str], tmp_path: Path, table: list[str]
) -> None:
    table += ["-o", str(tmp_path / "out.csv"), "-p", f"{emulator.url}/v1:m", "-p", "local"]
    assert call(*table).stdout.startswith("3 answered, 0 failed, ")
    assert call(*table).stdout.startswith("3 answered (3 of them from ")
    assert len(asked(emulator)) == 3


def test_empty_rows_may_be_kept_without_an_answer(
    emulator: Emulator, here: list[str], tmp_path: Path, table: list[str]
) -> None:
    out, command = tmp_path / "out.csv", [*table[:2], "--empty", "keep", *here]
    for stored in ("", f" (3 of them from {out}.store)"):  # also where they are there already
        done = call(*command, "-o", str(out))
        assert done.stdout.startswith(f"3 answered{stored}, 0 failed, 3 empty rows not sent"), done.stderr
        with out.open(newline="", encoding="utf-8") as file:
            rows = [(row["text"], row["answer"], row["error"]) for row in csv.DictReader(file)]
        assert rows == [
            ("one", "one", ""),
            ("", "", ""),
            ("two", "two", ""),
            (" ", "", ""),
            ("three", "three", ""),
            ("", "", ""),
        ]
    assert sorted(asked(emulator)) == ["one", "three", "two"]
    lines = call(*command, "--head", "2").stdout.splitlines()
    assert [(line["answer"], line["error"]) for line in map(json.loads, lines)] == [("one", None), (None, None)]


def test_an_empty_request_of_a_batch_api_may_be_kept(here: list[str], tmp_path: Path) -> None:
    body = {"model": "echo", "messages": [{"role": "user", "content": "one"}]}
    requests = [{"custom_id": "a", "body": {"model": "echo"}}, {"custom_id": "b", "body": body}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, requests)), encoding="utf-8")
    done = call("batch", str(tmp_path / "in.jsonl"), "--empty", "keep", *here)
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["custom_id"], first["response"], first["error"]) == ("a", None, None)
    assert (second["custom_id"], second["error"]) == ("b", None)


@pytest.mark.parametrize(
    ("name", "content", "options", "skipped"),
    [
        ("in.txt", "\n", [], ""),
        ("in.csv", "id,text\n", ["--prompt", "{text}", "--estimate"], ""),
        ("in.csv", "id,text\n1,\n2,\n", ["--prompt", "{text}", "--empty", "skip"], ", 2 empty rows not sent"),
        ("in.jsonl", "", ["--hosted", "run.json"], ""),
    ],
)
def test_a_file_without_prompts_is_a_note(
    here: list[str], tmp_path: Path, name: str, content: str, options: list[str], skipped: str
) -> None:
    source, out = tmp_path / name, tmp_path / "out.csv"
    source.write_text(content, encoding="utf-8")
    done = call("batch", str(source), "-o", str(out), *options, *here)
    told = f"Note: {source} has no prompts{skipped}; nothing is sent, and no file is written\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", told)
    assert list(tmp_path.iterdir()) == [source]


def test_rows_behind_the_first_few_were_not_skipped(here: list[str], table: list[str]) -> None:
    done = call(*table, "--head", "2", *here)
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "Note: 1 empty row not sent\n")
    done = call(*table, "--head", "1", "--estimate", *here)
    assert done.stdout.startswith("1 prompt to send, 0 answers stored; about 1 token of prompts; ")


def test_an_estimate_tells_prompts_that_are_repeated(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\none\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), "--estimate", *here)
    assert done.stdout.startswith("3 prompts to send (1 of them repeated), 0 answers stored; "), done.stderr


def test_an_answer_that_does_not_fit_the_schema_is_asked_for_once_more(
    emulator: Emulator, tmp_path: Path, with_schema: list[str]
) -> None:
    command = [*with_schema, "-o", str(tmp_path / "out.jsonl"), "--price", "1000000,0"]
    done = call(*command)
    assert (done.returncode, done.stdout[:20]) == (1, "1 answered, 1 failed"), done.stderr
    assert done.stderr.endswith("; the same command sends the failed rows again\n")
    first, second, again = asked(emulator)
    assert (first, second, again[:41]) == ("one", "two", "Your answer is not valid: 'city' is a req")
    assert answers(tmp_path / "out.jsonl") == ['{"city": 1}', "no city"]
    assert call(*command, "--estimate").stdout.startswith("1 prompt to send, 1 answer stored; ")
    emulator.answer('{"city": 2}')
    done = call(*command)
    assert (done.returncode, done.stdout[:18]) == (0, "2 answered (1 of t"), done.stderr
    assert "Note: " not in done.stderr
    assert asked(emulator)[3:] == ["two"]
    assert call(*command).returncode == 0
    assert answers(tmp_path / "out.jsonl") == ['{"city": 1}', '{"city": 2}']
    assert len(asked(emulator)) == 4


def test_answers_to_rows_behind_the_head_are_none_to_other_questions(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "--store", str(tmp_path / "answers.db"), *here]
    call(*command)
    (tmp_path / "in.txt").write_text("new\ntwo\nthree\n", encoding="utf-8")
    for more in (["--estimate"], []):
        done = call(*command, "--head", "2", *more)
        assert "answers.db has 1 answer to other questions than these: " in done.stderr


def test_what_a_hosted_batch_failed_at_is_sent_one_by_one(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(batch_polls=0, batch_failed=(1,))
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    files = ["-o", str(tmp_path / "out.jsonl"), "--hosted", str(tmp_path / "run.json"), "--poll", "0.01"]
    command = ["batch", str(tmp_path / "in.txt"), *files, "-m", "m", *here]
    done = call(*command)
    assert done.stderr.endswith("; the same command with --retry-failed asks for them again\n")
    assert asked(emulator) == []
    assert call(*command, "--retry-failed").returncode == 0
    assert asked(emulator) == ["two"]
    assert answers(tmp_path / "out.jsonl") == ["one", "two"]
    assert call(*command).returncode == 0
    assert asked(emulator) == ["two"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-p", "local", "-m", "gpt-4"], "Error: Local: prompt 1: it has no model 'gpt-4'; try smollm2, "),
        (["-p", "ollama", "--option", "nonsense=1"], "Error: prompt 1: Ollama has no option 'nonsense'\n"),
        (["-p", "ollama", "--rpm", "0"], "Error: --rpm must be above 0, not 0.0\n"),
        (["-p", "echo", "--hosted", "run.json"], "has no Batch API; leave out --hosted, or name a service"),
        (["-p", "ollama", "--timeout", "0"], "Error: --timeout must be more than 0 seconds, not 0.0\n"),
    ],
)
def test_errors_name_the_options_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("one\n", encoding="utf-8")
    done = call("batch", "in.txt", *options)
    assert_refused(done, words)
    assert "(…" not in done.stderr
    assert "prompts[" not in done.stderr


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("{text}", "-p is --provider, and there is no provider '{text}'; did you mean --prompt?\n"),
        ("Sum up: {text}", "-p is --provider, and there is no provider 'Sum up: {text}'; did you mean --prompt?\n"),
        ("nosuch", "g4f_lite has no provider 'nosuch'"),
        ("echo, nosuch", "g4f_lite has no provider 'nosuch'"),
        ("echo", "in.csv, line 2: there is no column 'prompt'"),
    ],
)
def test_a_name_of_no_provider_is_told_before_a_missing_column(tmp_path: Path, provider: str, words: str) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,one\n", encoding="utf-8")
    assert_refused(call("batch", str(tmp_path / "in.csv"), "-p", provider), words)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_file_has_no_hint_to_an_attribute_of_an_error(
    emulator: Emulator, here: list[str], tmp_path: Path, name: str
) -> None:
    emulator.fail("cut", after=1, times=None)
    (tmp_path / "in.txt").write_text("one two three\n", encoding="utf-8")
    assert call("batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / name), *here).returncode == 3
    written = (tmp_path / name).read_text(encoding="utf-8")
    assert "cut" in written
    assert ".partial" not in written


def test_the_error_of_a_row_names_the_options_of_the_command(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fail("status", status=404, times=None, body='{"detail": "Not Found"}', content_type="application/json")
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    url = ["--base-url", emulator.url, "-m", "m"]
    done = call("batch", str(tmp_path / "in.txt"), *url)
    error = json.loads(done.stdout)["error"]
    assert f"try --base-url {emulator.url}/v1" in error


def test_json_lines_have_the_value_in_a_field_that_no_column_may_have(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "mood.json").write_text('{"properties": {"mood": {"type": "string"}}}', encoding="utf-8")
    command = ["batch", str(tmp_path / "in.csv"), "--schema", str(tmp_path / "mood.json"), *here]
    (tmp_path / "in.csv").write_text('prompt,mood\n"{""mood"": ""good""}",y\n', encoding="utf-8")
    line = json.loads(call(*command).stdout)
    assert (line["mood"], line["output"]) == ("y", {"mood": "good"})
    (tmp_path / "in.csv").write_text("prompt,output\nx,y\n", encoding="utf-8")
    assert_refused(call(*command), "a column is called 'output', as one of the answers would be; rename it")


def test_a_blank_line_of_a_text_file_is_an_empty_row(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n\ntwo\n \n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), *here]
    assert_refused(call(*command), "in.txt, line 2: the prompt is empty; --empty skip leaves such rows out, keep")
    assert asked(emulator) == []
    assert (
        "2 prompts to send, 0 answers stored, 2 empty rows not sent; "
        in call(*command, "--empty=skip", "--estimate").stdout
    )
    assert call(*command, "--empty", "keep").returncode == 0
    assert answers(tmp_path / "out.jsonl") == ["one", None, "two", None]
    assert sorted(asked(emulator)) == ["one", "two"]


def test_a_quiet_batch_tells_of_failures_only(
    emulator: Emulator, here: list[str], table: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.cli.batch_report.LOG_SECONDS", 0.0)  # a line of progress at once, and many
    command = [*table, "-o", str(tmp_path / "out.jsonl"), *here]
    emulator.fail("status", status=400, nth=2)
    done = call(*command, "--quiet", "--workers", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: 1 of 3 prompts failed: ")
    assert len(done.stderr.splitlines()) == 1
    done = call(*command, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert answers(tmp_path / "out.jsonl") == ["one", "two", "three"]
    done = call(*table, "-q", *here)  # whose answers are on standard output
    assert (len(done.stdout.splitlines()), done.stderr) == (3, "")
    assert call(*table, *here).stderr.endswith("Note: 3 empty rows not sent\n")


@pytest.mark.parametrize(("named", "key", "told"), [("", "", 1), ("", "gsk-1", 1), ("local", "gsk-1", 0)])
def test_a_batch_that_names_no_provider_tells_once_that_the_embedded_model_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, key: str, told: int
) -> None:
    class Local(Scripted):
        """A provider of the name."""

    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    monkeypatch.setattr(selection, "replacement", Local(["1"]))
    done = call("batch", str(tmp_path / "in.txt"), G4F_LITE_PROVIDER=named, GROQ_API_KEY=key)
    assert done.stderr.count("Note: no provider is named, and the embedded model answers; ") == told
    assert json.loads(done.stdout)["answer"] == "1"


@pytest.fixture
def bad_rows(here: list[str], tmp_path: Path) -> list[str]:
    (tmp_path / "in.txt").write_text("".join(f"row {number}\n" for number in range(20)), encoding="utf-8")
    return ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "--workers", "1", *here]


@pytest.mark.once
def test_rows_that_each_fail_for_themselves_stop_the_batch_only_if_there_are_very_many(
    emulator: Emulator, bad_rows: list[str], tmp_path: Path
) -> None:
    emulator.fail("status", status=400, nth=2, times=15)
    done = call(*bad_rows, "--max-failures", "2")
    told = "; it stops after 10 prompts in a row that fail for reasons of their own, or 5 × N with --max-failures N; "
    told += "the same command would meet these prompts first: take them out, or raise N; the answers so far are in "
    told += f"{tmp_path / 'out.jsonl.store'}, their rows in {tmp_path / 'out.jsonl.partial'}; 2 tokens of prompts"
    assert_failed(done, "the batch stopped after 1 answer and 10 failures: OpenAICompatible, prompt: status 400", told)
    assert len(asked(emulator)) == 11
    emulator.reset()
    emulator.fail("status", status=400, times=15)
    done = call(*bad_rows, "--max-failures", "4")
    assert_failed(done, "15 of 20 prompts failed: ", printed=done.stdout)
    assert asked(emulator)[-1] == "row 19"


def test_failures_of_the_service_stop_the_batch_and_the_same_command_goes_on(
    emulator: Emulator, bad_rows: list[str], tmp_path: Path
) -> None:
    emulator.fail("status", status=500, nth=2, times=None)
    done = call(*bad_rows, "--max-failures", "2")
    told = "; it stops after 2 failures in a row, or N with --max-failures N; the answers so far are in "
    told += (
        f"{tmp_path / 'out.jsonl.store'}, their rows in {tmp_path / 'out.jsonl.partial'}, and the same command goes on"
    )
    assert_failed(done, "the batch stopped after 1 answer: ", told, code=3)
    emulator.reset()
    assert call(*bad_rows).returncode == 0
    assert asked(emulator) == [f"row {number}" for number in range(1, 20)]


def test_a_new_key_uses_the_answers_of_the_old_one_if_that_is_said(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "--workers", "1", *here]
    old, new = (["--api-key-file", str(tmp_path / name)] for name in ("old", "new"))
    (tmp_path / "old").write_text("sk-old-key")
    (tmp_path / "new").write_text("sk-new-key")
    emulator.fail("status", nth=3, status=401, times=None)
    assert call(*command, *old).returncode == 1
    emulator.reset()
    estimate = call(*command, *new, "--estimate")
    assert "; 2 of them have an answer there by another key, which --any-key uses\n" in estimate.stderr
    assert call(*command, *new, "--any-key").returncode == 0
    assert asked(emulator) == ["three"]
