"""Whether a pipe still has somebody who writes to it."""

from __future__ import annotations

import os
import select
import sys

import pytest

from g4f_lite.providers.local.presence import has_no_writer, own_copy

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="only a forked child asks")


def test_a_pipe_without_a_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")  # as eventlet does
    read, write = os.pipe()
    os.write(write, b"not read")
    copy = own_copy(read)
    assert os.read(read, 10) == b""
    assert not has_no_writer(copy, 0)
    assert not has_no_writer(copy, 0.01)
    os.close(write)
    assert has_no_writer(copy, 0)
    assert os.read(copy, 10) == b"not read"
    for each in (read, copy):
        os.close(each)
