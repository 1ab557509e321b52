"""The tutorial about a provider of your own works: its package is built and installed in a new environment, and asked.

The environment sees what is installed here, so that nothing is downloaded; the page's own package is installed as the
page says.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.once

HERE = Path(__file__).parent
HOME = HERE.parents[1]
PAGE = (HOME / "docs" / "your-own-provider.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\w+\.\w+)\n")

CODE = [block[2] for block in FENCE.finditer(PAGE) if block[1] != "sh"]
FILES = {name[1]: code for code in CODE if (name := FILE_NAME.match(code))}
ASKING, WITH_KEY, WITH_TOKEN, WITH_JOBS, WITH_LONG_JOBS, WITH_SESSIONS, WITH_IMAGES, WITH_ERRORS = (
    code for code in CODE if not FILE_NAME.match(code)
)

REFUSED_TOKEN = """
import responses

with responses.RequestsMock() as service:
    service.post("http://127.0.0.1:8080/token", json={"token": "first-token"})
    service.post("http://127.0.0.1:8080/token", json={"token": "second-token"})
    service.post("http://127.0.0.1:8080/chat", status=401)
    service.post("http://127.0.0.1:8080/chat", "event: piece\\ndata: Good day\\n\\nevent: end\\ndata: done\\n\\n")
    service.get("http://127.0.0.1:8080/models", json=[{"name": "swan"}])
    with ParleyWithToken() as provider:
        print(provider.create(messages="Hello"), provider.get_models())
    for call in service.calls:
        print(call.request.path_url, call.request.headers.get("Authorization"))
"""

MISSING_KEY = """
import os
from g4f_lite import AuthenticationError

try:
    client.ask("Good day")
except AuthenticationError as error:
    print(error)
os.environ["PARLEY_API_KEY"] = "a-key"
print(client.ask("Good day"))
os.environ["PARLEY_USER"] = "bob"
print(client.provider.user, ParleyWithKey().user)
"""


BUSY = """
import responses
from g4f_lite import RateLimitError

with responses.RequestsMock() as service:
    service.post("http://127.0.0.1:8080/jobs", json={"error": "busy"}, headers={"Retry-After": "120"})
    try:
        ParleyJobs().create(messages="Hello")
    except RateLimitError as error:
        print(error, error.retry_after)
"""


class Environment:
    """A new virtual environment, and the folder beside it in which the page's files are."""

    def __init__(self, place: Path, port: int) -> None:
        self.folder = place / "g4f-lite-parley"
        self.elsewhere = place / "elsewhere"
        home = place / ".venv"
        venv.create(home, symlinks=os.name != "nt")
        self._python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
        # The lines run in the order of sys.path, with the .pth files of each folder: editable installs are found, too.
        here = [path for path in sys.path if Path(path).is_dir()]
        lines = [f"import site; site.addsitedir({path!r})\n" for path in map(os.path.abspath, here)]
        (next(home.rglob("site-packages")) / "what_is_installed_here.pth").write_text("".join(lines))
        settings = re.compile("G4F_LITE_|PYTHONPATH$|PIP_")
        self._variables = {name: value for name, value in os.environ.items() if not settings.match(name)}
        self._variables |= {"EXAMPLE_SERVER_PORT": str(port), "NO_PROXY": "*", "PYTHONWARNINGS": "error"}
        for folder in (self.folder, self.elsewhere):
            folder.mkdir()

    def run(self, *arguments: str, folder: Path | None = None, **variables: str) -> str:
        """Run Python with these arguments and give what it printed."""
        done = subprocess.run(
            [self._python, *arguments],
            cwd=folder or self.elsewhere,
            env={**self._variables, **variables},
            capture_output=True,
            text=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_beside_the_server(self, *arguments: str) -> str:
        """Run Python where the port of the page's server is the one of the tests' server."""
        return self.run(*arguments, PYTHONPATH=str(HERE / "loopback"))


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    """Start the page's server; give its port."""
    server_file: dict[str, Any] = {"__name__": "parley_server"}
    exec(compile(FILES["parley_server.py"], "parley_server.py", "exec"), server_file)
    with ThreadingHTTPServer(("127.0.0.1", 0), server_file["ParleyServer"]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, server_port: int) -> Environment:
    """Do what the page says, up to the installation of its package."""
    made = Environment(tmp_path_factory.mktemp("tutorial"), server_port)
    for name, code in FILES.items():
        place = made.elsewhere if name.startswith("test_") else made.folder
        (place / name).write_text(code, encoding="utf-8")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    made.run("-m", "pip", "install", *offline, "-e", ".", folder=made.folder, PYTHONWARNINGS="default")
    return made


def test_the_page_has_these_commands() -> None:
    """A new one has to be run here in some way."""
    lines = [line for block in FENCE.finditer(PAGE) if block[1] == "sh" for line in block[2].splitlines()]
    assert lines == [
        "mkdir g4f-lite-parley && cd g4f-lite-parley",
        "python3 -m venv .venv && . .venv/bin/activate",
        'pip install "../g4f_lite[cli]" pytest responses',
        "python3 parley_server.py",
        "pip install -e .",
        'g4f-lite chat --provider parley "Good morning to you"',
        "python -m pytest",
        "python -m pip wheel --no-deps --wheel-dir dist . ../g4f_lite",
        'pip install --find-links dist "g4f-lite[cli]" g4f-lite-parley',
    ]


def test_the_provider_has_at_most_15_lines() -> None:
    (provider,) = (node for node in ast.parse(FILES["g4f_lite_parley.py"]).body if isinstance(node, ast.ClassDef))
    assert provider.end_lineno is not None
    assert provider.end_lineno - provider.lineno + 1 <= 15


def test_it_is_asked_by_its_name(environment: Environment) -> None:
    assert environment.run_beside_the_server("-c", ASKING) == "Good morning to you \nOne |word |at |a |time |"


def test_the_command_asks_it(environment: Environment) -> None:
    command = ["-m", "g4f_lite", "chat", "--provider", "parley", "Good morning to you"]
    assert environment.run_beside_the_server(*command).split() == ["Good", "morning", "to", "you"]


def test_the_command_lists_it(environment: Environment) -> None:
    lines = environment.run("-m", "g4f_lite", "providers").splitlines()
    assert [line.split() for line in lines if line.startswith("parley")] == [["parley", "yes", "none", "yes"]]


def test_its_tests_pass(environment: Environment) -> None:
    quick = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    tests = len(re.findall(r"^def test_", FILES["test_parley.py"], re.MULTILINE))
    assert f" {tests} passed" in environment.run("-m", "pytest", *quick)


def test_a_key_comes_from_the_environment(environment: Environment) -> None:
    assert environment.run_beside_the_server("-c", WITH_KEY + MISSING_KEY).splitlines() == [
        "ParleyWithKey: the key is missing: set PARLEY_API_KEY in the environment, or pass api_key=",
        "Good day ",
        "ann bob",
    ]


def test_a_token_that_is_refused_is_fetched_again(environment: Environment) -> None:
    assert environment.run("-c", WITH_TOKEN + REFUSED_TOKEN).splitlines() == [
        "Good day ['swan']",
        "/token None",
        "/chat Bearer first-token",
        "/token None",
        "/chat Bearer second-token",
        "/models Bearer second-token",
    ]


def test_a_job_is_asked_for_until_it_is_done(environment: Environment) -> None:
    """The block checks its own provider, with a server on loopback."""
    assert environment.run("-c", WITH_JOBS + 'print(ParleyJobs.request.__name__, "checked")') == "request checked\n"


def test_a_session_is_closed_behind_its_answer(environment: Environment) -> None:
    """The block checks its own provider; tests/wire/test_sessions_to_close.py ends its answers in other ways."""
    assert environment.run("-c", WITH_SESSIONS + 'print("checked")') == "checked\n"


FETCHED_IMAGE = """
import responses

with responses.RequestsMock() as service:
    service.post("http://127.0.0.1:8080/token", json={"token": "first"})
    service.post("http://127.0.0.1:8080/token", json={"token": "second"})
    service.post("http://127.0.0.1:8080/chat", answer)
    service.get("http://127.0.0.1:8080/images/7", status=401)
    service.get("http://127.0.0.1:8080/images/7", b"the bytes", content_type="image/png")
    with ParleyImages() as provider:
        print(provider.ask("Hello").images[0].bytes())
    for call in service.calls:
        print(call.request.path_url, call.request.headers.get("Authorization"))
"""


def test_an_image_is_fetched_with_the_token(environment: Environment) -> None:
    assert environment.run("-c", WITH_TOKEN + WITH_IMAGES + FETCHED_IMAGE).splitlines() == [
        "b'the bytes'",
        "/token None",
        "/chat Bearer first",
        "/images/7 Bearer first",
        "/token None",
        "/images/7 Bearer second",
    ]


REFUSED_MOOD = """
import responses

with responses.RequestsMock() as service:
    service.post("http://127.0.0.1:8080/chat", status=400, json={"error": "no such mood"})
    try:
        ParleyWithErrors().ask("Hello")
    except ServiceError as error:
        print(error)
"""


def test_an_error_of_the_service_is_read(environment: Environment) -> None:
    assert environment.run("-c", WITH_ERRORS + REFUSED_MOOD) == "ParleyWithErrors, prompt: no such mood\n"


RENEWED = """
import responses

with responses.RequestsMock() as service:
    service.post("http://127.0.0.1:8080/login", json={"token": "first"})
    service.post("http://127.0.0.1:8080/login", json={"token": "second"})
    service.post("http://127.0.0.1:8080/jobs", json={"id": 7})
    service.get("http://127.0.0.1:8080/jobs/7", status=401)
    service.get("http://127.0.0.1:8080/jobs/7", json={"state": "done", "text": "Good day"})
    with ParleyLongJobs() as provider:
        print(provider.ask("Hello"), provider.ask("Hello"))
    for call in service.calls:
        print(call.request.path_url, call.request.headers.get("Authorization"))
"""


def test_a_job_that_outlives_its_login_logs_in_again_and_the_next_one_need_not(environment: Environment) -> None:
    assert environment.run("-c", WITH_JOBS + WITH_LONG_JOBS + RENEWED).splitlines() == [
        "Good day Good day",
        "/login None",
        "/jobs Bearer first",
        "/jobs/7 Bearer first",
        "/login None",
        "/jobs/7 Bearer second",
        "/jobs Bearer second",
        "/jobs/7 Bearer second",
    ]


def test_an_error_with_status_200_says_when_to_come_back(environment: Environment) -> None:
    assert (
        environment.run("-c", WITH_JOBS + BUSY)
        == "ParleyJobs, prompt: all workers are busy; try again in 120 s 120.0\n"
    )


def test_the_wheels_of_both_are_enough_for_others(environment: Environment) -> None:
    """But for what they need from PyPI, which is left out here; g4f_lite is copied, as building writes beside it."""
    unbuilt = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "docs", "benchmarks")
    shutil.copytree(HOME, environment.folder.parent / "g4f_lite", ignore=unbuilt)
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", ".", "../g4f_lite"]
    environment.run("-m", "pip", *build, folder=environment.folder, PYTHONWARNINGS="default")
    found = ["--no-deps", "--no-index", "--find-links", "dist", "--target", "others"]
    names = ["g4f-lite[cli]", "g4f-lite-parley"]
    environment.run("-m", "pip", "install", *found, *names, folder=environment.folder, PYTHONWARNINGS="default")
    others = environment.folder / "others"
    asked = 'import g4f_lite; print(g4f_lite.__file__, g4f_lite.Client("parley").provider)'
    shown = environment.run("-c", asked, PYTHONPATH=str(others))
    assert shown.startswith(str(others))
    assert "Parley(" in shown
