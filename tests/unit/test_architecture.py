"""The shape of the house: imports point one way, public names are listed, the core stays light."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import g4f_lite

PACKAGE = Path(g4f_lite.__file__).parent

# From the ground up; a layer may import from its own and those before it.
LAYERS = [
    {"errors", "messages", "log"},
    {"http"},
    {"images", "image_fetch", "deltas", "collected", "notebook", "answer"},
    {"providers"},
    {"circuit_breaker", "fallback"},
    {"choice"},
    {"conversation", "completions", "batch"},
    {"limits", "structured", "shaping", "routing", "chat", "generations", "legacy", "client"},
    {"testing", "pytest_plugin", "cli", "contrib", "__main__"},
]


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(module: str) -> str:
    """Give the part of the package that a dotted name is in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(path: Path) -> set[str]:
    """List the modules of this package that a file imports, wherever it does, but for type checkers."""
    name = ".".join(("g4f_lite", *path.relative_to(PACKAGE).with_suffix("").parts))
    package = name.removesuffix(".__init__") if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {base} if node.module else {f"{base}.{alias.name}" for alias in node.names}
    return {module for module in found if module.split(".")[0] == "g4f_lite"}


def level(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(".".join(("g4f_lite", *path.relative_to(PACKAGE).with_suffix("").parts)))
    for module in imports_of(path):
        other = room_of(module)
        if room == "emulator":
            assert other == "emulator", f"the emulator is the other side of the wire, and imports {module}"
        elif other == "emulator":
            assert room in ("cli", "pytest_plugin"), f"{room} imports {module}"
        elif other != "__init__":
            assert level(other) <= level(room), f"{room} imports {module}, which stands above it"


@pytest.mark.parametrize("name", ["g4f_lite", "g4f_lite.http", "g4f_lite.emulator", "g4f_lite.testing"])
def test_public_names_are_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(getattr(module, public) is not None for public in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_no_public_name_is_left_out() -> None:
    """What is imported into the package, now or at first use, is listed, but for modules and private names."""
    offered = {
        name for name, value in vars(g4f_lite).items() if getattr(value, "__module__", "").startswith("g4f_lite")
    }
    assert {name for name in offered | set(g4f_lite._LAZY) if not name.startswith("_")} <= set(g4f_lite.__all__)


def test_no_file_is_long() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_a_service_is_short() -> None:
    for name in ("ai_chat_online", "ai_chats", "ai_engine", "chatgpt4_online", "openai_compatible", "presets", "local"):
        lines = (PACKAGE / "providers" / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 120, name


WATCH = """
import socket, sys, threading
def refuse(event, arguments):
    if event.startswith("socket.") or (event == "open" and any(mode in str(arguments[1]) for mode in "wax+")):
        raise AssertionError(f"import did {event} {arguments}")
import requests, tenacity  # what they do and load themselves is theirs
before = set(sys.modules)
sys.addaudithook(refuse)
import g4f_lite
for name in g4f_lite.__all__:
    if name != "Local":
        getattr(g4f_lite, name)
assert threading.active_count() == 1
roots = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(root for root in roots if root not in sys.stdlib_module_names))
"""


def test_an_import_brings_the_core_only_and_leaves_nothing_behind() -> None:
    """No optional package, no socket, no thread, no file."""
    done = subprocess.run([sys.executable, "-B", "-c", WATCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["g4f_lite"]
