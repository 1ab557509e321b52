"""What of a reply of AI Engine only shows the images that come beside it."""

from __future__ import annotations

import re

_IMAGE = r"!\[[^\[\]]*\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)"  # in Markdown; its address may have brackets


def without_images(reply: str, urls: list[str]) -> str:
    """Take out of a reply what only shows its images: their Markdown, or the address alone."""
    if reply in urls:
        return ""
    known = set(urls)
    # In time that grows with the text alone: nothing can interrupt re, and a site may send megabytes of brackets.
    shown = re.sub(_IMAGE, lambda found: "" if found[1] in known else found[0], reply)
    return shown if shown.strip() else ""
