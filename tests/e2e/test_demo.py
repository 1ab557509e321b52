"""``g4f-lite demo`` as a newcomer runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from g4f_lite.providers.local import manners

from .command import call

if sys.platform != "win32":
    from .command import Terminal

WIDE = {"COLUMNS": "100"}

# What happens on the wire, in order: each service's steps, as the emulator received them.
STEPS = [
    "bootstrap GET /api/v1/user/getUniqueId → 200 (connection 1, new)",
    "prompt POST /aichatonline/api/chat/gpt → 200 (connection 1, reused)",
    "bootstrap GET /chat/ → 200 (connection 2, new)",
    "prompt POST /chat/send2/ → 200 (connection 2, reused)",
    "prompt POST /chat/send2/ → 200 (connection 2, reused)",
    "image GET /images/1.png → 200 (connection 2, reused)",
    "bootstrap POST /wp-json/mwai/v1/start_session → 200 (connection 3, new)",
    "prompt POST /wp-json/mwai-ui/v1/chats/submit → 200 (connection 3, reused)",
]


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return call("demo", "--backend", "echo", *arguments, **{**WIDE, **environment})


def steps(shown: str) -> list[str]:
    """Give the lines about requests, with single blanks."""
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    return [line for line in lines if re.match(r"(bootstrap|prompt|image) ", line)]


def test_the_whole_sdk_at_work() -> None:
    done = demo()
    assert (done.returncode, done.stderr) == (0, "")
    assert steps(done.stdout) == STEPS
    assert len(re.findall(r"^  first piece after \d+\.\d{3} s$", done.stdout, re.MULTILINE)) == 3
    assert len(re.findall(r"^  end         after .* the body is complete$", done.stdout, re.MULTILINE)) == 4
    for text in ("Why is the sky blue? Answer in one sentence.", "What colour is it?", "And of Italy?"):
        assert f"\n              {text}\n" in done.stdout  # the echo's answer
    assert re.search(r"^  data        image/png, [\d,]+ bytes$", done.stdout, re.MULTILINE)
    assert "8 requests on 3 connections" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_tokens_are_shortened() -> None:
    done = demo()
    tokens = re.findall(r"(?:UniqueId|X-WP-Nonce): (.*)$|[\w-]+=(\S+?)(?:;|$)", done.stdout, re.MULTILINE)
    assert len(tokens) == 8
    for token in map("".join, tokens):
        assert re.fullmatch(r"[0-9a-f]{4}…", token)


def test_what_is_shown_is_what_happened() -> None:
    done = demo("--fail", "token:service=ai_chats", "--fail", "reset:service=ai_engine")
    assert done.returncode == 0
    assert steps(done.stdout)[3:6] == [
        "prompt POST /chat/send2/ → 403, fault token (connection 2, reused)",
        "bootstrap GET /chat/ → 200 (connection 3, new)",
        "prompt POST /chat/send2/ → 200 (connection 3, reused)",
    ]
    assert steps(done.stdout)[-2:] == [
        "prompt POST /wp-json/mwai-ui/v1/chats/submit → no answer, fault reset (connection 4, reused)",
        "prompt POST /wp-json/mwai-ui/v1/chats/submit → 200 (connection 5, new)",
    ]
    assert "11 requests on 5 connections" in done.stdout


@pytest.mark.parametrize(
    ("fault", "code", "last", "words"),
    [
        ("error:times=none", 1, 'sentence."}', "AiChatOnline, prompt: "),
        ("cut:service=ai_chats,after=2", 3, "              What colour", "AiChats, stream: "),
        ("challenge:path=/wp-json/*", 1, "(connection 3, new)", "Chatgpt4Online, bootstrap: "),
    ],
)
def test_a_failure_is_one_line_behind_what_happened(fault: str, code: int, last: str, words: str) -> None:
    done = demo("--fail", fault)
    assert done.returncode == code
    assert done.stdout.endswith(f"{last}\n")
    assert done.stderr.startswith(f"Error: {words}")
    assert done.stderr.count("\n") == 1


def test_the_image_is_saved_only_on_request(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    done = demo("--save", str(folder))
    (saved,) = folder.iterdir()
    assert done.returncode == 0
    assert f"The image is saved as {saved}\n" in done.stdout
    assert saved.suffix == ".png"
    assert saved.read_bytes().startswith(b"\x89PNG")
    done = demo("--save", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: {tmp_path / 'nowhere'} is not a directory\n"


def test_lines_fit_a_narrow_window() -> None:
    done = demo(COLUMNS="60")
    assert done.returncode == 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    assert max(map(len, lines)) <= 60


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals in the standard library")
def test_in_a_terminal() -> None:
    with Terminal("demo", "--backend", "echo", **WIDE) as terminal:
        status, shown = terminal.end()
    assert status == 0
    assert [step.replace("\r", "") for step in steps(shown)] == STEPS
    assert "\N{REPLACEMENT CHARACTER}" not in shown


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:this program has .* in memory twice")  # by the engines of other tests
def test_with_the_embedded_model(local_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = {kind: replace(manner, max_tokens=5) for kind, manner in manners.MANNERS.items()}
    monkeypatch.setattr(manners, "MANNERS", brief)
    done = call("demo", **WIDE)
    assert (done.returncode, done.stderr) == (0, "")
    assert steps(done.stdout) == STEPS
    assert "the answers are from Local (ready after " in done.stdout
    counts = re.findall(r"(\d+) pieces?, (\d+) characters", done.stdout)
    assert len(counts) == 4
    assert all(int(pieces) > 1 for pieces, _ in (*counts[:2], counts[3]))
