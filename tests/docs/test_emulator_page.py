"""The emulator's page has every fault and every setting, as the code says them."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

from g4f_lite.emulator import FAULTS, Emulator, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    """Give the rows of the table below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\|.*\|$", section, re.MULTILINE)[2:]


def test_faults() -> None:
    expected = []
    for name, fault in FAULTS.items():
        settings = list(inspect.signature(fault).parameters.values())[1:]
        shown = ", ".join(f"`{setting.name}={setting.default!r}`" for setting in settings)
        paragraph = " ".join(inspect.getdoc(fault).partition("\n\n")[0].split())  # type: ignore[union-attr]
        expected.append(f"| `{name}` | {shown} | {paragraph.replace('``', '`')} |".replace("|  |", "| |"))
    assert rows("Faults") == expected


def test_settings() -> None:
    shown = [row.rsplit(" | ", 1)[0] for row in rows("Settings")]
    assert shown == [f"| `{field.name}` | `{field.default!r}`" for field in fields(Settings)]


def test_methods() -> None:
    documented = re.findall(r"`emulator\.(\w+)", "".join(rows("Methods")))
    assert len(documented) >= 10
    assert [name for name in documented if not hasattr(Emulator, name)] == []


def test_services() -> None:
    with Emulator() as emulator:
        names = {service.name for service in emulator._services}
    assert set(re.findall(r"^\| [^|]+ \| `(\w+)`", "\n".join(rows("Services")), re.MULTILINE)) == names
