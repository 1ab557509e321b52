"""How the emulated services behave: every setting of the emulator, in one frozen dataclass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

Framing = Literal["chunked", "close", "length"]
Encoding = Literal["gzip", "deflate"]

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "framing": ("chunked", "close", "length"),
    "encoding": (None, "gzip", "deflate"),
    "newline": ("\n", "\r\n", "\r"),
    "site_limit": ("guests", "users", "system"),
    "batch_end": ("completed", "expired", "cancelled", "failed"),
    "permalinks": ("pretty", "plain", "plain-home"),
}


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
    * ``first_delay``: seconds of silence between the headers and the first piece of an answer, as
      of a model that thinks.
    * ``sse_comments`` puts a ``: keep-alive`` line before every event, ``sse_space=False`` leaves
      out the blank after ``data:``, ``sse_last_blank=False`` the blank line after the last event.

    Tokens, nonces and cookies:

    * ``token_uses``, ``token_seconds``: a token is refused after that many uses or seconds;
      ``None`` is never. In the second half of its life a nonce of AI Engine is answered with a newer one.
    * ``token_refusal``: the status with which AiChatOnline refuses a token: 401, 403, or 200 for
      an error line in a successful answer.
    * ``require_cookies``: AiChats wants the cookies of its page back.
    * ``nonce_cookie``: AI Engine's nonce belongs to one client's cookie, as with WooCommerce.
    * ``renew_nonces``: AI Engine answers an accepted nonce with the newest; ``False`` is a site
      whose proxy strips it.

    AI Engine's site:

    * ``plugin_version``: what differs between the versions is in ``ai_engine/plugin.py``.
    * ``message_limit``: characters of ``newMessage`` (bytes up to 2.4.8); ``None`` is no limit.
    * ``max_messages``: how many earlier turns the model gets besides the first one; ``None`` is all.
    * ``bots``: the bot ids that exist; ``image_bots``: those that exist and draw.
    * ``status_events``: the site's event logs are on (2.8.3 and newer): ``True``, or the subtypes
      of the live events before the answer; with ``"content"`` among them the text has it too.
    * ``site_limit``: whose limit the fault ``limit`` reports: ``"guests"`` (``"users"`` for one who
      is logged in), ``"users"`` or ``"system"``.
    * ``permalinks``: ``"pretty"`` has REST routes below ``rest_prefix``; ``"plain"`` has them at
      ``/index.php?rest_route=`` alone, and the web server answers ``/wp-json/`` with 404;
      ``"plain-home"`` answers it with the home page.
    * ``php_warning``: a warning of PHP's stands in front of start_session's JSON.

    The OpenAI-compatible server:

    * ``api_key``: the only key let in; ``None`` lets in everybody.
    * ``models``: the names it lists; ``refuse_unknown_models`` refuses all others.
    * ``dialects``: the names of the dialects that it speaks; see ``DIALECTS``.
    * ``rate``: the most requests per second; those above get 429 with Retry-After. ``None`` is no limit.

    Its Batch API:

    * ``batch_polls``: a batch is over when a client has asked that many times how it is.
    * ``batch_end``: how it ends: ``"completed"``, ``"expired"``, ``"cancelled"`` or ``"failed"``;
      ``batch_done``: how many requests are answered before it expires or is cancelled.
    * ``batch_failed``: the numbers of requests that fail, from 0; ``batch_missing``: of those that are in neither file.

    For both: ``usage``, whether token counts are reported.
    """

    framing: Framing = "chunked"
    newline: str = "\n"
    encoding: Encoding | None = None
    flush: bool = True
    write_size: int | None = None
    pace: float = 0.0
    first_delay: float = 0.0
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
    max_messages: int | None = 15
    bots: tuple[str, ...] = ("default",)
    image_bots: tuple[str, ...] = ()
    status_events: bool | tuple[str, ...] = False
    site_limit: Literal["guests", "users", "system"] = "guests"
    permalinks: Literal["pretty", "plain", "plain-home"] = "pretty"
    rest_prefix: str = "wp-json"
    php_warning: bool = False
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ("gpt-4o-mini", "gpt-4")
    refuse_unknown_models: bool = False
    dialects: tuple[str, ...] = ()
    rate: float | None = None
    batch_polls: int = 1
    batch_end: Literal["completed", "expired", "cancelled", "failed"] = "completed"
    batch_done: int = 0
    batch_failed: tuple[int, ...] = ()
    batch_missing: tuple[int, ...] = ()
    usage: bool = True

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")
        for name in ("pace", "first_delay"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name} must be a number of seconds from 0, not {seconds!r}")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be a number of requests per second above 0, not {self.rate!r}")
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
