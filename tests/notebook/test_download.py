"""The download of the embedded model in a notebook, from an index that does not answer."""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
from pathlib import Path

import pytest

from .kernels import Kernel

if importlib.util.find_spec("xllamacpp") is None:
    pytest.skip("the embedded model is not installed", allow_module_level=True)


@pytest.mark.parametrize("cell", ["%%chat\nHello", "g4f_lite.Client().map(['Hello']).texts()"])
def test_an_interrupt_of_the_first_download_is_one_line(cell: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(60)
        own = {
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"http://127.0.0.1:{index.getsockname()[1]}/simple",
            "NO_PROXY": "*",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("G4F_LITE_")}
        kernel = Kernel()

        def interrupt() -> None:
            with index.accept()[0]:
                kernel.interrupt()

        with kernel.client.setup_kernel(env={**others, **own}):
            kernel.run("%load_ext g4f_lite\nimport g4f_lite")
            thread = threading.Thread(target=interrupt)
            thread.start()
            shown, error = kernel.run(cell).outputs
            thread.join()
    assert shown.data["text/markdown"] == "Downloading the model: interrupted"
    assert error.traceback == ["Interrupted: the download of the model was interrupted; run the cell again"]
