"""A WSGI application whose provider is made and used before its workers fork; gunicorn serves it in a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from g4f_lite import AiEngine

provider = AiEngine(os.environ["EMULATED_SITE"])
provider.create(messages=f"{os.getpid()} at import")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Ask what the query says; answer with the process and the answer."""
    pieces = provider.create_generator(messages=f"{os.getpid()} {environ['QUERY_STRING']}", timeout=30)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (str(piece).encode() for piece in pieces)
