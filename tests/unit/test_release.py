"""The release script says what is in the way of a release, and its source distributions depend on the commit alone."""

from __future__ import annotations

import io
import runpy
import tarfile
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "release.py"))
DATED = "# Changelog\n\n## 0.2.0 (2026-11-30)\n\n### Added\n\n## 0.1.0 (2026-11-01)\n"


UNDATED = DATED.replace("2026-11-30", "not released yet")


@pytest.mark.parametrize(
    ("version", "changelog", "changes", "tags", "dry_run", "expected"),
    [
        ("0.2.0", DATED, "", ["v0.1.0"], False, []),
        ("0.2.0", UNDATED, "", [], False, ["CHANGELOG.md has no date for 0.2.0"]),
        ("0.2.0", UNDATED, "", [], True, []),
        ("0.2.0", DATED, "", ["v0.1.0", "v0.2.0"], False, ["there is a tag v0.2.0"]),
        ("0.2.0", DATED, "", ["v0.1.0", "v0.2.0"], True, []),
        ("0.3.0", DATED, "", [], True, ["CHANGELOG.md does not begin with 0.3.0, which setup.cfg has"]),
        ("0.1.0", DATED, "", [], False, ["CHANGELOG.md does not begin with 0.1.0, which setup.cfg has"]),
        ("0.2.0", "# Changelog\n", "", [], True, ["CHANGELOG.md does not begin with 0.2.0, which setup.cfg has"]),
        ("0.2.0", UNDATED, " M setup.cfg", [], True, ["not everything is committed:\n M setup.cfg"]),
        (
            *("0.2.0", UNDATED, "?? x", ["v0.2.0"], False),
            ["not everything is committed:\n?? x", "CHANGELOG.md has no date for 0.2.0", "there is a tag v0.2.0"],
        ),
    ],
)
def test_what_is_in_the_way_is_named(
    version: str, changelog: str, changes: str, tags: list[str], dry_run: bool, expected: list[str]
) -> None:
    assert SCRIPT["problems"](version, changelog, changes, tags, dry_run=dry_run) == expected


def test_a_source_distribution_has_no_dates_and_owners_of_a_machine(tmp_path: Path) -> None:
    written = []
    for machine, date in (("one", 1_700_000_000.5), ("other", 1_800_000_000)):
        sdist = tmp_path / f"{machine}.tar.gz"
        with tarfile.open(sdist, "w:gz") as tar:
            for name, mode, content in (("p-1", 0o755, None), ("p-1/run", 0o755, b"#!"), ("p-1/data", 0o644, b"data")):
                entry = tarfile.TarInfo(name)
                entry.mode, entry.mtime, entry.uid, entry.uname, entry.gname = mode, date, int(date), machine, machine
                entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
                entry.size = len(content or b"")
                tar.addfile(entry, io.BytesIO(content or b""))
        SCRIPT["normalize"](sdist, 1_600_000_000)
        written.append(sdist.read_bytes())
    assert written[0] == written[1]
    with tarfile.open(sdist) as tar:
        found = [(entry.name, entry.mode, entry.mtime, entry.uid, entry.uname) for entry in tar]
        data = tar.extractfile("p-1/data")
        assert data is not None
        assert data.read() == b"data"
    assert found == [
        ("p-1", 0o755, 1_600_000_000, 0, ""),
        ("p-1/run", 0o755, 1_600_000_000, 0, ""),
        ("p-1/data", 0o644, 1_600_000_000, 0, ""),
    ]
