"""The options of a call on the command line, and what is said on standard error beside an answer."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite.cli.options import Seconds
from g4f_lite.emulator import Emulator
from g4f_lite.typed import ask

from .command import asked, assert_failed, assert_refused, call, run


def test_options_reach_the_provider(emulator: Emulator, here: list[str]) -> None:
    options = [
        "--temperature",
        "0.5",
        "--max-tokens",
        "9",
        "--stop",
        "x",
        "--stop",
        "y",
        "-o",
        "top_p=0.9",
        "-o",
        "seed=1",
    ]
    done = call("chat", "hello", *here, *options, "-o", "user=ada")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    body = asked(emulator)
    assert {name: body[name] for name in ("temperature", "max_tokens", "stop", "top_p", "seed", "user")} == {
        "temperature": 0.5,
        "max_tokens": 9,
        "stop": ["x", "y"],
        "top_p": 0.9,
        "seed": 1,
        "user": "ada",
    }


def test_a_schema(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    file = tmp_path / "a city.json"
    file.write_text(json.dumps(schema), encoding="utf-8")
    emulator.answer('{"city": "Paris"}')
    assert call("chat", "Where?", *here, "--schema", str(file)).stdout == '{"city": "Paris"}\n'
    assert asked(emulator)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": False},
    }
    emulator.answer('{"city": "Paris"}')
    inline = '{"type": "object", "$id": "https://example.org/city"}'
    assert call("chat", "Where?", *here, "--schema", inline).stdout == '{"city": "Paris"}\n'
    assert asked(emulator)["response_format"]["json_schema"]["schema"] == json.loads(inline)
    emulator.answer('Here it is: {"value": ["Paris", "L\\u00e9on"]}')
    done = call("chat", "Where?", *here, "--schema", '{"type": "array", "items": {"type": "string"}}')
    assert done.stdout == '["Paris", "Léon"]\n'  # which jq can read


def test_a_schema_for_a_service_that_knows_none_is_in_the_prompt(emulator: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "city.json"
    file.write_text(json.dumps({"type": "object", "required": ["city"]}), encoding="utf-8")
    command = ["chat", "Where?", "-p", "ai-engine", "--base-url", emulator.url, "--schema", str(file)]
    emulator.answer('```json\n{"city": "Paris"}\n```')
    assert call(*command).stdout == '{"city": "Paris"}\n'
    assert "It must match this JSON schema" in json.dumps(emulator.requests[-1].json())
    emulator.answer("In Paris.")
    emulator.answer('{"city": "Paris"}')
    done = call(*command)
    assert (done.returncode, done.stdout) == (0, '{"city": "Paris"}\n')
    asked_again = json.dumps(emulator.requests[-1].json())
    assert all(part in asked_again for part in ("Where?", "In Paris.", "Your answer is not valid", "JSON schema"))
    emulator.answer("In Paris.")
    emulator.answer("In Paris!")
    assert_failed(call(*command, "-q"), "expected JSON, got 'In Paris!'", printed="In Paris!\n")


def test_an_answer_that_is_not_json(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    file = tmp_path / "any.json"
    file.write_text("{}", encoding="utf-8")
    emulator.answer("yes")
    emulator.answer("no")
    assert_failed(
        call("chat", "Where?", *here, "--schema", str(file), "-q"),
        "expected JSON, got 'no'",
        printed="no\n",
    )


CITY = '{"type": "object", "properties": {"city": {"type": "string"}}}'


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_answer_that_does_not_fit_the_schema_is_asked_for_once_more(
    emulator: Emulator, here: list[str], tmp_path: Path, more: list[str]
) -> None:
    talk = tmp_path / "talk.json"
    emulator.answer('{"city": 1}')
    emulator.answer('{"city": 2}')
    done = call("chat", "Where?", *here, "--schema", CITY, "--save", str(talk), *more)
    wrong = "the answer is not a valid value of the schema: {} is not of type 'string' - at `$.city`"
    assert (done.returncode, "2" in done.stdout, talk.exists()) == (1, True, False)
    note, error = done.stderr.splitlines()
    assert note == f"Note: {wrong.format(1)}; asking again"
    assert re.fullmatch(rf"Error: \w+, stream: {re.escape(wrong.format(2))} \(2 attempts in \d+\.\d s\)", error)
    emulator.answer('{"city": 1}')
    emulator.answer('{"city": "Paris"}')
    done = call("chat", "Where?", *here, "--schema", CITY, "--save", str(talk), *more)
    assert (done.returncode, "Paris" in done.stdout, '{"city": 1}' in done.stdout) == (0, True, False)
    assert [message["content"] for message in asked(emulator)["messages"]][1:3] == ["Where?", '{"city": 1}']
    assert "1 is not of type 'string' - at `$.city`" in asked(emulator)["messages"][3]["content"]
    assert [message["content"] for message in json.loads(talk.read_text())] == ["Where?", '{"city": "Paris"}']


def test_the_usage_is_that_of_both_answers_as_the_cost_is(emulator: Emulator, here: list[str]) -> None:
    emulator.answer('{"city": 1}')
    emulator.answer('{"city": "Paris"}')
    done = call("chat", "Where?", *here, "--schema", CITY, "--json", "--price", "1000000,1000000")
    told = json.loads(done.stdout)
    assert told["cost"] == told["usage"]["total_tokens"] > 0  # a dollar each


@pytest.mark.parametrize(("seconds", "reason"), [(0, "length"), (70, "stop")])
def test_an_answer_that_is_cut_or_late_is_not_asked_for_again(
    emulator: Emulator, here: list[str], monkeypatch: pytest.MonkeyPatch, seconds: float, reason: str
) -> None:
    monkeypatch.setattr(ask, "time", SimpleNamespace(monotonic=iter([0, *[seconds] * 9]).__next__))
    emulator.answer(['{"city": 1}', {"finish_reason": reason}])
    done = call("chat", "Where?", *here, "--schema", CITY, "--timeout", "60")
    assert (done.returncode, done.stdout, len(emulator.requests)) == (1, '{"city": 1}\n', 1)
    assert len(done.stderr.splitlines()) == 1


def test_a_schema_without_the_package_that_checks_it(
    emulator: Emulator, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.delitem(sys.modules, "g4f_lite.typed.schema_check", raising=False)
    file = tmp_path / "city.json"
    file.write_text('{"required": ["city"]}', encoding="utf-8")
    for answer, code in (("{}", 0), ("Paris", 1)):
        emulator.answer(answer)
        done = call("chat", "Where?", *here, "--schema", str(file))
        assert (done.returncode, done.stdout) == (code, f"{answer}\n")
        assert done.stderr.startswith("Note: that the answer fits the schema is not checked")
    done = call("chat", "Where?", "--provider", "aiengine", "--base-url", emulator.url, "--schema", str(file))
    assert_failed(done, "checked with jsonschema")
    (tmp_path / "in.txt").write_text("{}\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), *here, "--schema", str(file))
    assert_failed(done, "checked with jsonschema")  # nobody would look at each of thousands of answers


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["-o", "top_p"], "KEY=VALUE"),
        (["-o", "=1"], "KEY=VALUE"),
        (["-o", "timeout=1"], "--timeout"),
        (["-o", "tools=[]"], "tools"),
        (["-o", "top_p=1", "-o", "top_p=1"], "twice"),
        (["--temperature", "1", "-o", "temperature=1"], "twice"),
        (["--temperature", "nan"], "temperature"),
        (["--schema", "/no/such/file"], "cannot read"),
        (["--schema", __file__], "is not JSON"),
        (["--schema", '{"type": '], "is not JSON"),
        (["-o", 'response_format={"type": "json_schema"}'], "no schema"),
        (["-o", "workers=2"], "workers cannot be given with --option"),
        (["-o", "price=1"], "price cannot be given with --option; pass --price"),
        (["--price", "1"], "tokens of prompts and of answers, such as 0.15,0.60, not '1'"),
        (["--price", "big=1"], "such as 0.15,0.60, not 'big=1'"),
        (["--price", "=1,2"], "such as 0.15,0.60, not '=1,2'"),
        (["--price", "big="], "such as 0.15,0.60, not 'big='"),
        (["--price", "big=1,-2"], "such as 0.15,0.60, not 'big=1,-2'"),
        (["--price", "1,2", "--price", "3,4"], "--price is given twice for all models"),
        (["--price", "big=1,2", "--price", "big=1,2"], "--price is given twice for big"),
        (["--price", "big=1,2", "--price", "1,2"], "--price P,A is for all models"),
    ],
)
def test_options_that_are_not_valid(here: list[str], options: list[str], word: str) -> None:
    assert_refused(call("chat", "hello", *here, *options), word)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0.5", 0.5), ("90s", 90), ("1m", 60), ("1m30s", 90), ("2h", 7200), ("1.5h", 5400), ("1h2m3s", 3723)],
)
def test_a_time_is_seconds_or_has_letters(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ([], "a limit of the server or the context of the model; a larger --max-tokens may raise the server's"),
        (["--max-tokens", "3"], "the limit of tokens; see --max-tokens"),
        (["-o", "max_completion_tokens=3"], "the limit of tokens; see --max-tokens"),
    ],
)
def test_an_answer_that_is_cut_says_so(given: list[str], limit: str, emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["half an ans", {"finish_reason": "length"}])
    done = call("chat", "hello", *here, *given)
    assert (done.returncode, done.stdout) == (0, "half an ans\n")
    assert done.stderr == f"Note: the answer is cut, because it has reached {limit}\n"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([{"reasoning_content": "hm"}, {"finish_reason": "stop"}], "has no text, only reasoning; --json shows it"),
        (
            [{"tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]}, {"finish_reason": "tool_calls"}],
            "has no text, only calls of tools: look; --json shows it",
        ),
        (["half", {"finish_reason": "content_filter"}], "is cut, because the service's filter held the rest back"),
    ],
)
def test_what_an_answer_lacks_is_noted(answer: list[Any], told: str, emulator: Emulator, here: list[str]) -> None:
    emulator.answer(answer)
    done = call("chat", "hello", *here)
    assert (done.returncode, done.stderr) == (0, f"Note: the answer {told}\n")
    emulator.answer(answer)
    done = call("chat", "hello", "--json", *here)
    assert done.stderr == f"Note: the answer {told.removesuffix('; --json shows it')}\n"


@pytest.mark.parametrize(
    ("typed", "environment", "found"),
    [
        ("chat --provider oll", {}, "plain,ollama\n"),
        ("chat --provider ai", {}, "plain,AiEngine\n"),  # and none of the sites that no longer answer
        ("doctor gro", {}, "plain,groq\n"),
        ("doctor -p gro", {}, "plain,groq\n"),
        ("serve oll", {}, "plain,ollama\n"),
        ("serve groq -m ll", {}, "plain,llama-3.3-70b-versatile\n"),
        ("batch -p groq -m ll", {}, "plain,llama-3.3-70b-versatile\n"),
        ("doctor -p groq -m ll", {}, "plain,llama-3.3-70b-versatile\n"),
        ("emulate --backend ec", {}, "plain,Echo\n"),
        ("chat -i re", {}, "file,re\n"),
        ("chat -m smollm2-", {}, "plain,smollm2-1.7b\n"),
        ("chat -m ./mod", {}, "file,./mod\n"),
        ("chat -p groq -m ll", {}, "plain,llama-3.3-70b-versatile\n"),
        ("chat -p AiChats -m g", {}, "plain,gpt-4\n"),
        ("chat -p nosuch -m g", {}, "\n"),
        ("chat --save t", {}, "file,t\n"),
        ("hello --ver", {}, "plain,--version\n"),
        ("chat -m g", {"G4F_LITE_PROVIDER": "openai:o3"}, "plain,gpt-4o-mini\n"),
        ("chat -m s", {"G4F_LITE_BASE_URL": "http://127.0.0.1:9/v1"}, "\n"),
        ("chat --base-url http://127.0.0.1:9/v1 -m s", {}, "\n"),
    ],
)
def test_names_are_completed(typed: str, environment: dict[str, str], found: str) -> None:
    count = str(len(typed.split()))
    words = {"COMP_WORDS": f"g4f-lite {typed}", "COMP_CWORD": count, "_G4F_LITE_COMPLETE": "bash_complete"}
    assert call(**words, **environment).stdout == found


def test_a_server_that_does_not_run() -> None:
    done = call("chat", "hello", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    assert_failed(
        done, "is the server running? `g4f-lite doctor`, with the same --provider or --base-url, tests it\n", code=3
    )


def test_a_provider_that_did_not_work() -> None:
    done = call("chat", "hello", "--provider", "AiChatOnline")
    assert done.stderr.startswith("Note: AiChatOnline did not work when it was last tested")
    assert "doctor AiChatOnline" in done.stderr


def test_a_quiet_command_writes_errors_and_no_notes(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["half an ans", {"finish_reason": "length"}])
    done = call("chat", "hello", *here, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "half an ans\n", "")
    assert_failed(call("chat", "hello", "-q", "--provider", "AiChatOnline"), "G4F_LITE_OFFLINE=1")
    assert run("chat", "hello", *here, "-q", stdin="").stderr == ""
