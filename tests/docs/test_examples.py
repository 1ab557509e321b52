"""Every example of README.md and docs/ runs as it is printed.

The Python blocks of a page are one script, in a process of its own; its line numbers are the page's.
Blocks that begin with the name of a file, such as `# app.py`, are files of a test suite instead.
The `g4f-lite` lines of a page run one by one.  No process reaches anything but this machine:
`g4f_lite.ask` and the servers that examples name lead to a server of the tests, `Local` to the
embedded model.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

if importlib.util.find_spec("xllamacpp") is None:  # not imported: the engine does that in its own way
    pytest.skip("the examples use the embedded model", allow_module_level=True)

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
OWN_TESTS = {
    "apps.md",  # frameworks that are not installed: test_apps.py
    "flask.md",  # an app with a page, which is not a test suite: test_flask.py
    "flask-in-production.md",  # servers and a queue: test_flask.py, tests/web
    "notebooks.md",  # cells of a notebook: tests/notebook/test_pages.py
    "scale-out.md",  # processes and a cluster: test_scale_out.py
    "your-own-provider.md",  # a package that has to be installed: test_own_provider.py
}
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name not in OWN_TESTS)]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\w+\.py)\n")
SETS_UP = ("pip install", "python3 -m venv .venv", ". .venv/bin/activate")
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def blocks(page: Path, language: str) -> list[re.Match[str]]:
    return [block for block in FENCE.finditer(page.read_text(encoding="utf-8")) if block[1] == language]


def files_of(page: Path) -> dict[str, str]:
    """The blocks of a page that are whole files, by their names."""
    code = [block[2] for block in blocks(page, "python")]
    return {name[1]: text for text in code if (name := FILE_NAME.match(text))}


def script_of(page: Path) -> str:
    """The page with everything but its other Python blocks left blank, so that line numbers stay."""
    text = page.read_text(encoding="utf-8")
    lines = ["\n"] * (text.count("\n") + 1)
    for block in blocks(page, "python"):
        if FILE_NAME.match(block[2]):
            continue
        first = text.count("\n", 0, block.start(2))
        code = block[2].splitlines(keepends=True)
        lines[first : first + len(code)] = code
    return "".join(lines)


def shell_lines(page: Path) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block[2].splitlines() if line]


def is_run_here(line: str) -> bool:
    return "g4f-lite" in line and "pip install" not in line


@dataclass(frozen=True, eq=False)
class Example:
    """Files, and what is run beside them."""

    name: str
    files: dict[str, str]
    arguments: list[str]


def script(page: Path) -> Example:
    return Example(page.name, {f"{page.stem}.py": script_of(page)}, [sys.executable, f"{page.stem}.py"])


def suite(page: Path) -> Example:
    quick = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]  # the import of that plugin takes a second
    return Example(page.name, files_of(page), [sys.executable, "-m", "pytest", *quick])


def command(line: str) -> Example:
    return Example(line, {}, [shutil.which("bash") or "sh", "-c", line])


SCRIPTS = [script(page) for page in PAGES if script_of(page).strip()]
SUITES = [suite(page) for page in PAGES if files_of(page)]
COMMANDS = [
    command(line) for line in sorted({line for page in PAGES for line in shell_lines(page)}) if is_run_here(line)
]


@pytest.fixture(scope="module")
def weights() -> Path:
    """The embedded model's file, fetched if it is not there."""
    from g4f_lite.providers.local import weights

    return Path(weights.find("smollm2") or weights.fetch("smollm2", download=True))


@pytest.fixture(scope="module")
def environment(example_server: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not re.match(r"G4F_LITE_|OPENAI_|\w+_API_KEY$", name)}
    return {
        **kept,
        "EXAMPLE_SERVER_PORT": str(example_server),
        "G4F_LITE_BASE_URL": f"http://127.0.0.1:{example_server}/v1",
        "NO_PROXY": "*",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
        "PYTHONPATH": str(Path(__file__).parent / "loopback"),
        "PYTHONWARNINGS": "error",
    }


Run = Callable[[Example], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, weights: Path, environment: dict[str, str]) -> Run:
    """Give a function that runs an example in a folder with the files that examples name."""

    def run(example: Example) -> subprocess.CompletedProcess[str]:
        (tmp_path / "path.gguf").symlink_to(weights)
        (tmp_path / "image.png").write_bytes(PIXEL)
        for name, text in example.files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return subprocess.run(
            example.arguments,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
        )

    return run


def named(example: Example) -> str:
    return example.name


@pytest.mark.parametrize("example", SCRIPTS, ids=named)
def test_python_blocks_run(example: Example, run: Run) -> None:
    done = run(example)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout


@pytest.mark.parametrize("example", SUITES, ids=named)
def test_files_are_a_test_suite_that_passes(example: Example, run: Run) -> None:
    done = run(example)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = sum(len(re.findall(r"^def test_", code, re.MULTILINE)) for code in example.files.values())
    assert f" {tests} passed" in done.stdout


@pytest.mark.parametrize("example", COMMANDS, ids=named)
def test_commands_run(example: Example, run: Run) -> None:
    done = run(example)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_example_is_left_out(page: Path) -> None:
    """A block is Python, a drawing or a shell command; a command is run here, or installs, or runs this suite."""
    text = page.read_text(encoding="utf-8")
    languages = re.findall(r"^\s*(?:```|~~~)(\S+)", text, re.MULTILINE)
    directives = {"{eval-rst}", "{include}", "{literalinclude}", "{toctree}"}
    assert set(languages) <= {"python", "sh", "text"} | directives
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(languages)
    for line in shell_lines(page):
        assert is_run_here(line) or line.startswith(SETS_UP), line
