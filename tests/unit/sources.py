"""What tests read in the sources of the package: the imports and the docstrings of each file, parsed once."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import g4f_lite

PACKAGE = Path(g4f_lite.__file__).parent


class Source(NamedTuple):
    """One file: the dotted names of the files of this package that it imports, and its docstrings."""

    imports: set[str]
    docstrings: list[str]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Give a file's dotted name; a package's is that of its ``__init__``."""
    return ".".join(("g4f_lite", *path.relative_to(PACKAGE).with_suffix("").parts))


FILES = {name_of(path) for path in modules()}


@functools.cache
def sources() -> dict[str, Source]:
    """Read each file of this package; parsing them takes a third of a second."""
    return {name_of(path): _read(path) for path in modules()}


def all_imports() -> dict[str, set[str]]:
    """List for each file of this package the others that it imports."""
    return {name: source.imports for name, source in sources().items()}


def _read(path: Path) -> Source:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [tree, *_statements(tree)]
    with_docstring = [node for node in nodes if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    docstrings = [text for node in with_docstring if (text := ast.get_docstring(node))]
    return Source(_imports(nodes, package=name_of(path).rpartition(".")[0]), docstrings)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Give all statements of a tree, without the expressions in them, which are most of it."""
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        for statement in getattr(node, field, ()):
            yield statement
            yield from _statements(statement)


def _imports(nodes: list[ast.AST], package: str) -> set[str]:
    """List the files of this package that a file imports, wherever it does and for whomever."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            submodules = {f"{base}.{alias.name}" for alias in node.names} & FILES
            found |= submodules or {base}
    return {_file_of(module) for module in found if module.split(".")[0] == "g4f_lite"}


def _file_of(module: str) -> str:
    """Give the dotted name of the file that a module's name stands for."""
    return module if module in FILES else f"{module}.__init__"
