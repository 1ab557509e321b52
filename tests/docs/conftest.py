"""An OpenAI-compatible server on loopback that is just large enough for the examples, and apps that pages print."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask_pages import FILES, Load

PIECES = ["Light ", "is ", "scattered, ", "blue ", "most ", "of ", "all."]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send("application/json", {"object": "list", "data": [{"id": "small"}, {"id": "large"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/images/generations"):
            self._send("application/json", {"created": 1700000000, "data": [{"b64_json": PIXEL}]})
            return
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        pieces = PIECES if "response_format" not in asked else ['{"city": ', '"Oslo"}']
        if schema is not None:
            pieces = re.findall(".{1,8}", json.dumps(_sample(schema, schema.get("$defs", {}))))
        if asked.get("tools") and asked["messages"][-1]["role"] == "user":
            call = {"index": 0, "id": "call_1", "type": "function"}
            function = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"city": "Oslo"}'}
            chunks = [_chunk(asked, {"tool_calls": [{**call, "function": function}]}), _chunk(asked, {}, "tool_calls")]
        else:
            chunks = [*(_chunk(asked, {"content": piece}) for piece in pieces), _chunk(asked, {}, "stop")]
        chunks.append({**_chunk(asked, {}), "choices": [], "usage": USAGE})
        events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self._send("text/event-stream", events)

    def _send(self, content_type: str, content: Any) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def _sample(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Make a value of a schema: the first of all that there are."""
    if "$ref" in schema:
        return _sample(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: _sample(inner, definitions) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [_sample(schema["items"], definitions)]
    return {"string": "Oslo", "integer": 7, "number": 2.5, "boolean": True, "null": None}[schema["type"]]


def _chunk(asked: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": asked["model"]}
    return {**head, "choices": [choice]}


@pytest.fixture(scope="session")
def example_server() -> Iterator[int]:
    """Start the server; give its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Give a function that runs a file of the pages in an empty folder, and gives its names."""
    monkeypatch.chdir(tmp_path)
    loaded: list[ModuleType] = []

    def load(name: str) -> ModuleType:
        loaded.append(ModuleType(name))
        exec(compile(FILES[name], f"{name}.py", "exec"), vars(loaded[-1]))
        return loaded[-1]

    yield load
    for module in loaded:  # its names are in a circle, in which Python may come upon an open database first
        vars(module).clear()
