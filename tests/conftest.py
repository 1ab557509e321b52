"""What all tests stand on: an environment without anybody's settings."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections.abc import Generator, Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest

# A shell lets what it runs in the background ignore Ctrl-C, and whatever that starts as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Modules are compiled once, and not in each of the hundreds of processes that the tests start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure() -> None:
    """Let Hypothesis try the same examples each day, for as long as a busy machine takes; the long forms try others.

    CI tries more of them, with ``--hypothesis-profile CI``.  It is imported here, where what it compiles is kept.
    """
    from hypothesis import settings

    settings.register_profile("CI", deadline=None, derandomize=True, database=None)
    settings.register_profile("every day", settings.get_profile("CI"), max_examples=25)
    settings.load_profile("every day")


def _is_setting(name: str) -> bool:
    bundle = name.endswith("_CA_BUNDLE") or name == "SSL_CERT_FILE"
    key = name.endswith(("_API_KEY", "_API_TOKEN"))
    ours = name.startswith(("G4F_LITE_", "OPENAI_"))
    return ours or key or bundle or name.lower().endswith("_proxy") or name in ("NETRC", "OLLAMA_HOST", "VIRTUAL_ENV")


SETTINGS = [name for name in os.environ if _is_setting(name)]


@pytest.fixture(autouse=True, scope="session")
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the folder of the sources, so that children of the tests import what is installed, and not its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _what_is_installed_is_read_once() -> Iterator[None]:
    """Read the entry points of all installed packages once for each ``sys.path``, and not for each name looked up."""
    from g4f_lite.providers import registry

    @functools.cache
    def read(selected: tuple[tuple[str, str], ...], path: tuple[str, ...]) -> Any:
        return entry_points(**dict(selected))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "entry_points", lambda **selected: read(tuple(selected.items()), tuple(sys.path)))
        yield


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine() -> Iterator[None]:
    """Hide keys, proxies and settings of whoever runs the tests; what a module's fixtures download may need them."""
    hidden = {name: os.environ.pop(name) for name in SETTINGS if name in os.environ}
    yield
    os.environ.update(hidden)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what is collected here, which stays to the end: it would look at it each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark cases with ``once``: of a ``product`` those beside a diagonal, in which each value of each kind is met."""
    for cases in _cases(items, "sampled"):
        for number, item in enumerate(cases):
            if number % item.get_closest_marker("sampled").args[0]:  # type: ignore[union-attr]
                item.add_marker(pytest.mark.once)
    for cases in _cases(items, "product"):
        kinds = [list(dict.fromkeys(values)) for values in zip(*map(_values, cases), strict=True)]
        every_day = {tuple(kind[number % len(kind)] for kind in kinds) for number in range(max(map(len, kinds)))}
        for item in cases:
            if _values(item) not in every_day:
                item.add_marker(pytest.mark.once)


def _cases(items: list[pytest.Item], name: str) -> Iterable[list[pytest.Function]]:
    """Return the cases of each test that has a mark, and is for every day."""
    found: dict[object, list[pytest.Function]] = {}
    for item in items:
        is_left_out = any(item.get_closest_marker(other) for other in ("long", "once"))
        if isinstance(item, pytest.Function) and item.get_closest_marker(name) and not is_left_out:
            found.setdefault((item.parent, item.originalname), []).append(item)
    return found.values()


def _values(item: pytest.Function) -> tuple[tuple[int, ...], ...]:
    """Tell an item's values of each kind: those of one ``parametrize``, or of a fixture with parameters."""
    params = item.callspec.params
    kinds = [mark.args[0] for mark in item.iter_markers("parametrize")]
    kinds = [[name.strip() for name in names.split(",")] if isinstance(names, str) else names for names in kinds]
    fixtures = [[name] for name in params if not any(name in names for names in kinds)]
    return tuple(tuple(id(params[name]) for name in names) for names in (*kinds, *fixtures))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Keep it from what a file leaves as well, which would grow to hundreds of thousands of objects."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            gc.collect()
            gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, where ``pytest -n`` does not say otherwise: they share servers."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # files with few tests are the slow ones, and come first as they are
    return LoadFileScheduling(config, log)
