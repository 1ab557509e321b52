"""Services for the tests of the client."""

from __future__ import annotations

import base64

from g4f_lite import ModelNotSupportedError
from g4f_lite.testing import Scripted

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


class Plain(Scripted):
    """A service that takes no option at all."""

    known_options = frozenset()


class Choosy(Scripted):
    """A service that knows its models."""

    models = ("small", "large")

    def check(self, prompt):
        if prompt.model is not None and prompt.model not in self.models:
            raise ModelNotSupportedError(f"no {prompt.model}", provider=self.name)
