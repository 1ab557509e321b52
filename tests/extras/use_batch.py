"""Many prompts with their progress, kept in a file; and a pace that is counted in Redis, which does not run here."""

import contextlib
import io
import tempfile
from pathlib import Path

from g4f_lite import Client, Pace, ProviderNotConfiguredError
from g4f_lite.testing import Scripted

with tempfile.TemporaryDirectory() as folder:
    store = Path(folder, "answers.db")
    for stored in (0, 2):  # the second time, nothing is asked
        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            results = Client(Scripted("one", "two")).map(["1", "2"], store=store, progress=True, workers=1)
            assert results.texts() == ["one", "two"]
        assert "2/2" in shown.getvalue()
        assert results.usage.stored == stored

try:
    Client("echo", pace=Pace(rpm=60, storage="redis://127.0.0.1:9")).ask("hello")
except ProviderNotConfiguredError as error:
    assert "redis://127.0.0.1:9" in str(error)
else:
    raise AssertionError("a pace without its Redis server")
