"""Make a release of the last commit: ``tox -e release`` tries it, ``tox -e release -- dist`` publishes it.

docs/releasing.md explains the steps.
"""

from __future__ import annotations

import argparse
import configparser
import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

ROOT = Path(__file__).parents[1]
# The licences of what the extra `all` installs, as those packages name them. All allow any use; the MPL of certifi and
# tqdm asks for the source of changes to their own files, and they are installed as they are.
LICENCES = (
    "Apache 2.0;Apache Software License;Apache-2.0;Apache-2.0 OR BSD-2-Clause;BSD;BSD License;BSD-2-Clause;"
    "BSD-3-Clause;ISC License (ISCL);MIT;MIT License;MPL-2.0 AND MIT;Mozilla Public License 2.0 (MPL 2.0);PSF-2.0;"
    "Zope Public License"
)


def main() -> None:
    """Check the commit, build it twice, try the wheel and describe it; then tag and upload, unless it is a dry run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files of the release are put")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that publish, and run none of them")
    arguments = parser.parse_args()
    setup = configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    version = setup["metadata"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    changes, tags = run("git", "status", "--porcelain"), run("git", "tag").split()
    if found := problems(version, changelog, changes, tags, dry_run=arguments.dry_run):
        sys.exit(f"No release: {'; '.join(found)}")

    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wheel, sdist = build_twice(folder)
    run("twine", "check", "--strict", sdist, wheel)
    run("check-wheel-contents", wheel)
    try_and_describe(version, folder)

    publish: list[tuple[str | Path, ...]] = [
        ("git", "tag", "--annotate", "--message", f"Release {version}", f"v{version}"),
        ("git", "push", "origin", "HEAD", f"v{version}"),
        ("twine", "upload", sdist, wheel),
    ]
    if arguments.dry_run:
        print("This was a dry run. If .ci/run has passed on this commit, a release would now run:")
        for command in publish:
            print(*command)
    elif input(f"Type {version} to publish it, if .ci/run has passed on this commit: ") == version:
        for command in publish:
            subprocess.run(command, cwd=ROOT, check=True)  # not run(): they may have questions


def problems(version: str, changelog: str, changes: str, tags: list[str], *, dry_run: bool) -> list[str]:
    """List what is in the way of a release.

    :param changes: what ``git status --porcelain`` prints
    :param tags: all tags
    :param dry_run: whether the version may have no date yet, or a tag already, so that any commit can be tried
    """
    newest = re.search(r"^## (\S+) \((.+)\)$", changelog, re.MULTILINE)
    found = [f"not everything is committed:\n{changes}"] if changes else []
    if newest is None or newest[1] != version:
        found.append(f"CHANGELOG.md does not begin with {version}, which setup.cfg has")
    elif not dry_run and not re.fullmatch(r"\d{4}-\d\d-\d\d", newest[2]):
        found.append(f"CHANGELOG.md has no date for {version}")
    if not dry_run and f"v{version}" in tags:
        found.append(f"there is a tag v{version}")
    return found


def build_twice(folder: Path) -> list[Path]:
    """Put the wheel and the source distribution into a folder, if two builds of them are the same."""
    date = int(run("git", "log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as another:
        files = build(Path(one), date)
        for first, second in zip(files, build(Path(another), date), strict=True):
            if first.read_bytes() != second.read_bytes():
                sys.exit(f"No release: two builds of {first.name} differ")
        return [Path(shutil.copy(path, folder)) for path in files]


def build(folder: Path, date: int) -> list[Path]:
    """Build the last commit's source distribution, and from it the wheel, which is returned first.

    :param folder: an empty one
    :param date: the time of the commit, which both get, in seconds since 1970
    """
    os.environ["SOURCE_DATE_EPOCH"] = str(date)  # for the wheel; setuptools has nothing like it for the other
    os.umask(0o022)  # the wheel has the permissions of the files on the disk
    run("git", "clone", "--quiet", ROOT, folder / "source")
    tool = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist")
    run(*tool, "--sdist", folder / "source")
    (sdist,) = (folder / "dist").iterdir()
    normalize(sdist, date)
    run(*tool, "--wheel", sdist)
    return sorted((folder / "dist").iterdir())


def normalize(sdist: Path, date: int) -> None:
    """Write a source distribution anew, without the dates and owners that setuptools takes from the disk."""
    plain = io.BytesIO()
    with tarfile.open(sdist) as old, tarfile.open(fileobj=plain, mode="w") as new:
        for entry in old:
            info = tarfile.TarInfo(entry.name)
            info.type, info.mode, info.size, info.mtime = entry.type, entry.mode, entry.size, date
            new.addfile(info, old.extractfile(entry))
    sdist.write_bytes(gzip.compress(plain.getvalue(), mtime=date))


def try_and_describe(version: str, folder: Path) -> None:
    """Install the wheel with all extras, and nothing else; try it, and write an SBOM and the licences of all of it."""
    with tempfile.TemporaryDirectory() as environment:
        scripts = Path(environment, "Scripts" if os.name == "nt" else "bin")
        run("uv", "venv", "--quiet", "--python", sys.executable, environment)
        # Not by its path, which would be in the SBOM.
        found_here = ("--find-links", folder, "--refresh-package", "g4f-lite", f"g4f-lite[all]=={version}")
        run("uv", "pip", "install", "--quiet", "--python", environment, *found_here)
        for arguments, expected in (
            (["--version"], f"g4f-lite {version}"),
            (["chat", "--provider", "echo", "Hi"], "Hi"),
        ):
            if (printed := run(scripts / "g4f-lite", *arguments)) != expected:
                sys.exit(f"No release: it printed {printed!r}, not {expected!r}")
        name = folder / f"g4f_lite-{version}"
        bill = ("--output-reproducible", "--no-validate", f"--output-file={name}.cdx.json")  # to validate takes seconds
        run("cyclonedx-py", "environment", *bill, environment)
        table = ("--format=markdown", f"--output-file={name}.licences.md", f"--allow-only={LICENCES}")
        run("pip-licenses", "--python", scripts / "python", *table)


def run(*command: str | Path) -> str:
    """Show a command, run it, and return what it printed; end if it fails."""
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}No release: this command failed")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
