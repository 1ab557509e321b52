"""``g4f-lite batch``: what it costs, in an estimate and at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Local
from g4f_lite.answers.answer import Answer
from g4f_lite.answers.call_usage import CallUsage
from g4f_lite.answers.deltas import Finish, Usage
from g4f_lite.cli.spending import Unpriced
from g4f_lite.emulator import Emulator

from .command import assert_failed, assert_refused, call


def test_an_estimate_needs_no_key_and_says_what_the_price_is_for(tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    (tmp_path / "in.txt").write_text("x" * 399_999, encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-p", "openai:gpt-4o-mini", "--estimate"]
    environment = {"OPENAI_API_KEY": "", "G4F_LITE_OFFLINE": ""}
    done = call(*command, **environment)
    assert done.stdout == (
        "1 prompt to send, 0 answers stored; about 100,000 tokens of prompts; "
        "gpt-4o-mini: about $0.015 for the prompts only: --max-tokens limits the answers\n"
    )
    assert call(*command, "--max-tokens", "100000", **environment).stdout.endswith("; gpt-4o-mini: about $0.075\n")
    command[command.index("openai:gpt-4o-mini")] = "openai"
    assert "; gpt-4o-mini: about $0.015 for" in call(*command, **environment).stdout
    command[command.index("openai")] = "openai:gpt-4o-mni"
    assert call(*command, **environment).stdout.endswith("; gpt-4o-mni: no price known; give --price P,A\n")


def test_the_price_of_a_gateway_is_an_option(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one two\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.csv"), "--price", "1000,500000", *here]
    assert call(*command, "--estimate", "--max-tokens", "4").stdout.endswith("; echo: about $2.00\n")
    told = "2 tokens of prompts and 2 of answers, about $1.00"
    assert f"; {told}; kept in " in call(*command).stdout
    without_output = [*command[:2], *command[4:]]
    assert call(*without_output).stderr == f"Note: 1 answered, 0 failed; {told}\n"
    without_output[without_output.index("1000,500000")] = "other=1,2"
    assert call(*without_output).stderr == (
        "Note: 1 answered, 0 failed; 2 tokens of prompts and 2 of answers\n"
        "Note: --price names other, which no model that answered is called; echo has no price there: give "
        "--price echo=P,A\n"
    )


def test_a_price_of_one_model_counts_where_that_is_named(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one two\n", encoding="utf-8")
    server = f"{emulator.url}/v1"
    command = ["batch", str(tmp_path / "in.txt"), "--max-tokens", "4", "--price", "big=1000,500000", "--estimate", "-p"]
    rest = "otherwise the server chooses, and no --price MODEL=P,A counts yet\n"
    unknown = "no price known; give --price P,A"
    assert call(*command, server).stdout.endswith(f"; {unknown}, or name the model, as in -m big: {rest}")
    chain = call(*command, server, "-p", "echo").stdout
    assert chain.endswith(f"asked first: {unknown}, or name the model, as in -p PROVIDER:big: {rest}")
    assert call(*command, server, "-m", "big").stdout.endswith("; big: about $2.00\n")
    assert call(*command, f"{server}:big", "-p", "echo").stdout.endswith("asked first: about $2.00\n")
    assert call(*command, server, "-m", "other").stdout.endswith(f"; other: {unknown}\n")


def test_a_batch_stops_at_a_cost_and_the_same_command_goes_on(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one two\nthree four\nfive six\n", encoding="utf-8")
    out = tmp_path / "out.csv"
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(out), "--workers", "1", *here]
    assert_refused(call(*command, "--max-cost", "1"), "Error: --max-cost cannot hold, as no price is known for")
    command += ["--price", "1000,500000", "--max-cost"]  # $1.002 for an answer
    estimate = ["--estimate", "--max-tokens", "2"]
    above = "; echo: about $3.01; more than the --max-cost of $2, at which the batch stops\n"
    assert call(*command, "2", *estimate).stdout.endswith(above)
    assert call(*command, "4", *estimate).stdout.endswith("; echo: about $3.01\n")
    assert emulator.requests == []
    assert_failed(
        call(*command, "2"),
        "the batch stopped after 2 answers: the --max-cost of $2 is reached; ",
        f"are in {out}.store, their rows in {out}.partial, and the same command goes on, for up to $2 more; ",
        "4 tokens of prompts and 4 of answers, about $2.00",
        code=3,
    )
    done = call(*command, "2")
    assert (done.returncode, done.stdout[:20]) == (0, "3 answered (2 of the"), done.stderr
    assert [request.step for request in emulator.requests] == ["prompt"] * 3
    command = ["batch", str(tmp_path / "in.txt"), *command[4:-3], "--price", "other=1,2", "--max-cost", "2"]
    told = "the batch stopped after 1 answer: --max-cost cannot hold, as no price is known for 'echo' of Op"
    printed = call(*command).stdout
    assert printed.count("one two") == 2  # what was paid for
    assert_failed(call(*command), told, "; give --price P,A; use --store", printed=printed)


@pytest.mark.parametrize(
    ("prices", "models", "told"),
    [
        (["a=1,2"], ["a"], ""),
        (["a=1,2", "b=1,2"], ["b"], ""),  # a chain may have asked another
        (
            ["b=1,2"],
            ["a"],
            "b, which no model that answered is called; a has no price there: give --price a=P,A",
        ),
        (
            ["b=1,2", "c=1,2", "d=1,2"],
            ["a", "d"],
            "b and c, which no model that answered is called; a has no price there: give --price a=P,A",
        ),
        (["1,2"], ["a"], ""),
        ([], ["a"], ""),
    ],
)
def test_a_price_of_a_model_that_did_not_answer_is_told_with_the_names_that_count(
    emulator: Emulator, tmp_path: Path, prices: list[str], models: list[str], told: str
) -> None:
    lines = [json.dumps({"prompt": "one", "model": model}) for model in models]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    given = [part for price in prices for part in ("--price", price)]
    command = ["batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.csv"), "-p", f"{emulator.url}/v1", *given]
    own = "Note: the rows' own model is sent with their prompts\n"
    noted = f"{own}Note: --price names {told}\n" if told else own
    assert call(*command, "--estimate").stderr == noted.replace("that answered", "that is asked")
    assert call(*command).stderr == noted
    assert call(*command).stderr == own  # nothing was sent


def test_a_model_has_the_name_that_is_asked_and_the_one_that_the_service_gives() -> None:
    for model in ("big", "big-1"):
        unpriced = Unpriced({model: (1, 2), "other": (1, 2)})
        unpriced.add("big", "big-1")
        assert unpriced.told("model that answered") == ""
    unpriced = Unpriced({"other": (1, 2)})
    in_vain = CallUsage("other", None, Usage(1, 1, 2), is_part=True)
    unpriced.add_answer(Answer("Hi", model="big", took=(in_vain, CallUsage("big-1"))))
    unpriced.add(None, "big-1")
    unpriced.add("big", "big-1")
    assert "; big and big-1 have no price there: give --price big=P,A" in unpriced.told("model")


class Free:
    """An answer of a model that costs nothing."""

    priced_at = ""

    def __iter__(self) -> Iterator[Any]:
        return iter(("Hi", Usage(700, 7, 707), Finish("stop")))

    def close(self) -> None:
        pass


def test_the_embedded_model_is_free_at_any_price(
    emulator: Emulator, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "--max-tokens", "4", "--price", "1000000,0", "--workers", "1"]
    chain = ["-p", f"{here[1]}:echo", "-p", "local"]
    assert call(*command, "-p", "local", "--estimate").stdout.endswith(": costs nothing\n")
    assert call(*command, *chain, "--estimate").stdout.endswith(" of OpenAICompatible, asked first: about $4.00\n")
    monkeypatch.setattr(Local, "check", lambda provider, prompt: None)
    monkeypatch.setattr(Local, "check_ready", lambda provider: None)
    monkeypatch.setattr(Local, "begin", lambda provider, prompt: Free())
    of_another = [*command[:4], "--price", "other=1,2", "-p", "local"]
    for more in (["--estimate"], []):
        assert "other" not in call(*of_another, *more).stderr
    assert call(*command, "-p", "local").stderr.endswith("; 2,100 tokens of prompts and 21 of answers, $0\n")
    emulator.fail("status", nth=2, status=400)
    done = call(*command, *chain)
    assert "; 702 tokens of prompts and 9 of answers, about $2.00\n" in done.stderr
