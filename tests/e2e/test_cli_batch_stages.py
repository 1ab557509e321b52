"""``g4f-lite batch``: the output of one batch is the input of the next."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .command import assert_refused, call

SECOND = ["--prefix", "b_", "--workers", "1"]


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [json.loads(line) for line in file] if path.suffix == ".jsonl" else list(csv.DictReader(file))


def asked(emulator: Emulator) -> list[str]:
    """Give the prompts since this was called last, as they were sent."""
    found = [each.json()["messages"][-1]["content"] for each in emulator.requests if each.step == "prompt"]
    emulator.reset()
    return found


@pytest.fixture(params=["out.csv", "out.jsonl"])
def first(request: pytest.FixtureRequest, emulator: Emulator, here: list[str], tmp_path: Path) -> Path:
    """Give the output of a batch of three rows, of which the second failed."""
    source, out = tmp_path / "in.csv", tmp_path / request.param
    source.write_text("id,text\n1,one\n2,two\n3,three\n", encoding="utf-8")
    emulator.fail("status", nth=2, status=400)
    assert call("batch", str(source), "-o", str(out), "--prompt", "{text}", "--workers", "1", *here).returncode == 1
    emulator.reset()
    return out


def test_the_answers_of_the_next_batch_get_a_prefix(
    emulator: Emulator, here: list[str], tmp_path: Path, first: Path
) -> None:
    second = tmp_path / f"second{first.suffix}"
    command = ["batch", str(first), "-o", str(second), "--prompt", "Say {answer}", *here]
    assert_refused(call(*command, "--empty", "keep"), "columns are called 'answer', ", "or pass --prefix, so that")
    assert_refused(call(*command, *SECOND), ": the column 'answer' is empty; --empty skip")
    command += [*SECOND, "--empty", "keep"]
    done = call(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert asked(emulator) == ["Say one", "Say three"]
    told = rows(second)
    assert [(row["answer"] or "", row["b_answer"] or "", row["b_error"] or "") for row in told] == [
        ("one", "Say one", ""),
        ("", "", ""),
        ("three", "Say three", ""),
    ]
    for before, after in zip(rows(first), told, strict=True):
        assert before.items() <= after.items()
        assert {f"b_{name}" for name in before if name not in ("id", "text")} >= after.keys() - before.keys()
    assert (told[1]["error_type"], told[0]["b_provider"]) == ("ResponseStatusError", "OpenAICompatible")
    assert call(*command).stdout.startswith(f"2 answered (2 of them from {second}.store), 0 failed")
    Path(f"{second}.store").unlink()
    assert_refused(call(*command), f"{second} has 2 answers, and there are none in {second}.store")
    assert asked(emulator) == []
    assert_refused(call(*command, "--prefix", "c_"), f"{second} has something else than the answers of a batch")


def test_rows_that_failed_in_the_next_batch_can_be_asked_again(
    emulator: Emulator, here: list[str], tmp_path: Path, first: Path
) -> None:
    failed = tmp_path / f"failed{first.suffix}"
    command = ["--prompt", "Say {answer}", "--empty", "skip", *SECOND, *here]
    emulator.fail("status", status=400)
    assert call("batch", str(first), "-o", str(tmp_path / "a.csv"), "--failed", str(failed), *command).returncode == 1
    assert [(row["id"], row["answer"], "b_error" in row) for row in rows(failed)] == [("1", "one", False)]
    again = tmp_path / "again.csv"
    assert call("batch", str(failed), "-o", str(again), *command).returncode == 0
    assert [(row["id"], row["b_answer"]) for row in rows(again)] == [("1", "Say one")]
    assert asked(emulator) == ["Say one", "Say three", "Say one"]


def test_fields_of_a_schema_have_the_prefix_too(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "mood.json").write_text('{"properties": {"mood": {}}, "required": ["mood"]}', encoding="utf-8")
    (tmp_path / "in.jsonl").write_text('{"text": "{\\"mood\\": \\"good\\"}", "mood": "?", "output": 1}\n', "utf-8")
    command = ["batch", str(tmp_path / "in.jsonl"), "--prompt", "{text}", "--schema", str(tmp_path / "mood.json")]
    for name, field, value in (("out.csv", "b_mood", "good"), ("out.jsonl", "b_output", {"mood": "good"})):
        out = tmp_path / name
        assert_refused(call(*command, "-o", str(out), *here), "a column is called ", "or pass --prefix, so that")
        assert call(*command, "-o", str(out), *SECOND, *here).returncode == 0
        assert [(row["mood"], row[field]) for row in rows(out)] == [("?", value)]


def test_another_model_is_asked_the_same(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    """The column of who answered the first time is no model to ask."""
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert call("batch", str(tmp_path / "in.txt"), "-o", str(first), *here).returncode == 0
    assert call("batch", str(first), "-o", str(second), *SECOND, *here, "-m", "other").returncode == 0
    assert [request.json()["model"] for request in emulator.requests if request.step == "prompt"] == ["echo", "other"]
    assert [(row["model"], row["b_model"], row["b_answer"]) for row in rows(second)] == [("echo", "other", "one")]


def test_answers_to_requests_of_the_batch_api_have_no_prefix(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    body = {"model": "echo", "messages": [{"role": "user", "content": "one"}]}
    (tmp_path / "in.jsonl").write_text(json.dumps({"custom_id": "a", "body": body}), encoding="utf-8")
    command = ["batch", str(tmp_path / "in.jsonl"), *SECOND, *here]
    assert_refused(call(*command), "have a form of their own, without a prefix; leave out --prefix, or write a .csv")
    assert asked(emulator) == []
    assert call(*command, "-o", str(tmp_path / "out.csv")).returncode == 0
    assert rows(tmp_path / "out.csv")[0]["b_answer"] == "one"


@pytest.mark.parametrize("store", [[], ["--store", "a.db"]])
def test_the_advice_how_to_ask_only_what_failed_can_be_followed(
    emulator: Emulator, here: list[str], tmp_path: Path, store: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text('text\none\n""\ntwo\n', encoding="utf-8")
    how = ["--prompt", "{text}", "--empty", "skip", "--workers", "1", *here]
    emulator.fail("status", nth=2, status=400)
    assert call("batch", "in.csv", "-o", "out.csv", "--failed", "bad.csv", *store, *how).returncode == 1
    before = Path("out.csv").read_bytes(), Path("bad.csv").read_bytes()
    said = call("batch", "in.csv", "-o", "out.csv", "--failed", "bad.csv", *store, *how, "-m", "b", "--estimate").stderr
    others = "-o, --store and --failed" if store else "-o and --failed"
    advice = "to ask only what failed, and keep the answers there are, give bad.csv as IN, and other files with "
    assert f"; {advice}{others}\n" in said
    asked(emulator)
    store = store and ["--store", "b.db"]
    done = call("batch", "bad.csv", "-o", "out2.csv", "--failed", "bad2.csv", *store, *how, "-m", "b")
    assert (done.returncode, done.stderr) == (0, "")
    assert asked(emulator) == ["two"]
    assert (Path("out.csv").read_bytes(), Path("bad.csv").read_bytes()) == before
