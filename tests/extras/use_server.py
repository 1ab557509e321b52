"""A server of any provider, for clients of OpenAI's API."""

import threading

from waitress.server import create_server

from g4f_lite import OpenAICompatible
from g4f_lite.contrib.server import create_app

server = create_server(create_app("echo"), host="127.0.0.1", port=0)
threading.Thread(target=server.run, daemon=True).start()
with OpenAICompatible(f"http://127.0.0.1:{server.effective_port}/v1") as provider:
    assert provider.ask("hello") == "hello"
