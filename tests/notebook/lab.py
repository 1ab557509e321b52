"""JupyterLab in a browser without a window."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
TOKEN = "loopback"
SECONDS = 40  # a wait for anything in the browser; a busy machine takes some

SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
OUTPUT = ".jp-OutputArea-output"
READY = "return !!(window.jupyterapp && window.jupyterapp.serviceManager.isReady)"
RUN_ALL = """
const [path, done] = arguments, app = window.jupyterapp;
(async () => {
    await app.restored;
    window.allHaveRun = false;
    document.title = "notebook";
    const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
    await panel.context.ready;
    await panel.sessionContext.ready;
    app.commands.execute("notebook:run-all-cells").then(() => { window.allHaveRun = true; });
})().then(() => done(""), error => done(String(error)));
"""


def until(condition: Any) -> None:
    """Wait until a condition holds.

    :raises TimeoutError: if it does not
    """
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing for {SECONDS} s")
        time.sleep(0.05)


class Lab:
    """JupyterLab, and the browser that it is open in.

    :ivar browser: a driver of selenium's
    :ivar pictures: the folder for screenshots
    """

    def __init__(self, browser: Any, folder: Path, pictures: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.pictures = pictures

    def run(self, name: str, *cells: str, wait: bool = True) -> None:
        """Open a new notebook, and run its cells."""
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        assert self.browser.execute_async_script(RUN_ALL, f"{name}.ipynb") == ""
        if wait:
            until(lambda: self.browser.execute_script("return !!window.allHaveRun"))

    def command(self, name: str) -> None:
        """Execute a command of JupyterLab's, such as one of its buttons does."""
        self.browser.execute_script("window.jupyterapp.commands.execute(arguments[0])", name)

    def find(self, selector: str) -> list[Any]:
        """Find elements of the notebook that is shown."""
        found: list[Any] = self.browser.find_elements("css selector", f"{SHOWN} {selector}")
        return found

    def outputs(self) -> list[str]:
        """Give the text of each output, one after the other."""
        texts = self.browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(output => output.innerText)", f"{SHOWN} {OUTPUT}"
        )
        return [text.strip() for text in texts]

    def has_run(self) -> bool:
        """Return whether the page has run what an answer brought; see :data:`.hostile.RUN`."""
        return bool(self.browser.execute_script("return document.documentElement.id === 'RAN'"))

    def picture(self, name: str) -> None:
        """Write a screenshot, for a person to look at."""
        self.browser.save_screenshot(str(self.pictures / f"{name}.png"))


@contextmanager
def started(folder: Path, environment: dict[str, str], pictures: Path) -> Iterator[Lab]:
    """Start JupyterLab and the browser."""
    settings, notebooks = folder / "settings", folder / "notebooks"
    (settings / "labconfig").mkdir(parents=True)
    notebooks.mkdir()
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (settings / "labconfig" / "page_config.json").write_text(json.dumps(news))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"HOME": str(folder), "JUPYTER_CONFIG_DIR": str(settings), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    ]
    log = (folder / "log").open("wb")
    with subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options], env={**environment, **own}, stdout=log, stderr=log
    ) as server:
        try:
            until(lambda: _answers(port))
            browser = webdriver.Chrome(options=_options(folder), service=webdriver.ChromeService(DRIVER))
            try:
                browser.get(f"http://127.0.0.1:{port}/lab?token={TOKEN}")
                until(lambda: browser.execute_script(READY))
                yield Lab(browser, notebooks, pictures)
            finally:
                browser.quit()
        finally:
            server.terminate()
            log.close()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _options(folder: Path) -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1100,1400",
        f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(option)
    return options


def pictures_of(folder: Path) -> Path:
    """Give the folder for screenshots: that of ``NOTEBOOK_PICTURES``, or else one beside the test's files."""
    made = Path(os.environ.get("NOTEBOOK_PICTURES", folder / "pictures"))
    made.mkdir(parents=True, exist_ok=True)
    return made
