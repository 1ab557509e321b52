"""The embedded model: an answer, if its weights are here, and the download of another file."""

import hashlib
import os
import tempfile
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from g4f_lite import Local, ProviderNotConfiguredError

CONTENT = b"GGUF, the first four bytes of each such file"


class Files(SimpleHTTPRequestHandler):
    """Serves the files of a folder."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=folder)

    def log_message(self, *arguments: Any) -> None:
        pass


with Local(download=False) as local:
    try:
        answer = local.ask("What is the capital of France?", max_tokens=8)
    except ProviderNotConfiguredError as error:
        assert "weights" in str(error), error
    else:
        assert answer.strip()

with tempfile.TemporaryDirectory() as folder, HTTPServer(("127.0.0.1", 0), Files) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["XDG_CACHE_HOME"] = folder
    Path(folder, "model.gguf").write_bytes(CONTENT)
    fragment = f"sha256={hashlib.sha256(CONTENT).hexdigest()}"
    path = Local.pull(f"http://127.0.0.1:{server.server_port}/model.gguf#{fragment}")
    assert path.read_bytes() == CONTENT
    server.shutdown()
