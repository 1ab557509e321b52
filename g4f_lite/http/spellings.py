"""The places of a secret in a text, however a server has spelled it there: in JSON, in a URL, in HTML."""

from __future__ import annotations

import functools
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import quote, unquote

SHORTEST_SECRET = 4  # characters; to hide shorter ones would make a text unreadable and hide nothing
SHORTEST_PART = 8  # characters of a secret that stands beside other words, or is cut
# Characters of a text, each once for each spelling, in up to half a second: a service can set as many cookies as it
# wants before it sends a long text.  100 secrets are looked for in the 4 MiB that are kept of an answer.
MAX_SEARCHED = 500_000_000
MAX_ESCAPES = 200_000  # that are decoded in a text, in about as long
MAX_PLACES = 100_000  # of secrets in a text
_LEVELS = 4  # as JSON that is quoted in JSON is escaped twice, and a secret may look like something escaped
# In HTML a number may begin with zeros, and it, and the oldest names, may lack the semicolon, unless what follows is an
# escape, which may stand for the rest of it.
_ESCAPED = (
    r"""\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[/"'\\]|%[0-9a-fA-F]{2}"""
    r"""|&#[xX]0{0,64}[0-9a-fA-F]{1,6}(?:;|(?![\\%0-9a-fA-F]))|&#0{0,64}[0-9]{1,7}(?:;|(?![\\%0-9]))"""
    r"""|&\w{1,31};|&(?:amp|lt|gt|quot)(?![\\%])"""
)

Place = tuple[int, int]


def is_word(text: str) -> bool:
    """Return whether this is a short plain word, such as the value of a cookie ``theme=dark``."""
    return len(text) < SHORTEST_PART and text.isalpha()


class Spellings:
    """All spellings of some secrets, made once for the texts in which they are looked for.

    :param secrets: the secrets; too short ones are left out
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        folded = (form for secret in secrets for form in (secret, " ".join(secret.split())))  # as in a message
        secrets = {secret for secret in folded if len(secret) >= SHORTEST_SECRET}
        self._forms = {form for secret in secrets for form in _forms(secret)}
        encoded = (form for secret in secrets for form in (quote(secret, safe=""), repr(secret)[1:-1]))
        self._written = self._forms.union(encoded)

    def places(self, text: str) -> list[Place]:
        """Find where secrets begin and end in a text.

        A secret that was cut at its end counts if half of it is there, and a short plain word only where it stands
        alone.  Of a text that is too long to be searched for so many secrets, or has too many escapes, the end counts
        as one; of a text in which secrets stand too often, the whole does.
        """
        places: list[Place] = []
        searched = min(len(text), MAX_SEARCHED // max(1, len(self._written)))
        plain, forms, left, levels = text[:searched], self._written, MAX_ESCAPES, _Levels()
        while forms:
            for form in forms:
                places += levels.in_text(islice(_places(plain, form), MAX_PLACES))
                if len(places) >= MAX_PLACES:
                    return [(0, len(text))]
            if len(levels) == _LEVELS:
                break
            decoded = _Decoded(plain, left)
            searched = min(searched, levels.origin(decoded.read))
            if decoded.text == plain[: decoded.read]:
                break
            levels.append(decoded)
            plain, forms, left = decoded.text, self._forms, left - decoded.escapes
        return places if searched == len(text) else [*places, (searched, len(text))]


class _Decoded:
    """A text whose escapes stand for characters.

    :param text: the text
    :param most: how many escapes are decoded
    :ivar text: what was decoded
    :ivar read: up to where in the text that is; at the first escape too many it ends
    :ivar escapes: how many there were
    """

    def __init__(self, text: str, most: int) -> None:
        pieces: list[str] = []
        self._after = array("L")  # where in the decoded text an escape has ended
        self._added = array("L")  # how much further on that is in the text
        length = self.read = self.escapes = 0
        for found in re.finditer(_ESCAPED, text):
            if self.escapes == most:
                pieces.append(text[self.read : found.start()])
                self.read = found.start()
                break
            self.escapes += 1
            character = _character(found[0])
            pieces += (text[self.read : found.start()], character)
            length += found.start() - self.read + len(character)
            self.read = found.end()
            self._after.append(length)
            self._added.append(self.read - length)
        else:
            pieces.append(text[self.read :])
            self.read = len(text)
        self.text = "".join(pieces)

    def origin(self, place: int) -> int:
        """Return where in the text a place in what was decoded is."""
        before = bisect_right(self._after, place)
        return place + self._added[before - 1] if before else place


class _Levels(list[_Decoded]):
    """A text that was decoded, decoded again, and so on."""

    def origin(self, place: int) -> int:
        """Return where in the first text a place in the last one is."""
        for level in reversed(self):
            place = level.origin(place)
        return place

    def in_text(self, places: Iterable[Place]) -> Iterator[Place]:
        """Return where in the first text places in the last one are."""
        return ((self.origin(start), self.origin(end)) for start, end in places)


def _forms(secret: str) -> Iterator[str]:
    """Give what a secret is in a text that was decoded: itself, and decoded as often, as it may hold a ``%2F``."""
    for _ in range(_LEVELS + 1):
        # %C3%A9 is decoded to two characters, and so is \ud83d\ude00, as JSON writes an emoji.
        for form in (secret, secret.encode(errors="replace").decode("latin-1"), _in_halves(secret)):
            yield form
            yield form.replace(" ", "+")  # as forms write it, which is not decoded: a + is mostly one
        decoded = _decoded(secret)
        if decoded == secret or len(decoded) < SHORTEST_SECRET:
            return
        secret = decoded


def _in_halves(text: str) -> str:
    """Return a text with both halves in the place of each character that UTF-16 writes in two."""
    return re.sub("[\U00010000-\U0010ffff]", lambda found: _halves(ord(found[0]) - 0x10000), text)


def _halves(number: int) -> str:
    return chr(0xD800 + (number >> 10)) + chr(0xDC00 + (number & 0x3FF))


def _decoded(text: str) -> str:
    return re.sub(_ESCAPED, lambda found: _character(found[0]), text)


def _places(text: str, secret: str) -> Iterator[Place]:
    if is_word(secret):  # else "test" would take a piece out of "latest"
        yield from (found.span() for found in re.finditer(rf"(?<!\w){secret}(?!\w)", text))
        return
    probe = secret[: max(SHORTEST_PART, len(secret) // 2)]
    start = text.find(probe)
    while start >= 0:
        end = start + len(probe)
        while end - start < len(secret) and text[end : end + 1] == secret[end - start]:
            end += 1
        yield start, end
        start = text.find(probe, end)


@functools.lru_cache(1024)
def _character(escape: str) -> str:
    """Return the character that an escape stands for; what stands for no single one is given as it is."""
    if escape[0] == "&":
        from html import unescape  # which few answers need

        character = unescape(escape)
        return character if len(character) == 1 else escape
    if escape[0] == "%":
        return unquote(escape, "latin-1")
    return chr(int(escape[2:], 16)) if escape[1] in "ux" else escape[1]
