"""Keeps an example's process on this machine: the servers that examples name are all the test's own.

Python imports this at the start of every process that has this folder in PYTHONPATH, so an example
runs exactly as it is printed.
"""

import os
import socket

_PORTS = {8080, 11434}  # where the documentation supposes servers: llama.cpp's and Ollama's
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_getaddrinfo = socket.getaddrinfo


def _resolve(host, port, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    if name not in _LOOPBACK:
        raise OSError(f"an example wants to reach {name}, which is not this machine")
    if port in _PORTS:
        host, port = "127.0.0.1", int(os.environ["EXAMPLE_SERVER_PORT"])
    return _getaddrinfo(host, port, *args, **kwargs)


socket.getaddrinfo = _resolve
