"""A hosted batch in a process of its own, which a test kills: ``hosted_script.py URL PATH``."""

from __future__ import annotations

import sys

from g4f_lite import Client

with Client(base_url=f"{sys.argv[1]}/v1", model="m") as client:
    print(*client.batch(["one", "two", "three"], path=sys.argv[2], poll=0.01).texts())
