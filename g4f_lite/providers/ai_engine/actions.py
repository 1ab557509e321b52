"""The functions of a bot of AI Engine that the client is to call → deltas.

Source: answers of the plugin's versions 2.4.3 to 3.6.2 on a real WordPress.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...answers.deltas import ToolCallDelta


def read_actions(actions: Any) -> Iterator[ToolCallDelta]:
    """Read the functions of a bot that the client is to call; those of the site run there and leave only text."""
    for index, action in enumerate(actions if isinstance(actions, list) else ()):
        data = action.get("data") if isinstance(action, dict) and action.get("type") == "function" else None
        name = data.get("name") if isinstance(data, dict) else None
        if isinstance(data, dict) and isinstance(name, str):
            yield ToolCallDelta(index, None, name, json.dumps(data.get("args") or {}, ensure_ascii=False))
