"""Options that rows have of their own, and columns that are called like options."""

from __future__ import annotations

import codecs
import csv
import json
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .command import assert_refused, call


def test_json_lines_may_have_options_and_further_fields(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": "one", "system": "Be brief.", "temperature": 0.5, "seed": 7, "user": "Ada"},
        {"id": 2, "messages": [{"role": "user", "content": "two"}]},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = call("batch", str(tmp_path / "in.jsonl"), "--workers", "1", *here)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["id"], line["answer"]) for line in printed] == [(1, "one"), (2, "two")]
    bodies = [request.json() for request in emulator.requests]
    assert [len(body["messages"]) for body in bodies] == [2, 1]
    assert (bodies[0]["temperature"], bodies[0]["seed"], "user" in bodies[0]) == (0.5, 7, False)
    assert "Note: the rows' own system, temperature and seed are sent with their prompts" in done.stderr


def test_only_the_prompt_of_a_table_is_sent(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    """What a table says of a model or a temperature may be what its rows are about."""
    (tmp_path / "in.csv").write_text("prompt,model,temperature\none,Golf,21.5\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), *here)
    assert "Note: the columns model and temperature are not sent: of a table only the prompt is" in done.stderr
    body = emulator.requests[-1].json()
    assert (body["model"], "temperature" in body) == ("echo", False)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["model"], row["temperature"]) for row in csv.DictReader(file)] == [("Golf", "21.5")]


def test_an_option_of_a_row_with_a_wrong_type_is_named(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two", "temperature": "hot"}', encoding="utf-8")
    done = call("batch", str(tmp_path / "in.jsonl"), *here)
    assert_refused(done, "prompt 2: temperature must be a number, not 'hot'")


def test_cut_answers_are_asked_for_again_with_more_tokens(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    """And nothing else, however often; what has no answer at all gets as many."""
    cut = {"finish_reason": "length"}
    (tmp_path / "in.csv").write_text("id,text\n1,one\n2,two\n3,three\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--prompt", "{text}", *here]
    command += ["--workers", "1", "--max-tokens", "5"]
    emulator.answer("whole")
    emulator.answer(["cu", cut])
    emulator.fail("status", status=400, nth=3)
    done = call(*command)
    assert (
        "1 of the answers CUT, by a limit of tokens or a filter; the same command with --longer N gives" in done.stdout
    )
    for _ in range(2):
        assert call(*command, "--longer", "50").returncode == 0
    sent = [request.json() for request in emulator.requests]
    assert [(body["messages"][0]["content"], body["max_tokens"]) for body in sent] == [
        *(("one", 5), ("two", 5), ("three", 5)),
        *(("two", 50), ("three", 50)),
    ]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["answer"], row["finish_reason"]) for row in csv.DictReader(file)] == [
            ("whole", "stop"),
            ("two", "stop"),
            ("three", "stop"),
        ]
    hosted = [argument for argument in command if argument not in ("--workers", "1")]
    assert_refused(call(*hosted, "--longer", "50", "--hosted", "run.json"), "--longer cannot be used with --hosted")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_file_in_an_old_encoding_is_read(here: list[str], tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.csv").write_bytes("text;id\r\nschön;1\r\n".encode(encoding))
    command = ["batch", str(tmp_path / "in.csv"), "--prompt", "{text}", "--delimiter", ";", *here]
    done = call(*command, "--encoding", encoding, "-o", str(tmp_path / "out.csv"))
    assert (done.returncode, done.stderr) == (0, "")
    written = (tmp_path / "out.csv").read_bytes()
    assert written.startswith(codecs.BOM_UTF8)  # by which the spreadsheet knows it
    assert written.decode("utf-8-sig").splitlines()[1].startswith("schön;1;schön;")
    assert_refused(call(*command), "is not UTF-8 text", "or name its --encoding, such as cp1252")


def test_an_encoding_that_is_wrong_is_told(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"text\nsch\x81n\n")
    command = ["batch", str(tmp_path / "in.csv"), *here, "--encoding"]
    assert_refused(call(*command, "cp1252"), "in.csv is not text in cp1252: 'charmap' codec can't decode byte 0x81")
    assert_refused(call(*command, "utf-16"), "in.csv is not text in utf-16: ")
    assert_refused(
        call(*command, "klingon"), "--encoding: unknown encoding: klingon; such as cp1252 and utf-16 are known"
    )
    failed = ("--failed", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"))
    assert_refused(call(*command, "cp1252", *failed), "--failed would replace", "in UTF-8, and --encoding says cp1252")
