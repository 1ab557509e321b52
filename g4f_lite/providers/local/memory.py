"""How much memory an engine takes, and how many conversations it remembers at a time."""

from __future__ import annotations

import os

MOST_SLOTS = 4
CACHE_BYTES = 512 << 20  # for what all slots remember of their conversations
ENGINE_BYTES = 40 << 20  # of llama.cpp itself, and what it computes in; measured with smollm2


def slots_for(token_bytes: int, context: int) -> int:
    """Return how many answers are computed at a time: as many as there is memory for.

    :param token_bytes: what is remembered of each token
    :param context: the tokens of a conversation
    """
    each = token_bytes * context
    return max(1, min(MOST_SLOTS, CACHE_BYTES // each)) if each else MOST_SLOTS


def memory_for(size: int, token_bytes: int, context: int) -> int:
    """Return the bytes that an engine takes, about.

    :param size: the bytes of the model's file
    """
    return size + slots_for(token_bytes, context) * context * token_bytes + ENGINE_BYTES


def free_memory() -> int | None:
    """Return the bytes that programs can have on this machine without swapping; None where Linux does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            rows = dict(line.split(":", 1) for line in file)
        return int(rows["MemAvailable"].split()[0]) << 10
    except (OSError, ValueError, KeyError, IndexError):
        return None


def total_memory() -> int | None:
    """Return the bytes of memory that this machine has; None where the system does not say, as on Windows."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
