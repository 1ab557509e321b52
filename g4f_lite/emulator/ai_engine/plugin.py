"""What the versions of the AI Engine plugin do differently."""

from __future__ import annotations

_Version = tuple[int, ...]


class Plugin:
    """Say what one version of the plugin does.

    Each boundary is the first version whose source has the change, or the first real plugin seen with it.

    :param version: the version as numbers, such as ``(3, 6, 2)``
    """

    def __init__(self, version: _Version) -> None:
        self.has_start_session = version >= (2, 4, 4)
        """Whether the nonce comes from a route; before, every page shows it."""
        self.counts_bytes = version < (2, 4, 9)
        """Whether the limit of a message counts bytes, not characters."""
        self.sends_actions = version >= (2, 4, 9)
        """Whether answers have ``actions``, ``shortcuts`` and ``blocks``."""
        self.has_insights = version >= (2, 8, 2)
        """Whether the default limit texts name the Insights tab, not the Queries tab."""
        self.has_event_logs = version >= (2, 8, 3)
        self.renews_tokens = version >= (2, 8, 5)
        """Whether the bodies of answers carry ``new_token``."""
        self.sets_cookies = version >= (2, 8, 5)
        """Whether the plugin gives clients a session id, and start_session a PHP session."""
        self.is_serial = (2, 8, 5) <= version < (2, 8, 10)
        """Whether prompts run in a PHP session too, whose lock serves one request at a time."""
        self.has_response_ids = version >= (2, 8, 6)
        """Whether answers have ``responseId``, and a usage with ``price``, ``queries`` and ``accuracy``."""
        self.images_as_json = version >= (2, 8, 8)
        """Whether an image bot's stream, its one event, has the content type of JSON."""
        self.has_default_bot = version >= (3, 0, 3)
        """Whether an unknown bot is the default one, and not refused."""
        self.accepts_zero = version >= (3, 1, 0)
        """Whether the message ``"0"`` is a message; PHP calls it empty."""
        self.routes_at_root = version >= (3, 6, 2)
        """Whether ``/?rest_route=`` works without permalinks, as ``/index.php?rest_route=`` always does."""
