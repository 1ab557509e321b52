"""How the emulated services behave: every switch of the emulator, in one frozen dataclass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

Framing = Literal["chunked", "close", "length"]
Encoding = Literal["gzip", "deflate"]

_FRAMINGS = ("chunked", "close", "length")
_ENCODINGS = (None, "gzip", "deflate")
_NEWLINES = ("\n", "\r\n", "\r")


@dataclass(frozen=True)
class Settings:
    """Describe how the emulator answers.

    On the wire, for every service:

    * ``framing``: how a body's end is told: ``"chunked"``, ``"close"`` (the connection's end) or
      ``"length"`` (the whole answer is known before its first byte is sent).
    * ``newline``: what ends a line of a stream: ``"\\n"``, ``"\\r\\n"`` or ``"\\r"``.
    * ``encoding``: ``None``, ``"gzip"`` or ``"deflate"``, whatever the client asks for, as a
      careless proxy does; ``flush``: whether the compressor is flushed after each piece.
    * ``write_size``: ``None`` writes each piece as it comes; a number cuts the body into writes
      (and chunks) of that many bytes: 1 cuts everywhere, a big one makes one chunk of everything.
    * ``pace``: seconds between two pieces of an answer.
    * ``keep_alive``: whether a connection serves more than one request.
    * ``sse_comments`` puts a ``: keep-alive`` line before every event, ``sse_space=False`` leaves
      out the blank after ``data:``, ``sse_last_blank=False`` the blank line after the last event.

    Tokens, nonces and cookies:

    * ``token_uses``, ``token_seconds``: a token is refused after that many uses or seconds;
      ``None`` is never. In the second half of its life a nonce of AI Engine is answered with a newer one.
    * ``token_refusal``: the status with which AiChatOnline refuses a token: 401, 403, or 200 for
      an error line in a successful answer.
    * ``require_cookies``: AiChats wants the cookies of its page back.
    * ``nonce_cookie``: AI Engine's nonce belongs to one visitor's cookie, as with WooCommerce.
    * ``renew_nonces``: AI Engine answers an accepted nonce with the newest; ``False`` is a site
      whose proxy strips it.

    AI Engine's site:

    * ``plugin_version``: 2.4.3 and older have no start_session and put the nonce in the page, 2.8.5
      and newer hand out ``new_token`` and cookies, 2.8.5 to 2.8.9 serve one request of a visitor
      at a time, before 3.0 an unknown bot is refused.
    * ``message_limit``: characters of ``newMessage`` (bytes up to 2.4.4); ``None`` is no limit.
    * ``bots``: the bot ids that exist.
    * ``status_events``: the site's event logs are on (2.8.3 and newer): ``True``, or the subtypes
      of the live events before the answer; with ``"content"`` among them the text has it too.

    The OpenAI-compatible server:

    * ``api_key``: the only key let in; ``None`` lets in everybody.
    * ``models``: the names it lists; ``refuse_unknown_models`` refuses all others.

    For both: ``usage``, whether token counts are reported.
    """

    framing: Framing = "chunked"
    newline: str = "\n"
    encoding: Encoding | None = None
    flush: bool = True
    write_size: int | None = None
    pace: float = 0.0
    keep_alive: bool = True
    sse_comments: bool = False
    sse_space: bool = True
    sse_last_blank: bool = True
    token_uses: int | None = None
    token_seconds: float | None = None
    token_refusal: Literal[401, 403, 200] = 401
    require_cookies: bool = True
    nonce_cookie: bool = False
    renew_nonces: bool = True
    plugin_version: str = "3.6.2"
    message_limit: int | None = 512
    bots: tuple[str, ...] = ("default",)
    status_events: bool | tuple[str, ...] = False
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ("gpt-4o-mini", "gpt-4")
    refuse_unknown_models: bool = False
    usage: bool = True

    def __post_init__(self) -> None:
        if self.framing not in _FRAMINGS:
            raise ValueError(f"framing must be one of {_FRAMINGS}, not {self.framing!r}")
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"encoding must be one of {_ENCODINGS}, not {self.encoding!r}")
        if self.newline not in _NEWLINES:
            raise ValueError(f"newline must be one of {_NEWLINES}, not {self.newline!r}")
        if not (math.isfinite(self.pace) and self.pace >= 0):
            raise ValueError(f"pace must be a number of seconds from 0, not {self.pace!r}")
        if self.write_size is not None and self.write_size < 1:
            raise ValueError(f"write_size must be at least 1 byte, not {self.write_size!r}")
        self.plugin  # noqa: B018  a bad version is an error here, not in a connection's thread

    @property
    def plugin(self) -> tuple[int, ...]:
        """Give ``plugin_version`` as numbers, to compare with."""
        try:
            return tuple(int(part) for part in self.plugin_version.split("."))
        except ValueError:
            raise ValueError(f"plugin_version must be numbers and dots, not {self.plugin_version!r}") from None
