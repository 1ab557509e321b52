"""The files around the package agree with each other and with what is installed."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import g4f_lite
from g4f_lite.providers.environment import VARIABLES
from g4f_lite.providers.openai.presets import PRESETS

ROOT = Path(__file__).parents[2]
FIRST_BLOCK = (
    'python3 -m venv .venv && .venv/bin/pip install -e ".[all]" && .venv/bin/g4f-lite chat "Why is the sky blue?"\n'
)
SECOND_BLOCK = 'python3 -m venv .venv && .venv/bin/pip install -e ".[all,test]" && .venv/bin/python -m pytest\n'
FOR_DEVELOPERS = {"test", "dev", "docs", "bench"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def config(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(read(name))
    return parser


def requirements(text: str) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def extras() -> dict[str, set[str]]:
    section = config("setup.cfg")["options.extras_require"]
    return {name: set(map(str, requirements(section[name]).values())) for name in section}


def lowest(requirement: Requirement) -> str:
    return next(str(part.version) for part in requirement.specifier if part.operator == ">=")


def versions_in(text: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, version.split("."))) for version in re.findall(r"\b3\.\d+\b", text)]


def test_setup_py_only_calls_setup():
    statements = ast.parse(read("setup.py")).body
    assert [ast.unparse(statement) for statement in statements] == ["from setuptools import setup", "setup()"]


def test_pyproject_holds_the_build_system_and_ruff_only():
    tables = re.findall(r"^\[([\w.-]+)\]", read("pyproject.toml"), re.MULTILINE)
    assert {".".join(table.split(".")[:2]) for table in tables} == {"build-system", "tool.ruff"}


def test_the_readme_begins_with_its_two_blocks():
    assert re.findall(r"^```sh\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)[:2] == [
        FIRST_BLOCK,
        SECOND_BLOCK,
    ]


def test_ci_runs_the_blocks_as_they_are_printed():
    commands = re.findall(r"^    run '(.*)'(?: \|\|| \|\| exit 1)?$", read(".ci/run"), re.MULTILINE)
    assert [command + "\n" for command in commands] == [FIRST_BLOCK, SECOND_BLOCK]


def test_ci_leaves_no_environment_out():
    environments = re.findall(r"[\w.-]+", config("tox.ini")["tox"]["env_list"])
    named = set(re.findall(r"[\w.-]+", read(".ci/run")))
    assert [name for name in environments if name not in named and not name.startswith("py3")] == []


@pytest.mark.skipif(os.name == "nt", reason="bash")
def test_ci_is_a_program():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)


def test_all_is_everything_that_a_user_can_want():
    declared = extras()
    parts = [declared[name] for name in declared if name not in FOR_DEVELOPERS | {"all"}]
    assert declared["all"] == set().union(*parts)


def test_each_extra_is_tried_alone():
    scripts = {path.stem.removeprefix("use_") for path in (ROOT / "tests" / "extras").glob("use_*.py")}
    assert scripts == {"core", *extras()} - FOR_DEVELOPERS - {"all"}


def test_the_readme_lists_the_extras():
    table = re.findall(r"^\| `(\w+)` \|", read("README.md"), re.MULTILINE)
    assert table == [name for name in extras() if name not in FOR_DEVELOPERS]


def test_the_lowest_versions_are_the_ones_that_are_tested():
    pins = requirements(config("tox.ini")["testenv:lowest"]["deps"])
    setup = config("setup.cfg")
    needs = requirements(setup["options"]["install_requires"] + setup["options.extras_require"]["all"])
    assert pins.keys() == needs.keys()
    for name, need in needs.items():
        (pin,) = pins[name].specifier
        assert pin.operator == "=="
        assert need.specifier.contains(pin.version)
        assert Version(pin.version) == Version(lowest(need))


def test_one_set_of_python_versions():
    setup = config("setup.cfg")
    classified = versions_in(setup["metadata"]["classifiers"])
    environments = re.findall(r"\bpy3(\d+)\b", config("tox.ini")["tox"]["env_list"])
    checked = re.search(r"^minors=\(([\d ]+)\)$", read(".ci/run"), re.MULTILINE)
    assert checked
    *tested, tried = [(3, int(minor)) for minor in environments]
    assert tested == classified
    assert tried > max(classified), "the next one is tried where it is, and not promised yet"
    assert checked[1].split() == environments
    assert versions_in(setup["options"]["python_requires"]) == [min(classified)]
    assert versions_in(setup["mypy"]["python_version"]) == [min(classified)]


def test_what_is_installed_is_what_setup_cfg_says():
    setup = config("setup.cfg")
    installed = importlib.metadata.metadata("g4f-lite")
    assert installed["Version"] == setup["metadata"]["version"]
    assert installed["Requires-Python"] == setup["options"]["python_requires"]
    assert set(installed.get_all("Provides-Extra")) == set(extras())


def test_the_package_says_that_it_has_types():
    assert (Path(g4f_lite.__file__).parent / "py.typed").is_file()


def test_a_plain_install_is_seven_distributions():
    seen: set[str] = set()
    todo = ["g4f-lite"]
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in seen:
            seen.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            todo += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    assert seen == {"g4f-lite", "requests", "urllib3", "tenacity", "certifi", "charset-normalizer", "idna"}


def test_the_changelog_begins_with_this_version():
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest
    assert newest[1] == config("setup.cfg")["metadata"]["version"]


def test_the_changelog_has_sentences_by_kind_of_change():
    text = read("CHANGELOG.md")
    kinds = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for version in text.split("\n## ")[1:]:
        head, *parts = version.split("\n### ")
        assert "- " not in head
        entries = [entry for part in parts for entry in re.split(r"\n(?=- |\n)", part) if entry.startswith("- ")]
        assert entries
        assert [entry for entry in entries if not entry.rstrip().endswith(".")] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    """To a file, and in a page of docs/ to a heading."""
    for path, heading in re.findall(r"\]\((?!\w+:)([^)#]+)(?:#([^)]+))?\)", read(name)):
        assert (ROOT / path).exists(), path
        if heading:
            headings = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", text).replace(" ", "-").lower() for text in headings]


def test_what_the_project_is_checked_with_is_in_one_version():
    """The extra `dev` brings the ruff and the type stubs of tox's environments, and the tox that tox.ini needs."""
    dev = requirements(config("setup.cfg")["options.extras_require"]["dev"])
    tox = config("tox.ini")
    assert dev["ruff"].specifier == requirements(tox["testenv:lint"]["deps"])["ruff"].specifier
    assert lowest(dev["tox"]) == tox["tox"]["min_version"]
    types = requirements(tox["testenv:types"]["deps"]).keys() - {"mypy", "pytest"}
    assert dev.keys() == {"pre-commit", "ruff", "tox"} | types


def test_pre_commit_downloads_nothing():
    hooks = read(".pre-commit-config.yaml")
    assert re.findall(r"^  - repo: (.+)$", hooks, re.MULTILINE) == ["local"]
    entries = re.findall(r"^        entry: (\S+)", hooks, re.MULTILINE)
    assert len(entries) == hooks.count("      - id: ") == hooks.count("        language: system\n")
    assert set(entries) == {"ruff", "python"}


def test_the_reference_has_every_public_name():
    documented = re.findall(r"^\.\. auto\w+:: (\w+)$", read("docs/reference.md"), re.MULTILINE)
    assert set(g4f_lite.__all__) - set(documented) == set()


def test_the_docs_list_the_presets():
    cells = r"^\| `([\w.]+)` \| `(http[^`]+)` \| (?:`(\w+)` )?\| (?:`(\S+)`|the server's first) \|$"
    rows = re.findall(cells, read("docs/providers.md"), re.MULTILINE)
    expected = [(name, one.base_url, one.key_variable or "", one.default_model) for name, one in PRESETS.items()]
    assert rows == expected
    listed = re.search(r"^The presets are (.*?)\. ", read("README.md"), re.MULTILINE | re.DOTALL)
    assert listed
    assert re.findall(r"`([\w.]+)`", listed[1]) == list(PRESETS)


def test_the_docs_list_the_variables():
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(g4f_lite.__file__).parent.rglob("*.py"))
    documented = re.findall(r"^\| `(G4F_LITE_\w+)` \|", read("docs/settings.md"), re.MULTILINE)
    assert set(documented) == set(re.findall(r"\bG4F_LITE_[A-Z_]+[A-Z]\b", sources)) == set(VARIABLES)


def test_the_root_has_the_files_of_the_project_only():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a clone of the repository, or git is not here")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    config_files = {
        ".gitignore",
        ".pre-commit-config.yaml",
        "MANIFEST.in",
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "tox.ini",
    }
    pages = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    assert {name for name in listed.stdout.splitlines() if "/" not in name} == config_files | pages
