"""The server with clients that other people wrote; `tox -e clients` installs them.

Each asks twice, whole and streamed: ``litellm``, LangChain's ``ChatOpenAI``, simonw's ``llm``, OpenAI's client for
Node, which npm fetches, and ``curl``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .conftest import Served, served

QUESTION, ANSWER = "Why is the sky blue?", "Because of the way light is scattered."
MESSAGES = [{"role": "user", "content": QUESTION}]
SECONDS = 120.0

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def upstream() -> Iterator[Emulator]:
    with Emulator(lambda messages: [ANSWER[:8], ANSWER[8:]]) as running:
        yield running


@pytest.fixture(scope="module")
def server(upstream: Emulator) -> Iterator[Served]:
    with served(G4F_LITE_BASE_URL=f"{upstream.url}/v1") as running:
        yield running


@pytest.mark.filterwarnings("ignore")
def test_litellm(server: Served) -> None:
    litellm = pytest.importorskip("litellm")
    settings: dict[str, Any] = {"model": "openai/gpt-4", "api_base": f"{server.url}/v1", "api_key": "none"}
    assert litellm.completion(messages=MESSAGES, **settings).choices[0].message.content == ANSWER
    chunks = list(litellm.completion(messages=MESSAGES, stream=True, **settings))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER


@pytest.mark.filterwarnings("ignore")
def test_langchain(server: Served) -> None:
    langchain = pytest.importorskip("langchain_openai")
    model = langchain.ChatOpenAI(model="gpt-4", base_url=f"{server.url}/v1", api_key="none")
    assert model.invoke(QUESTION).content == ANSWER
    assert "".join(chunk.content for chunk in model.stream(QUESTION)) == ANSWER


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_llm(server: Served, tmp_path: Path, options: list[str]) -> None:
    pytest.importorskip("llm")
    models = f"- model_id: ours\n  model_name: gpt-4\n  api_base: {server.url}/v1\n"
    (tmp_path / "extra-openai-models.yaml").write_text(models)
    done = subprocess.run(
        [sys.executable, "-m", "llm", "-m", "ours", *options, QUESTION],
        env={**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stdout.strip() == ANSWER, done.stderr


NODE = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const ask = { model: "gpt-4", messages: [{ role: "user", content: "Why is the sky blue?" }] };
const whole = (await client.chat.completions.create(ask)).choices[0].message.content;
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
const models = (await client.models.list()).data.map((model) => model.id);
let refused = null;
try { await client.chat.completions.create({ ...ask, messages: [] }); } catch (error) { refused = error.status; }
console.log(JSON.stringify({ whole, streamed, models, refused }));
"""


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install OpenAI's client for Node, and give its folder."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node and npm are not on this machine")
    folder = tmp_path_factory.mktemp("node")
    subprocess.run(["npm", "install", "--silent", "openai"], cwd=folder, check=True, timeout=SECONDS)
    return folder


def test_openai_for_node(server: Served, node_modules: Path) -> None:
    script = node_modules / "ask.mjs"
    script.write_text(NODE)
    done = subprocess.run(
        ["node", str(script), f"{server.url}/v1"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "whole": ANSWER,
        "streamed": ANSWER,
        "models": ["gpt-4o-mini", "gpt-4"],
        "refused": 400,
    }


@pytest.mark.parametrize("stream", ["false", "true"])
def test_curl(server: Served, stream: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not on this machine")
    body = json.dumps({"messages": MESSAGES, "stream": stream == "true"})
    command = ["curl", "-sS", "-N", "-d", body, "-H", "Content-Type: application/json"]
    done = subprocess.run(
        [*command, f"{server.url}/v1/chat/completions"], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    if stream == "false":
        assert json.loads(done.stdout)["choices"][0]["message"]["content"] == ANSWER
        return
    *events, end = [line.removeprefix("data: ") for line in done.stdout.split("\n\n") if line]
    assert end == "[DONE]"
    assert "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events) == ANSWER
