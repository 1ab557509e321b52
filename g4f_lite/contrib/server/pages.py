"""The page to chat with, and the files that it consists of."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

from .request import Request, Response

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_SCRIPTS = (
    "api.js",
    "app.js",
    "feed.js",
    "render.js",
    "scrolling.js",
    "settings.js",
    "signs.js",
    "smd.js",
    "talks.js",
    "words.js",
)
_ADDRESSES = {"/": "index.html", **{f"/page/{name}": name for name in (*_SCRIPTS, "style.css")}}

# Answers are hostile text: only the page's own script runs, and nothing is loaded from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
    ("Vary", "Accept-Encoding"),
]


def page(request: Request) -> Response | None:
    """Return a file of the page; None if no file has this address."""
    name = _ADDRESSES.get(request.path)
    if name is None or request.method not in ("GET", "HEAD"):
        return None
    is_compressed = re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", request.header("Accept-Encoding")) is not None
    data, tag = _read(name, is_compressed)
    headers = [*_HEADERS, ("ETag", tag), *([("Content-Encoding", "gzip")] if is_compressed else [])]
    if request.header("If-None-Match") == tag:
        return Response(304, [], headers)
    media_type = f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return Response(200, [data], [("Content-Type", media_type), ("Content-Length", str(len(data))), *headers])


@lru_cache
def _read(name: str, is_compressed: bool) -> tuple[bytes, str]:
    """Read a file, and give it with its tag.

    :param is_compressed: whether to compress it
    """
    data = (files("g4f_lite.contrib.server") / "page" / name).read_bytes()
    data = gzip.compress(data, mtime=0) if is_compressed else data
    return data, f'"{hashlib.sha256(data).hexdigest()[:16]}"'
