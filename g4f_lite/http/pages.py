"""Tells a web page from an answer that begins with ``<`` as well: XML, or plain text such as ``<3 is a heart``."""

from __future__ import annotations

import re

_BLANK = "\ufeff \t\r\n"
# The types under which whatever begins with ``<`` is a page: PHP sites send their answers and their errors as HTML,
# and JSON and events begin otherwise.  Without a type it may be anything.
_NO_TAGS = ("text/html", "application/xhtml+xml", "application/json", "text/event-stream")
_XML = ("/xml", "+xml")
_TAGS = ("<!doctype html", "<html")
_BEFORE = {"<!--": "-->", "<?": "?>"}  # comments and declarations
_ENOUGH_BYTES = 8192


def is_page(content_type: str, text: str) -> bool:
    """Return whether a body is a web page, or else something that can be an answer.

    :param content_type: the header of that name; "" if there is none
    :param text: the body, or its beginning
    """
    text = text.lstrip(_BLANK)
    if not text.startswith("<"):
        return False
    kind = content_type.partition(";")[0].strip().lower()
    is_own = kind.startswith("text/") or kind.endswith(_XML) or text.startswith("<?xml")
    return kind in _NO_TAGS or not is_own or bool(_begins_as_page(text))


def is_enough(start: bytes) -> bool:
    """Return whether the beginning of a body tells whether it begins as a web page does."""
    return len(start) > _ENOUGH_BYTES or _begins_as_page(start.decode("utf-8", "replace")) is not None


def _begins_as_page(text: str) -> bool | None:
    """Return whether a text begins as every web page does, behind comments; None if more of it has to be known."""
    start = text.lstrip(_BLANK)
    while opening := next((each for each in _BEFORE if start.startswith(each)), None):
        _, closing, rest = start.partition(_BEFORE[opening])
        if not closing:
            return None
        start = rest.lstrip(_BLANK)
    start = " ".join(start[:40].lower().split())
    if re.match(r"<(!doctype )?html\b", start):
        return True
    return None if any(tag.startswith(start) for tag in (*_TAGS, *_BEFORE)) else False


def without_title(page: str) -> str:
    """Leave out the title of a page, whose words are often those of its heading."""
    return re.sub(r"(?i)<title\b[^<>]*>[^<]*", " ", page)


def visible(page: str) -> str:
    """Give roughly the text that a browser would show of an HTML page."""
    page = re.sub(r"(?is)<(script|style)\b.*?(</\1\s*>|\Z)", " ", page)
    return re.sub(r"<[^>]*>?", " ", page)
