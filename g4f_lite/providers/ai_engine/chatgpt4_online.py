"""chatgpt4online.org, a site that runs AI Engine."""

from __future__ import annotations

from collections.abc import Sequence

from .provider import AiEngine


class Chatgpt4Online(AiEngine):
    """chatgpt4online.org, asked as its own page asks it.

    Not affiliated with the site, which was seen to answer with bot challenges (November 2024); hence
    ``working = False``.  Another site is an :class:`AiEngine`.

    :param base_url: another address of the same service
    """

    url = "https://chatgpt4online.org"
    working = False
    default_model = "gpt-4"
    models: Sequence[str] = ["gpt-4"]  # checked here, never sent
