"""CONTRIBUTING.md tells newcomers where things are: its diagram is the house's, and what it names is there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from .sources import PACKAGE, all_imports
from .test_architecture import FLOORS, floor_of, room_of

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIAGRAM, CALL = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TABLE = PAGE.partition("\n## Where do I find …\n")[2].partition("\n## ")[0]
ROWS = [
    [re.findall(r"`([^`]+)`", cell) for cell in row]
    for row in re.findall(r"^\| ([^*|]+) \| ([^|]+) \| ([^|]*)\|$", TABLE, re.MULTILINE)[1:]
]


def drawn_floors() -> list[list[str]]:
    """Give the rooms in the diagram, a list for each floor, from the ground up."""
    floors = re.split(r"^ +[┌├└]─+[┐┤┘]\n", DIAGRAM, flags=re.MULTILINE)
    rooms = [re.findall(r"^[ \d]+│ (\w+(?:\.py|/)) ", floor, re.MULTILINE) for floor in floors]
    return [floor for floor in reversed(rooms) if floor]


@functools.cache
def names_in(path: Path) -> set[str]:
    """List what a file defines: functions, classes, their methods, and constants."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign):
            found.add(ast.unparse(node.target))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


def test_the_diagram_has_the_rooms_on_their_floors() -> None:
    drawn = [{room.removesuffix(".py").removesuffix("/") for room in floor} for floor in drawn_floors()]
    assert drawn == FLOORS
    assert re.findall(r"^(\d) │", DIAGRAM, re.MULTILINE) == [str(number) for number in range(len(FLOORS), 0, -1)]


def test_a_room_is_drawn_as_the_file_or_the_folder_that_it_is() -> None:
    for room in (room for floor in drawn_floors() for room in floor):
        place = PACKAGE / room
        assert place.is_dir() if room.endswith("/") else place.is_file(), room


def test_the_diagram_says_who_imports_what() -> None:
    """From lower floors only, and from the emulator only where the diagram says so."""
    (sentence,) = re.findall(r"only (\w+) and (\w+) import it", DIAGRAM)
    importers: set[str] = set()
    for name, imports in all_imports().items():
        for other in {room_of(imported) for imported in imports} - {room_of(name)}:
            assert floor_of(other) < floor_of(room_of(name)), f"{name} imports {other}"
            if other == "emulator":
                importers.add(room_of(name))
    assert importers == set(sentence)


def test_the_files_on_the_way_of_a_call_are_there() -> None:
    files = re.findall(r"[\w/]+\.py", CALL)
    assert len(files) > 20
    assert [file for file in files if not (PACKAGE / file).is_file()] == []


def test_what_a_reader_looks_for_is_there() -> None:
    assert [row for row in ROWS if not row[1]] == []
    assert [file for _, files, _ in ROWS for file in files if not (PACKAGE / file).exists()] == []
    for _, files, names in ROWS:
        there = set().union(*(names_in(PACKAGE / file) for file in files if file.endswith(".py")))
        assert [name for name in names if name not in there] == [], files


def test_every_room_is_in_the_table() -> None:
    assert len(ROWS) == len(re.findall(r"^\| [^*\n]+ \|$", TABLE, re.MULTILINE)) - 1
    named = {Path(file).parts[0].removesuffix(".py") for _, files, _ in ROWS for file in files}
    assert set().union(*FLOORS) == named
