"""The shape of the house: its rooms and floors, imports that point one way, public names, what an import loads."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import subprocess
import sys

import pytest

import g4f_lite

from .sources import FILES, PACKAGE, all_imports, modules, name_of

# From the ground up: a room imports from floors below its own, and from no room of its own floor.
FLOORS = [
    {"errors", "messages", "timeout", "arguments", "emulator", "Provider"},
    {"prompt", "answers", "http"},
    {"providers", "store", "typed"},
    {"conversation", "batch"},
    {"client"},
    {"contrib"},
    {"testing", "cli", "__pyinstaller", "__init__"},
]
USE_THE_EMULATOR = {"cli", "testing"}


def room_of(name: str) -> str:
    """Give the part of the package that a file is in; `python -m g4f_lite` is another door of the command line."""
    room = name.split(".")[1]
    return "cli" if room == "__main__" else room


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_the_house_has_these_rooms_and_no_other() -> None:
    rooms = {room_of(name) for name in FILES}
    assert rooms == set().union(*FLOORS)
    assert len(rooms) <= 20
    assert len(FLOORS) <= 7


def test_imports_point_down() -> None:
    between = [
        (name, imported)
        for name, imports in all_imports().items()
        for imported in imports
        if room_of(imported) != room_of(name)
    ]
    assert len(between) > 400
    assert [pair for pair in between if floor_of(room_of(pair[1])) >= floor_of(room_of(pair[0]))] == []


def test_few_import_the_emulator_which_is_the_other_side_of_the_wire() -> None:
    users = {room_of(name) for name, imports in all_imports().items() if "emulator" in map(room_of, imports)}
    assert users == USE_THE_EMULATOR | {"emulator"}


def test_no_files_import_each_other() -> None:
    """Take away the files that import none of those left, until none is left: the rest has a circle."""
    left = {name: imports - {name} for name, imports in all_imports().items()}
    while free := {name for name, imports in left.items() if not imports & left.keys()}:
        left = {name: imports for name, imports in left.items() if name not in free}
    circle: list[str] = []
    while left and (name := min(left[circle[-1]] & left.keys()) if circle else min(left)) not in circle:
        circle.append(name)
    assert circle == [], f"{' imports '.join([*circle, name])}"


@pytest.mark.parametrize("name", ["g4f_lite", "g4f_lite.http", "g4f_lite.emulator", "g4f_lite.testing"])
def test_public_names_are_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(getattr(module, public) is not None for public in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_the_package_shows_its_public_names_and_its_version() -> None:
    assert dir(g4f_lite) == sorted([*g4f_lite.__all__, "__version__"])
    assert g4f_lite.__version__ == importlib.metadata.version("g4f-lite")


def test_a_package_that_was_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.delitem(vars(g4f_lite), "__version__", raising=False)
    with pytest.raises(AttributeError, match="was not installed"):
        _ = g4f_lite.__version__


def test_the_public_names_are_those_that_load() -> None:
    assert set(g4f_lite._MODULES) == set(g4f_lite.__all__)
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for_types = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        f".{node.module}": [alias.name for alias in node.names]
        for node in for_types.body
        if isinstance(node, ast.ImportFrom)
    }
    assert typed == {module: [*names] for module, names in g4f_lite._NAMES.items()}


def test_no_file_is_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_a_service_is_short() -> None:
    services = {PACKAGE / "providers" / "ai_chat_online.py", *PACKAGE.glob("providers/*/provider.py")}
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in services}
    assert len(lengths) == 5
    assert {name: length for name, length in lengths.items() if length > 120} == {}


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


FOR_CALLS = {
    *("http.body", "http.checks", "http.deadline", "http.exchange", "http.failures", "http.parsing"),
    *("providers.call", "providers.hooks", "providers.image_fetch", "providers.sending"),
    *("providers.ai_engine.errors", "providers.ai_engine.reply", "providers.ai_engine.site"),
}


def test_an_import_of_a_client_leaves_what_a_call_needs_to_the_first_call() -> None:
    """Above all the deltas: making their dataclasses takes a fifth of the time of an import with all of it."""
    script = "import sys; from g4f_lite import Chatgpt4Online, Client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("g4f_lite.") for name in done.stdout.split() if name.startswith("g4f_lite.")}
    assert loaded & FOR_CALLS == set()
    assert {f"g4f_lite.{name}" for name in FOR_CALLS} <= FILES
    assert {name for name in loaded if name.startswith("answers.")} == {"answers.ipython", "answers.short_traceback"}
    assert len(loaded) <= 50


def test_the_bare_import_loads_nothing() -> None:
    script = "import sys; import g4f_lite; print(*(name for name in ('requests', 'ssl') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
