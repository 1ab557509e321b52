"""How many cores this process may compute on."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
TOPOLOGY = Path("/sys/devices/system/cpu")


def usable_cores() -> int:
    """Return the number of cores: those of the machine, within this process's affinity and its container's quota.

    Two hardware threads of one core count once: computing on both is not faster.
    """
    try:
        allowed = sorted(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has affinities
        return os.cpu_count() or 1
    cores = {_read(TOPOLOGY / f"cpu{number}/topology/thread_siblings_list") or str(number) for number in allowed}
    quota = _quota()
    return max(1, min(len(cores), len(cores) if quota is None else math.floor(quota)))


def _quota() -> float | None:
    """Return the cores that the cgroups of this process may use at a time; None for no limit."""
    quotas = []
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, place = line.split(":", 2)
        folder = CGROUPS / "cpu" if "cpu" in controllers.split(",") else CGROUPS
        if controllers and folder == CGROUPS:
            continue
        own = folder / place.strip("/")
        for group in (own, *own.parents):  # in a container the outer ones are not to be seen
            if not group.is_relative_to(folder):
                break
            quotas += [float(amount) / float(period) for amount, period in [_limit_of(group)] if amount > 0 < period]
    return min(quotas, default=None)


def _limit_of(group: Path) -> tuple[int, int]:
    """Return the microseconds that a group may compute in a period of so many; nothing positive means no limit."""
    whole = _read(group / "cpu.max").split()  # the second version of cgroups; the first has two files
    parts = whole or [_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")]
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):  # "max", or no such file
        return 0, 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
