"""A Flask app for the tests on real servers; what its environment says, it does."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, request

from g4f_lite import G4FLiteError
from g4f_lite.contrib.flask import G4FLite, error_response, stream_answer

app = Flask(__name__)
app.config.update(dict.fromkeys(os.environ.get("SWITCHES", "").split(), True))
chat = G4FLite(app)
app.register_error_handler(G4FLiteError, error_response)


def note(answer: Any, error: Any) -> None:
    """Add a line to the test's file, in one write, as several processes may."""
    with Path(os.environ["NOTES"]).open("ab", buffering=0) as file:
        file.write(f"{len(answer)} {type(error).__name__}\n".encode())


@app.route("/stream", methods=["GET", "POST"])
def stream() -> Any:
    request.get_data()
    first = float(request.args.get("first", 10))
    return stream_answer(chat.client.stream(request.args["prompt"]), first=first, on_done=note)


@app.get("/inline")
def inline() -> Any:
    """What a legacy app does."""
    return chat.client.ask(request.args["prompt"])


@app.get("/sleep")
def sleep() -> Any:
    time.sleep(float(request.args["seconds"]))
    return f"{os.getpid()} {threading.get_ident()}"


@app.get("/engine")
def engine() -> Any:
    """Ask the embedded model; give the process, and the addresses of its engines."""
    from g4f_lite.providers.local.engines import _engines

    chat.client.ask("Hello", max_tokens=1)
    return f"{os.getpid()} {' '.join(str(engine.base_url) for engine in _engines.values())}"


@app.get("/")
def page() -> str:
    return "<!doctype html><title>ready</title><pre></pre>"
